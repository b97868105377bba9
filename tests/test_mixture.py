"""The pool of a run: the mean is the average of the members', the interval that of the mixture."""

import numpy as np
import pytest
from scipy import stats

from forecast.mixture import DRAWS, log_odds, mixture, of_base_rate
from forecast.models.base_rate import BaseRate
from forecast.models.pool import Pool
from forecast.predict import Prediction


def beta(a: float, b: float, draws: int, seed: int) -> Prediction:
    p = np.random.default_rng(seed).beta(a, b, (draws, 1))
    return Prediction(p, {"RUS": p / 2, "USA": p / 3})


def test_the_mean_of_the_mixture_is_the_plain_average_whatever_the_number_of_draws() -> None:
    rng = np.random.default_rng(0)
    parts = [Prediction(np.full((n, 2), rng.random()), {}) for n in (DRAWS, 500, 3000)]
    pool = mixture(parts, seed=1)
    assert pool.p.shape == (3 * DRAWS, 2)
    assert pool.p.mean() == pytest.approx(np.mean([m.p.mean() for m in parts]), abs=1e-12)


def test_the_interval_is_that_of_the_mixture_distribution() -> None:
    pool = mixture([beta(2, 60, DRAWS, 1), beta(20, 60, DRAWS, 2)], seed=1)
    low, high = np.quantile(pool.p, [0.05, 0.95])
    true = [(stats.beta.cdf(x, 2, 60) + stats.beta.cdf(x, 20, 60)) / 2 for x in (low, high)]
    assert true == pytest.approx([0.05, 0.95], abs=0.015)


def test_marks_keep_to_their_draw_and_unknown_marks_are_left_out() -> None:
    one, other = beta(2, 9, DRAWS, 1), beta(3, 9, DRAWS, 2)
    del other.marks["USA"]
    pool = mixture([one, other], seed=5)
    assert set(pool.marks) == {"RUS"}
    np.testing.assert_allclose(pool.marks["RUS"], pool.p / 2)
    with pytest.raises(ValueError, match="member"):
        mixture([], seed=1)


def test_the_base_rate_as_draws_agrees_with_its_closed_form() -> None:
    rate = BaseRate(5, 480.0)
    found = of_base_rate(rate, {"RUS": 3, "USA": 1}, joint=False, horizon=36, seed=1)
    assert found.p[:, 35].mean() == pytest.approx(rate.p(3.0), rel=0.05)
    # competing hazards: no mark in any draw is the same as no event in it
    quiet = np.prod([1 - m for m in found.marks.values()], axis=0)
    np.testing.assert_allclose(quiet, 1 - found.p, atol=1e-12)
    directed = of_base_rate(rate, {"weaken": 3, "strengthen": 1}, joint=True, horizon=6, seed=1)
    np.testing.assert_allclose(sum(directed.marks.values()), directed.p, atol=1e-12)


def test_weights_are_shares_of_the_draws() -> None:
    parts = [Prediction(np.full((DRAWS, 2), p), {}) for p in (0.1, 0.3, 0.8)]
    pool = mixture(parts, seed=1, weights=(0.5, 0.5, 0.0))
    assert pool.p.shape == (3 * DRAWS, 2)
    assert pool.p.mean() == pytest.approx(0.2, abs=1e-12)
    assert set(np.unique(pool.p)) == {0.1, 0.3}
    third = mixture(parts, seed=1, weights=(1 / 3, 1 / 3, 1 / 3))
    assert third.p.mean() == pytest.approx(0.4, abs=1e-12)


def test_the_pool_of_log_odds_has_the_mean_that_was_scored() -> None:
    members = [beta(2, 60, DRAWS, 1), beta(20, 60, DRAWS, 2)]
    pool = Pool(("a", "b"), "log_odds", (0.3, 0.7))
    found = log_odds(members, pool, seed=1)
    goal = pool.p(np.array([m.p.mean() for m in members]))
    assert found.p.mean() == pytest.approx(float(goal), rel=1e-9)
    for name, draws in found.marks.items():
        assert (draws <= found.p).all()
        mark = pool.p(np.array([m.marks[name].mean() for m in members]))
        assert draws.mean() == pytest.approx(float(mark), rel=0.01)
    low, high = np.quantile(found.p, [0.05, 0.95])
    assert low < goal < high
