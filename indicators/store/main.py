"""The store: append refreshed figures, read what was known at a date."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd
import sqlalchemy as sa

from indicators.dates import DateLike, as_date
from indicators.store.append import Appended, append
from indicators.store.engine import StoreError, engine_of, prepare, reading
from indicators.store.schema import CELLS, REFRESHES, RULES, SERIES, SERIES_COLUMNS, VINTAGES

__all__ = ["Appended", "Store", "StoreError"]

_ORDER = ("indicator", "state", "counterpart", "start", "end", "basis", "source", "published")
_BATCH = 50_000


@dataclass(frozen=True, eq=False)
class Store:
    """Vintages of refreshed figures.

    Made by `Store.open`; a context manager.

    Parameters
    ----------
    engine : Engine
        Of a database whose schema is up to date.
    """

    engine: sa.Engine

    @classmethod
    def open(
        cls,
        where: str | Path | None = None,
        *,
        home: str | Path | None = None,
        create: bool = True,
    ) -> Self:
        """Open a store, making or migrating it where needed.

        Parameters
        ----------
        where : str or Path, optional
            A file or a URL (``sqlite:///…``, ``postgresql://…``); by default ``tocsin.db`` in
            the home folder.
        home : str or Path, optional
            The home folder, where not the usual one.
        create : bool, optional
            Whether to make one that is not there.

        Raises
        ------
        StoreError
            It cannot be opened or made, or is of a newer version.
        """
        engine = engine_of(where, home)
        try:
            prepare(engine, create=create)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    @property
    def url(self) -> str:
        """Where it is, without a password."""
        return self.engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Give back its connections."""
        self.engine.dispose()

    def append(
        self,
        frame: pd.DataFrame,
        *,
        provider: str,
        retrieved: DateLike,
        requests: int = 0,
        note: str = "",
    ) -> Appended:
        """Add vintages in one transaction: all of them, or nothing.

        Parameters
        ----------
        frame : DataFrame
            Columns of the table ``observations``; ``value_low``, ``value_high`` and ``note`` may
            be left out. A figure equal to the vintage in force on its day of publication is not
            written again.
        provider : str
            Whose refresh this is.
        retrieved : str, date or Timestamp
            When.
        requests : int, optional
            How many requests it took.
        note : str, optional
            What the log should say.

        Returns
        -------
        Appended

        Raises
        ------
        DataError
            Rows that no store can hold, all of them named; or another value for a figure and day
            of publication that the store already has.
        StoreError
            The database refused.
        """
        log = {"provider": provider, "requests": requests, "note": note}
        return append(self.engine, frame, as_date(retrieved, "retrieved"), log)

    def newest(
        self,
        as_of: DateLike,
        *,
        indicators: Collection[str] | None = None,
        states: Collection[str] | None = None,
        start: DateLike | None = None,
        end: DateLike | None = None,
    ) -> pd.DataFrame:
        """Return the newest vintage of every figure public at a date.

        Parameters
        ----------
        as_of : str, date or Timestamp
            The day; what was published on it counts.
        indicators, states : collection of str, optional
            Those only.
        start, end : str, date or Timestamp, optional
            Periods that end within these days only.

        Returns
        -------
        DataFrame
            Columns of ``observations`` but ``note``, sorted by series and period; the texts are
            categories, so that a million rows stay small.
        """
        day = _number(as_of)
        inner = VINTAGES.alias("w")
        newest = (
            sa.select(sa.func.max(inner.c.published))
            .where(inner.c.cell == CELLS.c.id, inner.c.published <= day)
            .scalar_subquery()
        )
        query = _select().where(VINTAGES.c.published == newest)
        return self._frame(_narrow(query, indicators, states, start, end))

    def history(
        self,
        as_of: DateLike | None = None,
        *,
        indicators: Collection[str] | None = None,
        states: Collection[str] | None = None,
    ) -> pd.DataFrame:
        """Return every vintage public at a date.

        Parameters
        ----------
        as_of : str, date or Timestamp, optional
            The day; all vintages by default.
        indicators, states : collection of str, optional
            Those only.

        Returns
        -------
        DataFrame
            As `newest`, one row a vintage.
        """
        query = _select()
        if as_of is not None:
            query = query.where(VINTAGES.c.published <= _number(as_of))
        return self._frame(_narrow(query, indicators, states, None, None))

    def log(self) -> pd.DataFrame:
        """Return the refreshes done, oldest first.

        Returns
        -------
        DataFrame
            ``id, provider, retrieved, rows_new, rows_same, requests, note``.
        """
        with reading(self.engine) as connection:
            rows = connection.execute(sa.select(REFRESHES).order_by(REFRESHES.c.id)).all()
        frame = pd.DataFrame(rows, columns=[c.name for c in REFRESHES.columns])
        return frame.assign(retrieved=_days(frame["retrieved"].to_numpy(dtype=np.int64)))

    def _frame(self, query: sa.Select[Any]) -> pd.DataFrame:
        """Run a query over numbers, and put the texts of the series beside them."""
        with reading(self.engine) as connection:
            known = connection.execute(sa.select(SERIES)).all()
            # the driver's own cursor: a row object each would take most of the time
            cursor: Any = connection.execute(query).cursor
            parts = []
            while rows := cursor.fetchmany(_BATCH):
                parts.append(np.array(rows, dtype=np.float64))  # None becomes NaN
        table = np.concatenate(parts) if parts else np.empty((0, 8))
        return _dressed(pd.DataFrame(known, columns=["id", *SERIES_COLUMNS]), table)


def _select() -> sa.Select[Any]:
    v, c = VINTAGES.c, CELLS.c
    columns = (c.series, c.start, c.end, v.value, v.value_low, v.value_high, v.published, v.rule)
    return sa.select(*columns).select_from(CELLS.join(VINTAGES, v.cell == c.id))


def _narrow(
    query: sa.Select[Any],
    indicators: Collection[str] | None,
    states: Collection[str] | None,
    start: DateLike | None,
    end: DateLike | None,
) -> sa.Select[Any]:
    chosen = sa.select(SERIES.c.id)
    for column, names in ((SERIES.c.indicator, indicators), (SERIES.c.state, states)):
        if names is not None:
            chosen = chosen.where(column.in_(sorted(names)))
    if indicators is not None or states is not None:
        query = query.where(CELLS.c.series.in_(chosen))
    if start is not None:
        query = query.where(CELLS.c.end >= _number(start))
    if end is not None:
        query = query.where(CELLS.c.end <= _number(end))
    return query


def _dressed(series: pd.DataFrame, table: Any) -> pd.DataFrame:
    """Columns of ``observations`` from numbers, sorted."""
    ranks = {}
    where = np.searchsorted(series["id"].to_numpy(), table[:, 0].astype(np.int64))
    for name in SERIES_COLUMNS:
        kind = pd.Categorical(series[name], categories=sorted(set(series[name])))
        ranks[name] = pd.Categorical.from_codes(kind.codes[where], dtype=kind.dtype)
    frame = pd.DataFrame(ranks)
    frame["start"], frame["end"] = _days(table[:, 1]), _days(table[:, 2])
    frame["value"], frame["value_low"], frame["value_high"] = table[:, 3], table[:, 4], table[:, 5]
    frame["published"] = _days(table[:, 6])
    rules = pd.CategoricalDtype(list(RULES))
    frame["published_rule"] = pd.Categorical.from_codes(table[:, 7].astype(np.int8), dtype=rules)
    codes = [frame[name].cat.codes if name in ranks else frame[name] for name in reversed(_ORDER)]
    order = np.lexsort([np.asarray(code) for code in codes])
    return frame.iloc[order].reset_index(drop=True)


def _number(day: DateLike) -> int:
    return int(as_date(day).to_datetime64().astype("datetime64[D]").astype(np.int64))


def _days(numbers: Any) -> pd.DatetimeIndex:
    days = np.asarray(numbers).astype(np.int64).astype("datetime64[D]")
    return pd.DatetimeIndex(days.astype("datetime64[us]"))
