"""The package that is shipped: facts of record, poison, time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import indicators
from indicators.panel import panel
from indicators.tables import DataPackage
from indicators.vintages import Snapshot, snapshot

ORIGINS = ["2002-01-01", "2016-07-01", "2020-04-15"]


def figure(then: Snapshot, indicator: str, state: str, start: str, end: str) -> list[float]:
    """Figures of one period by the order of their publication."""
    rows = then.series(indicator, state)
    rows = rows[(rows["start"] == start) & (rows["end"] == end)].sort_values("published")
    return [float(value) for value in rows["value"]]


def test_gas_production_of_2015(bundled: DataPackage) -> None:
    def printed(day: str) -> list[float]:
        then = snapshot(day, package=bundled)
        return figure(then, "gas_production", "TKM", "2015-01-01", "2015-12-31")

    assert printed("2016-05-01") == []
    assert [round(value, 1) for value in printed("2016-07-01")] == [72.4]
    assert round(printed("2020-01-01")[-1], 1) == 65.9


def test_afghan_deaths_of_may_2016(bundled: DataPackage) -> None:
    def known(day: str, *, strict: bool = False) -> bool:
        then = snapshot(day, package=bundled, strict=strict)
        return bool(figure(then, "violence_deaths", "AFG", "2016-05-01", "2016-05-31"))

    assert not known("2016-06-01")
    assert known("2016-07-01")
    assert not known("2016-07-01", strict=True)
    assert known("2017-07-01", strict=True)


def test_shaymak_and_djibouti(bundled: DataPackage) -> None:
    def episodes(day: str) -> pd.DataFrame:
        return snapshot(day, package=bundled).table("base_episodes")

    def shaymak(day: str) -> bool:
        table = episodes(day)
        return bool(((table["host"] == "TJK") & (table["user"] == "CHN")).any())

    assert not shaymak("2016-07-01")
    assert shaymak("2019-07-01")
    then = snapshot("2016-07-01", package=bundled)
    opened, under_way = then.table("base_episodes"), then.table("base_processes")
    assert not ((opened["host"] == "DJI") & (opened["user"] == "CHN")).any()
    assert ((under_way["host"] == "DJI") & (under_way["user"] == "CHN")).any()


def test_turkmen_draft_is_public_but_not_adopted(bundled: DataPackage) -> None:
    then = snapshot("2016-07-01", package=bundled)
    reforms = then.table("reform_processes")
    reforms = reforms[reforms["state"] == "TKM"]
    assert (reforms["draft_public"] == "2016-02-15").any()
    assert not (then.table("neutrality_events")["event_date"] >= "2016-09-01").any()


@pytest.mark.parametrize("origin", ORIGINS)
def test_poison(
    origin: str,
    bundled: DataPackage,
    bundled_draft: Any,
    poisoned: Callable[[Any, str], Any],
    tmp_path: Path,
) -> None:
    garbage = poisoned(bundled_draft, origin).load(tmp_path)
    states = ["TKM", "AFG", "UZB", "TJK", "MDA", "RUS"]
    for strict in (False, True):
        clean = snapshot(origin, package=bundled, strict=strict)
        dirty = snapshot(origin, package=garbage, strict=strict)
        for name in clean.table_names:
            pd.testing.assert_frame_equal(clean.table(name), dirty.table(name), check_exact=True)
        assert clean.hash == dirty.hash
        pd.testing.assert_frame_equal(clean.observations, dirty.observations, check_exact=True)
        one, other = panel(clean, states), panel(dirty, states)
        for name in ("values", "ages", "raw", "published"):
            pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))
    assert (
        snapshot("2026-01-01", package=garbage).hash != snapshot("2026-01-01", package=bundled).hash
    )


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_figure_known_before_the_origin_changes_the_hash(
    origin: str, bundled: DataPackage
) -> None:
    changed = bundled.table("observations")
    known = changed.index[changed["published"] <= origin]
    changed.loc[known[len(known) // 2], "value"] += 1.0
    spoiled = DataPackage(
        bundled.path, {**bundled.tables, "observations": changed}, bundled.descriptor
    )
    before, after = (snapshot(origin, package=p) for p in (bundled, spoiled))
    assert before.hash != after.hash


def test_every_feature_has_values(bundled: DataPackage) -> None:
    then = snapshot("2016-07-01", package=bundled)
    table = panel(then, ["TKM"])
    for name in table.features:
        assert len(table.latest(name)) == 1, name
    assert (table.ages.iloc[-1] >= 0).all()


def test_fast_enough(bundled: DataPackage) -> None:
    def seconds(call: Callable[[], Any]) -> float:
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            call()
            best = min(best, time.process_time() - start)
        return best

    assert seconds(indicators.load) < 0.7
    then = snapshot("2024-12-01", package=bundled)
    places = then.table("states")
    states = places[places["kind"] == "state"]["state"].tolist()[:100]
    assert seconds(lambda: panel(then, states)) < 2.0
