"""Local levels: the filter against statsmodels, pooled innovations, futures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from forecast.levels import fit_levels, level_filter, level_loglike, steady

Array = Any


def walks(n: int, periods: int, ratio: float, scale: float, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    level = np.cumsum(np.sqrt(ratio) * rng.standard_normal((n, periods)), axis=1)
    return scale * (level + rng.standard_normal((n, periods)))


@pytest.mark.parametrize("holes", [0.0, 0.3])
@pytest.mark.parametrize(("ratio", "variance"), [(0.2, 1.0), (1.7, 0.3), (30.0, 0.01)])
def test_the_likelihood_is_that_of_statsmodels(ratio: float, variance: float, holes: float) -> None:
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    y = walks(3, 25, ratio, np.sqrt(variance), 4)
    y[np.random.default_rng(5).random(y.shape) < holes] = np.nan
    theirs = 0.0
    for row in y:
        model = UnobservedComponents(row, "llevel", use_exact_diffuse=True)
        theirs += model.loglike([variance, ratio * variance])
    assert level_loglike(y, ratio, variance) == pytest.approx(theirs, rel=1e-9)


def test_the_filter_is_that_of_statsmodels_where_the_newest_figures_are_missing() -> None:
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    y = walks(1, 20, 0.5, 2.0, 6)
    y[0, -3:] = np.nan
    ours = level_filter(y, 0.5)
    model = UnobservedComponents(y[0], "llevel", use_exact_diffuse=True)
    theirs = model.filter([4.0, 2.0]).filter_results
    assert ours.level[0] == pytest.approx(theirs.filtered_state[0, -1])
    assert ours.variance[0] * 4.0 == pytest.approx(theirs.filtered_state_cov[0, 0, -1])


def test_recovers_signal_to_noise_scales_and_breaks() -> None:
    """Figures made by the filter from innovations, as the module's equations say."""
    rng = np.random.default_rng(1)
    scale = np.where(np.arange(300) < 150, 0.2, 0.3)[:, None]
    broken = rng.random((300, 40)) < 0.03
    e = np.where(broken, np.hypot(scale, 3.0), scale) * rng.standard_normal((300, 40))
    gain = 1 - 1 / steady(1.0) ** 2
    level = np.cumsum(gain * e, axis=1) - gain * e
    found = fit_levels(level + e)
    assert found.ratio == 1.0
    assert np.median(found.scale[:150]) == pytest.approx(0.2, rel=0.15)
    assert np.median(found.scale[150:]) == pytest.approx(0.3, rel=0.15)
    assert found.breaks.mean() == pytest.approx(0.03, abs=0.015)
    assert found.size == pytest.approx(3.0, rel=0.3)


def test_scores_of_the_model_itself_are_standard_normal() -> None:
    z = fit_levels(walks(200, 30, 0.3, 0.5, 3)).scores()
    z = z[~np.isnan(z)]
    assert z.mean() == pytest.approx(0.0, abs=0.05)
    assert z.std() == pytest.approx(1.0, abs=0.05)
    assert stats.kstest(z, "norm").statistic < 0.03


def test_futures_spread_as_the_closed_form_says() -> None:
    """Variance h periods ahead of a local level: that of the level, h steps, one observation."""
    model = fit_levels(walks(400, 40, 1.0, 0.5, 7))
    rng = np.random.default_rng(8)
    drawn = model.future(3, 0, rng.standard_normal((6, 40_000)), rng)
    p, h = model.filtered.variance[3], np.arange(1, 7)
    expected = np.sqrt(p + h * model.ratio + 1) / steady(model.ratio)
    middle = np.quantile(np.abs(drawn - model.filtered.level[3]), 0.5, axis=1)
    assert middle / expected / middle[0] * expected[0] == pytest.approx(np.ones(6), rel=0.05)
    assert (middle / expected)[0] == pytest.approx(0.6745 * model.scale[3], rel=0.1)


def test_a_series_that_never_moved_breaks_at_the_common_rate() -> None:
    y = walks(100, 30, 1000.0, 0.01, 9)
    y[:40] = 1.0
    model = fit_levels(y)
    rng = np.random.default_rng(10)
    drawn = model.future(0, 0, rng.standard_normal((3, 5000)), rng)
    assert (np.abs(drawn[-1] - 1.0) > 1e-3).mean() > 0.02
    assert 0 < model.breaks[0] < model.breaks[50:].max()


def test_one_that_was_not_seen_lately_starts_where_it_was_left() -> None:
    """What is missing at the end costs certainty once, not twice."""
    y = walks(200, 30, 1.0, 0.5, 11)
    cut = y.copy()
    cut[0, -4:] = np.nan
    model = fit_levels(cut)
    rng = np.random.default_rng(12)
    drawn = model.future(0, 4, rng.standard_normal((1, 20_000)), rng)[0]
    short = level_filter(cut[:1, :-4], model.ratio)
    assert np.median(drawn) == pytest.approx(float(short.level[0]), abs=0.02)
    spread = np.sqrt(short.variance[0] + model.ratio + 1) / steady(model.ratio)
    middle = np.quantile(np.abs(drawn - short.level[0]), 0.5)
    assert middle == pytest.approx(0.6745 * model.scale[0] * spread, rel=0.1)
