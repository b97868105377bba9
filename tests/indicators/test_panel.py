"""The panel: every row only what was public on the first day of its month."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from indicators.errors import LookAheadError, UnknownNameError
from indicators.panel import Panel, panel
from indicators.tables import DataPackage
from indicators.vintages import Snapshot, snapshot

STATES = ["TKM", "AFG", "UZB", "ISL"]
ORIGIN = "2016-07-01"


@pytest.fixture(scope="module")
def then(package: DataPackage) -> Snapshot:
    return snapshot(ORIGIN, package=package)


@pytest.fixture(scope="module")
def table(then: Snapshot) -> Panel:
    return panel(then, STATES, start="2009-01-01")


def newest(then: Snapshot, indicator: str, state: str, other: str = "") -> pd.DataFrame:
    """Newest vintage of every period that was over when it was printed."""
    rows = then.observations
    rows = rows[(rows["indicator"] == indicator) & (rows["state"] == state)]
    rows = rows[(rows["counterpart"] == other) & (rows["published"] >= rows["end"])]
    return rows.sort_values(["end", "published"]).drop_duplicates("end", keep="last")


def deaths(then: Snapshot, state: str, origin: pd.Timestamp) -> float:
    """Sum of the last twelve public months, by hand: a month without a row is a zero."""
    rows = newest(then, "deaths", state).set_index("start")["value"]
    last = origin - pd.DateOffset(months=1)
    while last + pd.offsets.MonthEnd(0) + pd.Timedelta(days=31) > origin:
        last -= pd.DateOffset(months=1)
    window = [last - pd.DateOffset(months=k) for k in range(12)]
    if min(window) < pd.Timestamp("2010-01-01"):
        return float("nan")
    return float(sum(rows.get(month, 0.0) for month in window))


def reference(full: Snapshot, state: str, month: pd.Timestamp) -> dict[str, float]:
    """Every feature of one row from a snapshot of its own month, one step at a time."""
    then = full.at(month)
    near = {"TKM": ["AFG"], "AFG": ["TKM", "UZB"], "UZB": ["AFG"], "ISL": []}[state]
    if month <= pd.Timestamp("2015-03-10"):
        near = near + {"TKM": ["UZB"], "UZB": ["TKM"]}.get(state, [])
    around = [deaths(then, other, month) for other in near]
    out = {
        "violence_own": deaths(then, state, month),
        "violence_neighbours": sum(around) if around else 0.0 * deaths(then, "ISL", month),
    }
    gas = newest(then, "gas_production", state)
    out["gas"] = gas["value"].iloc[-1] if len(gas) else np.nan
    exports = pd.concat([newest(then, "gas_exports", state, other) for other in ("RUS", "CHN")])
    exports = exports[exports["end"] == exports["end"].max()]["value"]
    out["gas_share"] = exports.max() / exports.sum() if len(exports) else np.nan
    trips = [newest(then, name, state)["value"] for name in ("trips_in", "trips_out")]
    out["trips"] = sum(t.iloc[-1] if len(t) else np.nan for t in trips)
    return out


def test_equals_a_snapshot_of_every_month(then: Snapshot, table: Panel) -> None:
    assert len(table.values) == len(STATES) * 91
    for state in STATES:
        for month in table.months[::11]:
            row = table.raw.loc[(state, month)]
            expected = pd.Series(reference(then, state, month))
            if state == "ISL" and month < pd.Timestamp("2011-02-01"):
                expected = expected.drop("violence_neighbours")
            pd.testing.assert_series_equal(
                row[expected.index], expected, check_names=False, check_exact=True
            )


def test_no_row_changes_as_time_goes_on(package: DataPackage, table: Panel) -> None:
    later = panel(snapshot("2019-05-20", package=package), STATES, start="2009-01-01")
    assert later.origin == pd.Timestamp("2019-05-01")
    for name in ("values", "raw", "ages", "published"):
        now = getattr(later, name)
        past = now[now.index.get_level_values("month") <= ORIGIN]
        pd.testing.assert_frame_equal(past, getattr(table, name), check_exact=True)


def test_scale_and_age(table: Panel) -> None:
    raw, values, ages = (f.loc[("TKM", ORIGIN)] for f in (table.raw, table.values, table.ages))
    assert values["violence_own"] == (np.log1p(raw["violence_own"]) - 2) / 1.5
    assert values["gas"] == (raw["gas"] - 50) / 20
    assert ages["violence_own"] == 1  # the window ends with May
    assert ages["gas"] == 6  # the edition of June 2016 has 2015
    assert table.ages.loc[("TKM", pd.Timestamp("2016-06-01")), "gas"] == 17
    assert table.published.loc[("TKM", ORIGIN), "gas"] == pd.Timestamp("2016-06-08")
    assert (
        table.published.le(table.values.index.get_level_values("month"), axis=0)
        | table.published.isna()
    ).all(axis=None)


def test_missing_stays_missing(table: Panel) -> None:
    assert table.values["gas"].xs("AFG").isna().all()
    assert table.ages["gas"].xs("AFG").isna().all()
    # Trips out of Uzbekistan were not counted in 2010: the newest year known stays 2009.
    uzb = table.raw["trips"].xs("UZB")
    assert uzb.notna().all()
    assert (table.raw["violence_own"].xs("ISL").dropna() == 0).all()


def test_a_plan_is_no_figure(then: Snapshot, table: Panel) -> None:
    assert "plan" in set(then.series("gas_production", "TKM")["basis"])
    assert table.raw["gas"].max() < 250
    assert (table.ages.fillna(0) >= 0).all(axis=None)


def test_strict(package: DataPackage) -> None:
    strict = panel(snapshot(ORIGIN, package=package, strict=True), STATES, start="2012-01-01")
    ages = strict.ages["violence_own"].xs("AFG")
    assert ages.loc["2016-06-01"] == 17
    assert ages.loc["2016-07-01"] == 6
    assert strict.raw["trips"].isna().all()
    # A zero, too, is known only from an edition.
    assert strict.ages["violence_own"].xs("ISL").equals(ages)


def test_a_source_that_ended_only_grows_old(package: DataPackage) -> None:
    late = panel(snapshot("2023-01-01", package=package), ["AFG", "ISL"], start="2020-01-01")
    for state in ("AFG", "ISL"):
        assert late.ages.loc[(state, late.origin), "violence_own"] == 24
    last = late.latest("violence_own")
    assert last["ended"].all()
    assert last["period"].unique().tolist() == ["2020"]


def test_latest(then: Snapshot, table: Panel) -> None:
    row = table.latest("violence_own", states=["AFG"]).iloc[0]
    assert row["value"] == table.raw.loc[("AFG", ORIGIN), "violence_own"]
    assert (row["period"], row["unit"], row["age_months"]) == ("2015-06/2016-05", "deaths", 1)
    assert row["published"] == pd.Timestamp("2016-07-01")
    assert not row["ended"]
    partners = table.latest("gas_exports")
    assert partners["counterpart"].tolist() == ["CHN", "RUS"]
    assert partners["period"].unique().tolist() == ["2015"]
    assert table.latest("gas_share")["unit"].tolist() == ["share"]
    assert table.latest("gas")["value"].tolist() == [table.raw.loc[("TKM", ORIGIN), "gas"]]
    with pytest.raises(UnknownNameError, match="did you mean"):
        table.latest("violence")


def test_join(package: DataPackage, then: Snapshot, table: Panel) -> None:
    one = panel(then, STATES, features=["gas"], start="2009-01-01")
    two = panel(then, STATES, features=["trips"], start="2009-01-01")
    both = one.join(two)
    assert both.features == ("gas", "trips")
    pd.testing.assert_frame_equal(both.ages, table.ages[["gas", "trips"]])
    other = panel(then.at("2016-06-30"), STATES, features=["trips"], start="2009-01-01")
    with pytest.raises(LookAheadError, match="2016-06-30 and 2016-07-01"):
        one.join(other)
    strict = snapshot(ORIGIN, package=package, strict=True)
    with pytest.raises(LookAheadError, match="strict"):
        one.join(panel(strict, STATES, features=["trips"], start="2009-01-01"))
    with pytest.raises(ValueError, match="in both"):
        one.join(one)
    with pytest.raises(ValueError, match="different states"):
        one.join(panel(then, ["TKM"], features=["trips"], start="2009-01-01"))


def test_refusals(then: Snapshot) -> None:
    with pytest.raises(LookAheadError):
        panel(then, STATES, start="2016-08-01")
    with pytest.raises(UnknownNameError, match="no state"):
        panel(then, ["TKX"])
    with pytest.raises(UnknownNameError, match="no feature"):
        panel(then, STATES, features=["violence"])


@pytest.mark.parametrize("origin", ["2012-03-01", "2016-07-01", "2019-01-15"])
@pytest.mark.parametrize("strict", [False, True])
def test_poison(
    origin: str,
    strict: bool,
    synthetic: Any,
    package: DataPackage,
    poisoned: Callable[[Any, str], Any],
    tmp_path: Path,
) -> None:
    garbage = poisoned(synthetic, origin).load(tmp_path)
    clean, dirty = (
        panel(snapshot(origin, package=p, strict=strict), STATES) for p in (package, garbage)
    )
    for name in ("values", "raw", "ages", "published"):
        pd.testing.assert_frame_equal(getattr(clean, name), getattr(dirty, name), check_exact=True)
    for name in clean.features:
        pd.testing.assert_frame_equal(clean.latest(name), dirty.latest(name), check_exact=True)


def test_coverage_by_state(synthetic: Any, tmp_path: Path) -> None:
    draft = synthetic.copy()
    registry = draft.tables["indicators"].set_index("indicator", drop=False)
    registry.loc["deaths", "not_covered"] = "ISL UZB@2015-12-31"
    draft.tables["indicators"] = registry
    changed = draft.load(tmp_path)
    now = panel(snapshot(ORIGIN, package=changed), STATES, start="2014-01-01")
    assert now.raw["violence_own"].xs("ISL").isna().all()
    assert now.ages.loc[("UZB", ORIGIN), "violence_own"] == 6
    assert now.ages.loc[("AFG", ORIGIN), "violence_own"] == 1
    # Nobody knew in 2015 that it would end.
    then = snapshot("2015-07-01", package=changed)
    assert then.catalog.indicator("deaths").not_covered == (("ISL", None),)
    assert panel(then, ["UZB"], start="2014-01-01").ages["violence_own"].iloc[-1] == 1
