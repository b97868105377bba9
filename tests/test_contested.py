"""Contested events: left out of a run where asked, in one piece, and never from the record."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from forecast import report
from forecast.asking import AskError, excluded
from forecast.cli import main
from forecast.cli_format import run_view
from forecast.ledger import records_of
from forecast.questions import load_questions
from forecast.reference import reference_classes
from forecast.risk import risk_set
from forecast.run import run
from forecast.schema import validate
from indicators.errors import DataError, UnknownNameError
from indicators.tables import DataPackage
from indicators.vintages import snapshot

AUSTRIA = ("AUT-1955@1995-01-01", "AUT-1955@1998-07-01", "AUT-1955@2010-07-08")
ASK: dict[str, Any] = {
    "state": "TKM", "as_of": "2016-07-01", "questions": "neutrality_text_revision",
    "horizons": (12,),
}  # fmt: skip


def words(payload: dict[str, Any]) -> str:
    """All that a forecast says of its evidence."""
    (entry,) = payload["forecasts"]
    return str([entry[k] for k in ("cases", "reference_classes", "drivers")])


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("model", ["hazard", "base_rate", "pool"])
def test_a_run_without_a_contested_event_knows_nothing_of_it(tmp_path: Path, model: str) -> None:
    ask = ASK | {"model": model, "home": tmp_path}
    whole, less = run(**ask).payload, run(**ask, exclude="austria").payload
    for payload in (whole, less):
        validate(payload)
    (before,), (after,) = whole["forecasts"], less["forecasts"]
    assert (before["base_rate_events"], after["base_rate_events"]) == (5, 3)
    assert after["base_rate_exposure_years"] == before["base_rate_exposure_years"]
    assert [c["events"] - d["events"] for c, d in zip(
        before["reference_classes"], after["reference_classes"], strict=True
    )] == [2, 2, 2, 2, 0, 2, 2, 3]  # fmt: skip
    assert after["p"] != before["p"]
    assert [(e["p"], e["model"]) for e in after["baselines"]] != [
        (e["p"], e["model"]) for e in before["baselines"]
    ] or model == "base_rate"
    assert "AUT-1955" not in words(less)
    assert whole["exclude"] == []
    assert less["exclude"] == [{"name": "austria", "events": list(AUSTRIA)}]
    assert any("austria" in line for line in less["not_seen"])
    assert less["provenance"]["config_hash"] != whole["provenance"]["config_hash"]
    assert less["provenance"]["data_hash"] == whole["provenance"]["data_hash"]


@pytest.mark.usefixtures("cheap")
def test_what_is_fitted_without_an_event_is_the_risk_set_without_it(
    bundled: DataPackage, cheap: Any
) -> None:
    seen = snapshot("2016-07-01", package=bundled)
    question = load_questions(bundled, as_of=seen.as_of)["neutrality_text_revision"]
    risk = risk_set(question, seen, exclude=AUSTRIA)
    assert not risk.events["event_id"].str.startswith("AUT").any()
    assert not risk.set_aside["event_id"].isin(AUSTRIA).any()
    run(**ASK, cache=False)
    with_it = list(cheap.asked)
    run(**ASK, cache=False, exclude="austria")
    # default, no process and strict: each fit is another
    assert len(set(cheap.asked)) == 2 * len(set(with_it)) > 0


def test_rows_of_one_toggle_stand_or_fall_together(bundled: DataPackage) -> None:
    known = load_questions(bundled)
    asked = [known["neutrality_weakening"], known["foreign_base"]]
    for name in ("austria", *AUSTRIA):
        assert excluded(asked, name) == {"austria": AUSTRIA}
    found = excluded(asked, ["TJK-CHN-SHAYMAK", "austria", "shaymak"])
    assert found == {"austria": AUSTRIA, "shaymak": ("TJK-CHN-SHAYMAK",)}
    assert excluded(asked, ()) == {}


def test_a_presence_left_out_puts_the_pair_back_at_risk(bundled: DataPackage) -> None:
    seen = snapshot("2022-07-01", package=bundled)
    question = load_questions(bundled, as_of=seen.as_of)["foreign_base"]
    rows = excluded([question], "shaymak")["shaymak"]

    def counted(exclude: tuple[str, ...]) -> tuple[float, float, set[str]]:
        table = reference_classes(question, seen, state="TKM", exclude=exclude)
        row = table.set_index("class_id").loc["central_asia_2004"]
        risk = risk_set(question, seen, exclude=exclude)
        pair = (risk.origin["state"] == "TJK") & (risk.origin["slot"] == "CHN")
        return float(row["exposure_years"]), float(pair.sum()), set(row["counted"])

    with_it, without = counted(()), counted(rows)
    assert with_it[1:] == (0.0, set(rows))
    assert without[1:] == (1.0, set())
    # a host is exposed as long as any power could come, so the years of the class stay
    assert without[0] == pytest.approx(with_it[0])


def test_names_that_nobody_registered_are_refused(bundled: DataPackage) -> None:
    asked = [load_questions(bundled)["foreign_base"]]
    for name in ("austria", "AUT-1955@1995-01-01", "UZB-USA-K2", ""):
        with pytest.raises(UnknownNameError) as caught:
            excluded(asked, name)
        assert "belarus_2022" in str(caught.value)
        assert "shaymak" in str(caught.value)


def test_the_command_refuses_what_the_function_does(tmp_path: Path) -> None:
    words = ["run", "--as-of", "2016-07", "--model", "base_rate", "--home", str(tmp_path)]
    found = CliRunner().invoke(main, [*words, "--exclude", "bosnia"])
    assert found.exit_code == UnknownNameError.exit_code
    assert "austria" in found.output
    found = CliRunner().invoke(main, [*words, "--exclude", "austria", "--exclude", "shaymak"])
    assert found.exit_code == 0
    assert "left out of this run as contested: austria" in " ".join(found.output.split())
    assert "shaymak (TJK-CHN-SHAYMAK)" in " ".join(found.output.split())


def test_a_recorded_forecast_is_of_the_registered_coding(tmp_path: Path) -> None:
    words = ["run", "--as-of", "2016-07", "--model", "base_rate", "--home", str(tmp_path)]
    found = CliRunner().invoke(main, [*words, "--exclude", "austria", "--issue"])
    assert found.exit_code == 2
    assert "a recorded forecast is the registered one" in found.output
    assert not list(tmp_path.iterdir())
    payload = {"exclude": [{"name": "austria"}], "origin": "2016-07-01",
               "provenance": {"seed": 20160701}}  # fmt: skip
    less: Any = SimpleNamespace(payload=payload, forecasts=())
    ledger: Any = None
    with pytest.raises(AskError, match="the registered one"):
        records_of(less, ledger)


@pytest.mark.parametrize(
    "rows", ['["AUT-1955@1995-01-01", "CRI-1983@2014-11-15"]', "[]",
             '["AUT-1955@1995-01-01", "AUT-1955@1995-01-01"]'],
)  # fmt: skip
def test_a_group_holds_contested_rows_alone(
    bundled: DataPackage, tmp_path: Path, rows: str
) -> None:
    (tmp_path / "questions").mkdir()
    for file in bundled.questions_dir.glob("*.toml"):
        text = re.sub("(?m)^austria = .*$", f"austria = {rows}", file.read_text(encoding="utf-8"))
        (tmp_path / "questions" / file.name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_questions(replace(bundled, path=tmp_path))
    assert {f.column for f in caught.value.failures} == {"toggles"}


@pytest.fixture(scope="module")
def twice(
    cheaply: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """Run three questions, then the same from the cache."""
    asked = ("neutrality_text_revision", "neutrality_weakening", "foreign_base")
    ask = ASK | {"questions": asked, "home": tmp_path_factory.mktemp("home")}
    with cheaply():
        return [run(**ask).payload for _ in range(2)]


def test_the_block_tells_each_group_and_all_imputed(twice: list[dict[str, Any]]) -> None:
    payload, again = twice
    validate(payload)
    assert again == payload
    revision, weakening, base = (row["contested"] for row in payload["forecasts"])
    for entry, told in zip(payload["forecasts"], (revision, weakening), strict=False):
        (group,) = told["groups"]
        assert group["name"] == "austria"
        assert group["events"] == list(AUSTRIA[:2])
        assert group["with"] == {k: entry[k] for k in ("p", "lo90", "hi90")}
        assert group["without"] != group["with"]
        assert told["second_coder"] == {"confirmed": 15, "checked": 17}
        # one group: the imputed mean is that of its two readings, by how often each was drawn
        stands = group["stands"] / told["imputations"]
        mean = stands * group["with"]["p"] + (1 - stands) * group["without"]["p"]
        assert told["imputed"]["p"] == pytest.approx(mean, rel=1e-4)
        assert told["range"] == sorted([group["with"]["p"], group["without"]["p"]])
        assert len(told["words"]) == 2
        assert "15 of 17 rows" in told["words"][1]
        assert f"{group['base_rate']['events']} event" in told["words"][0]
    # the same coins for both questions
    assert revision["groups"][0]["stands"] == weakening["groups"][0]["stands"]
    assert [(g["name"], g["events"]) for g in base["groups"]] == [("ayni", ["TJK-IND-AYNI"])]
    assert base["groups"][0]["base_rate"]["events"] == 4
    assert base["idle"] == ["belarus_2022", "edca", "mashabim", "shaymak"]


def test_the_base_rate_without_a_group_is_that_of_a_run_without_it(
    twice: list[dict[str, Any]], tmp_path: Path
) -> None:
    asked = ("neutrality_text_revision", "neutrality_weakening")
    ask = ASK | {"questions": asked, "home": tmp_path, "model": "base_rate"}
    less = run(**ask, exclude=("austria",)).payload["forecasts"]
    for entry, without in zip(twice[0]["forecasts"][:2], less, strict=True):
        (group,) = entry["contested"]["groups"]
        told = {k: without[f"base_rate{k.removeprefix('p')}"] for k in ("p", "_lo90", "_hi90")}
        assert group["base_rate"] == {
            "p": told["p"],
            "lo90": told["_lo90"],
            "hi90": told["_hi90"],
            "events": without["base_rate_events"],
        }
        assert group["base_rate"]["events"] == entry["base_rate_events"] - 2


def test_the_block_is_shown(twice: list[dict[str, Any]]) -> None:
    console = Console(width=300, record=True, file=StringIO())
    console.print(run_view(twice[0]))
    page = report.render(twice[0])
    for text in (console.export_text(), page):
        assert "without" in text
        assert "stands in" in text
    assert "Without Austria" in page
    assert "Without Ayni" in page
    assert "Contested events imputed" in page


@pytest.mark.usefixtures("cheap")
def test_other_models_are_fitted_again(tmp_path: Path) -> None:
    ask = ASK | {"home": tmp_path}
    (entry,) = run(**ask, model="glm").payload["forecasts"]
    (group,) = entry["contested"]["groups"]
    assert (group["how"], group["k_hat"]) == ("refitted", None)
    (less,) = run(**ask, model="glm", exclude="austria").payload["forecasts"]
    assert group["without"] == {k: less[k] for k in ("p", "lo90", "hi90")}
    assert less["contested"]["groups"] == []
    assert less["contested"]["words"] == ["no contested event is in the reference set"]
    assert "austria" not in less["contested"]["idle"]
    (entry,) = run(**ask, model="base_rate").payload["forecasts"]
    assert entry["contested"] is None
