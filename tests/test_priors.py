"""Priors stated as 90% ranges become the normal distributions that say the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from forecast.priors import Z90, Normal, multiplier, yearly_rate

LOWS = st.floats(1e-4, 10.0)
FACTORS = st.floats(1.01, 1000.0)


def test_the_quantile_is_that_of_the_standard_normal() -> None:
    assert pytest.approx(stats.norm.ppf(0.95), abs=1e-14) == Z90


@given(low=LOWS, factor=FACTORS)
def test_a_range_comes_back(low: float, factor: float) -> None:
    found = multiplier(low, low * factor)
    assert found.interval() == pytest.approx((low, low * factor), rel=1e-9)
    inside = stats.norm.cdf(np.log([low, low * factor]), found.mu, found.sigma)
    assert inside == pytest.approx([0.05, 0.95], abs=1e-9)


@given(low=st.floats(1e-4, 0.2), factor=FACTORS)
def test_a_yearly_rate_is_twelve_monthly_hazards(low: float, factor: float) -> None:
    """The probability of a year under the monthly hazards is that of the yearly rate."""
    monthly = yearly_rate(low, low * factor)
    yearly = multiplier(low, low * factor)
    survive = np.exp(-np.exp(monthly.mu)) ** 12
    assert 1 - survive == pytest.approx(-np.expm1(-np.exp(yearly.mu)), rel=1e-9)
    assert monthly.sigma == yearly.sigma


def test_once_in_500_to_once_in_30_years() -> None:
    draws = np.random.default_rng(1).normal(
        yearly_rate(1 / 500, 1 / 30).mu, yearly_rate(1 / 500, 1 / 30).sigma, 200_000
    )
    years = 1 / (12 * np.exp(draws))
    assert np.quantile(years, [0.05, 0.95]) == pytest.approx([30, 500], rel=0.02)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-1, 1), (2, 1), (1, 1), (float("nan"), 1), (1, float("nan"))]
)
def test_a_range_must_be_positive_and_in_order(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="0 < low < high"):
        multiplier(low, high)
    with pytest.raises(ValueError, match="0 < low < high"):
        yearly_rate(low, high)


def test_a_normal_is_a_value() -> None:
    assert Normal(0.0, 1.0) == Normal(0.0, 1.0)
    with pytest.raises(AttributeError):
        Normal(0.0, 1.0).mu = 1.0  # type: ignore[misc]
