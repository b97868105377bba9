"""A scheduled run: refresh, issue every missed month in order, resolve, score, report.

What fails in a way foreseen (an error of tocsin's own, or of the disk) is told and the rest goes
on; only a ledger that is damaged, or held by another run, ends it, and what nobody foresaw, which
is a traceback. A month that failed is tried again the next time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast.files import write_whole
from forecast.ledger.issuing import records_of
from forecast.ledger.main import Ledger
from forecast.questions import load_questions, pick
from forecast.record import record_of
from forecast.report import write
from forecast.run import RunResult, run
from forecast.settling import settle
from forecast.words import DEFAULT_MODEL
from indicators.catalog import Catalog
from indicators.dates import DateLike, as_date, months, today
from indicators.errors import TocsinError
from indicators.home import home_dir
from indicators.refresh import refresh, wanted
from indicators.sources.registry import SOURCES
from indicators.store.main import Store
from indicators.tables import DataPackage, load

if TYPE_CHECKING:
    from indicators.refresh import Report

__all__ = ["Log", "Schedule", "missed", "scheduled"]

Log = Callable[[str, str, Mapping[str, Any]], None]
"""Told the level (``info`` or ``error``), the event and what goes with it."""

LOCKED = 6
SEED = 1
_WORST = (LOCKED, 1, 2, 3, 4, 5, 0)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is issued every month, and where it is kept.

    Parameters
    ----------
    state : str
        Alpha-3 code.
    questions : tuple of str
        Ids, or ``all``.
    horizons : tuple of int
        Months.
    model : str
        The headline model.
    home : Path or None
        Home folder; the usual one where None.
    db : str or None
        Database of store and ledger; the home's own where None.
    data_dir : Path or None
        Data package; the bundled one where None.
    backtest : Path or None
        Folder of a backtest whose record is put into each report.
    since : str or None
        First origin that must be there, whatever was issued before; the first one issued, or this
        month, where None.
    sources : tuple of str or None
        Providers to refresh; where None, those whose credentials are set. Empty: none.
    page : Path or None
        Where the newest report is; ``reports/tocsin-STATE.html`` in the home where None.
    """

    state: str = "TKM"
    questions: tuple[str, ...] = ("all",)
    horizons: tuple[int, ...] = (6, 12, 24, 36)
    model: str = DEFAULT_MODEL
    home: Path | None = None
    db: str | None = None
    data_dir: Path | None = None
    backtest: Path | None = None
    since: str | None = None
    sources: tuple[str, ...] | None = None
    page: Path | None = None

    @property
    def newest(self) -> Path:
        """Where the newest report is."""
        return self.page or home_dir(self.home) / "reports" / f"tocsin-{self.state}.html"


def missed(
    issued: pd.DataFrame,
    schedule: Schedule,
    *,
    names: Sequence[str],
    day: DateLike,
) -> list[pd.Timestamp]:
    """Return the month starts for which a forecast is missing, oldest first.

    Parameters
    ----------
    issued : DataFrame
        The ledger's forecasts.
    schedule : Schedule
        What should be there.
    names : sequence of str
        Its questions by name.
    day : date
        Today: the month it is in is the last.
    """
    mine = issued[(issued["state"] == schedule.state) & (issued["model"] == schedule.model)]
    mine = mine[~mine["strict_vintages"] & mine["question"].isin(names)]
    last = as_date(day).replace(day=1)
    # one old issue, of a month picked by hand, must not bring all months since
    since = schedule.since
    start = min([*mine["origin"], last]) if since is None else as_date(since, "since")
    asked = {(name, horizon) for name in names for horizon in schedule.horizons}
    there: dict[pd.Timestamp, set[tuple[str, int]]] = {}
    for origin, name, horizon in zip(
        mine["origin"], mine["question"], mine["horizon"], strict=True
    ):
        there.setdefault(origin, set()).add((str(name), int(horizon)))
    return [m for m in months(start, last) if not asked <= there.get(m, set())]


def scheduled(schedule: Schedule, log: Log) -> int:
    """Do what is due, and return the exit code of the worst that happened.

    Parameters
    ----------
    schedule : Schedule
        What is issued, and where.
    log : callable
        Told every step.

    Returns
    -------
    int
        0; 5 where a provider failed and all else was done; else 1, 2, 3 or 4, or 6 where the
        ledger is damaged or held by another run.
    """
    steps = _Steps(log)
    with (
        steps.of("ledger"),
        Ledger.open(_place(schedule.db), home=schedule.home) as ledger,
        ledger.lock("tocsin scheduled"),
    ):
        _within(schedule, ledger, steps)
    log("info" if steps.code in (0, 5) else "error", "end", {"exit_code": steps.code})
    return steps.code


def _within(schedule: Schedule, ledger: Ledger, steps: _Steps) -> None:
    package = load(schedule.data_dir)
    with steps.of("refresh"):
        _refresh(schedule, package, steps)
    names = sorted(pick(load_questions(package), schedule.questions))
    newest: RunResult | None = None
    for origin in missed(ledger.forecasts(), schedule, names=names, day=today()):
        with steps.of("run", origin=f"{origin:%Y-%m-%d}"):
            newest = _run(schedule, origin)
            report = ledger.issue(records_of(newest, ledger))
            told = {"origin": f"{origin:%Y-%m-%d}", "new": len(report.new)}
            steps.log("info", "issued", told | {"already": len(report.already)})
    with steps.of("resolve"):
        done = settle(ledger, as_of=today(), package=package)
        steps.log("info", "resolved", {
            "resolved": len(done.resolved), "corrected": len(done.corrected),
            "pending": len(done.pending), "open": done.open, "scored": done.scores,
        })  # fmt: skip
    with steps.of("score"):
        _score(schedule, ledger)
    with steps.of("report"):
        _report(schedule, newest, steps)


class _Steps:
    """Goes on after a step that failed, and remembers the worst."""

    def __init__(self, log: Log) -> None:
        self.log, self.code = log, 0

    @contextmanager
    def of(self, name: str, **about: str) -> Iterator[None]:
        try:
            yield
        except TocsinError as error:
            self.failed(name, error.exit_code, str(error), about)
            if error.exit_code == LOCKED and name != "ledger":
                raise
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            self.failed(name, 3, f"{place}{error.strerror or error}", about)

    def failed(self, name: str, code: int, error: str, about: Mapping[str, str]) -> None:
        if error and self.code != LOCKED:
            self.log("error", f"{name} failed", {**about, "error": error, "exit_code": code})
        self.code = min(self.code, code, key=_WORST.index)


def _place(db: str | None) -> str | None:
    return None if db == "none" else db


def _refresh(schedule: Schedule, package: DataPackage, steps: _Steps) -> None:
    names = schedule.sources
    if names is None:
        ready = {n: all(os.environ.get(c) for c in s.credentials) for n, s in SOURCES.items()}
        names = tuple(name for name, there in ready.items() if there)
        without = [name for name, there in ready.items() if not there]
        if without:
            steps.log("info", "not refreshed", {"without_credentials": without})
    if not names:
        return
    with Store.open(_place(schedule.db), home=schedule.home) as store:
        report: Report = refresh(
            store, names, wanted(package), catalog=Catalog.from_package(package)
        )
    for item in report.results:
        if item.status == "failed":
            steps.failed("refresh", 5, item.error, {"source": item.source})
        else:
            steps.log("info", "refreshed", {"source": item.source, "rows_new": item.rows_new})


def _run(schedule: Schedule, origin: pd.Timestamp) -> RunResult:
    return run(
        state=schedule.state,
        as_of=origin,
        questions=schedule.questions,
        horizons=schedule.horizons,
        model=schedule.model,
        data_dir=schedule.data_dir,
        backtest=schedule.backtest,
        home=schedule.home,
        db=schedule.db,
    )


def _score(schedule: Schedule, ledger: Ledger) -> None:
    """Write the record so far beside the report."""
    text = json.dumps(record_of(ledger, seed=SEED).document(), indent=1)
    path = schedule.newest.parent / "tocsin-score.json"
    write_whole(path, f"{text}\n".encode())


def _report(schedule: Schedule, newest: RunResult | None, steps: _Steps) -> None:
    """Write the page of this month, unless it is there: under its date, and as the newest."""
    origin = today().replace(day=1)
    path = schedule.newest
    dated = path.with_name(f"{path.stem}-{origin:%Y-%m-%d}{path.suffix}")
    if dated.exists() and path.exists():
        return
    found = newest
    if found is None or found.payload["as_of"] != f"{origin:%Y-%m-%d}":
        found = _run(schedule, origin)
    for page in (path, dated):
        write(found.payload, page)
    steps.log("info", "reported", {"page": str(path)})
