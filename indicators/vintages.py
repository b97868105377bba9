"""What was known at a date: a `Snapshot` holds nothing later, so nothing later can be asked of it.

A figure printed again in a later edition is another *vintage*. A snapshot at a date keeps the
vintages published by then; its observations are the newest of them for each series. Tables of
outcomes and processes are masked column by column (`indicators.masks`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from indicators.catalog import Catalog
from indicators.dates import DateLike, as_date, until_today
from indicators.errors import LookAheadError, UnknownNameError
from indicators.masks import Rule, declared, hide_links, mask, maskable
from indicators.merging import SERIES_KEY, Stored, merged
from indicators.tables import DataPackage, load

__all__ = [
    "SERIES_KEY",
    "TRUE_VINTAGES",
    "Snapshot",
    "everything",
    "require_same_as_of",
    "snapshot",
]

TRUE_VINTAGES = ("edition", "dated", "event_date", "retrieved")
_HASH_FORMAT = "tocsin/snapshot/1"


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything that was known at the end of a day, and nothing else.

    Made by `snapshot`. Frames are returned as copies: changing one changes nothing here.

    Parameters
    ----------
    as_of : Timestamp
        The day.
    strict : bool
        Whether only true vintages were admitted (``edition``, ``dated``, ``event_date``).
    path : Path
        Folder of the data package.
    catalog : Catalog
        Indicators and features; the end of a coverage is None where it was not known yet.
    """

    as_of: pd.Timestamp
    strict: bool
    path: Path = field(repr=False)
    catalog: Catalog = field(repr=False)
    _history: pd.DataFrame = field(repr=False)
    _tables: Mapping[str, pd.DataFrame] = field(repr=False)
    _rules: Mapping[str, Rule] = field(repr=False, default_factory=dict)

    @property
    def history(self) -> pd.DataFrame:
        """Every vintage published by `as_of`, one row each, sorted by series and `published`."""
        return self._history.copy(deep=False)

    @property
    def observations(self) -> pd.DataFrame:
        """The newest vintage of every series published by `as_of`."""
        return self._newest.copy(deep=False)

    @cached_property
    def _newest(self) -> pd.DataFrame:
        # History is sorted by series key and date of publication: the last of a key is newest.
        return self._history.drop_duplicates(SERIES_KEY, keep="last", ignore_index=True)

    @property
    def table_names(self) -> tuple[str, ...]:
        """Names `table` knows."""
        return tuple(sorted(self._tables))

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of outcomes, processes, chronology or reference as known at `as_of`.

        Parameters
        ----------
        name : str
            One of `table_names`.

        Raises
        ------
        UnknownNameError
            There is no such table, or none that can be seen at a date.
        """
        if name not in self._tables:
            raise UnknownNameError("table", name, self._tables)
        return self._tables[name].copy(deep=False)

    def series(
        self, indicator: str, state: str, counterpart: str = "", *, basis: str | None = None
    ) -> pd.DataFrame:
        """Return the newest figures of one indicator for one state, by period.

        Parameters
        ----------
        indicator, state : str
            Ids.
        counterpart : str, optional
            Id of the counterpart; empty where the indicator has none.
        basis : str, optional
            One basis only; by default all, to be told apart by the column ``basis`` and never
            spliced.

        Returns
        -------
        DataFrame
            Columns of `observations`, sorted by ``start``; empty where nothing was known.

        Raises
        ------
        UnknownNameError
            No indicator of that name.
        """
        self.catalog.indicator(indicator)
        frame = self._newest
        chosen = (
            (frame["indicator"] == indicator)
            & (frame["state"] == state)
            & (frame["counterpart"] == counterpart)
        )
        if basis is not None:
            chosen &= frame["basis"] == basis
        return frame[chosen].sort_values(["start", "end", "published"], ignore_index=True)

    def require(self, when: DateLike) -> pd.Timestamp:
        """Return a date if this snapshot may speak about it.

        Raises
        ------
        LookAheadError
            The date is later than `as_of`.
        """
        stamp = as_date(when, "date")
        if stamp > self.as_of:
            raise LookAheadError(
                "a snapshot cannot be asked about a later date",
                place=f"snapshot as of {self.as_of:%Y-%m-%d}",
                found=f"{stamp:%Y-%m-%d}",
                allowed=f"dates up to {self.as_of:%Y-%m-%d}",
                remedy="Take a snapshot at the later date.",
            )
        return stamp

    def at(self, earlier: DateLike) -> Snapshot:
        """Return the snapshot of an earlier day.

        Raises
        ------
        LookAheadError
            The day is later than `as_of`.
        """
        stamp = self.require(earlier)
        parts = (self.path, self.catalog, self._history, self._tables)
        return _cut(stamp, self.strict, *parts, rules=self._rules)

    @cached_property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of the canonical text of everything reachable from here.

        Values only: neither the layout of the files, nor the order of rows and columns, nor
        anything that became known later changes it.
        """
        digest = hashlib.sha256()
        head = f"{_HASH_FORMAT}\n{self.as_of:%Y-%m-%d}\n{'strict' if self.strict else 'default'}\n"
        digest.update(head.encode())
        for name, frame in sorted({**self._tables, "observations": self._history}.items()):
            digest.update(f"\x1d{name}\x1d".encode())
            digest.update(_canonical(frame).encode())
        return digest.hexdigest()


def snapshot(
    as_of: DateLike,
    *,
    data_dir: str | Path | None = None,
    package: DataPackage | None = None,
    store: Stored | None = None,
    strict: bool = False,
) -> Snapshot:
    """Return what was known at the end of a day.

    Parameters
    ----------
    as_of : str, date or Timestamp
        The day. What was published on it counts as known.
    data_dir : str or Path, optional
        Folder of a data package; the bundled one by default.
    package : DataPackage, optional
        A loaded package, in place of `data_dir`.
    store : Store, optional
        Refreshed figures, read as one with the package's; what was published after `as_of` is not
        even read.
    strict : bool, optional
        Admit true vintages only: figures whose date of publication is documented (``edition``,
        ``dated``, or ``retrieved``: seen that day) or which are public acts (``event_date``), none
        that follow an assumed lag.

    Returns
    -------
    Snapshot

    Raises
    ------
    LookAheadError
        `as_of` is after today: nothing is known of later days.
    DataError
        `as_of` is not a date, the package does not follow its schema, or the store holds what the
        catalog does not know.
    """
    stamp = until_today(as_of)
    source = load(data_dir) if package is None else package
    return _taken(stamp, source, store, strict=strict)


def everything(package: DataPackage, as_of: DateLike) -> Snapshot:
    """Return what a package holds up to a day, today or later: to try criteria, never to forecast.

    Parameters
    ----------
    package : DataPackage
    as_of : str, date or Timestamp
        The day; nothing is asked of the clock.

    Returns
    -------
    Snapshot
    """
    return _taken(as_date(as_of), package, None, strict=False)


def _taken(
    stamp: pd.Timestamp, source: DataPackage, store: Stored | None, *, strict: bool
) -> Snapshot:
    """Cut a package, and a store, at a day."""
    history, catalog = _sorted_history(source), Catalog.from_package(source)
    if strict:
        history = history[history["published_rule"].isin(TRUE_VINTAGES)]
    if store is not None:
        # true vintages only from here on, too: a refresh that confirms a figure dated by an
        # assumed lag is the first true vintage of it
        seen = store.history(stamp)
        if strict:
            seen = seen[seen["published_rule"].isin(TRUE_VINTAGES)]
        history = merged(history, seen, catalog)
    rules = declared(source.descriptor)
    tables = {n: source.tables[n] for n in (*maskable(), *rules) if n in source.tables}
    return _cut(stamp, strict, source.path, catalog, history, tables, rules=rules)


def _cut(
    as_of: pd.Timestamp,
    strict: bool,
    path: Path,
    catalog: Catalog,
    history: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    *,
    rules: Mapping[str, Rule],
) -> Snapshot:
    """Cut figures and tables at a date; what is cut off is not kept anywhere."""
    known = history[history["published"] <= as_of].reset_index(drop=True)
    masked = {n: mask(n, frame, as_of, strict=strict, rules=rules) for n, frame in tables.items()}
    hide_links(masked)
    return Snapshot(as_of, strict, path, catalog.known_at(as_of), known, masked, rules)


_HISTORIES: WeakKeyDictionary[DataPackage, pd.DataFrame] = WeakKeyDictionary()


def _sorted_history(package: DataPackage) -> pd.DataFrame:
    """Return all vintages in canonical order, without notes; sorted once a package."""
    if package not in _HISTORIES:
        frame = package.tables["observations"].drop(columns="note", errors="ignore")
        _HISTORIES[package] = frame.sort_values([*SERIES_KEY, "published"], ignore_index=True)
    return _HISTORIES[package]


def _canonical(frame: pd.DataFrame) -> str:
    """Text of a frame: columns by name, one line a row, lines sorted."""
    names = sorted(str(column) for column in frame.columns)
    rows = sorted(map("\x1f".join, zip(*(_cells(frame[name]) for name in names), strict=True)))
    return "\x1e".join(["\x1f".join(names), *rows])


def _cells(column: pd.Series[Any]) -> list[str]:
    """Text of every cell: the shortest that gives the value back; NUL where missing."""
    missing = column.isna().to_numpy()
    if column.dtype.kind == "M":
        days = np.datetime_as_string(column.to_numpy().astype("datetime64[D]"))
        texts = [str(day) for day in days]
    elif column.dtype.kind == "f":
        texts = [repr(float(value)) for value in column.tolist()]
    else:
        texts = [str(value) for value in column.tolist()]
    if missing.any():
        texts = ["\x00" if gone else text for text, gone in zip(texts, missing, strict=True)]
    return texts


class _AsOf(Protocol):
    @property
    def as_of(self) -> pd.Timestamp: ...
    @property
    def strict(self) -> bool: ...


def require_same_as_of(*things: _AsOf) -> pd.Timestamp:
    """Return the one as-of date of several things.

    Parameters
    ----------
    *things : Snapshot, Panel or anything with ``as_of`` and ``strict``
        What is about to be joined.

    Raises
    ------
    LookAheadError
        They differ in `as_of` or in the vintages admitted.
    """
    kinds = {(thing.as_of, thing.strict) for thing in things}
    if len(kinds) != 1:
        listed = sorted(f"{when:%Y-%m-%d}{' strict' if s else ''}" for when, s in kinds)
        raise LookAheadError(
            "things known at different dates cannot be joined",
            found=" and ".join(listed) or "nothing",
            allowed="one as-of date, and one kind of vintages",
            remedy="Build both from the same snapshot.",
        )
    return things[0].as_of
