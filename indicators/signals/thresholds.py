"""How far a value is in its own past, and when that is an alarm: nothing later is looked at.

The value of a month is the one that a reader of its first day had (`indicators.windows`); it is
ranked among the values that readers had before, never among later ones.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from indicators.catalog import Feature, Indicator
from indicators.dates import DateLike, as_date
from indicators.errors import UnknownNameError
from indicators.lookup import STEP, month_number, number_month
from indicators.signals.reports import CHRONOLOGIES, covered_effort
from indicators.vintages import Snapshot
from indicators.windows import figures

__all__ = ["MIN_PAST", "SIDES", "Past", "alarms", "as_feature", "chronology_of", "past"]

type Floats = npt.NDArray[np.float64]
type Bools = npt.NDArray[np.bool_]

SIDES = ("high", "low", "either")
MIN_PAST = 60
"""Months of known past without which there is no percentile: five years."""
CODED_MIN_PAST = 24
"""The same of a hand-coded count, in searched months: two years."""
CODED_WINDOW = 3
"""Months summed of a hand-coded count: its coverage changes too often for a year's sum."""


@dataclass(frozen=True, eq=False)
class Past:
    """One indicator by state and month, each month as its own reader knew it.

    Made by `past`. Arrays have the shape (n_states, n_months).

    Attributes
    ----------
    name, counterpart : str
        Indicator or feature; the counterpart, empty where none.
    states : tuple of str
    months : DatetimeIndex
        Months whose first day each column is seen from. Where the snapshot's day is not the
        first of a month, the last column is that day.
    values : array of float
        In `unit`; NaN where nothing was public, or a hand-coded chronology was not searched.
    periods : array of float
        Number of the month in which the newest period used ends.
    published : array of datetime64
    unit : str
    percentile : array of float
        Share of the months before, back to the one in which the present period was first seen,
        whose value was lower, half of equal ones counted: 0 to 1. NaN with too short a
        past.
    figures_before : array of float
        Different periods in that past.
    """

    name: str
    counterpart: str
    states: tuple[str, ...]
    months: pd.DatetimeIndex
    values: Floats = field(repr=False)
    periods: Floats = field(repr=False)
    published: npt.NDArray[np.datetime64] = field(repr=False)
    unit: str
    percentile: Floats = field(repr=False)
    figures_before: Floats = field(repr=False)


def chronology_of(snapshot: Snapshot, indicator: str) -> str:
    """Return the hand-coded chronology an indicator counts; empty where none.

    Parameters
    ----------
    snapshot : Snapshot
        What was known.
    indicator : str
        Its id; a feature has none.
    """
    item = snapshot.catalog.indicators.get(indicator)
    if item is None or "search_effort" not in snapshot.table_names:
        return ""
    for table, word in CHRONOLOGIES.items():
        if item.source == f"tocsin_{word}":
            return table
    return ""


def as_feature(indicator: Indicator, *, coded: bool = False) -> Feature:
    """Return an indicator as a figure of its own state: what a model would see, unscaled.

    Parameters
    ----------
    indicator : Indicator
        Sums of months are summed over a year (hand-coded ones over three months), all else is
        the newest period.
    coded : bool, optional
        Whether it counts a hand-coded chronology.
    """
    window = STEP.get(indicator.frequency, 1)
    if indicator.aggregation == "sum" and indicator.frequency in STEP:
        window = CODED_WINDOW if coded else max(12, window)
    signs = dict.fromkeys(("neutrality", "base", "bloc"), 0)
    return Feature(indicator.indicator, (indicator.indicator,), "own", "identity", window,
                   0.0, 1.0, signs, "", indicator.family)  # fmt: skip


def past(
    snapshot: Snapshot,
    name: str,
    states: Iterable[str],
    *,
    counterpart: str = "",
    start: DateLike = "1990-01-01",
    min_past: int | None = None,
    against: str = "own",
) -> Past:
    """Read an indicator or feature at every past month, and rank each value in its past.

    Hand-coded counts are seen in searched months alone and divided by the look-ups of the year:
    contrasts within coverage, never raw trends.

    Parameters
    ----------
    snapshot : Snapshot
        What was known.
    name : str
        Id of a feature or an indicator.
    states : iterable of str
        States.
    counterpart : str, optional
        Of an indicator: the counterpart; empty is figures without one.
    start : str, date or Timestamp, optional
        First month.
    min_past : int, optional
        Known months of the past below which there is no percentile: 60 by default, of hand-coded
        counts 24.
    against : str, optional
        ``own`` past of the state, or past of the ``class``: all of `states`.

    Returns
    -------
    Past

    Raises
    ------
    UnknownNameError
        Neither a feature nor an indicator.
    LookAheadError
        `start` is after the snapshot's date.
    ValueError
        `against` is neither word.
    """
    if against not in ("own", "class"):
        raise ValueError(f"against is {against!r}: own or class")
    chosen = tuple(dict.fromkeys(states))
    first = snapshot.require(as_date(start, "start"))
    last = snapshot.as_of + pd.DateOffset(months=int(snapshot.as_of.day > 1))
    bounds = month_number(pd.DatetimeIndex([first, last]))
    numbers = np.arange(bounds[0], bounds[1] + 1)
    feature, unit, coded = _resolve(snapshot, name)
    found = figures(_narrowed(snapshot, feature, counterpart), feature, chosen, numbers)
    values, periods = found.raw.copy(), numbers - found.ages - 1
    seen = found.published <= np.datetime64(snapshot.as_of)
    if coded:
        unit += " per look-up" * (coded == "contacts")
        values /= _effort(snapshot, coded, counterpart, periods, feature.window_months)
    values = np.where(seen, values, np.nan)
    periods = np.where(np.isnan(values), np.nan, periods)
    least = (CODED_MIN_PAST if coded else MIN_PAST) if min_past is None else min_past
    rank, before = _percentiles(values, periods, least, pooled=against == "class")
    return Past(name, counterpart, chosen, number_month(numbers), values, periods,
                found.published, unit, rank, before)  # fmt: skip


def _resolve(snapshot: Snapshot, name: str) -> tuple[Feature, str, str]:
    catalog = snapshot.catalog
    if name in catalog.features:
        feature = catalog.features[name]
        return feature, catalog.indicator(feature.indicators[0]).unit, ""
    if name not in catalog.indicators:
        raise UnknownNameError("feature or indicator", name,
                               (*catalog.features, *catalog.indicators))  # fmt: skip
    coded = chronology_of(snapshot, name)
    item = catalog.indicators[name]
    return as_feature(item, coded=bool(coded)), item.unit, coded


def _narrowed(snapshot: Snapshot, feature: Feature, counterpart: str) -> Snapshot:
    """Snapshot of the feature's rows alone, those of one counterpart told as the state's own.

    Of several bases only the one of the newest figure is kept: no rank is taken across a break.
    """
    rows = snapshot._history
    rows = rows[rows["indicator"].isin(feature.indicators)]
    if counterpart:
        rows = rows[rows["counterpart"] == counterpart].assign(counterpart="")
    bases = rows["basis"].fillna("")
    if len(bases.unique()) > 1:
        keys = ["indicator", "state", "counterpart"]
        told = rows.assign(basis=bases)[rows["published"] >= rows["end"]]
        newest = told.sort_values(["end", "published"]).drop_duplicates(keys, keep="last")
        kept = rows.assign(_basis=bases).merge(
            newest[[*keys, "basis"]].rename(columns={"basis": "_basis"}), on=[*keys, "_basis"]
        )
        rows = kept.drop(columns="_basis")
    return replace(snapshot, _history=rows)


def _effort(
    snapshot: Snapshot, chronology: str, counterpart: str, periods: Floats, window: int
) -> Floats:
    """Mean effort over the window that ends in each period; NaN where any month is uncovered."""
    known = periods[~np.isnan(periods)].astype(np.int64)
    out = np.full(periods.shape, np.nan)
    if not known.size:
        return out
    numbers = np.arange(known.min() - window + 1, known.max() + 1)
    effort = covered_effort(snapshot, chronology, number_month(numbers), counterpart=counterpart)
    mean = pd.Series(effort).rolling(window).mean().to_numpy()
    out[~np.isnan(periods)] = mean[known - numbers[0]]
    return out


def _percentiles(
    values: Floats, periods: Floats, min_past: int, *, pooled: bool
) -> tuple[Floats, Floats]:
    """Mid-rank of each value among earlier ones about earlier periods, and those periods' count.

    A yearly figure stands in twelve columns: only columns before the first of them are its past.
    """
    rank, before = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    first = _first_column(periods)
    new = ~np.isnan(periods) & (first == np.arange(values.shape[1]))
    counts = np.cumsum(new, axis=1)
    groups = [range(len(values))] if pooled else [range(row, row + 1) for row in range(len(values))]
    for group in groups:
        for row in group:
            earlier: list[float] = []
            upto = 0
            for column in np.flatnonzero(~np.isnan(values[row])):
                stop = int(first[row, column])
                if stop > upto:
                    more = values[group.start : group.stop, upto:stop]
                    earlier = sorted([*earlier, *more[~np.isnan(more)].tolist()])
                    upto = stop
                if len(earlier) >= min_past:
                    x = values[row, column]
                    ends = bisect_left(earlier, x) + bisect_right(earlier, x)
                    rank[row, column] = 0.5 * ends / len(earlier)
                    before[row, column] = counts[row, stop - 1]
    return rank, before


def _first_column(periods: Floats) -> npt.NDArray[np.int64]:
    """First column in which the period of each column was the newest."""
    out = np.zeros(periods.shape, dtype=np.int64)
    for row, known in enumerate(periods):
        same = np.zeros(len(known), dtype=bool)
        same[1:] = known[1:] == known[:-1]
        out[row] = np.maximum.accumulate(np.where(same, 0, np.arange(len(known))))
    return out


def alarms(found: Past, *, threshold: float = 0.9, side: str = "high") -> Floats:
    """Say in which months the value was beyond a threshold of its past.

    Parameters
    ----------
    found : Past
        Of `past`.
    threshold : float, optional
        Percentile q: ``high`` is an alarm at a percentile >= q, ``low`` at one <= 1 - q,
        ``either`` at one >= (1 + q) / 2 or <= (1 - q) / 2, so that the three are as frequent.
    side : str, optional
        One of `SIDES`.

    Returns
    -------
    array of float, shape (n_states, n_months)
        1 alarm, 0 none, NaN where there is no percentile.

    Raises
    ------
    ValueError
        `threshold` is not between 0.5 and 1, or `side` is none of the three.

    References
    ----------
    Kaminsky, G. L. and Reinhart, C. M. (1999), The twin crises, doi:10.1257/AER.89.3.473.
    """
    if not 0.5 < threshold < 1:
        raise ValueError(f"threshold is {threshold}: a percentile between 0.5 and 1")
    if side not in SIDES:
        raise ValueError(f"side is {side!r}: one of {', '.join(SIDES)}")
    rank = found.percentile
    both = (1 + threshold) / 2
    with np.errstate(invalid="ignore"):
        beyond = {
            "high": rank >= threshold,
            "low": rank <= 1 - threshold,
            "either": (rank >= both) | (rank <= 1 - both),
        }[side]
    return np.where(np.isnan(rank), np.nan, beyond.astype(float))
