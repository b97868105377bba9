"""Forecasts and look-ups read the store that is meant, and never past their origin."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from forecast.cli import main
from forecast.run import run
from indicators.store import Store, StoreError
from indicators.store.use import stored


def rows(published: str, value: float = 4321.0) -> pd.DataFrame:
    days = pd.date_range("2016-01-01", "2016-05-01", freq="MS")
    return pd.DataFrame(
        {
            "indicator": "violence_deaths", "state": "UZB", "counterpart": "", "start": days,
            "end": days + pd.offsets.MonthEnd(0), "frequency": "M", "basis": "best_estimate",
            "value": value, "unit": "deaths", "published": published,
            "published_rule": "retrieved", "source": "ucdp_ged_251",
        }
    )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Store.open(home=tmp_path) as store:
        store.append(rows("2016-06-20"), provider="test", retrieved="2016-06-20")
    return tmp_path


def ask(home: Path, db: str | None = None) -> dict[str, object]:
    found = run(state="TKM", as_of="2016-07-01", questions="foreign_base", model="base_rate",
                horizons=(12,), home=home, db=db)  # fmt: skip
    return found.payload


def test_which_store_is_read(home: Path, tmp_path: Path) -> None:
    with stored(None, home=tmp_path / "empty") as none:
        assert none is None
    with stored("none", home=home) as none:
        assert none is None
    with stored(None, home=home, usual=False) as none:
        assert none is None
    with stored(None, home=home) as own:
        assert own is not None
        assert len(own.history()) == 5
    with pytest.raises(StoreError, match="there is no store"), stored(tmp_path / "no.db"):
        pass


def test_a_run_reads_the_store_of_its_home_unless_told_not_to(home: Path, tmp_path: Path) -> None:
    plain, with_store = ask(tmp_path / "other"), ask(home)
    assert with_store != plain
    assert ask(home, "none") == plain
    assert ask(tmp_path / "third", str(home / "tocsin.db")) == with_store


def test_a_store_full_of_later_figures_changes_nothing(home: Path, tmp_path: Path) -> None:
    with Store.open(home=tmp_path / "late") as store:
        store.append(rows("2016-07-02", 1e6), provider="test", retrieved="2016-07-02")
    assert ask(tmp_path / "late") == ask(tmp_path / "other")


def test_show_tells_the_stored_figures(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_HOME", str(home))
    args = "indicators show violence_deaths --state UZB --as-of 2016-07-01 --json".split()
    told = json.loads(CliRunner().invoke(main, args).stdout)["observations"]
    assert [row["value"] for row in told if row["published_rule"] == "retrieved"] == [4321.0] * 5
    told = json.loads(CliRunner().invoke(main, [*args, "--db", "none"]).stdout)["observations"]
    assert not [row for row in told if row["published_rule"] == "retrieved"]


def test_a_check_reads_the_store_that_a_run_reads(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would be gathered from, and no further: nothing is fitted."""
    seen = []

    def gather(_question: object, snapshot: Any, *_: object, **__: object) -> object:
        seen.append(snapshot.hash)
        return SimpleNamespace(target=None)

    monkeypatch.setattr("forecast.checks.main.gather", gather)
    words = ["check", "--as-of", "2016-07-01", "--question", "foreign_base", "--home"]
    for more in ([str(tmp_path / "other")], [str(home)], [str(home), "--db", "none"]):
        done = CliRunner().invoke(main, [*words, *more])
        assert "not at risk" in done.stderr
    plain, own, without = seen
    assert own != plain
    assert without == plain
