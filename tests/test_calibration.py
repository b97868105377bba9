"""Calibration: CORP, observed over expected, reliability, PIT: other libraries, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scores.probability
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from forecast import calibration
from forecast.scores import ScoreError

RNG = np.random.default_rng(20160701)
P = RNG.uniform(size=400)
Y = (RNG.uniform(size=400) < P**2).astype(float)


def named(values: object, *dims: str) -> xr.DataArray:
    return xr.DataArray(np.asarray(values, dtype=float), dims=dims)


def test_corp_adds_up_and_leaves_a_calibrated_forecast_alone() -> None:
    split = calibration.corp(P, Y)
    total = split.miscalibration - split.discrimination + split.uncertainty
    assert total == pytest.approx(split.score, abs=1e-14)
    again = calibration.corp(split.recalibrated, Y[np.argsort(P, kind="stable")])
    assert again.miscalibration == pytest.approx(0, abs=1e-14)
    assert again.discrimination == pytest.approx(split.discrimination, abs=1e-14)


def test_corp_by_hand() -> None:
    # isotonic fit of outcomes 0, 1, 0, 1 is 0, 1/2, 1/2, 1: its score is 2 * 0.25 / 4
    split = calibration.corp([0.1, 0.4, 0.6, 0.9], [0, 1, 0, 1])
    assert split.score == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert split.uncertainty == pytest.approx(0.25)
    assert split.discrimination == pytest.approx(0.25 - 0.125)
    assert split.miscalibration == pytest.approx(0.185 - 0.125)


def test_corp_recalibration_is_the_isotonic_fit_of_scores() -> None:
    fit = scores.probability.isotonic_fit(named(P, "case"), named(Y, "case"))
    mine = calibration.corp(P, Y)
    theirs = np.interp(mine.p, fit["fcst_sorted"], fit["regression_values"])
    np.testing.assert_allclose(mine.recalibrated, theirs, atol=1e-10)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_no_part_of_corp_is_negative(cases: list[tuple[float, int]]) -> None:
    split = calibration.corp([p for p, _ in cases], [y for _, y in cases])
    assert split.miscalibration >= -1e-12
    assert split.discrimination >= -1e-12


def test_observed_over_expected_by_hand() -> None:
    made = calibration.observed_over_expected([0.5, 0.25, 0.25, 0.9], [1, 0, 1, np.nan])
    assert (made.events, made.cases, made.expected) == (2, 3, 1.0)
    assert made.ratio == pytest.approx(2.0)
    # chi-square form of the same gamma quantiles
    assert made.lo90 == pytest.approx(stats.chi2.ppf(0.05, 5) / 2)
    assert made.hi90 == pytest.approx(stats.chi2.ppf(0.95, 5) / 2)


def test_observed_over_expected_refuses_certain_noes() -> None:
    with pytest.raises(ScoreError, match="all zero"):
        calibration.observed_over_expected([0.0, 0.0], [0, 0])


def test_observed_over_expected_covers() -> None:
    rng, inside = np.random.default_rng(1), 0
    for _ in range(400):
        p = rng.uniform(0, 0.05, size=300)
        made = calibration.observed_over_expected(p, rng.uniform(size=300) < p)
        inside += made.lo90 <= 1 <= made.hi90
    assert 0.86 <= inside / 400 <= 0.98


def test_events_of_one_cause_count_by_their_effective_number() -> None:
    p, y = np.full(100, 0.05), np.zeros(100)
    y[:6] = 1
    labels = np.array(["a", "a", "a", "a", "b", "c"] + [""] * 94)
    made = calibration.observed_over_expected(p, y, clusters=labels)
    # Kish: 36 / (16 + 1 + 1) = 2 events, each standing for 3
    assert made.lo90 == pytest.approx(3 * stats.gamma.ppf(0.05, 2.5) / 5)
    assert made.hi90 == pytest.approx(3 * stats.gamma.ppf(0.95, 2.5) / 5)
    alone = calibration.observed_over_expected(p, y, clusters=np.arange(100).astype(str))
    assert alone == calibration.observed_over_expected(p, y)


def test_a_wider_interval_covers_campaigns_that_differ_in_size() -> None:
    rng, sizes, inside, even = np.random.default_rng(1), np.array([5, 3, 1]), 0, 0
    for _ in range(600):
        drawn = rng.choice(sizes, rng.poisson(9))
        labels = np.repeat(np.arange(len(drawn)), drawn)
        p = np.full(5000, 27 / 5000)
        y = (np.arange(5000) < len(labels)).astype(float)
        every = np.append(labels, np.zeros(5000 - len(labels))).astype(int)
        made = calibration.observed_over_expected(p, y, clusters=every)
        inside += made.lo90 <= 1 <= made.hi90
        each = len(labels) / max(len(drawn), 1)
        low, high = each * stats.gamma.ppf([0.05, 0.95], len(drawn) + 0.5) / 27
        even += low <= 1 <= high
    assert inside / 600 > 0.86
    assert inside > even + 15


def test_a_curve_needs_thirty_events() -> None:
    y = np.zeros(400)
    y[:29] = 1
    with pytest.raises(ScoreError, match="29 separate events"):
        calibration.reliability(P, y, seed=1)
    y[:60] = 1
    with pytest.raises(ScoreError, match="20 separate events"):
        calibration.reliability(P, y, seed=1, separate=20)
    with pytest.raises(ScoreError, match="60 windows that share 31 events"):
        calibration.reliability(P, y, seed=1, separate=31)


def test_a_calibrated_curve_lies_in_its_band_and_a_bent_one_leaves_it() -> None:
    rng = np.random.default_rng(5)
    right = calibration.reliability(P, rng.uniform(size=400) < P, seed=1, repeats=300)
    inside = (right.lo90 <= right.recalibrated) & (right.recalibrated <= right.hi90)
    assert inside.mean() > 0.75
    bent = calibration.reliability(P, Y, seed=1, repeats=300)
    outside = (bent.recalibrated < bent.lo90) | (bent.recalibrated > bent.hi90)
    assert outside.mean() > 0.3


def test_reliability_repeats_for_a_seed() -> None:
    one, two = (calibration.reliability(P, Y, seed=9, repeats=50) for _ in range(2))
    np.testing.assert_array_equal(one.lo90, two.lo90)


def test_pit_of_counts_is_uniform_where_it_should_be() -> None:
    rng = np.random.default_rng(2)
    mean = rng.gamma(2.0, 1.0, size=2000)
    draws = rng.poisson(mean[:, None], size=(2000, 99))
    right = calibration.pit_counts(draws, rng.poisson(mean), seed=3)
    assert stats.kstest(right, "uniform").pvalue > 0.01
    wrong = calibration.pit_counts(draws, rng.poisson(2 * mean), seed=3)
    assert stats.kstest(wrong, "uniform").pvalue < 1e-6


def test_pit_is_a_rank() -> None:
    made = calibration.pit_counts([[1.0, 2.0, 3.0]] * 2, [0.5, 9.0], seed=1)
    assert 0 < made[0] < 0.25
    assert 0.75 < made[1] < 1
    with pytest.raises(ScoreError, match="one row"):
        calibration.pit_counts([1.0, 2.0], [1.0], seed=1)


def test_nothing_resolved() -> None:
    with pytest.raises(ScoreError, match="resolved"):
        calibration.corp([0.5], [np.nan])
