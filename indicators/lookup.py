"""Which figure was the newest in each month, for many series and months at once.

Months are numbered from January 1600, periods by the month in which they end. A vintage can be
seen in a month from the first one whose first day is not before its day of publication.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from indicators.catalog import Indicator

__all__ = ["STEP", "Vintages", "known_zeros", "month_number", "number_month"]

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]

STEP = {"A": 12, "Q": 3, "M": 1}
NEVER = -1
_ORIGIN = 1600 * 12
_BITS = 13  # 2**13 months reach to 2282


def month_number(dates: pd.Series[Any] | pd.DatetimeIndex) -> Ints:
    """Return the number of the month each date falls in; dates must not be missing."""
    index = pd.DatetimeIndex(dates)
    return np.asarray(index.year * 12 + index.month - 1 - _ORIGIN, dtype=np.int64)


def number_month(numbers: Ints) -> pd.DatetimeIndex:
    """Return the first day of each month by its number."""
    months = (np.asarray(numbers) + _ORIGIN - 1970 * 12).astype("datetime64[M]")
    return pd.DatetimeIndex(months.astype("datetime64[D]")).as_unit("us")


@dataclass(frozen=True, eq=False)
class Vintages:
    """The vintages of one indicator, sorted for searching.

    Attributes
    ----------
    units : DataFrame, shape (n_series,)
        ``state``, ``counterpart``, ``basis``, ``source`` of each series: figures of different
        bases or sources are never put together.
    """

    units: pd.DataFrame
    _by_period: Ints
    _values: Floats
    _days: Ints
    _by_month: Ints
    _newest: Ints

    @classmethod
    def of(cls, history: pd.DataFrame, indicator: Indicator) -> Vintages:
        """Sort the vintages of an indicator.

        Parameters
        ----------
        history : DataFrame
            `Snapshot.history`, or some of it.
        indicator : Indicator
            Rows of another frequency than its own are left out, and so are plans: figures
            printed before their period was over.
        """
        rows = history[(history["indicator"] == indicator.indicator) & history["value"].notna()]
        if indicator.frequency in STEP:
            rows = rows[rows["frequency"] == indicator.frequency]
        rows = rows[rows["published"] >= rows["end"]]
        names = ["state", "counterpart", "basis", "source"]
        keys = rows[names].fillna({"basis": "", "source": ""})
        numbers: Ints = np.asarray(keys.groupby(names, sort=True).ngroup(), dtype=np.int64)
        units = keys.drop_duplicates().sort_values(names, ignore_index=True)
        period = month_number(rows["end"])
        # Published on the first day of a month: seen in it. Later: seen from the next.
        late = (rows["published"].dt.day > 1).to_numpy(dtype=np.int64)
        month: Ints = month_number(rows["published"]) + late
        days = rows["published"].to_numpy().astype("datetime64[D]").astype(np.int64)
        order = np.lexsort((days, month, period, numbers))
        by_period = _pack(numbers, period, month)[order]
        other = np.lexsort((period, month, numbers))
        by_month = ((numbers << _BITS) | month)[other]
        # The running maximum within each series: the series number on top keeps them apart.
        newest = np.maximum.accumulate(((numbers << _BITS) | period)[other])
        newest &= (1 << _BITS) - 1
        values = rows["value"].to_numpy(dtype=float)[order]
        return cls(units, by_period, values, days[order], by_month, newest)

    def newest(self, series: Ints, months: Ints) -> Ints:
        """Newest period public in a month.

        Parameters
        ----------
        series, months : array of int
            Of shapes that broadcast together.

        Returns
        -------
        array of int
            Number of the period; -1 where nothing was public.
        """
        query = (series << _BITS) | months
        if not len(self._by_month):
            return np.full(query.shape, NEVER)
        at = np.searchsorted(self._by_month, query, side="right") - 1
        found = (at >= 0) & (self._by_month[at] >> _BITS == query >> _BITS)
        return np.where(found, self._newest[at], NEVER)

    def value(self, series: Ints, periods: Ints, months: Ints) -> tuple[Floats, Ints]:
        """Newest vintage, public in a month, of a period.

        Parameters
        ----------
        series, periods, months : array of int
            Of shapes that broadcast together; a series or period of -1 has no value.

        Returns
        -------
        values : array of float
            NaN where none was public.
        days : array of int
            Day of publication, counted from 1970-01-01; the smallest int where none.
        """
        query = _pack(series, periods, months)
        none = np.iinfo(np.int64).min
        if not len(self._by_period):
            return np.full(query.shape, np.nan), np.full(query.shape, none)
        at = np.searchsorted(self._by_period, query, side="right") - 1
        found = (at >= 0) & (self._by_period[at] >> _BITS == query >> _BITS)
        found &= (series >= 0) & (periods >= 0)
        return np.where(found, self._values[at], np.nan), np.where(found, self._days[at], none)


def _pack(series: Ints, periods: Ints, months: Ints) -> Ints:
    packed: Ints = (series << (2 * _BITS)) | (np.maximum(periods, 0) << _BITS) | months
    return packed


def known_zeros(indicator: Indicator, months: Ints, *, strict: bool) -> tuple[Ints, int, Ints]:
    """Periods for which the absence of a row was known, in each month, to mean zero.

    Parameters
    ----------
    indicator : Indicator
        Its `absent_is_zero`, coverage and lags decide.
    months : array of int, shape (n_months,)
        Numbers of months.
    strict : bool
        Whether `strict_lag` counts in place of `lag_days`.

    Returns
    -------
    last : array of int, shape (n_months,)
        Newest such period; -1 where there is none.
    first : int
        Oldest period covered.
    days : array of int, shape (n_months,)
        Day on which the newest became known, from 1970-01-01; the smallest int where none.
    """
    nothing = np.full(len(months), NEVER)
    no_day = np.full(len(months), np.iinfo(np.int64).min)
    step = STEP.get(indicator.frequency)
    edition = _edition_day(indicator) if strict else ""
    lag = indicator.lag_days
    dated = edition if strict else lag is not None
    if not (indicator.absent_is_zero and step and dated):
        return nothing, 0, no_day
    today = number_month(months)
    if strict:
        years = np.asarray(today.year, dtype=np.int64)
        last = (years - 1 - (today < _days_of(years, edition))) * 12 + 11 - _ORIGIN
    else:
        gone = today - pd.Timedelta(days=int(lag or 0)) + pd.Timedelta(days=1)
        last = _period_before(month_number(gone), step)
    first = 0
    if indicator.coverage_start is not None:
        first = int(month_number(pd.DatetimeIndex([indicator.coverage_start]))[0]) + step - 1
    if indicator.coverage_end is not None:
        stop = pd.DatetimeIndex([indicator.coverage_end + pd.Timedelta(days=1)])
        last = np.minimum(last, _period_before(month_number(stop), step)[0])
    ends = number_month(last + 1) - pd.Timedelta(days=1)
    if strict:
        known = _days_of(np.asarray(ends.year, dtype=np.int64) + 1, edition)
    else:
        known = ends + pd.Timedelta(days=int(lag or 0))
    days = known.to_numpy().astype("datetime64[D]").astype(np.int64)
    covered = last >= first
    return np.where(covered, last, NEVER), first, np.where(covered, days, no_day)


def _period_before(after: Ints, step: int) -> Ints:
    """Last whole period of `step` months that ends before the month `after` begins."""
    return after // step * step - 1


def _edition_day(indicator: Indicator) -> str:
    """Day of the yearly edition as MM-DD; empty where there is none."""
    word, _, day = indicator.strict_lag.partition(":")
    return day if word == "edition" else ""


def _days_of(years: Ints, day: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([pd.Timestamp(f"{year}-{day}") for year in years]).as_unit("us")
