"""As of a date: newest vintage published by then, and no way to see further."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indicators.errors import DataError, LookAheadError, UnknownNameError
from indicators.tables import DataPackage, load
from indicators.vintages import (
    SERIES_KEY,
    TRUE_VINTAGES,
    Snapshot,
    everything,
    require_same_as_of,
    snapshot,
)

DAYS = st.dates(pd.Timestamp("2001-01-01").date(), pd.Timestamp("2023-12-31").date())
SHARED = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def brute_force(package: DataPackage, day: Any, *, strict: bool) -> dict[tuple[Any, ...], Any]:
    """Newest vintage of every series, row by row."""
    newest: dict[tuple[Any, ...], Any] = {}
    for row in package.table("observations").itertuples(index=False):
        if row.published > pd.Timestamp(day):
            continue
        if strict and row.published_rule not in TRUE_VINTAGES:
            continue
        key = tuple(getattr(row, name) for name in SERIES_KEY)
        if key not in newest or newest[key][0] < row.published:
            newest[key] = (row.published, row.value)
    return newest


def as_mapping(frame: pd.DataFrame) -> dict[tuple[Any, ...], Any]:
    out = {}
    for row in frame.itertuples(index=False):
        out[tuple(getattr(row, name) for name in SERIES_KEY)] = (row.published, row.value)
    assert len(out) == len(frame)
    return out


@SHARED
@given(day=DAYS, strict=st.booleans())
def test_equals_brute_force(package: DataPackage, day: Any, strict: bool) -> None:
    then = snapshot(day, package=package, strict=strict)
    assert as_mapping(then.observations) == brute_force(package, day, strict=strict)


@SHARED
@given(one=DAYS, other=DAYS, strict=st.booleans())
def test_monotone_and_idempotent(package: DataPackage, one: Any, other: Any, strict: bool) -> None:
    early, late = sorted([one, other])
    before = snapshot(early, package=package, strict=strict)
    after = snapshot(late, package=package, strict=strict)
    assert (after.history["published"] <= after.as_of).all()
    assert (after.observations["published"] <= after.as_of).all()
    newer = as_mapping(after.observations)
    for key, (published, _) in as_mapping(before.observations).items():
        assert newer[key][0] >= published
    again = after.at(late)
    pd.testing.assert_frame_equal(again.history, after.history)
    assert again.hash == after.hash
    # A snapshot of a snapshot is the snapshot: nothing needed was thrown away, nothing kept.
    assert after.at(early).hash == before.hash
    pd.testing.assert_frame_equal(after.at(early).observations, before.observations)


def test_cannot_be_asked_about_later(package: DataPackage) -> None:
    then = snapshot("2016-07-01", package=package)
    assert then.require("2016-07-01") == then.as_of
    for ask in (then.require, then.at):
        with pytest.raises(LookAheadError, match="2016-07-02") as caught:
            ask("2016-07-02")
        assert caught.value.exit_code == 3
    with pytest.raises(LookAheadError, match="2016-07-01 and 2016-08-01"):
        require_same_as_of(then, snapshot("2016-08-01", package=package))
    with pytest.raises(LookAheadError, match="strict"):
        require_same_as_of(then, snapshot("2016-07-01", package=package, strict=True))
    assert require_same_as_of(then, then.at("2016-07-01")) == then.as_of


def test_what_is_reachable(package: DataPackage) -> None:
    then = snapshot("2016-07-01 15:30", package=package)
    assert then.as_of == pd.Timestamp("2016-07-01")
    for thing in vars(then).values():
        assert not isinstance(thing, DataPackage)
    frame = then.observations
    frame["value"] = 0.0
    names = then.table("states")
    names["name"] = ""
    assert then.observations["value"].sum() > 0
    assert then.hash == snapshot("2016-07-01", package=package).hash
    copy: Snapshot = pickle.loads(pickle.dumps(then))
    assert copy.hash == then.hash
    with pytest.raises(AttributeError):
        then.as_of = pd.Timestamp("2020-01-01")  # type: ignore[misc]


def test_series(package: DataPackage) -> None:
    then = snapshot("2020-01-01", package=package)
    gas = then.series("gas_production", "TKM")
    assert gas["start"].is_monotonic_increasing
    assert set(gas["basis"]) == {"cubic", "standard", "plan"}
    assert set(then.series("gas_production", "TKM", basis="cubic")["basis"]) == {"cubic"}
    assert set(then.series("gas_exports", "TKM", "RUS")["counterpart"]) == {"RUS"}
    assert then.series("gas_exports", "TKM").empty
    with pytest.raises(UnknownNameError, match="gas_production"):
        then.series("gas", "TKM")


def test_strict_admits_true_vintages_only(package: DataPackage) -> None:
    then = snapshot("2016-07-01", package=package, strict=True)
    assert set(then.history["published_rule"]) <= set(TRUE_VINTAGES)
    deaths = then.series("deaths", "AFG")
    assert deaths["end"].max() == pd.Timestamp("2015-12-31")
    assert then.at("2016-06-29").series("deaths", "AFG")["end"].max() == pd.Timestamp("2014-12-31")


def test_hash_is_of_values(synthetic: Any, package: DataPackage, tmp_path: Path) -> None:
    reference = snapshot("2016-07-01", package=package).hash
    draft = synthetic.copy()
    for name, frame in draft.tables.items():
        draft.tables[name] = frame.sample(frac=1.0, random_state=1)[list(frame.columns)[::-1]]
    rows = draft.tables["observations"]
    rows["value"] = [f"{float(value):.3f}" for value in rows["value"]]
    rows["note"] = "a remark"
    again = draft.load(tmp_path)
    assert snapshot("2016-07-01", package=again).hash == reference
    assert snapshot("2016-07-02", package=again).hash != reference
    assert snapshot("2016-07-01", package=again, strict=True).hash != reference


@pytest.mark.parametrize(
    ("name", "column", "row", "value"),
    [
        ("observations", "value", 0, "123.0"),
        ("observations", "published", 0, "2010-03-05"),
        ("contiguity", "start", 0, "1991-10-28"),
        ("features", "scale", 0, "1.6"),
        ("base_episodes", "close_date", 0, "2005-11-22"),
        ("reform_processes", "draft_public", 0, "2016-02-16"),
        ("indicators", "lag_days", 0, "32"),
    ],
)
def test_hash_sees_what_was_known(
    name: str,
    column: str,
    row: int,
    value: str,
    synthetic: Any,
    package: DataPackage,
    tmp_path: Path,
) -> None:
    draft = synthetic.copy()
    draft.tables[name].loc[row, column] = value
    changed = snapshot("2016-07-01", package=draft.load(tmp_path))
    assert changed.hash != snapshot("2016-07-01", package=package).hash


def test_as_of_must_be_a_date(package: DataPackage) -> None:
    for wrong in ("someday", "", None):
        with pytest.raises(DataError, match="Write it as YYYY-MM-DD"):
            snapshot(wrong, package=package)  # type: ignore[arg-type]


def test_reads_a_folder(synthetic: Any, package: DataPackage, tmp_path: Path) -> None:
    then = snapshot("2016-07-01", data_dir=synthetic.write(tmp_path))
    assert then.hash == snapshot("2016-07-01", package=package).hash
    assert then.path == tmp_path.resolve()


ORIGINS = ["2004-03-01", "2012-03-01", "2016-07-01", "2019-01-15"]


@pytest.mark.parametrize("origin", ORIGINS)
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
    compare(
        snapshot(origin, package=package, strict=strict),
        snapshot(origin, package=garbage, strict=strict),
    )
    late = snapshot("2022-01-01", package=garbage, strict=strict)
    assert late.hash != snapshot("2022-01-01", package=package, strict=strict).hash


def compare(clean: Snapshot, dirty: Snapshot) -> None:
    """Everything that can be reached is the same to the bit."""
    assert clean.hash == dirty.hash
    assert clean.catalog == dirty.catalog
    pd.testing.assert_frame_equal(clean.history, dirty.history, check_exact=True)
    pd.testing.assert_frame_equal(clean.observations, dirty.observations, check_exact=True)
    assert clean.table_names == dirty.table_names
    for name in clean.table_names:
        pd.testing.assert_frame_equal(clean.table(name), dirty.table(name), check_exact=True)


def test_a_day_after_today_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_TODAY", "2016-07-01")
    assert snapshot("2016-07-01").as_of == pd.Timestamp("2016-07-01")
    with pytest.raises(LookAheadError, match="up to today, 2016-07-01"):
        snapshot("2016-07-02")
    assert everything(load(), "2016-07-02").as_of == pd.Timestamp("2016-07-02")
