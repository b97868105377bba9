"""Days and months, and which day it is."""

from __future__ import annotations

import os
from datetime import date, datetime

import numpy as np
import pandas as pd

from indicators.errors import DataError, Failure, LookAheadError, TocsinError

__all__ = ["CLOCK", "DateLike", "as_date", "months", "today", "until_now", "until_today"]

type DateLike = str | date | datetime | np.datetime64 | pd.Timestamp

CLOCK = "TOCSIN_TODAY"


def as_date(value: DateLike, name: str = "as_of") -> pd.Timestamp:
    """Return a day as a Timestamp at midnight, without a time zone.

    Parameters
    ----------
    value : str, date, datetime or Timestamp
        The day; a month such as ``"2016-07"`` is its first day.
    name : str, optional
        What the value is called in an error.

    Raises
    ------
    DataError
        It is not a date.
    """
    try:
        stamp = pd.Timestamp(value)
        if pd.isna(stamp):
            raise ValueError("not a date")
    except (ValueError, TypeError) as error:
        failure = Failure(name, None, None, repr(value), "a date", "Write it as YYYY-MM-DD.")
        raise DataError([failure]) from error
    return stamp.tz_localize(None).normalize().as_unit("us")


def months(start: DateLike, stop: DateLike, *, step: int = 1) -> pd.DatetimeIndex:
    """Return the first days of months, both ends included.

    Parameters
    ----------
    start, stop : str, date or Timestamp
        Any day of the first month, and of the last that may be reached.
    step : int, optional
        Months from one to the next, at least 1.

    Returns
    -------
    DatetimeIndex
        Empty where `stop` is before `start`.

    Raises
    ------
    ValueError
        `step` is below 1.
    DataError
        An end is not a date.
    """
    if step < 1:
        raise ValueError(f"step is {step}: give 1 or more")
    first, last = as_date(start, "start").replace(day=1), as_date(stop, "stop")
    return pd.date_range(first, last, freq=f"{step}MS", unit="us")


def today() -> pd.Timestamp:
    """Return the current day, or the one that ``TOCSIN_TODAY`` sets.

    Raises
    ------
    DataError
        ``TOCSIN_TODAY`` is not a date.
    """
    text = os.environ.get(CLOCK, "").strip()
    return as_date(text, CLOCK) if text else as_date(date.today())  # noqa: DTZ011 (a user's day)


def until_today(as_of: DateLike, refused: type[TocsinError] = LookAheadError) -> pd.Timestamp:
    """Return a day, refused after today: nothing is known of later days.

    Parameters
    ----------
    as_of : str, date or Timestamp
        The day.
    refused : type of TocsinError, optional
        The error to raise.

    Raises
    ------
    TocsinError
        Of the type given, for a day after today.
    """
    stamp, now = as_date(as_of), today()
    if stamp > now:
        raise refused(
            "the as-of date is in the future",
            place="as_of",
            found=f"{stamp:%Y-%m-%d}",
            allowed=f"up to today, {now:%Y-%m-%d}",
            remedy="nothing is known of later days (TOCSIN_TODAY moves the clock).",
        )
    return stamp


def until_now(day: DateLike) -> pd.Timestamp:
    """Return a day, or today where that is earlier.

    Parameters
    ----------
    day : str, date or Timestamp
        Such as the last day on which anything of a package was published.
    """
    return min(as_date(day), today())
