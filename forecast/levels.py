r"""Volumes, shares and scores as a local level, its innovations pooled over states.

On a scale that has no ends (log of 1 + x for volumes, which makes them log-normal; a logit for
shares), the figure of a state is

.. math:: y_t = \mu_t + \varepsilon_t, \qquad \mu_{t+1} = \mu_t + \eta_t , \qquad
          \mathrm{Var}\,\varepsilon_t = \sigma_i^2, \quad \mathrm{Var}\,\eta_t = q \sigma_i^2 .

The Kalman filter is in closed form and runs over all states at once. Its innovations, divided by
their predicted scale for :math:`\sigma_i = 1`, are

.. math:: e_t \sim (1 - \pi_i) N(0, s_i^2) + \pi_i N(0, s_i^2 + S^2) :

each state has its own ordinary scale and its own chance of a break, both shrunk to those of all
states, and the size S of breaks is one for all. A state that never moved has breaks at the common
rate. Futures run the filter on simulated innovations.

References
----------
.. [1] Durbin, J., Koopman, S. J. (2012). Time Series Analysis by State Space Methods, chapter 2.
   doi:10.1093/acprof:oso/9780199641178.001.0001
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.models.design import Array

__all__ = ["Filtered", "Levels", "fit_levels", "level_filter", "level_loglike"]

RATIOS = (0.02, 0.1, 0.3, 1.0, 3.0, 1000.0)
"""Signal to noise tried; the last is a random walk."""
OWN, BREAKS = 3.0, 20.0
"""Periods that the common scale, and the common rate of breaks, count as."""
DISCOUNT = 0.93
"""Weight of a year-old innovation over that of a fresh one: states calm down and flare up."""
ROUNDS = 40


@dataclass(frozen=True)
class Filtered:
    """Local level of many series, variances in units of the observation variance.

    Attributes
    ----------
    innovation, spread : (series, time) arrays
        Figure less its prediction, and the standard deviation of that; NaN where there is no
        figure, and at the first one, before which nothing is known.
    level, variance : (series,) arrays
        Of the level after the last period, before the next innovation; NaN without any figure.
    """

    innovation: Array
    spread: Array
    level: Array
    variance: Array


def level_filter(y: Array, ratio: float) -> Filtered:
    """Run the Kalman filter of a local level over many series, from an exact diffuse start.

    Parameters
    ----------
    y : (series, time) array
        NaN where there is none.
    ratio : float
        Variance of the level's steps over that of the observation, above 0.
    """
    n, periods = y.shape
    level, variance = np.full(n, np.nan), np.full(n, np.nan)
    innovation, spread = np.full((2, n, periods), np.nan)
    for t in range(periods):
        variance = variance + ratio
        now = y[:, t]
        known = ~np.isnan(now)
        first = known & np.isnan(level)
        total = variance + 1.0
        gap = now - level
        innovation[:, t], spread[:, t] = gap, np.where(np.isnan(gap), np.nan, np.sqrt(total))
        gain = np.where(known, variance / total, 0.0)
        level = np.where(first, now, np.where(known, level + gain * gap, level))
        variance = np.where(first, 1.0, variance * (1 - gain))
    return Filtered(innovation, spread, level, variance)


def level_loglike(y: Array, ratio: float, variance: float) -> float:
    """Diffuse log-likelihood of many series with Gaussian innovations.

    Parameters
    ----------
    y : (series, time) array
    ratio : float
        As `level_filter`.
    variance : float
        Of the observation.
    """
    found = level_filter(y, ratio)
    known = ~np.isnan(found.innovation)
    scale = found.spread[known] ** 2 * variance
    each = np.log(2 * np.pi * scale) + found.innovation[known] ** 2 / scale
    starts = int((~np.isnan(y)).any(axis=1).sum())
    return float(-0.5 * (each.sum() + starts * np.log(2 * np.pi)))


@dataclass(frozen=True)
class Levels:
    """Local levels of all states.

    Attributes
    ----------
    ratio : float
        Signal to noise.
    scale, freedom, breaks : (states,) arrays
        Ordinary scale, the periods it rests on, the chance of a break a period.
    size : float
        Standard deviation of a break.
    figures : (states, time) array
        What was fitted to.
    filtered : Filtered
        Of the figures.
    """

    ratio: float
    scale: Array
    freedom: Array
    breaks: Array
    size: float
    figures: Array
    filtered: Filtered

    def scores(self) -> Array:
        """Normal scores of the one-step innovations, shape (states, time)."""
        from scipy.special import ndtr, ndtri

        e = _standard(self.filtered, self.ratio)
        own, rare = self.scale[:, None], self.breaks[:, None]
        wide = np.hypot(own, self.size)
        p = (1 - rare) * ndtr(e / own) + rare * ndtr(e / wide)
        return np.asarray(ndtri(np.clip(p, 1e-6, 1 - 1e-6)))

    def future(
        self,
        state: int,
        gap: int,
        shock: Array,
        rng: np.random.Generator,
        forced: Array | None = None,
    ) -> Array:
        """Draw figures after the last one known of a state.

        Parameters
        ----------
        state : int
            Row.
        gap : int
            Periods from its last figure to the end of the array fitted to.
        shock : (periods, paths) array
            Standard normal.
        rng : Generator
            Of breaks and of the doubt about the scale.
        forced : (periods,) array, optional
            Figures taken as given; NaN where none is.

        Returns
        -------
        (periods, paths) array
            On the scale of the model; the first period is the one after the last figure.
        """
        e = self.innovations(state, shock, rng)
        level = np.full(shock.shape[1], self.filtered.level[state])
        variance = float(self.filtered.variance[state]) - gap * self.ratio
        out = np.empty(shock.shape)
        for t in range(len(shock)):
            variance += self.ratio
            total = variance + 1.0
            out[t] = level + e[t] * (np.sqrt(total) / steady(self.ratio))
            if forced is not None and not np.isnan(forced[t]):
                out[t] = forced[t]
            level = level + variance / total * (out[t] - level)
            variance *= 1 - variance / total
        return out

    def innovations(self, state: int, shock: Array, rng: np.random.Generator) -> Array:
        """Draw innovations as they would be long after the start.

        Parameters
        ----------
        state : int
            Row.
        shock : (periods, paths) array
            Standard normal.
        rng : Generator
            Of breaks, and of the doubt about the scale, one draw a path.
        """
        free = self.freedom[state]
        own = self.scale[state] * np.sqrt(free / rng.chisquare(free, shock.shape[1]))
        broken = rng.random(shock.shape) < self.breaks[state]
        return np.asarray(shock * np.where(broken, np.hypot(own, self.size), own))


def fit_levels(y: Array, *, smallest: float = 1e-3) -> Levels:
    """Fit local levels, the signal to noise by the likelihood of all states.

    Parameters
    ----------
    y : (states, time) array
        On the scale of the model; NaN where there is none.
    smallest : float, optional
        Scale below which movements are rounding.

    Returns
    -------
    Levels
    """
    tried = []
    for ratio in RATIOS:
        found = level_filter(y, ratio)
        e = _standard(found, ratio)
        scale, freedom, breaks, size = _mixture(e, smallest)
        lost = np.log(found.spread[~np.isnan(e)] / steady(ratio)).sum()
        fit = _log_density(e, scale, breaks, size).sum() - lost
        tried.append((fit, Levels(ratio, scale, freedom, breaks, size, y, found)))
    return max(tried, key=lambda pair: pair[0])[1]


def steady(ratio: float) -> float:
    """Standard deviation of an innovation long after the start, in units of the observation."""
    return float(np.sqrt(1 + (ratio + np.sqrt(ratio**2 + 4 * ratio)) / 2))


def _standard(found: Filtered, ratio: float) -> Array:
    """Innovations as they would be long after the start."""
    return found.innovation / (found.spread / steady(ratio))


def _mixture(e: Array, smallest: float) -> tuple[Array, Array, Array, float]:
    """Expectation and maximisation; the common scale is the geometric mean of the states'."""
    known = ~np.isnan(e) * DISCOUNT ** np.arange(e.shape[1])[::-1]
    x2 = np.where(np.isnan(e), 0.0, e) ** 2
    count = known.sum(axis=1).astype(float)
    everybody = max(float(np.sqrt(x2.sum() / max(float(known.sum()), 1e-9))), smallest)
    common, size, rare = everybody / 3, 2 * everybody, 0.05
    scale, breaks = np.full(len(e), common), np.full(len(e), rare)
    told = count > 0
    ordinary = known * 1.0
    for _ in range(ROUNDS):
        own, wide = scale[:, None] ** 2, scale[:, None] ** 2 + size**2
        near = (1 - breaks[:, None]) * np.exp(-x2 / (2 * own)) / np.sqrt(own)
        far = breaks[:, None] * np.exp(-x2 / (2 * wide)) / np.sqrt(wide)
        ordinary = known * near / np.maximum(near + far, 1e-300)
        broken = known - ordinary
        weight = ordinary.sum(axis=1)
        variance = (OWN * common**2 + (ordinary * x2).sum(axis=1)) / (OWN + weight)
        scale = np.maximum(np.sqrt(variance), smallest)
        rare = (broken.sum() + 0.5) / (known.sum() + 10.0)
        breaks = (BREAKS * rare + broken.sum(axis=1)) / (BREAKS + count)
        if told.any():
            common = max(float(np.exp(np.log(scale[told]).mean())), smallest)
        size = max(float(np.sqrt((broken * x2).sum() / max(broken.sum(), 1e-9))), common)
    return scale, OWN + ordinary.sum(axis=1), breaks, size


def _log_density(e: Array, scale: Array, breaks: Array, size: float) -> Array:
    """Log density of the innovations that are known."""
    x2 = e**2
    own = scale[:, None] ** 2
    wide = own + size**2
    near = (1 - breaks[:, None]) * np.exp(-x2 / (2 * own)) / np.sqrt(2 * np.pi * own)
    far = breaks[:, None] * np.exp(-x2 / (2 * wide)) / np.sqrt(2 * np.pi * wide)
    return np.asarray(np.log(np.maximum(near + far, 1e-300))[~np.isnan(e)])
