"""Every dated column is masked on its own; hindsight and free text are never there."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from indicators.errors import UnknownNameError
from indicators.masks import known_date, mask, maskable
from indicators.tables import DataPackage
from indicators.vintages import snapshot


def at(package: DataPackage, name: str, day: str) -> pd.DataFrame:
    frame = mask(name, package.table(name), pd.Timestamp(day))
    return frame.set_index(frame.columns[0])


def test_known_date_is_the_end_of_the_interval() -> None:
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["2016-02-10", "2016-02-10", "2016-02-29", "2016-06-30", None]),
            "grain": ["day", "month", "month", "year", "year"],
        }
    )
    ends = ["2016-02-10", "2016-02-29", "2016-02-29", "2016-12-31", None]
    assert known_date(frame, "day", "grain").tolist() == pd.to_datetime(ends).tolist()
    assert known_date(frame, "day").tolist() == frame["day"].tolist()


@pytest.mark.parametrize(
    ("name", "row", "before", "on"),
    [
        ("neutrality_events", "TKM-1995@2016-09-14", "2016-09-13", "2016-09-14"),
        ("neutrality_events", "TKM-1995@2003-08-15", "2003-08-30", "2003-08-31"),
        ("neutrality_events", "UZB-2012@2014-06-30", "2014-12-30", "2014-12-31"),
        ("neutrality_spells", "UZB-2012", "2012-06-29", "2012-06-30"),
        ("base_episodes", "TKM-CHN", "2019-02-27", "2019-02-28"),
        ("base_episodes", "AFG-RUS", "2013-06-29", "2013-06-30"),
        ("memberships", "NATO-UZB", "2011-12-30", "2011-12-31"),
        ("reform_processes", "TKM-2014", "2014-05-30", "2014-05-31"),
        ("reform_processes", "UZB-2013", "2013-12-30", "2013-12-31"),
        ("base_processes", "AFG-RUS-1", "2012-03-09", "2012-03-10"),
        ("incidents", "I2", "2014-05-30", "2014-05-31"),
        ("incidents", "I3", "2017-12-31", "2018-01-01"),
    ],
)
def test_rows_appear(package: DataPackage, name: str, row: str, before: str, on: str) -> None:
    assert row not in at(package, name, before).index
    assert row in at(package, name, on).index


@pytest.mark.parametrize(
    ("name", "row", "column", "before", "on"),
    [
        ("neutrality_spells", "UZB-2012", "end_date", "2014-12-30", "2014-12-31"),
        ("neutrality_spells", "UZB-2012", "end_precision", "2014-12-30", "2014-12-31"),
        ("neutrality_spells", "UZB-2012", "end_mechanism", "2014-12-30", "2014-12-31"),
        ("base_episodes", "UZB-USA", "close_date", "2005-11-20", "2005-11-21"),
        ("base_episodes", "UZB-USA", "close_type", "2005-11-20", "2005-11-21"),
        ("base_episodes", "AFG-RUS", "agreement_date", "2016-12-31", "2017-01-01"),
        ("memberships", "NATO-UZB", "end_date", "2016-06-29", "2016-06-30"),
        ("reform_processes", "TKM-2014", "draft_public", "2016-02-14", "2016-02-15"),
        ("reform_processes", "TKM-2014", "draft_precision", "2016-02-14", "2016-02-15"),
        ("reform_processes", "TKM-2014", "ended", "2016-09-13", "2016-09-14"),
        ("base_processes", "TKM-CHN-1", "signed", "2013-01-09", "2013-01-10"),
        ("base_processes", "TKM-CHN-1", "ended", "2013-12-31", "2014-01-01"),
        ("incidents", "I1", "deaths_low", "2015-05-19", "2015-05-20"),
        ("indicators", "deaths", "coverage_end", "2020-12-30", "2020-12-31"),
    ],
)
def test_columns_fill(
    package: DataPackage, name: str, row: str, column: str, before: str, on: str
) -> None:
    assert column in at(package, name, on).columns
    if row in at(package, name, before).index:
        assert pd.isna(at(package, name, before).loc[row, column])
    assert not pd.isna(at(package, name, on).loc[row, column])


def test_an_imputed_end_is_never_known(package: DataPackage) -> None:
    assert pd.isna(at(package, "base_processes", "2026-01-01").loc["AFG-RUS-1", "ended"])


def test_a_toll_without_a_date_came_with_the_report(package: DataPackage) -> None:
    assert at(package, "incidents", "2014-05-31").loc["I2", "deaths_low"] == 3


def test_a_state_that_ended_later_looks_like_one_that_did_not(package: DataPackage) -> None:
    # Coding stopped on 2020-12-31: rows still open then carry the date, ended rows do not.
    spells = package.table("neutrality_spells")
    spells.loc[spells["spell_id"] == "AFG-2015", "end_date"] = pd.Timestamp("2021-08-15")
    then = mask("neutrality_spells", spells, pd.Timestamp("2021-01-01")).set_index("spell_id")
    assert then.loc["AFG-2015", "censor_date"] == then.loc["TKM-1995", "censor_date"]
    early = mask("neutrality_spells", spells, pd.Timestamp("2016-07-01"))
    assert early["censor_date"].isna().all()


@pytest.mark.parametrize("fixture", ["package", "bundled"])
def test_what_is_never_there(fixture: str, request: pytest.FixtureRequest) -> None:
    package: DataPackage = request.getfixturevalue(fixture)
    never = {"outcome", "outcome_date", "linked_event", "linked_episode", "text_changed", "agenda"}
    never |= {"neutrality_mentioned", "peak_kind", "opened_as_base", "end_imputed", "note"}
    never |= {"description", "urls", "source_name", "second_check_note", "claim_status"}
    for name in set(maskable()) & set(package.tables):
        assert not never & set(mask(name, package.table(name), pd.Timestamp("2026-01-01")).columns)


@pytest.mark.parametrize("fixture", ["package", "bundled"])
@pytest.mark.parametrize("day", ["1999-12-31", "2016-07-01", "2024-06-30"])
def test_no_date_is_later_and_masking_composes(
    fixture: str, day: str, request: pytest.FixtureRequest
) -> None:
    package: DataPackage = request.getfixturevalue(fixture)
    when = pd.Timestamp(day)
    for name in set(maskable()) & set(package.tables):
        once = mask(name, package.table(name), when)
        for column in once.columns:
            if once[column].dtype.kind == "M":
                assert not (once[column] > when).any(), (name, column)
        later = mask(name, package.table(name), pd.Timestamp("2025-06-30"))
        pd.testing.assert_frame_equal(mask(name, later, when), once)
        pd.testing.assert_frame_equal(mask(name, once, when, strict=True), once)


def test_no_table_without_a_rule_is_reachable(package: DataPackage) -> None:
    then = snapshot("2016-07-01", package=package)
    for name in ("near_misses", "sources", "observations"):
        with pytest.raises(UnknownNameError):
            mask(name, package.table(name), then.as_of)
        with pytest.raises(UnknownNameError):
            then.table(name)


def test_masking_changes_nothing(package: DataPackage) -> None:
    before: Any = package.table("base_episodes").copy()
    mask("base_episodes", package.table("base_episodes"), pd.Timestamp("2001-01-01"))
    pd.testing.assert_frame_equal(package.table("base_episodes"), before)


def test_a_reform_does_not_tell_that_a_spell_will_begin(package: DataPackage) -> None:
    # Coded against a spell of 2015, under way since 2013.
    for day, expected in (("2014-07-01", None), ("2015-12-31", "AFG-2015")):
        reforms = snapshot(day, package=package).table("reform_processes").set_index("process_id")
        assert (reforms["spell_at_risk"].get("UZB-2013") == expected) or (
            expected is None and pd.isna(reforms.loc["UZB-2013", "spell_at_risk"])
        )
        assert reforms.loc["TKM-2014", "spell_at_risk"] == "TKM-1995"
