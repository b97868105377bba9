"""Scores: literature values, other libraries on random input, and what must be refused."""

from __future__ import annotations

import numpy as np
import pytest
import scores.probability
import scoringrules
import xarray as xr

from forecast import scores as ours

RNG = np.random.default_rng(20160701)
P = RNG.uniform(size=400)
Y = (RNG.uniform(size=400) < P**2).astype(float)


def named(values: object, *dims: str) -> xr.DataArray:
    return xr.DataArray(np.asarray(values, dtype=float), dims=dims)


def test_brier_is_that_of_other_libraries() -> None:
    mine = ours.brier(named(P, "case"), named(Y, "case"))
    theirs = scores.probability.brier_score(named(P, "case"), named(Y, "case"))
    assert float(mine.mean()) == pytest.approx(float(theirs), abs=1e-12)
    np.testing.assert_allclose(mine, scoringrules.brier_score(Y, P), atol=1e-12)


def test_log_score_is_that_of_other_libraries() -> None:
    np.testing.assert_allclose(ours.log_score(P, Y), scoringrules.log_score(Y, P), atol=1e-10)


@pytest.mark.parametrize(("p", "y", "loss"), [(0, 0, 0.0), (1, 1, 0.0), (0, 1, np.inf)])
def test_certainties(p: float, y: float, loss: float) -> None:
    assert float(ours.log_score(p, y)) == loss


def test_a_floor_bounds_the_loss() -> None:
    assert float(ours.log_score(0.0, 1, floor=0.01)) == pytest.approx(-np.log(0.01))
    with pytest.raises(ours.ScoreError, match="floor"):
        ours.log_score(0.5, 1, floor=0.5)


def test_rps_of_nested_horizons_is_that_of_categories() -> None:
    pmf = RNG.dirichlet(np.ones(4), size=50)
    when = RNG.integers(0, 4, size=50)
    p = named(pmf.cumsum(axis=1)[:, :3].clip(0, 1), "case", "horizon")
    y = named(when[:, None] <= np.arange(3), "case", "horizon")
    theirs = scoringrules.rps_score(when + 1, pmf)
    np.testing.assert_allclose(ours.rps(p, y), theirs, atol=1e-10)


def test_rps_of_one_horizon_is_brier() -> None:
    p = xr.DataArray([[0.2], [0.7]], dims=["case", "horizon"])
    y = xr.DataArray([[0.0], [1.0]], dims=["case", "horizon"])
    np.testing.assert_allclose(ours.rps(p, y), ours.brier(p, y).sum("horizon"))


def test_rps_refuses_windows_that_lose_an_event() -> None:
    with pytest.raises(ours.ScoreError, match="never fall"):
        ours.rps(named([0.2, 0.1], "horizon"), named([0, 0], "horizon"))
    with pytest.raises(ours.ScoreError, match="never fall"):
        ours.rps(named([0.1, 0.2], "horizon"), named([1, 0], "horizon"))


def test_crps_of_draws_is_that_of_scores() -> None:
    draws = named(RNG.gamma(2.0, 3.0, size=(30, 80)), "case", "draw")
    y = named(RNG.gamma(2.0, 3.0, size=30), "case")
    theirs = scores.probability.crps_for_ensemble(draws, y, "draw", preserve_dims="case")
    np.testing.assert_allclose(ours.crps_draws(draws, y), theirs, atol=1e-10)


def test_crps_of_one_draw_is_the_absolute_error() -> None:
    assert float(ours.crps_draws(named([3.0], "draw"), 5.0)) == pytest.approx(2.0)


@pytest.mark.parametrize(("mean", "dispersion"), [(0.3, 0.5), (4.0, 2.0), (40.0, 15.0)])
def test_negative_binomial_crps_is_its_sum(mean: float, dispersion: float) -> None:
    from scipy.stats import nbinom

    counts = np.arange(0, 3000)
    cdf = nbinom(dispersion, dispersion / (dispersion + mean)).cdf(counts)
    for y in (0, 1, 7):
        direct = float(((cdf - (counts >= y)) ** 2).sum())
        closed = ours.crps_negative_binomial(y, mean=mean, dispersion=dispersion)
        assert float(closed) == pytest.approx(direct, abs=1e-9)


def test_interval_score_is_that_of_other_libraries() -> None:
    low = RNG.normal(size=100)
    high, y = low + RNG.exponential(size=100), RNG.normal(size=100)
    theirs = scoringrules.interval_score(y, low, high, 0.1)
    np.testing.assert_allclose(ours.interval_score(low, high, y, level=0.9), theirs, atol=1e-10)


def test_skill_pairs_cases() -> None:
    loss, reference = named([0.1, np.nan, 0.3], "case"), named([0.2, 5.0, 0.6], "case")
    assert float(ours.skill(loss, reference)) == pytest.approx(1 - 0.4 / 0.8)
    assert np.isnan(float(ours.skill(loss * 0, loss * 0)))


def test_two_way_bootstrap_of_one_way_is_the_cluster_bootstrap() -> None:
    gain = RNG.normal(size=60)
    state, alone = np.repeat(np.arange(12), 5), np.arange(60)
    spread = ours.two_way_bootstrap(gain, state, np.zeros(60), seed=1, repeats=4000).std()
    means = gain.reshape(12, 5).mean(axis=1)
    assert spread == pytest.approx(means.std() / np.sqrt(12), rel=0.06)
    # every row its own campaign as well: wider than by states alone
    assert ours.two_way_bootstrap(gain, state, alone, seed=1, repeats=4000).std() > spread


def test_two_way_bootstrap_covers_a_known_mean() -> None:
    rng, inside = np.random.default_rng(3), 0
    for trial in range(200):
        states, campaigns = rng.normal(size=25), rng.normal(size=25)
        rows = states[:, None] + campaigns[None, :] + rng.normal(size=(25, 25))
        labels = np.indices(rows.shape)
        draws = ours.two_way_bootstrap(
            rows.ravel(), labels[0].ravel(), labels[1].ravel(), seed=trial, repeats=200
        )
        low, high = np.quantile(draws, [0.05, 0.95])
        inside += low <= 0 <= high
    # conservative by theory; never far below 90%
    assert 0.84 <= inside / 200 <= 1.0


@pytest.mark.parametrize("p", [1.01, -0.01, np.nan, 35])
def test_probabilities_only(p: float) -> None:
    with pytest.raises(ours.ScoreError, match=r"\[0, 1\]"):
        ours.brier(p, 1)


def test_outcomes_only() -> None:
    with pytest.raises(ours.ScoreError, match="0, 1"):
        ours.brier(0.5, 2)
    assert np.isnan(float(ours.brier(0.5, np.nan)))


def test_interval_and_counts_are_checked() -> None:
    with pytest.raises(ours.ScoreError, match="level"):
        ours.interval_score(0, 1, 0.5, level=90)
    with pytest.raises(ours.ScoreError, match="upper"):
        ours.interval_score(1, 0, 0.5, level=0.9)
    with pytest.raises(ours.ScoreError, match="dispersion"):
        ours.crps_negative_binomial(1, mean=1.0, dispersion=0.0)
    with pytest.raises(ours.ScoreError, match="label"):
        ours.two_way_bootstrap([1.0, 2.0], ["a"], ["b", "c"], seed=1)
