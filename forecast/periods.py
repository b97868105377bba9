"""The periods behind each feature: their figures, what kind they are, when the next ones come out.

A panel shows the newest published window of a source in each month. What moves is the source
itself, period by period; a path simulates periods and shows each from the month on in which that
source usually prints it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.models.design import Array
from indicators.catalog import Feature
from indicators.lookup import STEP, month_number
from indicators.panel import Panel
from indicators.vintages import Snapshot
from indicators.windows import by_period

__all__ = ["LOOK_BACK", "Series", "series"]

type Ints = npt.NDArray[np.int64]

LOOK_BACK = 60
"""Months of the panel in which the usual age of a source is read."""
SILENT_AFTER = {1: 5, 3: 6, 12: 12}
"""Months a figure may be overdue, by months a period has, before its source counts as silent."""
FIRST, LEAST = (1989 - 1600) * 12, 15 * 12
"""First month in which periods are looked for, and months before an early origin."""
SQUEEZE = 0.005
"""How far from 0 and 1 a share is kept on the logit scale."""


@dataclass(frozen=True, eq=False)
class Series:
    """One feature of all states, period by period.

    Attributes
    ----------
    feature : Feature
    kind : {'counts', 'volume', 'share', 'score'}
        Negative binomial; log-normal; logit-normal; normal.
    step, window : int
        Months a period has; periods that a shown figure is made of.
    aggregation : str
        How they are put together: ``sum``, ``mean`` or ``last``.
    parts : int
        Periods of the source in one of these: sums over a window are modelled in blocks as long
        as the window, since months follow each other too loosely to add up to years.
    recent : array, shape (n_states, parts)
        Figures of the parts of the last block that all states share.
    evenness : float
        Concentration of the shares that parts have in a block, per part.
    ends : array of int, shape (n_periods,)
        Numbers of the months in which the periods end.
    y : array, shape (n_states, n_periods)
        Figures in the unit of the indicators; NaN where none was public.
    shown : array, shape (n_states,)
        What the panel shows at the origin, on the fixed scale.
    newest : array of int, shape (12,)
        Period shown in each of the twelve months from the origin on where nothing is overdue:
        the number of the month in which it ends.
    silent : array of bool, shape (n_states,)
        Whether the source has been overdue for so long that what it shows says little.
    """

    feature: Feature
    kind: str
    step: int
    window: int
    aggregation: str
    parts: int
    recent: Array
    evenness: float
    ends: Ints
    y: Array
    shown: Array
    newest: Ints
    silent: npt.NDArray[np.bool_]

    def inner(self, raw: Array) -> Array:
        """Return figures of periods on the scale without ends."""
        if self.kind == "share":
            p = raw * (1 - 2 * SQUEEZE) + SQUEEZE
            return np.asarray(np.log(p) - np.log1p(-p))
        return np.asarray(raw, dtype=float) if self.kind == "score" else np.log1p(raw)

    def outer(self, inner: Array) -> Array:
        """Undo `inner`; what falls short of nothing is nothing."""
        if self.kind == "share":
            p = 1 / (1 + np.exp(-np.clip(inner, -30, 30)))
            return np.clip((p - SQUEEZE) / (1 - 2 * SQUEEZE), 0.0, 1.0)
        if self.kind == "score":
            return inner
        amount = np.maximum(np.expm1(np.minimum(inner, 40.0)), 0.0)
        return np.round(amount) if self.kind == "counts" else amount

    def fixed(self, raw: Array) -> Array:
        """Put shown figures on the fixed scale of the catalog."""
        value = np.log1p(raw) if self.feature.transform == "log1p" else raw
        return np.asarray((value - self.feature.centre) / self.feature.scale)

    def together(self, parts: Array) -> Array:
        """Figure shown for a window of periods, along the first axis."""
        if self.aggregation == "sum":
            return np.asarray(parts.sum(axis=0))
        return np.asarray(parts.mean(axis=0) if self.aggregation == "mean" else parts[-1])

    def calendar(self, state: int, horizon: int) -> Ints:
        """Period shown in each month from the origin on.

        Parameters
        ----------
        state : int
            Row.
        horizon : int
            Months.

        Returns
        -------
        array of int, shape (horizon,)
            Numbers of the months in which the periods end; -1 where the panel still shows what
            it showed at the origin, everywhere where nothing is known of the state.
        """
        known = np.flatnonzero(~np.isnan(self.y[state]))
        if not len(known):
            return np.full(horizon, -1)
        last = int(self.ends[known[-1]])
        months = np.arange(horizon)
        usual = self.newest[months % 12] + months // 12 * 12
        if self.silent[state]:
            return np.asarray(np.maximum.accumulate(np.maximum(usual, last)))
        usual[0] = last
        # a figure that is out is not taken back
        out = np.maximum.accumulate(np.maximum(usual, last))
        return np.where(out == last, -1, out)


def series(snapshot: Snapshot, panel: Panel, feature: Feature) -> Series:
    """Read the periods of a feature.

    Parameters
    ----------
    snapshot : Snapshot
    panel : Panel
        Of the same day and all states wanted, the last `LOOK_BACK` months at least.
    feature : Feature
    """
    parts = [snapshot.catalog.indicator(name) for name in feature.indicators]
    step = max(STEP.get(part.frequency, 12) for part in parts)
    here = int(month_number(pd.DatetimeIndex([panel.origin]))[0])
    states = panel.states
    shape = (len(states), -1)
    ages = panel.ages[feature.feature].to_numpy(float).reshape(shape)
    regular = len({part.frequency for part in parts}) == 1 and parts[0].frequency in STEP
    newest, silent = _expected(ages, here, step)
    phase = int(newest[0] % step)
    ends = np.arange(min(FIRST, here - LEAST), here, dtype=np.int64)
    ends = ends[ends % step == phase]
    if regular:
        y = by_period(snapshot, feature, states, ends)
        window = max(1, feature.window_months // step)
    else:  # periods of no fixed length: the panel's own figures, one a step
        raw = panel.raw[feature.feature].to_numpy(float).reshape(shape)[:, ::-1][:, ::step]
        y, window = raw[:, ::-1], 1
        ends = here - 1 - np.arange(y.shape[1], dtype=np.int64)[::-1] * step
    y, ends = _trimmed(y, ends)
    shown = panel.values[feature.feature].to_numpy(float).reshape(shape)[:, -1]
    how = parts[0].aggregation if regular else "last"
    kind = _kind(feature, parts[0].unit, how, y)
    block = window if how == "sum" and 12 % (window * step) == 0 else 1
    y, ends, recent, evenness = _blocks(y, ends, block)
    return Series(
        feature, kind, step * block, window // block, how, block, recent, evenness,
        ends, y, shown, newest, silent,
    )  # fmt: skip


def _trimmed(y: Array, ends: Ints) -> tuple[Array, Ints]:
    """Cut off periods that nobody, or at the end hardly anybody, has a figure of."""
    count = (~np.isnan(y)).sum(axis=0)
    if not count.any():
        return y[:, :1], ends[:1]
    first = int(np.argmax(count > 0))
    last = int(np.flatnonzero(count >= count.max() / 2)[-1])
    return y[:, first : last + 1], ends[first : last + 1]


def _blocks(y: Array, ends: Ints, size: int) -> tuple[Array, Ints, Array, float]:
    """Add periods up to blocks that end with the newest; how evenly blocks are filled."""
    if size == 1:
        return y, ends, y[:, -1:], 1.0
    short = -y.shape[1] % size
    full = np.hstack([np.full((len(y), short), np.nan), y]).reshape(len(y), -1, size)
    total = full.sum(axis=2)
    some = total >= 2 * size
    squares = (full[some] / total[some][:, None]) ** 2
    share = float(squares.sum(axis=1).mean()) if some.any() else 2 / (size + 1)
    evenness = (1 - share) / max(size * share - 1, 1e-3)
    return total, ends[::-1][::size][::-1], full[:, -1], float(np.clip(evenness, 0.01, 100.0))


def _expected(ages: Array, here: int, step: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Newest period usually out in each month to come, and who is overdue for long.

    The calendar is the source's, not a state's: the median age by month of the year, over the
    last years in which it still printed.
    """
    known = (~np.isnan(ages)).any(axis=0)
    median = np.full(ages.shape[1], np.nan)
    if known.any():
        median[known] = np.nanmedian(ages[:, known], axis=0)
    renewed = np.flatnonzero(np.diff(median) < 1)
    until = (int(renewed[-1]) + 1 if len(renewed) else 0) + step
    size = len(median)
    used = np.arange(size)
    used = used[(used < until) & (used >= until - LOOK_BACK) & known]
    usual = np.full(12, float(step))
    if len(used):
        usual[:] = np.nanmin(median[used])
    for ahead in range(12):
        same = used[(used - (size - 1 + ahead)) % 12 == 0]
        if len(same):
            usual[ahead] = median[same].min()
    newest: Ints = (here + np.arange(12) - 1 - usual).astype(np.int64)
    overdue = np.nan_to_num(ages[:, -1] - usual[0])
    return newest, overdue >= SILENT_AFTER[step]


def _kind(feature: Feature, unit: str, aggregation: str, y: Array) -> str:
    known = y[~np.isnan(y)]
    if feature.transform == "share_max" or unit in ("share", "index"):
        return "share" if not len(known) or 0 <= known.min() <= known.max() <= 1 else "score"
    if len(known) and known.min() >= 0:
        if aggregation == "sum" and np.equal(known, np.round(known)).all():
            return "counts"
        if feature.transform == "log1p":
            return "volume"
    return "score"
