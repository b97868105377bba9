"""What few events can show: simulated gains against theory, exact tests, whole headlines."""

from __future__ import annotations

import math
from itertools import count
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.honesty import (
    Headline,
    HonestyError,
    _Design,
    _Records,
    detectable,
    needed_events,
)
from forecast.telling import rounds_to_tell, windows_to_tell

Z = 1.6449 + 0.8416


def windows(
    states: int, years: int, p0: float, *, horizon: int = 6, step: int = 6, hits: Any = None
) -> pd.DataFrame:
    """Windows from every origin of every state; `hits` are their (state, origin) numbers."""
    origins = pd.date_range("1993-01-01", periods=years * 12 // step, freq=f"{step}MS")
    rows = [(f"S{i:02}", day) for day in origins for i in range(states)]
    frame = pd.DataFrame(rows, columns=["state", "origin"]).assign(horizon=horizon, p0=p0, y=0.0)
    if hits is None:
        y = np.random.default_rng(3).uniform(size=len(frame)) < p0
        return frame.assign(y=y.astype(float))
    for state, origin in hits:
        frame.loc[origin * states + state, "y"] = 1.0
    return frame


def test_many_events_need_what_theory_says() -> None:
    """Normal limit: variance twice the mean gain G, against a mean of 0: G = z sqrt(2 G)."""
    found = detectable(windows(60, 40, 0.1), seed=1, repeats=400)
    assert found.nats == pytest.approx(2 * Z**2, rel=0.2)
    assert found.power == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("p0", [0.004, 0.05])
def test_no_skill_is_found_as_often_as_said(p0: float) -> None:
    """A signal that goes half with the truth gains nothing, and 5% of such records pass."""
    design = _Design.of(windows(26, 20, p0, hits=[(3, 4), (9, 20)]))
    one, other = (_Records(design, seed, 1500) for seed in (1, 2))
    gains, null = [], []
    for records, out in ((one, null), (other, gains)):
        rate = records._rate(records.z, 1.2)
        total = rate[:, design.state, design.start]
        true = records._rate(0.5 * records.z + 0.75**0.5 * records.other, 1.2)
        y = records._happened(true)
        hit = np.log(-np.expm1(-total)) - math.log(p0)
        out.extend(np.where(y, hit, -total - math.log1p(-p0)).sum(axis=1))
    assert abs(np.mean(null)) < 4 * np.std(null) / len(null) ** 0.5 + 0.1 * len(y[0]) * p0
    critical = np.quantile(np.array(null) - np.mean(null), 0.95)
    assert np.mean(np.array(gains) - np.mean(gains) > critical) == pytest.approx(0.05, abs=0.02)


def test_few_events_need_more_and_fewer_than_two_show_nothing() -> None:
    many, few, none = (
        detectable(windows(14, 24, p0, hits=[]), seed=1) for p0 in (0.1, 0.04, 0.004)
    )
    assert many.strength < few.strength
    assert none.nats == none.per_event == math.inf
    assert none.power < 0.8


def test_waves_hide_skill() -> None:
    alone = [(i % 14, 2 * i) for i in range(12)]
    waves = [(i, 10) for i in range(6)] + [(i, 30) for i in range(6)]
    calm, rough = (
        detectable(windows(14, 24, 0.02, hits=hits), seed=1, repeats=600) for hits in (alone, waves)
    )
    assert calm.dispersion == 1
    assert rough.dispersion > 3
    assert rough.strength > calm.strength


def test_windows_that_overlap_share_their_events() -> None:
    """Counting each window apart would find a weaker signal than the events allow."""
    apart = detectable(windows(40, 24, 0.3, horizon=36, step=36, hits=[]), seed=1, repeats=600)
    over = detectable(windows(40, 24, 0.3, horizon=36, step=6, hits=[]), seed=1, repeats=600)
    assert over.strength > 0.8 * apart.strength
    assert over.nats > 3 * apart.nats


def test_the_same_seed_gives_the_same_bits() -> None:
    frame = windows(14, 24, 0.05)
    assert detectable(frame, seed=5) == detectable(frame, seed=5)
    assert detectable(frame, seed=5) != detectable(frame, seed=6)


@pytest.mark.parametrize("p0", [0.0, 1.0, float("nan")])
def test_certain_references_are_refused(p0: float) -> None:
    with pytest.raises(HonestyError, match="p0"):
        detectable(windows(2, 2, 0.1).assign(p0=p0), seed=1)


def by_hand(p: float, p0: float) -> int:
    """Smallest number of windows, all tails added up one by one."""

    def tail(n: int, chance: float, counts: range) -> float:
        return sum(comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in counts)

    for n in count(1):
        for k in range(n + 1):
            region = range(k, n + 1) if p > p0 else range(n - k + 1)
            if tail(n, p0, region) <= 0.05:
                if tail(n, p, region) >= 0.8:
                    return n
                break
    raise AssertionError


@pytest.mark.parametrize(
    ("p", "p0"), [(0.3, 0.04), (0.5, 0.2), (0.2, 0.5), (0.05, 0.4), (0.15, 0.05)]
)
def test_the_exact_test_is_that_by_hand(p: float, p0: float) -> None:
    assert windows_to_tell(p, p0) == by_hand(p, p0)


def test_rounds_of_unlike_windows() -> None:
    """Simulated where windows differ, in agreement with the exact test where they hardly do."""
    p0 = np.full(5, 0.05)
    exact = rounds_to_tell(np.full(5, 0.15), p0, seed=1)
    assert exact == math.ceil(windows_to_tell(0.15, 0.05) / 5)
    near = rounds_to_tell(np.full(5, 0.15) + np.arange(5) * 1e-9, p0, seed=1)
    assert near == pytest.approx(exact, abs=1)
    # on average no higher than the base rate, and told from it all the same
    apart = np.repeat([0.04, 0.0005], [12, 11])
    assert rounds_to_tell(apart, np.full(23, apart.mean()), seed=1) <= 12
    assert rounds_to_tell(p0, p0, seed=1) == math.inf


def test_what_can_never_be_told() -> None:
    assert windows_to_tell(0.1, 0.1) == math.inf
    assert windows_to_tell(0.0401, 0.04) == math.inf
    with pytest.raises(HonestyError, match="inside"):
        windows_to_tell(0.0, 0.1)


def test_events_needed() -> None:
    assert needed_events(1.0, 4.0, 5) == 20
    assert needed_events(4.0, 4.0, 5) == 5
    for gain, smallest, events in (
        (0.0, 4.0, 5),
        (-1.0, 4.0, 5),
        (1.0, 4.0, 0),
        (1.0, math.inf, 5),
    ):
        assert needed_events(gain, smallest, events) == math.inf


WHOLE: dict[str, Any] = {
    "question": "foreign_base", "model": "hazard", "against": "base_rate", "horizon": 12, "n": 9,
    "events": 1, "score": 0.4, "lo90": -1.0, "hi90": 2.0, "detectable": 4.0, "needed": 10.0,
    "prior_share": 0.6, "tells": "2141-03",
}  # fmt: skip


def test_a_headline_says_it_all() -> None:
    told = str(Headline(**WHOLE))
    assert told == (
        "foreign_base, 12 months, hazard: +0.40 nats [-1.00, +2.00] against base_rate from 9 "
        "windows and 1 events, which could show 4.0 nats or more. A gain like this one takes 10. "
        "Prior share 60%. The record can tell it from the base rate not before 2141-03."
    )
    none = {**WHOLE, "detectable": math.inf, "needed": math.inf, "tells": "never"}
    assert "which could show no gain. Prior share" in str(Headline(**none))
    assert str(Headline(**none)).endswith("tell it from the base rate never.")


@pytest.mark.parametrize(
    "name", ["events", "n", "lo90", "detectable", "needed", "prior_share", "tells"]
)
def test_no_headline_without_its_company(name: str) -> None:
    gone = {k: v for k, v in WHOLE.items() if k != name}
    with pytest.raises(TypeError, match=name):
        Headline(**gone)
    for missing in (None, float("nan")):
        with pytest.raises(HonestyError, match=name):
            Headline(**{**WHOLE, name: missing})
