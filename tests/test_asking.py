"""What a run is asked for: refused as the command line refuses it, strict where asked, shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from forecast import cli_options
from forecast import run as facade_run
from forecast.asking import MAX_HORIZON, AskError
from forecast.cli import main
from forecast.forecasts import TABLE
from forecast.models.hazard import Hazard
from forecast.run import run, writable
from forecast.schema import schema, validate
from indicators.errors import TocsinError

ASK: dict[str, Any] = {"state": "TKM", "as_of": "2016-07-01", "model": "base_rate"}


@pytest.fixture
def tocsin() -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(main, list(words))


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        ({"horizons": ()}, "found: none"),
        ({"horizons": (6, 0)}, "found: 0"),
        ({"horizons": (-12,)}, "whole months from 1 to 600"),
        ({"horizons": (601,)}, "found: 601"),
        ({"horizons": (6.5,)}, "found: 6.5"),
        ({"horizons": 601}, "found: 601"),
        ({"seed": -1}, "found: -1"),
        ({"seed": 1.5}, "found: 1.5"),
        ({"horizons": (True,)}, "found: True"),
        ({"horizons": ("12",)}, "found: '12'"),
        ({"questions": ()}, "no question is asked"),
        ({"as_of": "2026-11-23"}, "up to today, 2026-11-22"),
        ({"as_of": date(2031, 1, 1)}, "found: 2031-01-01"),
    ],
)
def test_what_no_run_can_have_is_refused(
    ask: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_TODAY", "2026-11-22")
    with pytest.raises(AskError) as caught:
        run(**ASK | ask)
    assert said in str(caught.value)
    assert isinstance(caught.value, TocsinError | ValueError)
    assert caught.value.exit_code == 2


def test_both_doors_have_the_same_longest_horizon() -> None:
    described = schema()["$defs"]["forecast"]["properties"]["horizon"]
    assert MAX_HORIZON == cli_options.MAX_HORIZON == described["maximum"]


def test_one_name_is_one_question() -> None:
    one = run(**ASK, questions="foreign_base", horizons=(12,))
    assert one.to_json() == run(**ASK, questions=["foreign_base"], horizons=[12]).to_json()
    assert facade_run is run


def test_a_strict_run_rests_on_the_strict_snapshot(cheap: Any) -> None:
    ask = ASK | {"model": "hazard", "questions": "bloc_accession", "horizons": (12, 36)}
    usual, strict = (run(**ask, strict=flag, cache=False) for flag in (False, True))
    for found in (usual, strict):
        validate(found.payload)
    made = strict.payload["provenance"]
    assert strict.payload["strict_vintages"] is True
    assert made["data_hash"] == made["strict_hash"] == strict.snapshot.hash
    assert usual.payload["strict_vintages"] is False
    assert usual.payload["provenance"]["data_hash"] != made["data_hash"]
    assert usual.payload["provenance"]["strict_hash"] == made["strict_hash"]
    for row in strict.payload["forecasts"]:
        assert row["strict"] == {key: row[key] for key in ("p", "lo90", "hi90")}
    ps = [[row["p"] for row in found.payload["forecasts"]] for found in (usual, strict)]
    assert ps[0] != ps[1]


def test_the_command_line_passes_it_on() -> None:
    words = "run --as-of 2016-07-01 --model base_rate --question foreign_base --strict-vintages"
    done = CliRunner().invoke(main, words.split())
    assert done.exit_code == 0
    assert "true vintages only" in done.stdout
    strict = run(**ASK, questions="foreign_base", strict=True)
    assert strict.payload["provenance"]["data_hash"][:16] in done.stdout


def test_a_run_of_base_rates_has_its_table_and_its_view() -> None:
    found = run(**ASK, questions=("foreign_base", "bloc_accession"), horizons=(12, 36))
    assert found.forecasts == ()
    assert list(found.table.columns) == list(TABLE)
    assert list(found.table["horizon"]) == [12, 36, 12, 36]
    assert (found.table["p"] == found.table["base_rate"]).all()
    assert found.table["prior_share"].isna().all()
    assert pd.api.types.is_integer_dtype(found.table["base_rate_events"])
    view = found._repr_html_()
    assert view.count("<svg") == view.count("</svg>") == 2
    assert view.count("<table") == 2
    assert "Does another power open a base?" in view


def test_a_run_without_forecasts_says_why() -> None:
    found = run(**ASK | {"state": "DJI"}, questions="bloc_accession")
    assert found.table.empty
    assert "DJI is not at risk" in found._repr_html_()


def test_a_folder_is_tried_without_being_made(tmp_path: Path) -> None:
    writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file/home"):
        writable(tmp_path / "file" / "home")
    with pytest.raises(OSError, match="file/home"):
        run(**ASK | {"model": "hazard"}, home=tmp_path / "file" / "home")


def test_a_home_that_cannot_be_written_is_told_before_sampling(
    cheap: Any, tocsin: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    words = ["run", "--as-of", "2016-07-01", "--question", "bloc_accession"]
    home = tmp_path / "file" / "home"
    done = tocsin(*words, "--home", str(home))
    assert done.exit_code == 3
    assert str(home) in done.stderr
    assert "--no-cache" in done.stderr
    assert cheap.asked == []
    assert tocsin(*words, "--home", str(home), "--no-cache").exit_code == 0


def test_the_class_of_the_base_rate_has_its_star_in_a_real_run(
    tocsin: Callable[..., Result],
) -> None:
    done = tocsin("run", "--as-of", "2016-07-01", "--model", "base_rate")
    assert done.exit_code == 0
    starred = [line for line in done.stdout.splitlines() if re.search(r"\w \*( |$)", line)]
    assert len(starred) == 4  # one a question


def test_the_structure_of_a_run_is_the_one_asked_for(cheap: Any) -> None:
    """Scales and late reports reach the fit and its hash; the question's priors stay."""
    ask: Any = {**ASK, "model": "hazard", "questions": "foreign_base", "horizons": (12,)}
    ask["cache"] = False
    like = Hazard(effect_scale=0.1, learn_ridge=False, reporting=True)
    usual, other = run(**ask), run(**ask, like=like)
    assert len(set(cheap.asked)) == len(cheap.asked)
    hashes = [r.payload["provenance"]["config_hash"] for r in (usual, other)]
    assert hashes[0] != hashes[1]
    found = other.payload["forecasts"][0]
    assert 0 < found["lo90"] < found["p"] < found["hi90"] < 1
    assert found["p"] != usual.payload["forecasts"][0]["p"]


def test_a_day_before_the_record_is_refused_as_one(tocsin: Callable[..., Result]) -> None:
    shown = tocsin("run", "--state", "TKM", "--as-of", "1985-01-01", "--model", "base_rate")
    assert shown.exit_code == 2
    assert "from 1990-01-01 on" in shown.stderr


def test_a_state_that_is_not_at_risk_is_told_who_is() -> None:
    told = run(**ASK | {"state": "FRA", "questions": "foreign_base"}).payload["not_seen"]
    assert any("FRA is not at risk" in line and "At risk then: " in line for line in told)
    assert any("TKM" in line and "UZB" in line for line in told)
