"""What is taken as given in a scenario: a feature of a state, fixed from a month on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.models.design import Array
from forecast.periods import Series
from indicators.dates import DateLike, as_date
from indicators.errors import TocsinError, UnknownNameError
from indicators.lookup import month_number

__all__ = ["Given", "ScenarioError", "fixed_paths", "forced"]


class ScenarioError(TocsinError, ValueError):
    """A scenario that no future could follow."""

    exit_code = 2


@dataclass(frozen=True)
class Given:
    """A figure taken as given.

    Parameters
    ----------
    indicator : str
        A feature of the catalog, as the panel shows it.
    state : str
        Whose.
    value : float or sequence of float
        In the unit of `Panel.raw`, before any transformation: deaths of twelve months, a share.
        One number holds to the end; several are months, one after another, and what follows
        them is simulated from there.
    start : str, date or Timestamp
        First month it holds in, not before that of the origin. A sum over months was in the
        making before: the months before lead up to it.
    """

    indicator: str
    state: str
    value: float | Sequence[float]
    start: DateLike


def fixed_paths(
    given: Sequence[Given], features: Sequence[Series], *, state: str, here: int, horizon: int
) -> dict[int, Array]:
    """Turn what is given into months of the horizon.

    Parameters
    ----------
    given : sequence of Given
    features : sequence of Series
        All features, in the order of the columns.
    state : str
        The state simulated.
    here : int
        Number of the month of the origin.
    horizon : int
        Months.

    Returns
    -------
    dict of int to (horizon,) array
        By column: figures in their unit, NaN where nothing is given.

    Raises
    ------
    UnknownNameError
        No such feature.
    ScenarioError
        Another state, a month outside the horizon, a value that the feature cannot have, or a
        feature given twice.
    """
    names = [one.feature.feature for one in features]
    out: dict[int, Array] = {}
    for item in given:
        if item.indicator not in names:
            raise UnknownNameError("feature", item.indicator, names)
        j = names.index(item.indicator)
        if item.state != state:
            raise _refusal(item, f"state {item.state}", f"{state}, the state that is simulated")
        if j in out:
            raise _refusal(item, "the same feature twice", "one entry a feature")
        start = as_date(item.start, "start")
        first = int(month_number(pd.DatetimeIndex([start]))[0]) - here
        if not 0 <= first < horizon:
            allowed = f"a month from that of the origin on, within {horizon} months"
            raise _refusal(item, f"{start:%Y-%m}", allowed)
        values = np.atleast_1d(np.asarray(item.value, dtype=float))
        low, high = _range(features[j])
        if not len(values) or not (np.isfinite(values) & (values >= low) & (values <= high)).all():
            shown = ", ".join(f"{v:g}" for v in values[:3]) or "no value"
            raise _refusal(item, shown, f"finite numbers from {low:g} to {high:g}")
        path = np.full(horizon, np.nan)
        if np.ndim(item.value):
            path[first : first + len(values)] = values[: horizon - first]
        else:
            path[first:] = values[0]
        out[j] = path
    return out


def _range(one: Series) -> tuple[float, float]:
    if one.kind == "share":
        return 0.0, 1.0
    if one.kind in ("counts", "volume") or one.feature.transform == "log1p":
        return 0.0, np.inf
    return -np.inf, np.inf


def _refusal(item: Given, found: str, allowed: str) -> ScenarioError:
    return ScenarioError(
        "a scenario cannot take this as given",
        place=f"Given({item.indicator!r})",
        found=found,
        allowed=allowed,
        remedy="Correct the scenario.",
    )


def forced(one: Series, path: Array, plan: Array, ends: Array) -> Array:
    """Figures of single periods that make the panel show what is given.

    Parameters
    ----------
    one : Series
    path : (horizon,) array
        As `fixed_paths` returns it.
    plan : (horizon,) array of int
        Calendar of the feature.
    ends : (periods,) array of int
        Periods to come.

    Returns
    -------
    (periods,) array
        NaN for periods that were out before the scenario begins, or come after it. Sums are
        spread evenly over the periods of their window.
    """
    out = np.full(len(ends), np.nan)
    for number, end in enumerate(ends):
        seen = np.flatnonzero(plan >= end)
        if len(seen):
            out[number] = path[seen[0]]
    # a block is its window; months of one that is not blocked carry an even part of it
    return out / one.window if one.aggregation == "sum" else out
