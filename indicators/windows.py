"""The figure of one feature for every state and month: windows, neighbours, counterparts.

Works on whole arrays of shape (n_states, n_months); `indicators.panel` turns them into frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from indicators.catalog import Feature, Indicator
from indicators.lookup import NEVER, STEP, Vintages, known_zeros, month_number
from indicators.vintages import Snapshot

__all__ = ["Figures", "by_period", "figures"]

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]

_NO_DAY = np.iinfo(np.int64).min


@dataclass(frozen=True, eq=False)
class Figures:
    """One feature by state and month; every array has the shape (n_states, n_months).

    Attributes
    ----------
    raw : array of float
        Before transformation, in the unit of the indicators.
    values : array of float
        On the fixed scale.
    ages : array of float
        In months.
    published : array of datetime64
        Of the newest figure used.
    """

    raw: Floats
    values: Floats
    ages: Floats
    published: npt.NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class _Block:
    """Window totals, the newest period in each and the day its newest figure was published."""

    value: Floats
    period: Ints
    day: Ints

    def where(self, known: npt.NDArray[np.bool_]) -> _Block:
        """Forget what is not known."""
        return _Block(
            np.where(known, self.value, np.nan),
            np.where(known, self.period, NEVER),
            np.where(known, self.day, _NO_DAY),
        )


def figures(snapshot: Snapshot, feature: Feature, states: Sequence[str], months: Ints) -> Figures:
    """Compute a feature.

    Parameters
    ----------
    snapshot : Snapshot
        What was known.
    feature : Feature
        The feature.
    states : sequence of str
        States, one a row.
    months : array of int, shape (n_months,)
        Numbers of months, one a column.

    Returns
    -------
    Figures
        NaN where nothing was public, or where one of several indicators is missing.
    """
    blocks = [
        _indicator_block(snapshot, snapshot.catalog.indicator(name), feature, states, months)
        for name in feature.indicators
    ]
    total = np.sum([block.value for block in blocks], axis=0)
    period: Ints = np.stack([block.period for block in blocks]).max(axis=0)
    day: Ints = np.stack([block.day for block in blocks]).max(axis=0)
    block = _Block(total, period, day).where(~np.isnan(total))
    with np.errstate(invalid="ignore", divide="ignore"):
        # log1p is for amounts: below -1 there is no value.
        shape = np.log1p(block.value) if feature.transform == "log1p" else block.value
    published = block.day.astype("datetime64[D]").astype("datetime64[us]")
    ages = np.where(np.isnan(block.value), np.nan, months - block.period - 1)
    return Figures(block.value, (shape - feature.centre) / feature.scale, ages, published)


def by_period(snapshot: Snapshot, feature: Feature, states: Sequence[str], periods: Ints) -> Floats:
    """Figures of single periods, each in the newest vintage the snapshot holds.

    Parameters
    ----------
    snapshot : Snapshot
        What was known.
    feature : Feature
        Its indicators, scope and share; neither its window nor its scale is applied.
    states : sequence of str
        States, one a row. Neighbours are those of the snapshot's month throughout, so that a
        series does not jump where a border was drawn.
    periods : array of int, shape (n_periods,)
        Numbers of the months in which the periods end.

    Returns
    -------
    array of float, shape (n_states, n_periods)
        In the unit of the indicators; NaN where nothing was public.
    """
    here = month_number(pd.DatetimeIndex([snapshot.as_of]))[0]
    at: Ints = np.full(len(periods), here, dtype=np.int64)
    blocks = [
        _indicator_block(
            snapshot, snapshot.catalog.indicator(name), replace(feature, window_months=1),
            states, at, periods,
        ).value
        for name in feature.indicators
    ]  # fmt: skip
    return np.sum(blocks, axis=0)


def _indicator_block(
    snapshot: Snapshot,
    indicator: Indicator,
    feature: Feature,
    states: Sequence[str],
    months: Ints,
    fixed: Ints | None = None,
) -> _Block:
    vintages = Vintages.of(snapshot._history, indicator)
    reader = _Reader(vintages, indicator, feature.window_months, months, snapshot.strict)
    reader.fixed = fixed
    if feature.scope == "own":
        return reader.own(states)
    if feature.scope == "counterparts":
        return reader.counterparts(states, largest_share=feature.transform == "share_max")
    borders = snapshot.table("contiguity") if "contiguity" in snapshot.table_names else None
    return _neighbours(reader, borders, states)


class _Reader:
    """Reads windows of one indicator, as of each month."""

    def __init__(
        self, vintages: Vintages, indicator: Indicator, window: int, months: Ints, strict: bool
    ) -> None:
        self.vintages, self.indicator, self.months = vintages, indicator, months
        self.strict = strict
        self.step = STEP.get(indicator.frequency, 1)
        # An irregular period has no predecessor a fixed time before it: only the newest counts.
        regular = indicator.frequency in STEP
        self.periods = max(1, window // self.step) if regular else 1
        self.usual = known_zeros(indicator, months, strict=strict)
        # one period a column in place of the newest of each month
        self.fixed: Ints | None = None

    def zeros(self, states: Sequence[str]) -> tuple[Ints, Ints]:
        """Return newest period that is zero if absent, and its day; (n_states, n_months)."""
        last, _, day = self.usual
        lasts, days = np.tile(last, (len(states), 1)), np.tile(day, (len(states), 1))
        for state, end in self.indicator.not_covered:
            rows = [number for number, other in enumerate(states) if other == state]
            if rows and end is None:
                lasts[rows], days[rows] = NEVER, _NO_DAY
            elif rows:
                shorter = replace(self.indicator, coverage_end=end)
                lasts[rows], _, days[rows] = known_zeros(shorter, self.months, strict=self.strict)
        return lasts, days

    def own(self, states: Sequence[str]) -> _Block:
        """Return the figures of each state that have no counterpart."""
        units = self.vintages.units
        alone = units[units["counterpart"] == ""]
        series = {state: list(rows) for state, rows in alone.groupby("state").groups.items()}
        most = max((len(series.get(state, ())) for state in states), default=0)
        nobody: Ints = np.full(len(states), NEVER, dtype=np.int64)
        best = self._window(nobody, states)
        for rank in range(most):
            numbers = np.array(
                [series[s][rank] if len(series.get(s, ())) > rank else NEVER for s in states],
                dtype=np.int64,
            )
            block = self._window(numbers, states)
            # Bases and sources are never put together: the one with the newest period counts,
            # then the one printed last, then the first by name.
            newer = (numbers >= 0)[:, None] & ~np.isnan(block.value)
            newer &= (
                np.isnan(best.value)
                | (block.period > best.period)
                | ((block.period == best.period) & (block.day > best.day))
            )
            if rank == 0:
                newer |= (numbers >= 0)[:, None]
            best = _Block(
                np.where(newer, block.value, best.value),
                np.where(newer, block.period, best.period),
                np.where(newer, block.day, best.day),
            )
        return best

    def counterparts(self, states: Sequence[str], *, largest_share: bool) -> _Block:
        """Return each state's total over its counterparts, or the largest one's share of it."""
        units = self.vintages.units
        partners = units[units["counterpart"] != ""]
        nobody: Ints = np.full(len(states), NEVER, dtype=np.int64)
        blank = self._window(nobody, states)
        if largest_share:
            blank = _Block(blank.value * 0.0, blank.period, blank.day)
        out = _Block(blank.value.copy(), blank.period.copy(), blank.day.copy())
        rows = {state: number for number, state in enumerate(states)}
        for state, group in partners.groupby("state").groups.items():
            if state not in rows:
                continue
            numbers = group.to_numpy().astype(np.int64)
            here = [state] * len(numbers)
            newest = self._newest(numbers, self.zeros(here)[0]).max(axis=0)
            block = self._window(numbers, here, np.tile(newest, (len(numbers), 1)))
            amounts = _newest_source(block, units.loc[numbers, "counterpart"].to_numpy())
            known = ~np.isnan(amounts).all(axis=0)
            total = np.where(known, np.nansum(amounts, axis=0), np.nan)
            if largest_share:
                top = np.where(np.isnan(amounts), 0.0, amounts).max(axis=0)
                empty = 0.0 if self.indicator.absent_is_zero else np.nan
                with np.errstate(divide="ignore", invalid="ignore"):
                    total = np.where(total > 0, top / total, np.where(known, empty, np.nan))
            row = rows[state]
            out.value[row], out.period[row], out.day[row] = total, newest, block.day.max(axis=0)
        return out.where(~np.isnan(out.value))

    def _newest(self, series: Ints, zero_last: Ints) -> Ints:
        """Newest period known of each series; shape (n_series, n_months)."""
        if self.fixed is not None:
            return np.tile(self.fixed, (len(series), 1))
        seen = self.vintages.newest(np.maximum(series, 0)[:, None], self.months[None, :])
        seen = np.where(series[:, None] >= 0, seen, NEVER)
        # A single figure out before the others would open a window with holes in it.
        regular = (zero_last >= 0) & (self.periods > 1)
        return np.where(regular, zero_last, np.maximum(seen, zero_last))

    def _window(self, series: Ints, states: Sequence[str], newest: Ints | None = None) -> _Block:
        """Aggregate the window that ends with the newest period; (n_series, n_months)."""
        zero_last, zero_day = self.zeros(states)
        period = self._newest(series, zero_last) if newest is None else newest
        back = np.arange(self.periods) * self.step
        periods = np.where(period[..., None] >= 0, period[..., None] - back, NEVER)
        numbers, months = series[:, None, None], self.months[None, :, None]
        values, days = self.vintages.value(numbers, periods, months)
        zero = np.isnan(values) & (periods >= self.usual[1]) & (periods >= 0)
        zero &= periods <= zero_last[..., None]
        values = np.where(zero, 0.0, values)
        days = np.where(zero & (back == 0), zero_day[..., None], days)
        known = ~np.isnan(values)
        if self.indicator.aggregation == "sum":
            total = values.sum(axis=-1)
        elif self.indicator.aggregation == "mean":
            count = known.sum(axis=-1)
            mean = np.where(known, values, 0.0).sum(axis=-1) / np.maximum(count, 1)
            total = np.where(count > 0, mean, np.nan)
        else:
            total = values[..., 0]
        return _Block(total, period, days.max(axis=-1)).where(~np.isnan(total))


def _newest_source(block: _Block, partners: npt.NDArray[np.object_]) -> Floats:
    """Amounts by counterpart; of several sources or bases, the one printed last."""
    names, where = np.unique(partners.astype(str), return_inverse=True)
    out = np.full((len(names), block.value.shape[1]), np.nan)
    days = np.full(out.shape, _NO_DAY)
    for number, row in enumerate(where):
        better = ~np.isnan(block.value[number])
        better &= np.isnan(out[row]) | (block.day[number] > days[row])
        out[row] = np.where(better, block.value[number], out[row])
        days[row] = np.where(better, block.day[number], days[row])
    return out


def _neighbours(reader: _Reader, borders: pd.DataFrame | None, states: Sequence[str]) -> _Block:
    """Total (or mean, where the indicator is one) over the land neighbours of each month."""
    rows = {state: number for number, state in enumerate(states)}
    if borders is None:
        borders = pd.DataFrame({"state": [], "neighbour": [], "start": [], "end": []})
    pairs = borders[borders["state"].isin(states)]
    others = sorted(set(pairs["neighbour"]))
    place = {state: number for number, state in enumerate(others)}
    theirs = reader.own(others)
    shape = (len(states), len(reader.months))
    total, count, borders_held = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    period, day = np.full(shape, NEVER), np.full(shape, _NO_DAY)
    for state, other, start, end in zip(
        pairs["state"], pairs["neighbour"], pairs["start"], pairs["end"], strict=True
    ):
        here, there = rows[state], place[other]
        held = _in_force(start, end, reader.months)
        known = ~np.isnan(theirs.value[there]) & held
        total[here] += np.where(known, theirs.value[there], 0.0)
        count[here] += known
        borders_held[here] += held
        period[here] = np.maximum(period[here], np.where(known, theirs.period[there], NEVER))
        day[here] = np.maximum(day[here], np.where(known, theirs.day[there], _NO_DAY))
    # No neighbour is no neighbour's figure: a true zero where the source covers the month.
    zero_last, zero_day = reader.zeros(states)
    none = (borders_held == 0) & (zero_last >= 0)
    period, day = np.where(none, zero_last, period), np.where(none, zero_day, day)
    value = total if reader.indicator.aggregation == "sum" else total / np.maximum(count, 1)
    return _Block(value, period, day).where((count > 0) | none)


def _in_force(start: pd.Timestamp, end: pd.Timestamp, months: Ints) -> npt.NDArray[np.bool_]:
    """Months on whose first day a border existed."""
    inside = np.ones(len(months), dtype=bool)
    if not pd.isna(start):
        first = month_number(pd.DatetimeIndex([start]))[0] + (start.day > 1)
        inside &= months >= first
    if not pd.isna(end):
        inside &= months <= month_number(pd.DatetimeIndex([end]))[0]
    return inside
