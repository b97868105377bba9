"""The ledger: issue, resolve, score, read, verify."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import sqlalchemy as sa

from forecast.ledger import draws as files
from forecast.ledger.entries import ForecastRecord, IssueReport, ResolutionRecord, ScoreRecord
from forecast.ledger.frames import find, frame_of, in_force, resting_on, scored
from forecast.ledger.guard import Guard, LedgerError
from forecast.ledger.verifying import Damage, verify
from forecast.ledger.writing import append, last, record_at
from forecast.models.design import Array
from indicators.home import DATABASE, home_dir
from indicators.store.engine import engine_of, holds, prepare, reading
from indicators.store.records import CHAINED

__all__ = ["Ledger"]


@dataclass(frozen=True, eq=False)
class Ledger:
    """Forecasts issued, how they were resolved, how they were scored.

    Made by `Ledger.open`; a context manager.

    Parameters
    ----------
    engine : Engine
        Of a database whose schema is up to date.
    guard : Guard
        Head and lock, outside the database.

    Examples
    --------
    >>> from forecast.ledger import Ledger
    >>> with Ledger.open() as ledger:                       # doctest: +SKIP
    ...     waiting = ledger.forecasts().query("first")
    """

    engine: sa.Engine
    guard: Guard

    @classmethod
    def open(
        cls,
        where: str | Path | None = None,
        *,
        home: str | Path | None = None,
        create: bool = True,
    ) -> Self:
        """Open a ledger, making or migrating its database where needed.

        Parameters
        ----------
        where : str or Path, optional
            A file or a URL (``sqlite:///…``, ``postgresql://…``); by default ``tocsin.db`` in
            the home folder.
        home : str or Path, optional
            Folder of draws, head and lock, where not the usual one.
        create : bool, optional
            Whether to make one that is not there.

        Raises
        ------
        LedgerError
            There is none and none shall be made; or there was one, as its head says.
        StoreError
            It cannot be opened or made, is another program's, or of a newer version.
        """
        folder = home_dir(home).expanduser().absolute()
        engine = engine_of(folder / DATABASE if where is None else where, home)
        guard = Guard(engine, folder)
        try:
            if not holds(engine):
                guard.may_begin(create=create)
            prepare(engine, create=create)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, guard)

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
        return f"Ledger({self.url!r})"

    @property
    def url(self) -> str:
        """Where it is, without a password."""
        return self.engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Give back its connections."""
        self.engine.dispose()

    @contextmanager
    def lock(self, what: str) -> Iterator[None]:
        """Hold the ledger for a whole run; a second run is refused and told who holds it.

        Parameters
        ----------
        what : str
            What the run does, such as ``tocsin run``.

        Raises
        ------
        LedgerError
            Another run holds it.
        """
        with self.guard.run_lock(what):
            yield

    def keep(self, arrays: Mapping[str, Array]) -> str:
        """Keep draws as a file named by its hash.

        Parameters
        ----------
        arrays : mapping of str to array
            Such as ``p`` of shape (draws, horizons) and ``horizons``.

        Returns
        -------
        str
            What `ForecastRecord.draws` refers to them by.

        Raises
        ------
        LedgerError
            The disk refused.
        """
        return files.keep(self.guard.home, arrays)

    def draws(self, digest: str) -> dict[str, Array]:
        """Read draws that were kept, once their hash is checked.

        Parameters
        ----------
        digest : str
            Column ``draws`` of `forecasts`.

        Raises
        ------
        LedgerError
            The file is gone, or was changed.
        """
        return files.read(self.guard.home, digest)

    def issue(self, records: Sequence[ForecastRecord]) -> IssueReport:
        """Record forecasts: all of them in one transaction, each once.

        Parameters
        ----------
        records : sequence of ForecastRecord
            One that has been issued before (same question, state, origin, horizon, model,
            configuration, snapshot and code version) is left as it is and reported.

        Returns
        -------
        IssueReport
            Numbers of the records that are new, and of those issued before.

        Raises
        ------
        DataError
            Records that no ledger can hold, all of them.
        LedgerError
            Another run holds the ledger, it is damaged, or the disk refused.
        """
        return self._append(records, "forecasts")

    def resolve(self, records: Sequence[ResolutionRecord]) -> IssueReport:
        """Record what came of windows, as `issue` does.

        Parameters
        ----------
        records : sequence of ResolutionRecord
            A window has one resolution; another one must name the one it corrects, and why.
            Given again with another outcome and correcting nothing, it is reported in
            `IssueReport.differs` and not written.
        """
        return self._append(records, "resolutions")

    def score(self, records: Sequence[ScoreRecord]) -> IssueReport:
        """Record scores, as `issue` does.

        Parameters
        ----------
        records : sequence of ScoreRecord
            Each names a forecast that is the first issue of its kind, and the resolution of its
            window that is in force and not void.
        """
        return self._append(records, "scores")

    def _append(self, records: Sequence[Any], table: str) -> IssueReport:
        if not records:
            return IssueReport(table)
        return append(self.engine, self.guard, records)

    def forecasts(self) -> pd.DataFrame:
        """Return every forecast, in the order of issue.

        Returns
        -------
        DataFrame
            ``id`` and the fields of `ForecastRecord` but ``detail``; ``recorded``, the day of
            issue; ``written``, the computer's own time of it (UTC); ``days_late``, from origin
            to issue; ``first``, whether it is the first issue of its question, state, origin,
            horizon, model and kind of vintages: that one is scored.
        """
        frame = frame_of(self.engine, "forecasts")
        late = (frame["recorded"] - frame["origin"]).dt.days
        return frame.assign(days_late=late, first=scored(frame))

    def resolutions(self, *, history: bool = False) -> pd.DataFrame:
        """Return the resolutions in force.

        Parameters
        ----------
        history : bool, optional
            Those corrected since as well.

        Returns
        -------
        DataFrame
            ``id`` and the fields of `ResolutionRecord`, ``recorded``, ``in_force``.
        """
        frame = frame_of(self.engine, "resolutions")
        frame = frame.assign(in_force=in_force(frame))
        return frame if history else frame[frame["in_force"]].reset_index(drop=True)

    def scores(self, *, history: bool = False) -> pd.DataFrame:
        """Return the scores by resolutions in force.

        Parameters
        ----------
        history : bool, optional
            Those by resolutions corrected since as well.

        Returns
        -------
        DataFrame
            ``id`` and the fields of `ScoreRecord` but ``detail``, ``recorded``, ``in_force``.
        """
        frame = frame_of(self.engine, "scores")
        frame = frame.assign(in_force=frame["resolution"].isin(self.resolutions()["id"]))
        return frame if history else frame[frame["in_force"]].reset_index(drop=True)

    def record(self, number: int) -> dict[str, Any]:
        """Return one record as it is stored, every column a text, ``table`` beside them.

        Parameters
        ----------
        number : int
            Its ``id``.

        Raises
        ------
        LedgerError
            There is none of this number.
        """
        with reading(self.engine) as connection:
            found = record_at(connection, number)
        if found is None:
            raise LedgerError("no such record", place="ledger", found=str(number),
                              remedy="tocsin ledger list shows the numbers.")  # fmt: skip
        return {"table": found[0], **found[1]}

    def detail(self, number: int) -> dict[str, Any]:
        """Return what a record holds beyond its columns: of a forecast, the payload's entry.

        Parameters
        ----------
        number : int
            Its ``id``.

        Raises
        ------
        LedgerError
            There is none of this number.
        """
        found = self.record(number)
        told: dict[str, Any] = json.loads(found.get("detail") or found.get("evidence") or "{}")
        return told

    def find(self, name: str) -> int:
        """Return the number of the record that a name means.

        Parameters
        ----------
        name : str
            Its number, or the first letters of its hash, eight at least.

        Raises
        ------
        LedgerError
            No record is called so, or more than one.
        """
        with reading(self.engine) as connection:
            found = find(connection, name)
        if len(found) != 1:
            raise LedgerError("no such record" if not found else "more than one record",
                              place="ledger", found=name if not found else f"{name}: {found}",
                              remedy="tocsin ledger list shows the numbers.")  # fmt: skip
        return found[0]

    def resting_on(self, number: int) -> list[dict[str, Any]]:
        """Return the records that name a record or resolve its window.

        Parameters
        ----------
        number : int
            Its ``id``.

        Returns
        -------
        list of dict
            ``id, table, recorded`` and ``outcome`` or ``rule``.
        """
        with reading(self.engine) as connection:
            return resting_on(connection, number)

    def counts(self) -> dict[str, Any]:
        """Return how many records of each table there are; number and hash of the last."""
        with reading(self.engine) as connection:
            end = last(connection)
            numbers: dict[str, Any] = {
                table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
                for table in CHAINED
            }
        return numbers | {"last": end.seq, "hash": end.hash}

    def anchor(self) -> None:
        """Keep the last record as the head outside, where there is no head that says otherwise.

        For a home that sees a shared database for the first time, and where the head was lost.
        Whoever accepts that records are gone removes the head's file first.

        Raises
        ------
        LedgerError
            Something is damaged; or the disk refused.
        """
        name = self.guard.head_path.name
        for damage in self.verify():
            if damage.table != "head" or self.guard.head_path.exists():
                raise LedgerError("the ledger is damaged", place=self.url, found=str(damage),
                                  remedy="bring it back from a copy; where the loss is accepted, "
                                  f"remove {name} first.")  # fmt: skip
        guard = self.guard
        with guard.run_lock("anchoring"), guard.moving() as move, reading(self.engine) as held:
            move(last(held))

    def verify(self) -> list[Damage]:
        """Walk the whole chain, in time linear in its records.

        Returns
        -------
        list of Damage
            Empty where everything is as it was written: every record, every file of draws, the
            triggers, and the last record as the head outside knows it. The first damages come
            first, 100 at most.
        """
        return verify(self.engine, self.guard)
