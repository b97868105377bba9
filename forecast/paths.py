"""Futures by a first-order autoregression: what `forecast.futures` is measured against.

Each covariate of a state moves around its own mean, fitted to the values known at the origin on
the catalog's fixed scale. No run uses it. Yearly sources are simulated in years and stay put
within a year. A source that has fallen silent is first carried through its silence, so that it
reverts to what the model says about it instead of standing still.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from forecast.models.design import Array
from indicators.panel import Panel
from indicators.vintages import Snapshot

YEARLY = 12
SILENT_AFTER = {1: 6, 12: 30}
"""Months after a monthly and a yearly source's last period before its age is simulated."""
MIN_VALUES = 8


def simulate(
    panel: Panel,
    state: str,
    features: Sequence[str],
    *,
    horizon: int,
    paths: int,
    seed: int,
    steps: Mapping[str, int] | None = None,
) -> Array:
    """Simulate covariates of one state over the months after the origin.

    Parameters
    ----------
    panel : Panel
        As known at the origin.
    state : str
    features : sequence of str
    horizon, paths, seed : int
        Months ahead, number of paths, seed.
    steps : mapping, optional
        Months between two values of a feature's source; 12 (yearly) or 1 (monthly).

    Returns
    -------
    (horizon, paths, features) array
        On the fixed scale; the first month is the value known at the origin. NaN where
        the state has no value at all.
    """
    out = np.full((horizon, paths, len(features)), np.nan)
    for j, feature in enumerate(features):
        series = panel.values[feature].xs(state, level="state").dropna()
        if series.empty:
            continue
        step = (steps or {}).get(feature, 1)
        age = panel.ages[feature].xs(state, level="state").iloc[-1]
        rng = np.random.default_rng([seed, j])
        out[:, :, j] = _one(
            series, step=step, age=float(age), horizon=horizon, paths=paths, rng=rng
        )
    return out


def _one(
    series: "pd.Series[float]",
    *,
    step: int,
    age: float,
    horizon: int,
    paths: int,
    rng: np.random.Generator,
) -> Array:
    values = series.to_numpy(float)[::-1][::step][::-1]
    silent = int(max(age - SILENT_AFTER[step], 0) // step)
    mean, phi, sigma = autoregression(values[: max(len(values) - silent, 1)])
    needed = -(-horizon // step) + silent
    path = np.empty((needed, paths))
    current = np.full(paths, values[-1])
    for k in range(needed):
        path[k] = current
        current = mean + phi * (current - mean) + sigma * rng.standard_normal(paths)
    return np.repeat(path[silent:], step, axis=0)[:horizon]


def steps(snapshot: Snapshot) -> dict[str, int]:
    """Months between two values of each feature: 1 where its source is monthly, else 12."""
    catalog = snapshot.catalog
    monthly = {
        name: all(catalog.indicator(i).frequency == "M" for i in feature.indicators)
        for name, feature in catalog.features.items()
    }
    return {name: 1 if is_monthly else 12 for name, is_monthly in monthly.items()}


def autoregression(values: Array) -> tuple[float, float, float]:
    r"""Mean, persistence and innovation scale of a first-order autoregression.

    Fitted by exact maximum likelihood: given phi, mean and scale have closed forms, and what is
    left to be minimised over phi is

    .. math:: n \log \frac{S(\phi)}{n} - \log(1 - \phi^2), \qquad
        S = (1 - \phi^2) z_1^2 + \sum_{t>1} (z_t - \phi z_{t-1})^2, \quad z = x - \mu(\phi).

    A series that never moves, or with fewer than ``MIN_VALUES`` values, is a random
    walk with the scale of its own changes.

    Parameters
    ----------
    values : (time,) array

    Returns
    -------
    mean : float
        x[t+1] = mean + phi * (x[t] - mean) + sigma * noise.
    phi : float
    sigma : float

    References
    ----------
    Beach and MacKinnon (1978), A maximum likelihood procedure for regression with autocorrelated
    errors, https://doi.org/10.2307/1913644
    """
    changes = np.diff(values)
    scale = float(np.sqrt(np.mean(changes**2))) if len(changes) else 0.0
    if len(values) < MIN_VALUES or scale < 1e-6:
        return float(values[-1]), 1.0, scale
    from scipy.optimize import minimize_scalar

    # the likelihood may have two tops: a grid finds the higher one, dense where phi is near 1
    grid = np.tanh(np.linspace(-4.0, 4.0, 161))
    best = int(np.argmin(_profile(grid, values)[0]))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = minimize_scalar(
        lambda phi: float(_profile(np.array([phi]), values)[0][0]),
        bounds=around,
        method="bounded",
        options={"xatol": 1e-10},
    )
    phi = float(found.x)
    _, mean, variance = _profile(np.array([phi]), values)
    if not (abs(phi) < 0.999 and variance[0] > 0):
        return float(values[-1]), 1.0, scale
    return float(mean[0]), phi, float(np.sqrt(variance[0]))


def _profile(phi: Array, values: Array) -> tuple[Array, Array, Array]:
    """Minus twice the log likelihood (less a constant), mean and variance at each phi."""
    x = values - values.mean()
    n, before, after = len(x), x[None, :-1], x[None, 1:]
    lag = phi[:, None]
    steps = after - lag * before
    mean = ((1 + phi) * x[0] + steps.sum(axis=1)) / ((1 + phi) + (n - 1) * (1 - phi))
    left = steps - (1 - lag) * mean[:, None]
    total = (1 - phi**2) * (x[0] - mean) ** 2 + (left**2).sum(axis=1)
    variance = total / n
    with np.errstate(divide="ignore"):
        loss = n * np.log(variance) - np.log1p(-(phi**2))
    return loss, mean + values.mean(), variance
