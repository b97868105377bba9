"""The autoregression that futures are measured against: fit, silence, steps, seeds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from forecast.paths import MIN_VALUES, SILENT_AFTER, autoregression, simulate, steps
from indicators.vintages import snapshot

Array = Any


def ar1(n: int, mean: float, phi: float, sigma: float, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    x = np.empty(n)
    x[0] = mean + sigma / np.sqrt(1 - phi**2) * rng.standard_normal()
    for t in range(1, n):
        x[t] = mean + phi * (x[t - 1] - mean) + sigma * rng.standard_normal()
    return x


def panel_of(values: dict[str, Array], ages: dict[str, float], *, start: str = "1992-01-01") -> Any:
    """Stand-in for a panel of one state: values month by month, ages constant."""
    size = max(len(v) for v in values.values())
    months = pd.date_range(start, periods=size, freq="MS")
    index = pd.MultiIndex.from_product([["TKM"], months], names=["state", "month"])
    full = {k: np.concatenate([np.full(size - len(v), np.nan), v]) for k, v in values.items()}
    age = {k: np.full(size, ages.get(k, 1.0)) for k in values}
    return SimpleNamespace(values=pd.DataFrame(full, index), ages=pd.DataFrame(age, index))


def test_equals_the_exact_likelihood_maximised_by_hand() -> None:
    """The stationary first-order likelihood in closed form, another optimiser."""
    x = ar1(120, 2.0, 0.7, 0.5, 3)

    def minus(theta: Array) -> float:
        mean, phi, sigma = theta[0], np.tanh(theta[1]), np.exp(theta[2])
        first = stats.norm.logpdf(x[0], mean, sigma / np.sqrt(1 - phi**2))
        rest = stats.norm.logpdf(x[1:], mean + phi * (x[:-1] - mean), sigma)
        return -float(first + rest.sum())

    best = optimize.minimize(minus, [0.0, 0.1, 0.0], method="Nelder-Mead",
                             options={"maxiter": 5000, "xatol": 1e-8, "fatol": 1e-10})  # fmt: skip
    mean, phi, sigma = autoregression(x)
    assert mean == pytest.approx(best.x[0], abs=1e-5)
    assert phi == pytest.approx(np.tanh(best.x[1]), abs=1e-5)
    assert sigma == pytest.approx(np.exp(best.x[2]), rel=1e-5)


def test_recovers_the_truth_from_a_long_series() -> None:
    mean, phi, sigma = autoregression(ar1(4000, -1.0, 0.8, 0.3, 4))
    assert mean == pytest.approx(-1.0, abs=0.1)
    assert phi == pytest.approx(0.8, abs=0.04)
    assert sigma == pytest.approx(0.3, abs=0.015)


@pytest.mark.parametrize(
    ("values", "sigma"),
    [
        ([1.0, 2.0, 1.0], 1.0),  # too short
        ([5.0], 0.0),
        ([4.0] * 30, 0.0),  # never moves
        ([0.0, *[0.0, 3.0] * ((MIN_VALUES - 2) // 2)], None),
    ],
)
def test_too_little_to_fit_is_a_random_walk(values: list[float], sigma: float | None) -> None:
    mean, phi, found = autoregression(np.array(values))
    assert (mean, phi) == (values[-1], 1.0)
    changes = np.diff(values)
    rms = float(np.sqrt(np.mean(changes**2))) if len(changes) else 0.0
    assert found == pytest.approx(rms if sigma is None else sigma)


def test_a_trend_without_a_mean_stays_finite() -> None:
    mean, phi, sigma = autoregression(np.arange(60.0))
    assert np.isfinite([mean, phi, sigma]).all()
    assert abs(phi) <= 1.0


def test_spread_grows_as_the_closed_form_says() -> None:
    x = ar1(300, 0.0, 0.6, 1.0, 5)
    mean, phi, sigma = autoregression(x)
    out = simulate(panel_of({"f": x}, {}), "TKM", ["f"], horizon=13, paths=20_000, seed=1)
    k = np.arange(13)
    middle = mean + phi**k * (x[-1] - mean)
    spread = sigma * np.sqrt((1 - phi ** (2 * k)) / (1 - phi**2))
    np.testing.assert_allclose(out[:, :, 0].mean(axis=1), middle, atol=0.05)
    np.testing.assert_allclose(out[:, :, 0].std(axis=1), spread, atol=0.03)


def test_the_first_month_is_the_value_known_and_yearly_sources_stay_put_within_a_year() -> None:
    yearly = np.repeat(ar1(25, 1.0, 0.5, 1.0, 6), 12)
    out = simulate(
        panel_of({"f": yearly}, {"f": 12.0}),
        "TKM", ["f"], horizon=36, paths=50, seed=1, steps={"f": 12},
    )  # fmt: skip
    assert out.shape == (36, 50, 1)
    assert (out[0] == yearly[-1]).all()
    for year in range(3):
        block = out[12 * year : 12 * year + 12, :, 0]
        assert (block == block[0]).all()
    assert (out[12] != out[0]).all()


@pytest.mark.parametrize(("horizon", "step"), [(1, 12), (6, 12), (13, 12), (36, 1), (25, 12)])
def test_horizons_need_not_be_whole_years(horizon: int, step: int) -> None:
    values = np.repeat(ar1(25, 1.0, 0.5, 1.0, 6), 12)
    out = simulate(
        panel_of({"f": values}, {}), "TKM", ["f"], horizon=horizon, paths=7, seed=1,
        steps={"f": step},
    )  # fmt: skip
    assert out.shape == (horizon, 7, 1)
    assert np.isfinite(out).all()


def test_a_silent_source_reverts_to_its_mean() -> None:
    """Ten years after its last figure a source says its mean again, and its whole spread."""
    live = ar1(40, 0.0, 0.5, 1.0, 9)
    live[-1] = 8.0
    carried = np.concatenate([np.repeat(live, 12), np.full(120, live[-1])])
    mean, phi, sigma = autoregression(live)
    silent = SILENT_AFTER[12] + 120.0
    fresh, old = (
        simulate(
            panel_of({"f": carried[: len(carried) - cut]}, {"f": age}),
            "TKM", ["f"], horizon=12, paths=20_000, seed=2, steps={"f": 12},
        )[0, :, 0]
        for age, cut in ((12.0, 120), (silent, 0))
    )  # fmt: skip
    assert (fresh == 8.0).all()
    assert old.mean() == pytest.approx(mean + phi**10 * (8.0 - mean), abs=0.05)
    assert old.std() == pytest.approx(sigma / np.sqrt(1 - phi**2), rel=0.03)


@pytest.mark.parametrize("years", [1, 3, 9, 30])
def test_a_source_that_was_silent_all_along_keeps_its_last_value_or_near(years: int) -> None:
    """A figure older than the panel itself: nothing to fit, nothing to fail on."""
    carried = np.full(12 * years, 1.5)
    out = simulate(
        panel_of({"f": carried}, {"f": 12.0 * (years + 20)}),
        "TKM", ["f"], horizon=24, paths=5, seed=3, steps={"f": 12},
    )  # fmt: skip
    assert (out == 1.5).all()


def test_missing_covariates_stay_missing_and_do_not_move_the_others() -> None:
    x = ar1(60, 0.0, 0.5, 1.0, 7)
    both = panel_of({"none": np.full(60, np.nan), "f": x}, {})
    out = simulate(both, "TKM", ["none", "f"], horizon=6, paths=4, seed=8)
    assert np.isnan(out[:, :, 0]).all()
    assert np.isfinite(out[:, :, 1]).all()


def test_the_seed_decides_and_features_differ() -> None:
    x = ar1(60, 0.0, 0.5, 1.0, 7)
    panel = panel_of({"f": x, "g": x}, {})
    one, again, other = (
        simulate(panel, "TKM", ["f", "g"], horizon=12, paths=9, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert (one[1:] != other[1:]).all()
    assert (one[1:, :, 0] != one[1:, :, 1]).all()


def test_steps_follow_the_frequency_of_the_source(bundled: Any) -> None:
    found = steps(snapshot("2016-07-01", package=bundled))
    assert found["violence_own"] == 1
    assert found["polyarchy"] == found["un_alignment"] == 12
