r"""Joint futures of all indicators of a state: fitted to a snapshot, simulated path by path.

Counts follow `forecast.counts`, all else `forecast.levels`; both are fitted to every state of the
snapshot, so that what is said of one state does not depend on which others were asked about. What
the models did not foresee goes together as in `forecast.copula`.

A scenario fixes a feature from a month on. The normal score of each year given, among draws of
the model that know the years before it, is the shock it took, :math:`z_g`; the shocks of the other
features move by :math:`R_{og} R_{gg}^{-1} (z_g - w_g)`, w being those drawn. That is what the past
says goes together, not what one thing does to another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary
from zlib import crc32

import numpy as np
import pandas as pd

from forecast.copula import Model, Shocks, correlated, last_known, year_of
from forecast.counts import SKIPPED, fit_counts, rates, step
from forecast.levels import Levels, fit_levels
from forecast.models.design import Array
from forecast.periods import Series, series
from forecast.scenarios import Given, fixed_paths, forced
from indicators.errors import UnknownNameError
from indicators.lookup import month_number
from indicators.nowcast.methods import SMALL_COUNT
from indicators.panel import panel
from indicators.vintages import Snapshot

__all__ = ["Futures", "fit", "futures"]

YEARS_SEEN = 20
"""Years of the panel in which the calendar of a source is looked for."""
SCORE_DRAWS = 1000
"""Draws among which a given year is ranked."""


@dataclass(frozen=True, eq=False)
class Futures:
    """Models of every feature, and how their residuals go together.

    Attributes
    ----------
    as_of : Timestamp
        Day of the snapshot: nothing published later is in here.
    states, features : tuple of str
        Rows, and columns of a simulation.
    here : int
        Number of the month of the origin.
    correlation : (features, features) array
        Of yearly normal scores, shrunk.
    """

    as_of: pd.Timestamp
    states: tuple[str, ...]
    features: tuple[str, ...]
    here: int
    correlation: Array
    series: tuple[Series, ...] = field(repr=False)
    models: tuple[Model | None, ...] = field(repr=False)

    def simulate(
        self,
        state: str,
        *,
        horizon: int,
        paths: int,
        seed: int,
        features: Sequence[str] = (),
        given: Sequence[Given] = (),
    ) -> Array:
        """Simulate what the panel will show of one state, month by month.

        Parameters
        ----------
        state : str
        horizon, paths, seed : int
            Months, number of paths, seed; the same bits for any number of workers.
        features : sequence of str, optional
            Columns wanted, all by default: which are wanted moves no bit of the others.
        given : sequence of Given, optional
            What a scenario takes as given; the rest is conditioned on it.

        Returns
        -------
        (horizon, paths, features) array
            On the fixed scales of the catalog; the first month is what is known at the origin.
            NaN where the state has no figure at all.

        Raises
        ------
        UnknownNameError
            No such state or feature.
        ScenarioError
            What is given cannot be.
        """
        row = self._row(state)
        wanted = [self._column(name) for name in features or self.features]
        if not self.series and not given:
            return np.empty((horizon, paths, 0))  # a question without covariates
        rng = np.random.default_rng([seed, crc32(state.encode())])
        plans = [s.calendar(row, horizon) for s in self.series]
        shocks = Shocks(self.correlation, self.series, row, plans, paths, rng)
        seeds = rng.integers(2**63, size=len(self.features))
        fixed = fixed_paths(given, self.series, state=state, here=self.here, horizon=horizon)
        needed = {
            j: forced(self.series[j], path, plans[j], shocks.ends[j]) for j, path in fixed.items()
        }
        if needed:
            self._condition(row, shocks, needed, seed)
        out = np.full((horizon, paths, len(wanted)), np.nan)
        for place, j in enumerate(wanted):
            own = np.random.default_rng(seeds[j])
            raw = self._periods(j, row, shocks.of(j), own, needed.get(j))
            out[:, :, place] = self._shown(j, row, plans[j], raw, own, paths)
            if j in fixed:
                held = ~np.isnan(fixed[j])
                out[held, :, place] = self.series[j].fixed(fixed[j][held])[:, None]
        return out

    def _row(self, state: str) -> int:
        if state not in self.states:
            raise UnknownNameError("state", state, self.states)
        return self.states.index(state)

    def _column(self, name: str) -> int:
        if name not in self.features:
            raise UnknownNameError("feature", name, self.features)
        return self.features.index(name)

    def _periods(
        self,
        j: int,
        row: int,
        shock: Array,
        rng: np.random.Generator,
        forced: Array | None = None,
    ) -> Array:
        """Figures of the periods after the last one known, in the unit of the indicators."""
        model, one = self.models[j], self.series[j]
        if model is None or not len(shock):
            return np.empty((0, shock.shape[1]))
        last = last_known(one.y[row])
        if isinstance(model, Levels):
            gap = one.y.shape[1] - 1 - last
            inner = None if forced is None else one.inner(forced)
            return one.outer(model.future(row, gap, shock, rng, inner))
        rate = rates(model, one.y[row : row + 1, : last + 1])[1].spread(shock.shape[1])
        out = np.empty(shock.shape)
        for t in range(len(shock)):
            out[t] = step(model, rate, shock[t], rng)
            if forced is not None and not np.isnan(forced[t]):
                out[t] = forced[t]
            rate = rate.moved(model, out[t])
        return out

    def _condition(self, row: int, shocks: Shocks, needed: Mapping[int, Array], seed: int) -> None:
        """Move the shocks of the other features by what those given took, year by year."""
        from scipy.special import ndtri

        for year in range(len(shocks.yearly)):
            scored = {}
            for j, values in needed.items():
                when = year_of(shocks.ends[j]) - shocks.first
                now = (when == year) & ~np.isnan(values)
                if not now.any():
                    continue
                rng = np.random.default_rng([seed, row, j, year])
                before = np.where(when < year, values, np.nan)
                shock = rng.standard_normal((len(when), SCORE_DRAWS))
                drawn = self._periods(j, row, shock, rng, before)[now].sum(axis=0)
                total = values[now].sum()
                # half of what is as near as makes no difference counts as below
                near = np.abs(drawn - total) <= 1e-9 * max(1.0, abs(total))
                below = ((drawn < total) & ~near).sum() + near.sum() / 2
                scored[j] = float(ndtri((below + 0.5) / (SCORE_DRAWS + 1)))
            if scored:
                shocks.moved(year, list(scored), np.array(list(scored.values())))

    def _shown(
        self, j: int, row: int, plan: Array, raw: Array, rng: np.random.Generator, paths: int
    ) -> Array:
        """Months of the panel made of known and simulated periods."""
        one = self.series[j]
        out = np.full((len(plan), paths), one.shown[row])
        if self.models[j] is None or not len(raw):
            return out
        last = last_known(one.y[row])
        known, unit, window = one.y[row, : last + 1], one.step, one.window
        if one.parts > 1:
            raw, unit, window = _split(raw, one, rng), one.step // one.parts, one.parts
            # where the last block is older, its parts are not at hand: spread it evenly
            current = last == one.y.shape[1] - 1
            known = one.recent[row] if current else np.full(window, known[-1] / window)
        known = pd.Series(known).ffill().bfill().to_numpy()[-window:]
        known = np.concatenate([np.full(window - len(known), known[0]), known])
        both = np.vstack([np.repeat(known[:, None], paths, axis=1), raw])
        for end in np.unique(plan[plan >= 0]):
            at = window + int(end - one.ends[last]) // unit
            out[plan == end] = one.fixed(one.together(both[at - window : at]))
        return out


def _split(raw: Array, one: Series, rng: np.random.Generator) -> Array:
    """Spread block totals over their parts, as unevenly as blocks of the past were filled."""
    share = rng.gamma(one.evenness, 1.0, (*raw.shape, one.parts)) + 1e-12
    share /= share.sum(axis=2, keepdims=True)
    if one.kind == "counts":
        split = rng.multinomial(raw.astype(np.int64), share).astype(float)
    else:
        split = raw[:, :, None] * share
    return np.asarray(np.swapaxes(split, 1, 2).reshape(-1, raw.shape[1]))


_FITTED: WeakKeyDictionary[Snapshot, Futures] = WeakKeyDictionary()


def futures(snapshot: Snapshot) -> Futures:
    """Return `fit` of a snapshot, made once.

    Parameters
    ----------
    snapshot : Snapshot
    """
    if snapshot not in _FITTED:
        _FITTED[snapshot] = fit(snapshot)
    return _FITTED[snapshot]


def fit(snapshot: Snapshot) -> Futures:
    """Fit the models of every feature to what a snapshot holds.

    Parameters
    ----------
    snapshot : Snapshot
        All states of it are used, organisations and the world left out.

    Returns
    -------
    Futures
    """
    table = snapshot.table("states")
    if "kind" in table:
        table = table[~table["kind"].isin(["organisation", "world"])]
    states = tuple(sorted(table["state"].astype(str)))
    x = panel(snapshot, states, start=snapshot.as_of - pd.DateOffset(years=YEARS_SEEN))
    found = tuple(series(snapshot, x, snapshot.catalog.feature(name)) for name in x.features)
    models = tuple(_fitted(one) for one in found)
    here = int(month_number(pd.DatetimeIndex([x.origin]))[0])
    correlation = correlated(found, models, here)
    return Futures(snapshot.as_of, x.states, x.features, here, correlation, found, models)


def _fitted(one: Series) -> Model | None:
    """Fit what the kind asks for; of counts, only small ones are too coarse for a log-normal."""
    if np.isnan(one.y).all():
        return None
    if one.kind != "counts":
        return fit_levels(one.inner(one.y))
    if one.step in SKIPPED and np.nanmean(one.y) < SMALL_COUNT:
        return fit_counts(one.y, one.step)
    return fit_levels(one.inner(one.y), smallest=0.05)
