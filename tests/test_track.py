"""The record beside a forecast: scored by what could be judged that day, and by nothing later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from forecast.backtest import Grid, backtest, software
from forecast.cli import main
from forecast.labels import label, labelled
from forecast.outcomes import outcomes
from forecast.report import render
from forecast.run import run
from forecast.schema import validate
from forecast.skill import skill_table
from forecast.track import BACKTEST, TrackError, track_record
from forecast.words import record_head, record_line
from indicators.tables import DataPackage

ORIGINS = ("1999-01-01", "2001-07-01", "2002-01-01", "2004-01-01", "2009-01-01", "2014-01-01")
ASK: dict[str, Any] = {
    "origin": pd.Timestamp("2010-01-01"),
    "questions": ("foreign_base", "bloc_accession"),
    "horizons": (12, 36),
    "model": "climatology",
    "seed": 1,
}


@pytest.fixture(scope="module")
def said() -> pd.DataFrame:
    grid = Grid(tuple(map(pd.Timestamp, ORIGINS)), ASK["questions"], ASK["horizons"],
                ("base_rate", "climatology"), 1)  # fmt: skip
    return outcomes(backtest(grid))


def kept(folder: Path, frame: pd.DataFrame) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / BACKTEST, index=False)
    return folder


def test_only_windows_judged_by_then_count(
    tmp_path: Path, said: pd.DataFrame, bundled: DataPackage
) -> None:
    found = track_record(kept(tmp_path, said), bundled, **ASK)
    assert (found["first"], found["last"]) == ("1999-01-01", "2009-01-01")
    judged = said[said["closes"] <= ASK["origin"]]
    own = skill_table(judged, seed=1).set_index(["question", "horizon"])
    assert len(found["rows"]) == len(own) == 4
    for row in found["rows"]:
        expected = own.loc[(row["question"], row["horizon"])]
        assert (row["n"], row["campaigns"]) == (expected["n"], expected["campaigns"])
        assert row["log_gain"] == pytest.approx(expected["log_gain"], abs=1e-5)
        assert str(row["campaigns"]) in record_line(row)


def test_what_comes_later_changes_nothing(
    tmp_path: Path, said: pd.DataFrame, bundled: DataPackage
) -> None:
    late = said["closes"] > ASK["origin"]
    other = said.assign(
        p=said["p"].where(~late, 0.99),
        # whoever wrote the file, outcomes are looked up anew
        y=1.0 - said["y"],
    )
    here = track_record(kept(tmp_path / "a", said), bundled, **ASK)
    assert track_record(kept(tmp_path / "b", other), bundled, **ASK) == here
    assert track_record(kept(tmp_path / "c", said[~late]), bundled, **ASK) == here
    moved = said.assign(p=said["p"].where(late, 0.5 * said["p"]))
    moved["p"] = moved["p"].where(moved["model"] == "climatology", said["p"])
    assert track_record(kept(tmp_path / "d", moved), bundled, **ASK) != here


def test_the_record_says_what_made_it(
    tmp_path: Path, said: pd.DataFrame, bundled: DataPackage
) -> None:
    grid = Grid((pd.Timestamp("1999-01-01"),), ASK["questions"], (12,), ("climatology",), 3)
    ask = ASK | {"horizons": (12,)}
    for code, same in ((software()[0], True), ("f" * 64, False)):
        about = label(
            grid, models=["climatology"], data_hash="d" * 64, code_hash=code, judged="end"
        )
        tmp_path.joinpath(BACKTEST).write_bytes(labelled(said, about))
        found = track_record(tmp_path, bundled, **ask)
        assert found["made_by"] == {
            "seed": 3, "code_hash": code, "data_hash": "d" * 64, "same_code": same
        }  # fmt: skip
        assert ("another version" in record_head(found)) != same
    assert track_record(kept(tmp_path / "bare", said), bundled, **ask)["made_by"] is None


def test_the_hazard_is_scored_as_the_headline_it_is(
    tmp_path: Path, said: pd.DataFrame, bundled: DataPackage
) -> None:
    ask = ASK | {"model": "hazard"}
    own = said[said["model"] == "climatology"]
    face = pd.concat([said, own.assign(model="hazard", p=0.5 * own["p"])])
    assert track_record(kept(tmp_path / "a", face), bundled, **ask)["model"] == "hazard"
    both = pd.concat([face, own.assign(model="hazard_carried")])
    found = track_record(kept(tmp_path / "b", both), bundled, **ask)
    assert found["model"] == "hazard_carried"
    plain = track_record(kept(tmp_path / "c", said), bundled, **ASK)
    assert [row["log_gain"] for row in found["rows"]] == [row["log_gain"] for row in plain["rows"]]


def test_before_any_window_has_closed(
    tmp_path: Path, said: pd.DataFrame, bundled: DataPackage
) -> None:
    ask = ASK | {"origin": pd.Timestamp("1999-06-01")}
    found = track_record(kept(tmp_path, said), bundled, **ask)
    assert (found["rows"], found["first"]) == ([], None)
    assert found["unjudged"] == list(ASK["questions"])


def test_a_model_that_was_not_backtested(
    tmp_path: Path, said: pd.DataFrame, bundled: DataPackage
) -> None:
    with pytest.raises(TrackError, match=r"--models base_rate,hazard") as caught:
        track_record(kept(tmp_path, said), bundled, **ASK | {"model": "hazard"})
    assert caught.value.exit_code == 3


def test_json_table_and_page_show_it(tmp_path: Path, said: pd.DataFrame) -> None:
    folder = kept(tmp_path / "bt", said.replace({"model": {"climatology": "glm"}}))
    ask: dict[str, Any] = {"state": "UZB", "as_of": "2010-01-01", "horizons": (12, 36)}
    ask |= {"questions": "foreign_base", "model": "glm", "home": tmp_path / "home"}
    plain = run(**ask)
    assert "skill" not in plain.payload
    told = run(**ask, backtest=folder)
    assert told.table.equals(plain.table)  # beside the forecast, not in it
    assert validate(told.payload) == validate(plain.payload)
    row = told.payload["skill"]["rows"][0]
    page = render(told.payload)
    assert 'id="record"' in page
    assert f"{row['log_gain']:+.1f}<small>" in page
    assert 'id="record"' not in render(plain.payload)
    shown = CliRunner().invoke(
        main,
        ["run", "--state", "UZB", "--as-of", "2010-01-01", "--question", "foreign_base",
         "--horizon", "12,36", "--model", "glm", "--home", str(tmp_path / "home"),
         "--backtest", str(folder)],
    )  # fmt: skip
    assert shown.exit_code == 0
    assert "record of" in shown.stdout
    assert f"{row['log_gain']:+.1f} nats" in " ".join(shown.stdout.split())
    assert json.loads(told.to_json())["skill"] == told.payload["skill"]


def test_no_event_is_no_score() -> None:
    row = {"horizon": 6, "campaigns": 0, "n": 42, "log_gain": 0.4}
    assert record_line(row) == "within 6 months no event in 42 windows: no score yet"
