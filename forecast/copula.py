r"""Shocks that go together: the correlation of what models did not foresee, and draws from it.

The one-step normal scores z of a year have the correlation r over states and years, shrunk towards
none by the factor

.. math:: 1 - \min\left(1, \frac{\sum_{j<k} \widehat{\mathrm{Var}}\, r_{jk}}
          {\sum_{j<k} r_{jk}^2}\right) ,

and shocks are drawn from the result, a Gaussian copula. Shocks of months add up to the shock of
their year, so that monthly and yearly sources can go together.

References
----------
.. [1] Schäfer, J., Strimmer, K. (2005). A shrinkage approach to large-scale covariance matrix
   estimation. Statistical Applications in Genetics and Molecular Biology 4(1).
   doi:10.2202/1544-6115.1175
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from forecast.counts import Counts, rates, scores
from forecast.levels import Levels
from forecast.models.design import Array
from forecast.periods import Series

__all__ = ["Model", "Shocks", "correlated", "last_known", "year_of"]

type Model = Counts | Levels

YEARS_SCORED = 20
"""Newest years whose residuals the correlation is measured on."""
MIDDLE = 6
"""Months from the middle of a year to its end."""


class Shocks:
    """Correlated standard normals of every feature of one state.

    Parameters
    ----------
    correlation : (features, features) array
    found : sequence of Series
    row : int
        The state.
    plans : sequence of array
        Calendars of the features.
    paths : int
    rng : Generator
    """

    def __init__(
        self,
        correlation: Array,
        found: Sequence[Series],
        row: int,
        plans: Sequence[Array],
        paths: int,
        rng: np.random.Generator,
    ) -> None:
        self.ends = [_to_come(s, row, plan) for s, plan in zip(found, plans, strict=True)]
        every = np.concatenate([*self.ends, [int(one.ends[-1]) for one in found]])
        self.first = int(year_of(every.min()))
        size = int(year_of(every.max())) - self.first + 1
        self.correlation = correlation
        root = np.linalg.cholesky(correlation)
        self.yearly = rng.standard_normal((size, paths, len(found))) @ root.T
        self.steps = [one.step for one in found]
        finest = 12 // min(self.steps) if min(self.steps) < 12 else 0
        self.within = rng.standard_normal((size, finest, paths, len(found))) @ root.T

    def moved(self, year: int, given: list[int], score: Array) -> None:
        """Condition the shocks of a year on those of some features."""
        r = self.correlation
        weight = np.linalg.solve(r[np.ix_(given, given)], r[given])
        self.yearly[year] += (score - self.yearly[year][:, given]) @ weight

    def of(self, j: int) -> Array:
        """Shocks of the periods to come of a feature, shape (periods, paths)."""
        ends = self.ends[j]
        year = year_of(ends) - self.first
        if self.steps[j] >= 12:
            return np.asarray(self.yearly[year, :, j])
        parts = 12 // self.steps[j]
        fine = self.within[:, :parts, :, j]
        # parts of a year: independent of each other, their sum the shock of the year
        fine = fine - fine.mean(axis=1, keepdims=True) + self.yearly[:, None, :, j] / np.sqrt(parts)
        return np.asarray(fine[year, (ends - MIDDLE) % 12 // self.steps[j]])


def year_of(ends: Array | int) -> Any:
    """Year whose shock a period takes: that of the middle of a year that ends in its month."""
    return (ends - MIDDLE) // 12


def last_known(y: Array) -> int:
    """Column of the last figure of a state; there must be one."""
    return int(np.flatnonzero(~np.isnan(y))[-1])


def _to_come(one: Series, row: int, plan: Array) -> Array:
    """Ends of the periods to be simulated: from the last one known to the last one shown."""
    known = ~np.isnan(one.y[row])
    if not known.any() or plan.max() < 0:
        return np.empty(0, dtype=np.int64)
    return np.arange(one.ends[last_known(one.y[row])] + one.step, plan.max() + one.step, one.step)


def correlated(found: Sequence[Series], models: Sequence[Model | None], here: int) -> Array:
    """Correlate yearly normal scores over states and years, and shrink.

    Parameters
    ----------
    found : sequence of Series
    models : sequence of Counts, Levels or None
        Fitted to them.
    here : int
        Number of the month of the origin.

    Returns
    -------
    (features, features) array
        Positive definite.
    """
    if not found:
        return np.eye(0)
    first = int(year_of(here)) - YEARS_SCORED
    tables = [_yearly_scores(o, m, first) for o, m in zip(found, models, strict=True)]
    flat = np.array([table.ravel() for table in tables]).reshape(len(found), -1)
    size = len(found)
    r, doubt = np.eye(size), 0.0
    for j in range(size):
        for k in range(j):
            both = ~np.isnan(flat[j]) & ~np.isnan(flat[k])
            if both.sum() < 30 or min(flat[j][both].std(), flat[k][both].std()) < 1e-9:
                continue
            r[j, k] = r[k, j] = np.corrcoef(flat[j][both], flat[k][both])[0, 1]
            doubt += (1 - r[j, k] ** 2) ** 2 / (both.sum() - 1)
    total = float((r[np.tril_indices(size, -1)] ** 2).sum())
    keep = max(0.0, 1 - doubt / total) if total > 0 else 0.0
    values, vectors = np.linalg.eigh(keep * r + (1 - keep) * np.eye(size))
    # pairs are measured on different years: the matrix may miss being one by a little
    fixed = (vectors * np.maximum(values, 0.01)) @ vectors.T
    scale = np.sqrt(np.diag(fixed))
    return np.asarray(fixed / np.outer(scale, scale))


def _yearly_scores(one: Series, model: Model | None, first: int) -> Array:
    """Normal scores by state and year, those of a year's periods added up and scaled."""
    out = np.full((len(one.y), YEARS_SCORED + 1), np.nan)
    if model is None:
        return out
    used = year_of(one.ends) >= first
    if isinstance(model, Levels):
        z = model.scores()[:, used]
    else:
        mean = rates(model, one.y)[0][:, used]
        z = scores(one.y[:, used], mean, model.dispersion(mean))
    years = year_of(one.ends[used]) - first
    for year in np.unique(years):
        part = z[:, years == year]
        known = (~np.isnan(part)).sum(axis=1)
        total = np.nansum(part, axis=1) / np.sqrt(np.maximum(known, 1))
        out[:, year] = np.where(known * one.step >= 6, total, np.nan)
    return out
