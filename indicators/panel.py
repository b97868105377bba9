"""The panel, state by month: what each state looked like to a reader of that month.

The row of a month holds only what was public on its first day, in the vintage of that day: a row
used for training and a row used for forecasting have the same age of information. Nothing is
interpolated or filled; the age of each value stands beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from types import ModuleType

import numpy as np
import pandas as pd

from indicators.catalog import Catalog
from indicators.dates import DateLike, as_date
from indicators.errors import UnknownNameError
from indicators.lookup import STEP, month_number, number_month
from indicators.vintages import Snapshot, require_same_as_of
from indicators.windows import figures

__all__ = ["Panel", "panel"]

_FRAMES = ("values", "raw", "ages", "published")


@dataclass(frozen=True, eq=False)
class Panel:
    """Features by state and month, on their fixed scales.

    Made by `panel`. All frames have the index (``state``, ``month``) and one column a feature.

    Parameters
    ----------
    as_of : Timestamp
        Day of the snapshot behind it.
    strict : bool
        Whether only true vintages were admitted.
    values : DataFrame of float, shape (n_states * n_months, n_features)
        (transform(x) - centre) / scale, without a unit; NaN where nothing was public.
    raw : DataFrame of float
        x itself, summed over its window, in the unit of its indicators.
    ages : DataFrame of float
        Months from the end of the newest period used to the first day of the month.
    published : DataFrame of datetime64
        When the newest figure used was published.
    """

    as_of: pd.Timestamp
    strict: bool
    values: pd.DataFrame = field(repr=False)
    raw: pd.DataFrame = field(repr=False)
    ages: pd.DataFrame = field(repr=False)
    published: pd.DataFrame = field(repr=False)
    _catalog: Catalog = field(repr=False)
    _observations: pd.DataFrame = field(repr=False)

    @property
    def features(self) -> tuple[str, ...]:
        """Ids of the features, in the order of the columns."""
        return tuple(str(name) for name in self.values.columns)

    @property
    def states(self) -> tuple[str, ...]:
        """States, in the order of the rows."""
        return tuple(self.values.index.unique("state"))

    @property
    def months(self) -> pd.DatetimeIndex:
        """First days of the months, ascending."""
        return pd.DatetimeIndex(self.values.index.unique("month"))

    @property
    def origin(self) -> pd.Timestamp:
        """First day of the month of `as_of`, the last month of the panel."""
        return pd.Timestamp(self.months[-1])

    def join(self, other: Panel) -> Panel:
        """Put the features of two panels beside each other.

        Parameters
        ----------
        other : Panel
            A panel of the same as-of date, vintages, states and months.

        Raises
        ------
        LookAheadError
            The two were known at different dates, or to different standards.
        ValueError
            Their rows differ, or a feature is in both.
        """
        require_same_as_of(self, other)
        if not self.values.index.equals(other.values.index):
            raise ValueError("the two panels have different states or months")
        both = sorted(set(self.features) & set(other.features))
        if both:
            raise ValueError(f"in both panels: {', '.join(both)}")
        joined = {
            name: pd.concat([getattr(self, name), getattr(other, name)], axis=1) for name in _FRAMES
        }
        return replace(self, **joined)

    def latest(self, name: str, *, states: Iterable[str] | None = None) -> pd.DataFrame:
        """Return the newest figure of a feature or an indicator, with its date and age.

        Parameters
        ----------
        name : str
            Id of a feature of this panel or of any indicator.
        states : iterable of str, optional
            Those states only; by default all of the panel.

        Returns
        -------
        DataFrame
            ``name, state, counterpart, value, unit, start, end, period, published, age_months,
            scaled, ended``. One row a state (feature) or a state and counterpart (indicator).
            ``value`` is in ``unit``; ``scaled`` is the value a model sees, NaN for an indicator;
            ``ended`` tells whether its source was known to have stopped. States for which
            nothing was public have no row.

        Raises
        ------
        UnknownNameError
            Neither a feature of this panel nor an indicator.
        """
        chosen = self.states if states is None else tuple(states)
        if name in self.features:
            return self._latest_feature(name, chosen)
        if name in self._catalog.indicators:
            return self._latest_indicator(name, chosen)
        raise UnknownNameError(
            "feature or indicator", name, (*self.features, *self._catalog.indicators)
        )

    def _latest_feature(self, name: str, states: tuple[str, ...]) -> pd.DataFrame:
        feature = self._catalog.feature(name)
        parts = [self._catalog.indicator(part) for part in feature.indicators]
        step = STEP.get(parts[0].frequency, 1)
        span = max(step, feature.window_months // step * step)
        at = {part: getattr(self, part).xs(self.origin, level="month")[name] for part in _FRAMES}
        frame = pd.DataFrame({"value": at["raw"], "scaled": at["values"]})
        frame["age_months"], frame["published"] = at["ages"], at["published"]
        frame = frame[frame.index.isin(states) & frame["value"].notna()].reset_index()
        last = month_number(pd.DatetimeIndex([self.origin]))[0] - 1
        ends = last - frame["age_months"].to_numpy(dtype=np.int64)
        frame["start"] = number_month(ends - span + 1)
        frame["end"] = number_month(ends + 1) - pd.Timedelta(days=1)
        frame["unit"] = "share" if feature.transform == "share_max" else parts[0].unit
        frame["ended"] = any(self._ended(part.indicator) for part in parts)
        return _tidy(frame.assign(name=name, counterpart=""))

    def _latest_indicator(self, name: str, states: tuple[str, ...]) -> pd.DataFrame:
        rows = self._observations
        # Plans, printed before their period was over, are not the newest figure of anything.
        rows = rows[rows["published"] >= rows["end"]]
        rows = rows[(rows["indicator"] == name) & rows["state"].isin(states)]
        rows = rows.sort_values(["state", "counterpart", "end", "published", "basis", "source"])
        frame = rows.drop_duplicates(["state", "counterpart"], keep="last")
        here = month_number(pd.DatetimeIndex([self.origin]))[0]
        age = here - month_number(frame["end"]) - 1
        frame = frame.assign(name=name, age_months=age.astype(float), scaled=np.nan)
        return _tidy(frame.assign(ended=self._ended(name)))

    def _ended(self, indicator: str) -> bool:
        """Whether the coverage was known to be over for longer than its lag explains."""
        item = self._catalog.indicator(indicator)
        if item.coverage_end is None:
            return False
        usual = pd.Timedelta(days=(item.lag_days or 0) + 31 * STEP.get(item.frequency, 12))
        return bool(item.coverage_end + usual < self.as_of)


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    start, end = pd.DatetimeIndex(frame["start"]), pd.DatetimeIndex(frame["end"])
    frame = frame.assign(period=[_period(a, b) for a, b in zip(start, end, strict=True)])
    columns = ["name", "state", "counterpart", "value", "unit", "start", "end", "period"]
    columns += ["published", "age_months", "scaled", "ended"]
    return frame[columns].reset_index(drop=True)


def _period(start: pd.Timestamp, end: pd.Timestamp) -> str:
    """Return the shortest usual name of a period: 2015, 2016-05, 2015-06/2016-05."""
    if (start.month, start.day, end.month, end.day) == (1, 1, 12, 31):
        return str(start.year) if start.year == end.year else f"{start.year}/{end.year}"
    if start.day == 1 and end.is_month_end:
        first, last = f"{start:%Y-%m}", f"{end:%Y-%m}"
        return first if first == last else f"{first}/{last}"
    return f"{start:%Y-%m-%d}" if start == end else f"{start:%Y-%m-%d}/{end:%Y-%m-%d}"


def panel(
    snapshot: Snapshot,
    states: Iterable[str],
    *,
    features: Iterable[str] | None = None,
    start: DateLike = "1990-01-01",
) -> Panel:
    """Build the panel of a snapshot.

    Parameters
    ----------
    snapshot : Snapshot
        What was known.
    states : iterable of str
        States, in the order wanted; repeats count once.
    features : iterable of str, optional
        Ids of features; all of the catalog by default.
    start : str, date or Timestamp, optional
        First month.

    Returns
    -------
    Panel
        One row a state and month, from `start` to the month of the snapshot's date, both
        included.

    Raises
    ------
    LookAheadError
        `start` is after the snapshot's date.
    UnknownNameError
        A state or feature does not exist.
    """
    names = tuple(snapshot.catalog.features if features is None else dict.fromkeys(features))
    chosen = _known_states(snapshot, states)
    first = snapshot.require(as_date(start, "start"))
    bounds = month_number(pd.DatetimeIndex([first, snapshot.as_of]))
    months = np.arange(bounds[0], bounds[1] + 1)
    made = {
        name: figures(snapshot, snapshot.catalog.feature(name), chosen, months) for name in names
    }
    index = pd.MultiIndex.from_product([chosen, number_month(months)], names=["state", "month"])
    frames = {
        part: pd.DataFrame({name: getattr(made[name], part).ravel() for name in names}, index=index)
        for part in _FRAMES
    }
    return Panel(
        as_of=snapshot.as_of,
        strict=snapshot.strict,
        **frames,
        _catalog=snapshot.catalog,
        _observations=snapshot.observations,
    )


def _known_states(snapshot: Snapshot, states: Iterable[str]) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(states))
    known = set(snapshot.table("states")["state"])
    for state in chosen:
        if state not in known:
            raise UnknownNameError("state", state, known)
    return chosen


class _Callable(ModuleType):
    """A module that can be called.

    Importing this one makes it the attribute ``panel`` of the package, in place of the function
    of that name: either way `indicators.panel(snapshot, states)` builds a panel.
    """

    def __call__(
        self,
        snapshot: Snapshot,
        states: Iterable[str],
        *,
        features: Iterable[str] | None = None,
        start: DateLike = "1990-01-01",
    ) -> Panel:
        return panel(snapshot, states, features=features, start=start)


sys.modules[__name__].__class__ = _Callable
