"""Stages of processes: what was public, when, and when it counts as over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.definitions import Question
from forecast.episodes import ceil_month, floor_month
from forecast.questions import load_questions
from forecast.risk import risk_set
from forecast.stages import StageGrid, processes_of, stage_grid, under_way
from indicators.tables import DataPackage, load
from indicators.vintages import snapshot

FIRST = int(floor_month(pd.Timestamp("2000-01-01"))[0])
MONTHS = 60


@pytest.fixture(scope="module")
def package() -> DataPackage:
    return load()


@pytest.fixture(scope="module")
def questions(package: DataPackage) -> Mapping[str, Question]:
    return load_questions(package)


def process(public: str, late: str | None = None, **more: Any) -> dict[str, Any]:
    dates = {"public": public, "late": late, "ended": more.pop("ended", None)}
    row = {"process_id": f"P-{public}", "state": "AAA", "slot": "", "kind": "bill", "aim": "open"}
    return row | {k: pd.Timestamp(v) if v else pd.NaT for k, v in dates.items()} | more


def event(date: str, known: str | None = None) -> dict[str, Any]:
    days = {"date": pd.Timestamp(date), "known": pd.Timestamp(known or date)}
    return {"event_id": date, "state": "AAA", "slot": "", **days}


def grid(
    *processes: dict[str, Any], events: tuple[dict[str, Any], ...] = (), **how: Any
) -> StageGrid:
    columns = ["process_id", "state", "slot", "kind", "public", "late", "ended", "aim"]
    return stage_grid(
        pd.DataFrame(list(processes), columns=columns),
        pd.DataFrame(list(events), columns=["event_id", "state", "slot", "date", "known"]),
        units={("AAA", ""): 0},
        first=FIRST,
        last=FIRST + MONTHS - 1,
        expiry=24,
        **how,
    )


def months(found: StageGrid, stage: int) -> list[int]:
    return np.flatnonzero(found.stage[0] == stage).tolist()


def test_months_round_to_the_day() -> None:
    days = pd.Series(pd.to_datetime(["2000-01-01", "2000-01-02", "2000-01-31", "1999-12-31"]))
    assert (floor_month(days) - FIRST).tolist() == [0, 0, 0, -1]
    assert (ceil_month(days) - FIRST).tolist() == [0, 1, 1, 0]


def test_a_process_is_live_for_two_years_after_its_last_sign() -> None:
    found = grid(process("2000-03-15"))
    assert months(found, 1) == list(range(3, 27))  # April 2000 to March 2002
    assert found.age[0, 3] == 1
    assert found.age[0, 26] == 24
    assert np.flatnonzero(found.sign_live[0]).tolist() == [2]
    assert not found.sign_late.any()
    assert found.aim[0, 3] == "open"
    assert found.aim[0, 2] == ""


def test_a_text_makes_it_late_and_young_again() -> None:
    found = grid(process("2000-03-15", "2001-02-10"))
    assert months(found, 1) == list(range(3, 14))
    assert months(found, 2) == list(range(14, 38))
    assert found.age[0, 14] == 1
    assert np.flatnonzero(found.sign_late[0]).tolist() == [13]


def test_a_process_may_fall_silent_before_its_text() -> None:
    found = grid(process("2000-03-15", "2003-02-10"))
    assert months(found, 1) == list(range(3, 27))
    assert months(found, 2) == list(range(38, 60))


def test_what_appears_on_the_first_of_a_month_is_seen_that_day() -> None:
    found = grid(process("2000-03-01"))
    assert months(found, 1)[0] == 2
    assert np.flatnonzero(found.sign_live[0]).tolist() == [1]  # it moved the state of that day


def test_a_known_event_ends_what_was_public_before_it() -> None:
    found = grid(process("2000-03-15"), process("2000-09-20"), events=(event("2000-08-10"),))
    assert months(found, 1) == [*range(3, 8), *range(9, 33)]
    hidden = grid(process("2000-03-15"), events=(event("2000-08-10", "2001-05-10"),))
    assert months(hidden, 1) == list(range(3, 17))


def test_an_event_does_not_end_its_process_in_its_own_month() -> None:
    found = grid(process("2000-03-15"), events=(event("2000-08-01"),))
    assert months(found, 1) == list(range(3, 8))


def test_several_processes_the_furthest_and_newest_sets_the_stage() -> None:
    found = grid(
        process("2000-03-15", aim="weaken"),
        process("2000-06-15", aim="strengthen"),
        process("2000-05-15", "2000-08-15", aim="open"),
    )
    assert found.aim[0, 3:10].tolist() == [
        "weaken",
        "weaken",
        "open",
        "strengthen",
        "strengthen",
        "open",
        "open",
    ]
    assert found.age[0, 8] == 1
    assert np.flatnonzero(found.sign_live[0]).tolist() == [2, 4, 5]


def test_a_sign_that_is_late_at_once_is_no_live_sign() -> None:
    found = grid(process("2000-03-15", "2000-03-15"))
    assert months(found, 1) == []
    assert not found.sign_live.any()
    assert np.flatnonzero(found.sign_late[0]).tolist() == [2]
    both = grid(process("2000-03-02", "2000-03-15"))
    assert np.flatnonzero(both.sign_live[0]).tolist() == [2]
    assert np.flatnonzero(both.sign_late[0]).tolist() == [2]


def test_coded_ends_are_used_only_where_asked() -> None:
    row = process("2000-03-15", ended="2000-07-01")
    assert months(grid(row), 1)[-1] == 26
    assert months(grid(row, ends="coded"), 1) == [3, 4, 5]


def test_narrow_projects_and_those_without_a_text_at_risk_are_left_out(
    package: DataPackage, questions: Mapping[str, Question]
) -> None:
    known = snapshot("2024-12-31", package=package)
    found = processes_of(questions["neutrality_text_revision"], known)
    assert "TKM-2019-COMM" not in set(found["process_id"])  # two chambers
    assert set(found["aim"]) == {"open", "strengthen", "weaken"}
    table = package.table("reform_processes").set_index("process_id")
    assert table.loc[found["process_id"], "spell_at_risk"].notna().all()


def test_a_signed_agreement_is_late_even_where_its_day_is_not_given(
    package: DataPackage, questions: Mapping[str, Question]
) -> None:
    known = snapshot("2024-12-31", package=package)
    found = processes_of(questions["foreign_base"], known).set_index("process_id")
    assert found.loc["ARM-RUS-SYUNIK-2020", "late"] == pd.Timestamp("2021-02-28")
    # signed in 2002, public in 2003: late from the day it was public
    ayni = found.loc["TJK-IND-AYNI-2002"]
    assert ayni["late"] == ayni["public"]
    assert set(found["slot"]) == {"RUS", "CHN", "USA", "OTH"}


def test_under_way_in_turkmenistan(package: DataPackage, questions: Mapping[str, Question]) -> None:
    known = snapshot("2016-07-01", package=package)
    text = under_way(questions["neutrality_text_revision"], known, state="TKM")
    assert text[["process_id", "stage", "aim"]].to_numpy().tolist() == [
        ["TKM-2014-COMM", "late", "open"]
    ]
    assert text["last_sign"].tolist() == [pd.Timestamp("2016-02-15")]
    bases = under_way(questions["foreign_base"], known, state="TKM")
    assert bases["process_id"].tolist() == [
        "TKM-RUS-BORDER-2015",
        "TKM-RUS-2016",
        "TKM-USA-BORDER-2015",
    ]
    assert under_way(questions["bloc_accession"], known, state="TKM").empty
    after = snapshot("2016-10-01", package=package)
    assert under_way(questions["neutrality_text_revision"], after, state="TKM").empty


@pytest.mark.parametrize("day", ["2002-01-01", "2016-07-01", "2022-06-01"])
@pytest.mark.parametrize("name", ["foreign_base", "neutrality_text_revision"])
def test_under_way_agrees_with_the_risk_set(
    package: DataPackage, questions: Mapping[str, Question], name: str, day: str
) -> None:
    known = snapshot(day, package=package)
    origin = risk_set(questions[name], known).origin
    rank = {"live": 1, "late": 2}
    for state, rows in origin.groupby("state"):
        listed = under_way(questions[name], known, state=str(state))
        furthest = listed["stage"].map(rank).groupby(listed["slot"]).max()
        expected = rows.set_index("slot")["stage"]
        assert furthest.reindex(expected.index).fillna(0).astype(int).tolist() == expected.tolist()


def test_without_processes_there_are_no_stages(
    package: DataPackage, questions: Mapping[str, Question]
) -> None:
    known = snapshot("2016-07-01", package=package)
    bare = risk_set(questions["neutrality_text_revision"], known, processes=False)
    full = risk_set(questions["neutrality_text_revision"], known)
    assert not bare.rows[["stage", "stage_age", "sign_live", "sign_late"]].to_numpy().any()
    assert (bare.rows["aim"] == "").all()
    assert (bare.events["aim"] == "").all()
    same = ["state", "month", "event", "had_before", "gap"]
    assert bare.rows[same].equals(full.rows[same])
