r"""Counts as a negative-binomial local level, its parameters pooled over states.

Two discounted Gamma–Poisson filters follow the rate of a state, a quick one and a slow one,

.. math:: a_{t+1} = \omega a_t + y_t, \qquad b_{t+1} = \omega b_t + 1, \qquad
          \hat\lambda_t(\omega) = a_t / b_t ,

and the next count is negative binomial around a mixture of both and a rate that nobody is below,

.. math:: m_t = c + w \hat\lambda_t(\omega_1) + (1 - w) \hat\lambda_t(\omega_2), \qquad
          y_t \sim NB(m_t, k_t), \quad k_t = \kappa m_t^p , \quad
          \mathrm{Var}\, y_t = m_t + m_t^2 / k_t .

All six parameters are one set for all states: a state that never had a death takes its chance of
one from those that were as quiet. Futures feed each simulated count back into both filters, so
that their joint law is the product of exact one-step predictions.

References
----------
.. [1] Harvey, A. C., Fernandes, C. (1989). Time series models for count or qualitative
   observations. Journal of Business & Economic Statistics 7(4). doi:10.1080/07350015.1989.10509750
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from forecast.models.design import Array

__all__ = ["Counts", "Rate", "fit_counts", "log_pmf", "rates", "scores", "step"]

SMALLEST = 1e-12
SKIPPED = {1: 24, 3: 8, 12: 4}
"""First periods by months a period has, in which the filters still learn the level."""
START = {
    1: (0.6, 0.95, 0.6, 0.01, 0.25, 0.3),
    3: (0.5, 0.9, 0.6, 0.03, 0.3, 0.3),
    12: (0.4, 0.9, 0.6, 0.1, 1.0, 0.3),
}
"""Where the search begins, by months a period has."""


@dataclass(frozen=True)
class Counts:
    """Parameters of all states; see the module for the equations.

    Attributes
    ----------
    quick, slow : float
        Discounts a period, in (0, 1).
    weight : float
        Of the quick rate.
    floor : float
        Rate added to both, counts a period.
    size, power : float
        Of the dispersion.
    """

    quick: float
    slow: float
    weight: float
    floor: float
    size: float
    power: float

    def mean(self, quick: Array, slow: Array) -> Array:
        """Mean of the next count, from both rates."""
        return self.floor + self.weight * quick + (1 - self.weight) * slow

    def dispersion(self, mean: Array) -> Array:
        """Size k of the negative binomial at a mean."""
        return np.maximum(self.size * mean**self.power, 1e-3)


@dataclass
class Rate:
    """Where both filters of many series, or of many paths of one, stand."""

    shape: Array
    exposure: Array

    def moved(self, model: Counts, y: Array) -> Rate:
        """Return the filters after one more count; one that is missing moves nothing but time."""
        known = ~np.isnan(y)
        discount = np.array([model.quick, model.slow]).reshape(2, *[1] * y.ndim)
        shape = discount * self.shape + np.where(known, y, 0.0)
        return Rate(shape, np.maximum(discount * self.exposure + known, SMALLEST))

    def spread(self, paths: int) -> Rate:
        """Return the one series of these filters once a path."""
        return Rate(np.repeat(self.shape, paths, axis=1), np.repeat(self.exposure, paths, axis=1))

    def mean(self, model: Counts) -> Array:
        """Mean of the next count."""
        rate = self.shape / self.exposure
        return model.mean(rate[0], rate[1])


def rates(model: Counts, y: Array) -> tuple[Array, Rate]:
    """Filter many series.

    Parameters
    ----------
    model : Counts
    y : (series, time) array
        Counts; NaN where there is none.

    Returns
    -------
    mean : (series, time) array
        Of each count given those before it.
    rate : Rate
        After the last, arrays of shape (2, series).
    """
    from scipy.signal import lfilter

    known = ~np.isnan(y)
    found = []
    for discount in (model.quick, model.slow):
        pair = []
        for part, start in ((np.where(known, y, 0.0), model.floor), (known * 1.0, 1.0)):
            first = np.full((len(y), 1), discount * start)
            pair.append(lfilter([1.0], [1.0, -discount], part, axis=1, zi=first)[0])
        shape, exposure = pair
        exposure = np.maximum(exposure, SMALLEST)
        found.append((shape, exposure))
    before = []
    for shape, exposure in found:
        rate = shape / exposure
        before.append(np.column_stack([np.full(len(y), model.floor), rate[:, :-1]]))
    last = Rate(
        np.stack([shape[:, -1] for shape, _ in found]),
        np.stack([exposure[:, -1] for _, exposure in found]),
    )
    return model.mean(before[0], before[1]), last


def log_pmf(y: Array, mean: Array, size: Array) -> Array:
    r"""Log of the negative-binomial probability of counts, :math:`NB(m, k)`.

    Parameters
    ----------
    y, mean, size : arrays
        Of one shape; whole numbers from 0 on, and positive numbers.
    """
    from scipy.special import gammaln

    out = -size * np.log1p(mean / size)
    some = np.flatnonzero(y > 0)
    n, m, k = y[some], mean[some], size[some]
    out[some] += gammaln(n + k) - gammaln(k) - gammaln(n + 1) + n * np.log(m / (m + k))
    return out


def fit_counts(y: Array, months: int) -> Counts:
    """Fit the parameters of all states by maximum likelihood of the one-step predictions.

    Parameters
    ----------
    y : (states, time) array
        Counts by period; NaN where there is none.
    months : int
        Months a period has: 1, 3 or 12.

    Returns
    -------
    Counts
        The start of the search where fewer than ten counts are above zero.
    """
    from scipy.optimize import minimize

    begin = _free(START[months])
    used = ~np.isnan(y)
    used[:, : min(SKIPPED[months], y.shape[1] - 1)] = False
    flat = y[used]
    if (flat > 0).sum() < 10:
        return _bound(begin)

    def loss(theta: Array) -> float:
        model = _bound(theta)
        mean = rates(model, y)[0][used]
        prior = 0.5 * float((((theta - begin) / 2.0) ** 2).sum())
        return prior - float(log_pmf(flat, mean, model.dispersion(mean)).sum())

    found = minimize(
        loss, begin, method="Nelder-Mead",
        options={"maxfev": 150, "xatol": 0.02, "fatol": 0.5,
                 "initial_simplex": np.vstack([begin, begin + 0.5 * np.eye(6)])},
    )  # fmt: skip
    return _bound(found.x)


def _free(values: tuple[float, ...]) -> Array:
    quick, slow, weight, floor, size, power = values
    ratio = quick / slow
    pairs = [np.log(v / (1 - v)) for v in (ratio, slow, weight)]
    return np.array([*pairs, np.log(floor), np.log(size), power / 0.2])


def _bound(theta: Array) -> Counts:
    ratio, slow, weight = 1 / (1 + np.exp(-np.clip(theta[:3], -8, 8)))
    floor, size = np.exp(np.clip(theta[3:5], -12, 8))
    power = float(np.clip(theta[5] * 0.2, -1.0, 1.0))
    return Counts(float(ratio * slow), float(slow), float(weight), float(floor), float(size), power)


def scores(y: Array, mean: Array, size: Array) -> Array:
    """Normal scores of counts: the normal quantile of P(Y < y) + P(Y = y) / 2.

    Parameters
    ----------
    y, mean, size : arrays
        Of one shape; y may be NaN.
    """
    from scipy.special import betainc, ndtri

    n = np.where(np.isnan(y), 0.0, y)
    share = size / (size + mean)
    below = np.where(n > 0, betainc(size, np.maximum(n, 1.0), share), 0.0)
    until = betainc(size, n + 1.0, share)
    return np.where(np.isnan(y), np.nan, ndtri(np.clip((below + until) / 2, 1e-6, 1 - 1e-6)))


def step(model: Counts, rate: Rate, shock: Array, rng: np.random.Generator) -> Array:
    """Draw the next count of each path.

    Parameters
    ----------
    model : Counts
    rate : Rate
        Arrays of shape (2, paths).
    shock : (paths,) array
        Standard normal; the Gamma part of the count is its quantile, so that shocks that go
        together make counts that go together.
    rng : Generator
        Of the Poisson part.

    Returns
    -------
    (paths,) array
    """
    mean = rate.mean(model)
    size = model.dispersion(mean)
    level = np.exp(_log_gamma_quantile(size, shock)) * mean / size
    return rng.poisson(np.minimum(level, 1e9)).astype(float)


SIZES = np.linspace(np.log(1e-3), np.log(1e4), 97)
SHOCKS = np.linspace(-5.0, 5.0, 121)


@cache
def _table() -> Array:
    """Log of Gamma quantiles by log size and normal score; what is below exp(-60) is nothing."""
    from scipy.special import gammaincinv, ndtr

    found = gammaincinv(np.exp(SIZES)[:, None], ndtr(SHOCKS)[None, :])
    out: Array = np.log(np.maximum(found, np.exp(-60.0)))
    out.setflags(write=False)
    return out


def _log_gamma_quantile(size: Array, shock: Array) -> Array:
    """Bilinear reading of the table: the inverse itself would take most of a simulation."""
    table = _table()
    i = (np.log(size) - SIZES[0]) / (SIZES[1] - SIZES[0])
    j = (shock - SHOCKS[0]) / (SHOCKS[1] - SHOCKS[0])
    i = np.clip(i, 0.0, len(SIZES) - 1.001)
    j = np.clip(j, 0.0, len(SHOCKS) - 1.001)
    row, column = i.astype(int), j.astype(int)
    down, right = i - row, j - column
    top = table[row, column] * (1 - right) + table[row, column + 1] * right
    low = table[row + 1, column] * (1 - right) + table[row + 1, column + 1] * right
    out: Array = top * (1 - down) + low * down
    return out
