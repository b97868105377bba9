"""Transformations of one series into another, none of which looks ahead.

Every function takes a series in the order of time (of months, unless said otherwise) and returns
one with the same index. The value at a position never depends on a later position.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["concentration", "decay_since", "lag", "log1p", "rolling_sum", "share", "standardise"]

type Floats = pd.Series[Any]


def lag(x: Floats, periods: int = 1) -> Floats:
    """Move a series back in time.

    Parameters
    ----------
    x : Series of float, shape (n,)
        Values in the order of time.
    periods : int, optional
        How many positions earlier the value is taken from, at least 0.

    Returns
    -------
    Series of float, shape (n,)
        In the unit of `x`; the first `periods` values are missing.

    Raises
    ------
    ValueError
        `periods` is negative: that would look ahead.
    """
    if periods < 0:
        raise ValueError(f"periods is {periods}: a negative lag looks ahead; give 0 or more")
    return x.shift(periods)


def rolling_sum(x: Floats, window: int) -> Floats:
    """Sum the last `window` values.

    Parameters
    ----------
    x : Series of float, shape (n,)
        Values in the order of time.
    window : int
        Number of values, this one included, at least 1.

    Returns
    -------
    Series of float, shape (n,)
        In the unit of `x`; missing where any value of the window is, or where it is not full.

    Raises
    ------
    ValueError
        `window` is below 1.
    """
    if window < 1:
        raise ValueError(f"window is {window}: give 1 or more")
    values = x.to_numpy(dtype=float)
    out = np.full(len(values), np.nan)
    if len(values) >= window:
        out[window - 1 :] = np.lib.stride_tricks.sliding_window_view(values, window).sum(axis=1)
    return pd.Series(out, index=x.index, name=x.name)


def decay_since(x: Floats, half_life: float) -> Floats:
    r"""Fade from 1 at an event towards 0: :math:`2^{-d/h}`, d periods after the last event.

    Parameters
    ----------
    x : Series of float, shape (n,)
        Counts in the order of time; above 0 is an event.
    half_life : float
        Periods after which one half is left, h above 0.

    Returns
    -------
    Series of float, shape (n,)
        Without a unit, in [0, 1]; 0 before the first event. After a missing value it is missing
        until the next event: there may have been one.

    Raises
    ------
    ValueError
        `half_life` is not positive.
    """
    if not half_life > 0:
        raise ValueError(f"half_life is {half_life}: give more than 0")
    values = x.to_numpy(dtype=float)
    position = np.arange(len(values))
    last_event = np.maximum.accumulate(np.where(values > 0, position, -1))
    last_gap = np.maximum.accumulate(np.where(np.isnan(values), position, -1))
    out = np.where(last_event >= 0, 2.0 ** (-(position - last_event) / half_life), 0.0)
    out[last_gap > last_event] = np.nan
    return pd.Series(out, index=x.index, name=x.name)


def share(part: Floats, whole: Floats) -> Floats:
    """Divide a part by its whole.

    Parameters
    ----------
    part, whole : Series of float, shape (n,)
        In one unit, on one index.

    Returns
    -------
    Series of float, shape (n,)
        Without a unit; missing where the whole is 0 or either is missing.
    """
    return part / whole.where(whole != 0)


def concentration(x: Floats, level: str = "counterpart") -> Floats:
    r"""Concentration over counterparts (Herfindahl and Hirschman): :math:`\sum_c s_c^2`.

    Parameters
    ----------
    x : Series of float, shape (n,)
        Amounts, not negative, on a MultiIndex one level of which is `level`.
    level : str, optional
        Level over which shares :math:`s_c` are taken.

    Returns
    -------
    Series of float
        Without a unit, in (0, 1], on the other levels; missing where nothing is positive.

    Raises
    ------
    ValueError
        The index has no such level, or no other.
    """
    names = list(x.index.names)
    if level not in names or len(names) < 2:
        raise ValueError(f"the index has the levels {names}: it needs {level!r} and another")
    others = [name for name in names if name != level]
    total = x.groupby(level=others).transform("sum")
    squares = (x / total.where(total > 0)) ** 2
    return squares.groupby(level=others).sum(min_count=1)


def log1p(x: Floats) -> Floats:
    """Natural logarithm of 1 + x.

    Parameters
    ----------
    x : Series of float, shape (n,)
        Amounts, at least 0.

    Returns
    -------
    Series of float, shape (n,)
        Missing stays missing.

    Raises
    ------
    ValueError
        A value is negative.
    """
    if (x < 0).any():
        raise ValueError(f"the smallest value is {x.min()}: log1p is for amounts of 0 or more")
    return pd.Series(np.log1p(x.to_numpy(dtype=float)), index=x.index, name=x.name)


def standardise(x: Floats, centre: float, *, scale: float) -> Floats:
    """Put a series on a fixed scale: (x - centre) / scale.

    Parameters
    ----------
    x : Series of float, shape (n,)
        Values.
    centre, scale : float
        Constants of the catalog, in the unit of `x`; never estimated from `x`.

    Returns
    -------
    Series of float, shape (n,)
        Without a unit.

    Raises
    ------
    ValueError
        `scale` is not positive.
    """
    if not scale > 0:
        raise ValueError(f"scale is {scale}: give more than 0")
    return (x - centre) / scale
