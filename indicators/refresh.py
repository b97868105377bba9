"""Refreshing: ask every provider, keep what came, tell what failed.

One transaction a provider: its figures are all there or none is, and a provider that failed takes
nothing from the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from indicators.catalog import Catalog
from indicators.dates import today
from indicators.errors import DataError, TocsinError
from indicators.sources.base import Source, Wanted, showing
from indicators.sources.http import Http
from indicators.sources.registry import SOURCES, source
from indicators.tables import DataPackage

if TYPE_CHECKING:
    from indicators.store.main import Store

__all__ = ["Refreshed", "Report", "plan", "refresh", "wanted"]

UNREACHABLE = 5
MONTHS_BACK = 24
Opened = Callable[[Source], AbstractContextManager[Http]]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How one provider's refresh went.

    Attributes
    ----------
    source : str
    status : str
        ``done``, ``failed``, or ``nothing`` where it was asked for nothing.
    rows_new, rows_same, requests : int
        Vintages written; figures printed again; requests made.
    error : str
        What failed, without secrets.
    """

    source: str
    status: str
    rows_new: int = 0
    rows_same: int = 0
    requests: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How a refresh went.

    Attributes
    ----------
    results : tuple of Refreshed
        One a provider, in the order asked.
    """

    results: tuple[Refreshed, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the providers that failed."""
        return tuple(item.source for item in self.results if item.status == "failed")

    @property
    def exit_code(self) -> int:
        """0, or 5 where a provider failed."""
        return UNREACHABLE if self.failed else 0

    def rows(self) -> list[dict[str, Any]]:
        """Return plain records."""
        return [asdict(item) for item in self.results]


def wanted(
    package: DataPackage,
    *,
    states: Sequence[str] | None = None,
    indicators: Sequence[str] | None = None,
    since: pd.Timestamp | None = None,
) -> Wanted:
    """Say what a refresh asks for.

    Parameters
    ----------
    package : DataPackage
        Whose catalog and states count.
    states, indicators : sequence of str, optional
        Those only; all by default.
    since : Timestamp, optional
        First day of periods; two years ago by default, so that revisions are seen.

    Raises
    ------
    UnknownNameError
        An indicator that the catalog does not know.
    """
    catalog = Catalog.from_package(package)
    names = frozenset(catalog.indicators if indicators is None else indicators)
    for name in names:
        catalog.indicator(name)
    table = package.table("states")
    codes = table.loc[table["kind"] == "state", "state"].astype(str)
    day = today()
    first = (day - pd.DateOffset(months=MONTHS_BACK)).replace(day=1) if since is None else since
    return Wanted(names, tuple(codes if states is None else states), first, day, day)


def plan(sources: Sequence[str], ask: Wanted) -> Mapping[str, list[str]]:
    """Return the requests a refresh would begin with, as text without secrets.

    Credentials need not be set for it.

    Parameters
    ----------
    sources : sequence of str
        Names; all where empty.
    ask : Wanted
        What is asked for.

    Raises
    ------
    UnknownNameError
        An unknown source.
    """
    chosen = [source(name) for name in (sources or SOURCES)]
    with showing():
        return {item.name: [request.shown() for request in item.plan(ask)] for item in chosen}


def _http(item: Source) -> Http:
    return Http(item.name, item.limits)


def refresh(
    store: Store,
    sources: Sequence[str],
    ask: Wanted,
    *,
    catalog: Catalog,
    opened: Opened = _http,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Ask every provider and keep what came.

    Parameters
    ----------
    store : Store
        Where figures are kept.
    sources : sequence of str
        Names; all where empty.
    ask : Wanted
        What is asked for.
    catalog : Catalog
        What is checked before anything is kept: indicators and their units.
    opened : callable, optional
        Makes the client of a source.
    progress : callable, optional
        Told in a line what is being done.

    Returns
    -------
    Report
        What was kept, and what failed: no error of one provider is raised.

    Raises
    ------
    UnknownNameError
        An unknown source; nothing has been asked then.
    StoreError
        The store cannot be written.
    """
    chosen = [source(name) for name in (sources or SOURCES)]
    say = progress or (lambda _: None)
    results = []
    for item in chosen:
        say(f"asking {item.name}: {item.title}")
        results.append(_one(store, item, ask, catalog, opened))
    return Report(tuple(results))


def _one(store: Store, item: Source, ask: Wanted, catalog: Catalog, opened: Opened) -> Refreshed:
    requests = 0
    try:
        if not item.plan(ask):
            return Refreshed(item.name, "nothing")
        with opened(item) as client:
            try:
                frame = item.fetch(client, ask)
            finally:
                requests = client.requests
        if frame.empty:
            return Refreshed(item.name, "done", requests=requests)
        _checked(frame, item, catalog)
        done = store.append(frame, provider=item.name, retrieved=ask.today, requests=requests)
    except TocsinError as error:
        if error.exit_code not in (UNREACHABLE, DataError.exit_code):
            raise
        return Refreshed(item.name, "failed", requests=requests, error=str(error))
    return Refreshed(item.name, "done", done.rows_new, done.rows_same, requests)


def _checked(frame: pd.DataFrame, item: Source, catalog: Catalog) -> None:
    """Refuse figures that no snapshot could read."""
    from indicators.sources.base import PayloadError

    for (name, unit), _ in frame.groupby(["indicator", "unit"]):
        if catalog.indicator(str(name)).unit != unit:
            raise PayloadError("figures in another unit than the catalog's", place=item.name,
                             found=f"{name} in {unit}",
                             allowed=catalog.indicator(str(name)).unit)  # fmt: skip
