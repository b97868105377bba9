"""Who was at risk, and which events count, on the real tables as they were known then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import pandas as pd
import pytest

from forecast.definitions import Question
from forecast.questions import load_questions
from forecast.risk import RiskSet, risk_set
from indicators.errors import UnknownNameError
from indicators.tables import DataPackage, load
from indicators.vintages import Snapshot, snapshot

Seen = Callable[[str], Snapshot]
QUESTIONS = (
    "bloc_accession",
    "foreign_base",
    "neutrality_text_revision",
    "neutrality_weakening",
)
VISIBLE = ["stage", "stage_age", "had_before", "gap", "aim"]


@pytest.fixture(scope="module")
def package() -> DataPackage:
    return load()


@pytest.fixture(scope="module")
def questions(package: DataPackage) -> Mapping[str, Question]:
    return load_questions(package)


@pytest.fixture(scope="module")
def seen(package: DataPackage) -> Seen:
    known: dict[str, Snapshot] = {}

    def at(day: str) -> Snapshot:
        if day not in known:
            known[day] = snapshot(day, package=package)
        return known[day]

    return at


def changed(package: DataPackage, name: str, frame: pd.DataFrame) -> DataPackage:
    return replace(package, tables={**package.tables, name: frame})


def unit(risk: RiskSet, state: str, slot: str = "") -> pd.DataFrame:
    rows = risk.rows
    return rows[(rows["state"] == state) & (rows["slot"] == slot)].set_index("month")


def ids(risk: RiskSet) -> set[str]:
    return set(risk.events["event_id"])


def test_events_of_each_question(questions: Mapping[str, Question], seen: Seen) -> None:
    found = {
        (name, day): len(risk_set(questions[name], seen(day)).events)
        for name in QUESTIONS
        for day in ("2016-07-01", "2024-12-31")
    }
    assert [found[name, "2016-07-01"] for name in QUESTIONS] == [13, 5, 5, 4]
    assert [found[name, "2024-12-31"] for name in QUESTIONS] == [21, 9, 9, 5]


@pytest.mark.parametrize("name", QUESTIONS)
def test_rows_are_ordered_whole_and_fast(
    questions: Mapping[str, Question], seen: Seen, name: str
) -> None:
    known = seen("2024-12-31")
    risk_set(questions[name], known)
    began = time.perf_counter()
    risk = risk_set(questions[name], known)
    assert time.perf_counter() - began < 1.5
    keys = risk.rows[["state", "slot", "month"]]
    assert not keys.duplicated().any()
    assert keys.equals(keys.sort_values(list(keys), ignore_index=True))
    assert risk.rows["event"].sum() == len(risk.events)
    assert risk.rows["month"].min() == questions[name].window_start
    assert risk.rows["month"].max() == pd.Timestamp("2024-12-01")
    assert risk.rows.equals(risk_set(questions[name], known).rows)
    assert (risk.rows["region"] != "").all()


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("day", ["1998-03-01", "2014-12-01", "2016-07-01", "2019-07-01"])
def test_a_training_row_sees_what_a_forecast_saw(
    questions: Mapping[str, Question], seen: Seen, name: str, day: str
) -> None:
    later = risk_set(questions[name], seen("2024-12-31")).rows
    then = risk_set(questions[name], seen(day)).origin
    both = then.merge(later, on=["state", "slot", "month"], suffixes=("", "_later"))
    assert len(both) >= len(then) - 1  # a base that was hidden then took its pair out of risk
    for column in VISIBLE:
        assert both[column].tolist() == both[f"{column}_later"].tolist(), column


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("day", ["2004-06-01", "2016-07-01"])
def test_what_was_not_known_changes_nothing(
    package: DataPackage, questions: Mapping[str, Question], seen: Seen, name: str, day: str
) -> None:
    origin, poisoned = pd.Timestamp(day), package
    dated = {
        "neutrality_events": ["event_date"],
        "neutrality_spells": ["start_date"],
        "base_episodes": ["open_date", "became_public"],
        "memberships": ["start_date"],
        "reform_processes": ["became_public"],
        "base_processes": ["became_public"],
        "process_statements": ["statement_date"],
    }
    for table, columns in dated.items():
        frame = package.table(table)
        poisoned = changed(poisoned, table, frame[~(frame[columns] > origin).any(axis=1)])
    for table, column in (("neutrality_spells", "end_date"), ("base_episodes", "close_date")):
        frame = poisoned.table(table)
        frame[column] = frame[column].mask(frame[column] > origin, pd.Timestamp("2021-05-05"))
        poisoned = changed(poisoned, table, frame)
    for table, column in (("reform_processes", "draft_public"), ("base_processes", "signed")):
        frame = poisoned.table(table)
        frame[column] = frame[column].mask(frame[column] > origin)
        poisoned = changed(poisoned, table, frame)
    a = risk_set(questions[name], seen(day))
    b = risk_set(questions[name], snapshot(day, package=poisoned))
    pd.testing.assert_frame_equal(a.rows, b.rows)
    pd.testing.assert_frame_equal(a.events, b.events)
    pd.testing.assert_frame_equal(a.origin, b.origin)
    assert a.ends == b.ends


def test_djibouti_is_a_process_before_it_is_an_opening(
    questions: Mapping[str, Question], seen: Seen
) -> None:
    question = questions["foreign_base"]
    then = risk_set(question, seen("2016-07-01"), states="wide")
    pair = then.origin[(then.origin["state"] == "DJI") & (then.origin["slot"] == "CHN")]
    assert pair["stage"].tolist() == [2]  # the agreement was signed
    assert "DJI-CHN-2017" not in ids(then)
    after = risk_set(question, seen("2017-09-01"), states="wide")
    assert "DJI-CHN-2017" in ids(after)
    opened = after.events.set_index("event_id").loc["DJI-CHN-2017"]
    assert (opened["month"], opened["stage"], opened["mark"]) == (
        pd.Timestamp("2017-08-01"),
        2,
        "CHN",
    )
    pair = after.origin[(after.origin["state"] == "DJI") & (after.origin["slot"] == "CHN")]
    assert pair.empty


def test_shaymak_was_not_known_in_2016(questions: Mapping[str, Question], seen: Seen) -> None:
    question = questions["foreign_base"]
    then, later = (risk_set(question, seen(day)) for day in ("2016-07-01", "2019-07-01"))
    assert "TJK-CHN-SHAYMAK" not in ids(then)
    assert "TJK-CHN" in set(then.origin["state"] + "-" + then.origin["slot"])
    event = later.events.set_index("event_id").loc["TJK-CHN-SHAYMAK"]
    # known to the year: it counts in the last month of it
    assert event["month"] == pd.Timestamp("2016-12-01")
    assert event["known"] == pd.Timestamp("2019-02-18")
    assert event["contested"] == 1
    assert unit(later, "TJK", "CHN").index.max() == pd.Timestamp("2016-12-01")
    without = risk_set(question, seen("2019-07-01"), exclude=["TJK-CHN-SHAYMAK"])
    assert "TJK-CHN-SHAYMAK" not in ids(without)
    assert unit(without, "TJK", "CHN").index.max() == pd.Timestamp("2019-06-01")


def test_turkmenistan_at_the_founding_origin(questions: Mapping[str, Question], seen: Seen) -> None:
    known = seen("2016-07-01")
    text = risk_set(questions["neutrality_text_revision"], known).origin.set_index("state")
    # commission since May 2014, draft printed in February 2016
    assert text.loc["TKM", ["stage", "stage_age", "aim", "had_before"]].tolist() == [
        2,
        5,
        "open",
        0,
    ]
    bases = risk_set(questions["foreign_base"], known).origin
    stages = bases[bases["state"] == "TKM"].set_index("slot")["stage"]
    assert stages.to_dict() == {"CHN": 0, "OTH": 0, "RUS": 1, "USA": 1}
    blocs = risk_set(questions["bloc_accession"], known).origin
    assert set(blocs.loc[blocs["state"] == "TKM", "slot"]) == {"CSTO", "SCO"}


def test_the_revision_of_2016_is_no_weakening(
    questions: Mapping[str, Question], seen: Seen
) -> None:
    known = seen("2017-01-01")
    revision = risk_set(questions["neutrality_text_revision"], known)
    assert "TKM-1995@2016-09-14" in ids(revision)
    event = revision.events.set_index("event_id").loc["TKM-1995@2016-09-14"]
    assert (event["mark"], event["stage"], event["aim"]) == ("strengthen", 2, "open")
    weakening = risk_set(questions["neutrality_weakening"], known)
    assert "TKM-1995@2016-09-14" not in ids(weakening)
    same = ["state", "month", "stage", "stage_age", "aim", "sign_live", "sign_late"]
    assert revision.rows[same].equals(weakening.rows[same])
    assert set(weakening.events["event_id"]) <= ids(revision)


def test_carry_over_is_a_mark_and_no_event(questions: Mapping[str, Question], seen: Seen) -> None:
    risk = risk_set(questions["neutrality_text_revision"], seen("2024-12-31"))
    aside = risk.set_aside.set_index("event_id")
    assert aside.loc["TKM-1995@2008-09-26", "mark"] == "carryover"
    assert (aside["mark"] == "carryover").sum() == 7
    assert not set(aside.index) & ids(risk)


def test_overlapping_texts_make_one_row(questions: Mapping[str, Question], seen: Seen) -> None:
    # Ukraine: base ban since 1996, non-bloc statute 2010-2014 on top of it
    rows = unit(risk_set(questions["neutrality_text_revision"], seen("2024-12-31")), "UKR")
    assert rows.index.is_unique
    assert rows.index.min() == pd.Timestamp("1996-07-01")
    assert len(rows) == 12 * 28 + 6
    assert rows.index[rows["event"] == 1].strftime("%Y-%m").tolist() == ["2014-12", "2019-02"]


def test_after_an_event_the_state_is_at_risk_again(
    questions: Mapping[str, Question], seen: Seen
) -> None:
    rows = unit(risk_set(questions["neutrality_text_revision"], seen("2018-01-01")), "TKM")
    assert rows.loc["2016-09-01", ["event", "had_before", "gap", "stage"]].tolist() == [1, 0, 0, 2]
    assert rows.loc["2016-10-01", ["event", "had_before", "gap", "stage"]].tolist() == [0, 1, 1, 0]
    assert rows.loc["2017-12-01", ["had_before", "gap"]].tolist() == [1, 15]


def test_an_event_on_the_first_of_a_month_does_not_see_itself(
    questions: Mapping[str, Question], seen: Seen
) -> None:
    rows = unit(risk_set(questions["neutrality_text_revision"], seen("2024-12-31")), "AUT")
    assert rows.loc["1995-01-01", ["event", "had_before"]].tolist() == [1, 0]
    assert rows.loc["1995-02-01", ["event", "had_before", "gap"]].tolist() == [0, 1, 1]
    blocs = risk_set(questions["bloc_accession"], seen("2024-12-31"))
    assert unit(blocs, "ALB", "NATO").loc["2009-04-01", "event"] == 1
    assert unit(blocs, "ALB", "NATO").index.max() == pd.Timestamp("2009-04-01")


def test_a_status_that_ends_by_the_event_leaves_the_risk_set(
    questions: Mapping[str, Question], seen: Seen
) -> None:
    risk = risk_set(questions["neutrality_text_revision"], seen("2024-12-31"))
    rows = unit(risk, "BLR")
    assert rows.index.max() == pd.Timestamp("2022-02-01")
    assert rows["event"].iloc[-1] == 1
    assert risk.ends == (0, len(risk.rows))
    # as of the month before, nobody knew that it would end
    then = risk_set(questions["neutrality_text_revision"], seen("2022-02-01"))
    assert "BLR" in set(then.origin["state"])


def test_another_end_of_a_status_is_a_competing_cause(
    package: DataPackage, questions: Mapping[str, Question]
) -> None:
    spells = package.table("neutrality_spells")
    swiss = spells["spell_id"] == "CHE-1815"
    spells["end_date"] = spells["end_date"].mask(swiss, pd.Timestamp("2005-05-05"))
    spells["end_precision"] = spells["end_precision"].mask(swiss, "day")
    known = snapshot("2016-07-01", package=changed(package, "neutrality_spells", spells))
    risk = risk_set(questions["neutrality_text_revision"], known)
    assert risk.ends[0] == 1
    assert unit(risk, "CHE").index.max() == pd.Timestamp("2005-05-01")


def test_a_pair_with_a_base_is_not_at_risk(questions: Mapping[str, Question], seen: Seen) -> None:
    risk = risk_set(questions["foreign_base"], seen("2024-12-31"))
    manas = unit(risk, "KGZ", "USA")
    assert manas.loc["2001-12-01", "event"] == 1
    gone = manas.index[manas.index > "2001-12-01"]
    assert gone.min() == pd.Timestamp("2014-07-01")  # closed on 3 June 2014
    assert manas.loc["2014-07-01", ["had_before", "gap"]].tolist() == [1, 151]
    assert unit(risk, "KGZ", "RUS").empty  # inherited bases
    assert len(unit(risk, "KGZ", "OTH")) == 33 * 12
    reasons = risk.set_aside.set_index("event_id")["reason"]
    assert reasons["KGZ-RUS-KANT"] == "RUS was there already: KGZ-RUS-LEGACY"
    assert "BLR-RUS-2022" in reasons.index


def test_sites_count_where_asked(questions: Mapping[str, Question], seen: Seen) -> None:
    risk = risk_set(questions["foreign_base"], seen("2024-12-31"), sites=True)
    assert len(risk.events) == 11
    assert {"KGZ-RUS-KANT", "BLR-RUS-2022"} <= ids(risk)
    assert len(risk.rows) == 14 * 4 * 33 * 12


def test_one_campaign_and_power_count_once(questions: Mapping[str, Question], seen: Seen) -> None:
    risk = risk_set(questions["foreign_base"], seen("2024-12-31"), states="wide")
    reasons = risk.set_aside.set_index("event_id")["reason"]
    assert reasons["PAK-USA-SHAMSI"].startswith("counted with PAK-USA-JACOBABAD")
    # two powers of one campaign in one host are two events
    assert {"TJK-FRA-DUSHANBE", "TJK-IND-AYNI"} <= ids(risk)


def test_members_return_to_risk_when_they_leave(
    questions: Mapping[str, Question], seen: Seen
) -> None:
    rows = unit(risk_set(questions["bloc_accession"], seen("2024-12-31")), "UZB", "CSTO")
    assert rows.index.min() == pd.Timestamp("1999-05-01")
    assert rows.index[rows["event"] == 1].strftime("%Y-%m").tolist() == ["2006-12"]
    assert pd.Timestamp("2010-01-01") not in rows.index
    assert rows.loc["2012-07-01", ["had_before", "gap"]].tolist() == [1, 67]


def test_nobody_is_at_risk_before_existing(questions: Mapping[str, Question], seen: Seen) -> None:
    risk = risk_set(questions["bloc_accession"], seen("2024-12-31"))
    assert unit(risk, "MNE", "NATO").index.min() == pd.Timestamp("2006-07-01")
    assert unit(risk, "TKM", "SCO").index.min() == pd.Timestamp("2001-07-01")
    assert unit(risk, "TKM", "NATO").empty


def test_coding_ends_but_forecasts_go_on(questions: Mapping[str, Question], seen: Seen) -> None:
    risk = risk_set(questions["neutrality_text_revision"], seen("2026-11-01"))
    assert risk.rows["month"].max() == pd.Timestamp("2024-12-01")
    assert (risk.origin["month"] == pd.Timestamp("2026-11-01")).all()
    assert "TKM-1995@2025-09-19" not in ids(risk)  # after the end of coding: no exposure there
    # but it is known, and counts as the last revision
    origin = risk.origin.set_index("state")
    assert origin.loc["TKM", ["had_before", "gap"]].tolist() == [1, 14]


def test_before_the_window_there_are_no_rows(questions: Mapping[str, Question], seen: Seen) -> None:
    risk = risk_set(questions["neutrality_text_revision"], seen("1990-01-01"))
    assert risk.rows.empty
    assert len(risk.events) == 0
    assert "CHE" in set(risk.origin["state"])


def test_states_and_sets(questions: Mapping[str, Question], seen: Seen) -> None:
    question, known = questions["foreign_base"], seen("2016-07-01")
    two = risk_set(question, known, states=["TKM", "UZB"])
    assert set(two.rows["state"]) == {"TKM", "UZB"}
    assert len(risk_set(question, known, states="TKM").origin) == 4
    assert len(risk_set(question, known, states="wide").rows) > len(risk_set(question, known).rows)
    with pytest.raises(UnknownNameError, match="wide"):
        risk_set(question, known, states="widest")


def test_verified_only_leaves_out_what_nobody_read(
    package: DataPackage, questions: Mapping[str, Question], seen: Seen
) -> None:
    known = seen("2024-12-31")
    less = risk_set(questions["bloc_accession"], known, verified_only=True)
    assert ids(less) < ids(risk_set(questions["bloc_accession"], known))
    table = package.table("memberships").set_index("membership_id").loc[sorted(ids(less))]
    assert table["second_check"].isin(["confirmed", "corrected"]).all()
    stages = risk_set(questions["foreign_base"], known).rows["stage"] > 0
    fewer = risk_set(questions["foreign_base"], known, verified_only=True).rows["stage"] > 0
    assert 0 < fewer.sum() < stages.sum()
