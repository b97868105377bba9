"""The conjugate base rate against its equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from forecast.models.base_rate import BaseRate
from indicators.errors import DataError


@pytest.mark.parametrize("k", [0, 1, 5, 20])
@pytest.mark.parametrize("h", [0.5, 1.0, 3.0])
def test_point_is_the_posterior_predictive(k: int, h: float) -> None:
    T = 250.0
    rate = BaseRate.posterior(k, T)
    expected, _ = integrate.quad(
        lambda u: 1 - np.exp(-h * stats.gamma.ppf(u, k + 0.5, scale=1 / T)), 0, 1
    )
    assert rate.p(h) == pytest.approx(expected, rel=1e-4)
    assert rate.p(h) == pytest.approx(1 - (T / (T + h)) ** (k + 0.5), rel=1e-12)


def test_interval_comes_from_the_gamma_posterior() -> None:
    low, high = BaseRate(5, 384.4).interval(3.0)
    rates = stats.gamma.ppf([0.05, 0.95], 5.5, scale=1 / 384.4)
    assert (low, high) == pytest.approx(tuple(1 - np.exp(-3 * rates)), rel=1e-9)
    assert low < BaseRate(5, 384.4).p(3.0) < high


def test_no_event_is_not_no_rate() -> None:
    assert BaseRate(0, 33.0).p(3.0) > 0
    assert BaseRate(0, 33.0).prior_share == 1.0
    assert BaseRate(4, 33.0).prior_share == pytest.approx(1 / 9)


def test_draws_have_the_mean_and_repeat() -> None:
    rate = BaseRate(9, 462.0)
    a = rate.draws(np.random.default_rng(1), 20_000)
    assert a.mean() == pytest.approx(rate.mean, rel=0.02)
    assert np.array_equal(a, rate.draws(np.random.default_rng(1), 20_000))
    assert (1 - np.exp(-3 * a)).mean() == pytest.approx(rate.p(3.0), rel=0.02)


@pytest.mark.parametrize(("k", "T"), [(-1, 10.0), (1, 0.0), (1, float("nan")), (0, float("inf"))])
def test_nothing_can_be_said_from_nothing(k: int, T: float) -> None:
    with pytest.raises(DataError, match="exposure above 0"):
        BaseRate(k, T)
