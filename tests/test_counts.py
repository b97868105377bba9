"""Counts: the negative binomial against scipy, filters by hand, recovery, futures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from forecast.counts import Counts, Rate, fit_counts, log_pmf, rates, scores, step

Array = Any
TRUE = Counts(quick=0.4, slow=0.9, weight=0.6, floor=0.05, size=0.5, power=0.3)


def simulated(n: int, periods: int, seed: int, model: Counts = TRUE) -> Array:
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(0.0, 1.5, n))
    rate = Rate(np.stack([level, level]), np.ones((2, n)))
    out = np.empty((n, periods))
    for t in range(periods):
        mean = rate.mean(model)
        size = model.dispersion(mean)
        out[:, t] = rng.negative_binomial(size, size / (size + mean))
        rate = rate.moved(model, out[:, t])
    return out


def test_the_probability_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    mean, size = np.exp(rng.normal(0, 3, 500)), np.exp(rng.normal(-1, 2, 500))
    y = rng.poisson(rng.gamma(size, mean / size)).astype(float)
    theirs = stats.nbinom.logpmf(y, size, size / (size + mean))
    np.testing.assert_allclose(log_pmf(y, mean, size), theirs, rtol=1e-9, atol=1e-9)


def test_scores_are_those_of_scipy() -> None:
    y = np.array([0.0, 1.0, 7.0, np.nan])
    mean, size = np.full(4, 2.0), np.full(4, 0.7)
    p = 0.7 / 2.7
    middle = stats.nbinom.cdf(y - 1, 0.7, p) + stats.nbinom.pmf(y, 0.7, p) / 2
    np.testing.assert_allclose(scores(y, mean, size), special.ndtri(middle))


def test_the_filters_one_count_at_a_time() -> None:
    """The vectorised filter, the step of a path, and the recursion of the paper agree."""
    y = simulated(3, 12, 2)
    y[1, 4:7] = np.nan
    mean, last = rates(TRUE, y)
    rate = Rate(np.full((2, 3), TRUE.floor), np.ones((2, 3)))
    for t in range(12):
        np.testing.assert_allclose(mean[:, t], TRUE.mean(*(rate.shape / rate.exposure)))
        known = ~np.isnan(y[:, t])
        for k, discount in enumerate((TRUE.quick, TRUE.slow)):
            rate.shape[k] = discount * rate.shape[k] + np.where(known, y[:, t], 0)
            rate.exposure[k] = discount * rate.exposure[k] + known
    np.testing.assert_allclose(last.shape, rate.shape)
    np.testing.assert_allclose(last.exposure, rate.exposure)
    again = Rate(np.full((2, 3), TRUE.floor), np.ones((2, 3)))
    for t in range(12):
        again = again.moved(TRUE, y[:, t])
    np.testing.assert_allclose(again.shape, last.shape)


def test_recovers_its_parameters() -> None:
    found = fit_counts(simulated(300, 150, 3), 1)
    assert found.weight * (1 - found.quick) + (1 - found.weight) * (1 - found.slow) == (
        pytest.approx(0.6 * 0.6 + 0.4 * 0.1, abs=0.08)
    )
    assert found.size == pytest.approx(TRUE.size, rel=0.15)
    assert found.power == pytest.approx(TRUE.power, abs=0.08)
    assert found.floor == pytest.approx(TRUE.floor, rel=0.4)


def test_a_fit_beats_the_start_on_other_data_and_nearly_meets_the_truth() -> None:
    fitted = fit_counts(simulated(200, 120, 4), 1)
    fresh = simulated(200, 120, 5)

    def gained(model: Counts) -> float:
        mean = rates(model, fresh)[0]
        return float(log_pmf(fresh.ravel(), mean.ravel(), model.dispersion(mean).ravel()).mean())

    start = fit_counts(np.zeros((5, 40)), 1)
    assert gained(start) < gained(fitted) - 0.01
    assert gained(fitted) == pytest.approx(gained(TRUE), abs=0.005)


def test_too_few_counts_leave_the_start() -> None:
    empty = fit_counts(np.zeros((4, 60)), 12)
    assert empty == fit_counts(np.full((3, 30), np.nan), 12)


@pytest.mark.parametrize("level", [0.02, 1.0, 300.0])
def test_a_draw_has_the_distribution_it_is_said_to_have(level: float) -> None:
    n = 40_000
    rng = np.random.default_rng(6)
    rate = Rate(np.full((2, n), level * 3), np.full((2, n), 3.0))
    drawn = step(TRUE, rate, rng.standard_normal(n), rng)
    mean = float(rate.mean(TRUE)[0])
    size = float(TRUE.dispersion(np.array(mean)))
    theirs = stats.nbinom(size, size / (size + mean))
    for value in theirs.ppf([0.3, 0.5, 0.9, 0.99]):
        assert (drawn <= value).mean() == pytest.approx(theirs.cdf(value), abs=0.012)
    assert drawn.mean() == pytest.approx(mean, rel=0.1)


def test_shocks_that_go_together_make_counts_that_do() -> None:
    rng = np.random.default_rng(7)
    shock = rng.standard_normal(20_000)
    rate = Rate(np.full((2, 20_000), 60.0), np.full((2, 20_000), 3.0))
    one, other = (step(TRUE, rate, shock, rng) for _ in range(2))
    apart = step(TRUE, rate, rng.standard_normal(20_000), rng)
    assert stats.spearmanr(one, other).statistic > 0.9
    assert abs(stats.spearmanr(one, apart).statistic) < 0.03


def test_a_state_without_any_count_may_have_some() -> None:
    y = simulated(100, 120, 8)
    y[0] = 0.0
    model = fit_counts(y, 1)
    rate = rates(model, y[:1])[1].spread(20_000)
    rng = np.random.default_rng(9)
    total = np.zeros(20_000)
    for _ in range(12):
        new = step(model, rate, rng.standard_normal(20_000), rng)
        total += new
        rate = rate.moved(model, new)
    assert 0.02 < (total > 0).mean() < 0.6
