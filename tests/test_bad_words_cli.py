"""Words that make no backtest, score or check: a sentence and exit code 2, nothing computed."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from forecast import cli_options
from forecast.backtest import LONGEST, Grid, GridError
from forecast.cli import main
from forecast.outcomes import outcomes
from forecast.track import BACKTEST
from indicators.tables import DataPackage

ORIGIN = pd.Timestamp("2001-07-01")


def ask(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--models", ""), "models"),
        (("--models", "pool"), "a pool needs two"),
        (("--models", "pool,hazard,climatology"), "a pool needs two"),
        (("--question", ""), "questions"),
        (("--horizon", ""), "horizons"),
        (("--horizon", "²"), "whole months"),
        (("--horizon", "601"), "from 1 to 600"),
        (("--seed", "-1"), "-1"),
        (("--to", "2020-01"), "up to today, 2019-05-05"),
        (("--from", "soon"), "a month 2016-07"),
    ],
)
def test_words_that_make_no_backtest(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_TODAY", "2019-05-05")
    out = tmp_path / "out"
    base = ("--from", "2001-07", "--to", "2001-07", "--out", str(out), "--models", "base_rate")
    done = ask("backtest", *base, *words)
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.stderr.split())
    assert not isinstance(done.exception, ValueError | KeyError)
    assert not out.exists()


@pytest.mark.parametrize(
    "words", [("score", "--seed", "-1"), ("check", "--seed", "-1"), ("check", "--as-of", "2999-01")]
)
def test_words_that_make_no_score_and_no_check(words: tuple[str, ...]) -> None:
    done = ask(*words)
    assert done.exit_code == 2
    assert "traceback" not in done.output.lower()
    assert words[-1] in done.stderr


def test_a_grid_asks_each_thing_once() -> None:
    found = Grid((ORIGIN, ORIGIN), ("q", "q"), (12, 6, 12), ("glm", "base_rate", "glm"), 1)
    assert (found.origins, found.questions) == ((ORIGIN,), ("q",))
    assert (found.horizons, found.models) == ((12, 6), ("glm", "base_rate"))
    for place, models, questions in (("models", (), ("q",)), ("questions", ("glm",), ())):
        with pytest.raises(GridError, match=f"place: {place}"):
            Grid((ORIGIN,), questions, (6,), models, 1)
    with pytest.raises(GridError, match="from 1 to 600"):
        Grid((ORIGIN,), ("q",), (LONGEST + 1,), ("glm",), 1)
    assert cli_options.MAX_HORIZON == LONGEST


@pytest.mark.parametrize(
    ("words", "module", "name"),
    [
        (("backtest", "--from", "2001-07", "--to", "2001-07", "--models", "base_rate"),
         "forecast.backtest", "backtest"),
        (("check", "--as-of", "2016-07-01"), "forecast.checks.main", "check"),
    ],
    ids=["backtest", "check"],
)  # fmt: skip
def test_the_place_is_tried_before_anything_is_computed(
    words: tuple[str, ...], module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be made, since a file is in its place."""
    (tmp_path / "file").touch()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed")

    monkeypatch.setattr(import_module(module), name, never)
    done = ask(*words, "--out", str(tmp_path / "file" / "out"))
    assert done.exit_code == 3, done.output
    assert "file" in done.stderr


def test_a_backtest_without_a_closed_window_has_no_scores(
    tmp_path: Path, bundled: DataPackage
) -> None:
    said = pd.DataFrame(
        {
            "question": "foreign_base", "state": "UZB", "origin": pd.Timestamp("2024-07-01"),
            "horizon": 36, "model": ["base_rate", "glm"], "p": [0.1, 0.2], "prior_share": 0.5,
        }
    )  # fmt: skip
    table = outcomes(said, package=bundled)
    assert table["y"].isna().all()
    table.to_parquet(tmp_path / BACKTEST, index=False)
    told = ask("score", "--backtest", str(tmp_path))
    assert told.exit_code == 0, told.output
    assert "No window that counts has closed" in told.stdout
    assert json.loads(ask("score", "--backtest", str(tmp_path), "--json").stdout)["scores"] == []
