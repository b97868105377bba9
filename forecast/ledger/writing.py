"""Appending to the chain: all records of a call in one transaction, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from forecast.ledger.chain import FIRST, key_of, sealed
from forecast.ledger.entries import TABLES, IssueReport, Record, checked
from forecast.ledger.guard import Guard, Head, LedgerError
from forecast.ledger.placing import misplaced
from indicators.dates import today
from indicators.errors import DataError, Failure
from indicators.store.engine import reading, writing
from indicators.store.records import CHAINED, CONTENT

__all__ = ["append", "append_all", "last", "record_at", "whole"]

# what one issue may have and a repeated one not: neither is said to differ
_OF_THE_WRITING = {
    "recorded",
    "written",
    "code_hash",
    "versions",
    "detail",
    "draws",
    "as_of",
    "evidence",
    "reason",
    "data_hash",
}
_BATCH = 400
# seconds to wait for another's writing, not for another's run
WAIT = 30.0
_TABLES = {table.name: table for table in CHAINED}
Texts = dict[str, str]
type Batch = Sequence[Record] | Callable[[Sequence[IssueReport]], Sequence[Record]]


def last(connection: sa.Connection) -> Head:
    """Return number and hash of the last record; number 0 where there is none."""
    found = Head(0, FIRST)
    for table in CHAINED:
        query = sa.select(table.c.seq, table.c.hash).order_by(table.c.seq.desc()).limit(1)
        row = connection.execute(query).first()
        if row is not None and row.seq > found.seq:
            found = Head(row.seq, row.hash)
    return found


def record_at(connection: sa.Connection, seq: int) -> tuple[str, dict[str, Any]] | None:
    """Return table and columns of a record, or None."""
    for table in CHAINED:
        row = connection.execute(sa.select(table).where(table.c.seq == seq)).mappings().first()
        if row is not None:
            return table.name, dict(row)
    return None


def append(engine: sa.Engine, guard: Guard, records: Sequence[Record]) -> IssueReport:
    """Write those of some records that are new.

    Parameters
    ----------
    engine : Engine
        Of the ledger's database.
    guard : Guard
        Its files outside.
    records : sequence
        Of one kind.

    Raises
    ------
    DataError
        Records that no ledger can hold, all of them named.
    LedgerError
        The chain does not go on from the head kept outside; the disk refused.
    """
    return append_all(engine, guard, [records])[0]


def append_all(engine: sa.Engine, guard: Guard, batches: Sequence[Batch]) -> list[IssueReport]:
    """Write several batches in one transaction: all of them or none.

    Parameters
    ----------
    engine : Engine
        Of the ledger's database.
    guard : Guard
        Its files outside.
    batches : sequence
        Each the records of one kind, or a function from the reports of the batches before to
        them: so can records name others that have no number yet.

    Raises
    ------
    DataError
        Records that no ledger can hold; nothing is written.
    LedgerError
        As `append`.
    """
    ready = [batch if callable(batch) else _rows(batch) for batch in batches]
    reports: list[IssueReport] = []
    with guard.run_lock("writing", wait=WAIT):
        _headed(engine, guard)
        with guard.moving() as move, writing(engine) as connection:
            head = whole(connection, guard)
            for batch in ready:
                table, rows = _rows(batch(tuple(reports))) if callable(batch) else batch
                head = _write(connection, table, rows, head=head, reports=reports)
            # a killed process may have left the head behind
            move(head)
    return reports


def _rows(records: Sequence[Record]) -> tuple[str, list[Texts]]:
    """Texts of records of one kind, and their table."""
    kinds = {type(record) for record in records}
    if len(kinds) != 1:
        raise LedgerError("records of one kind at a time", found=f"{len(kinds)} kinds")
    table = TABLES[kinds.pop()]
    now = {"recorded": f"{today():%Y-%m-%d}", "written": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    rows = [values | now for values in checked(records)]
    for values in rows:
        values["key"] = key_of(table, values)
    return table, rows


def _write(
    connection: sa.Connection,
    table: str,
    rows: Sequence[Texts],
    *,
    head: Head,
    reports: list[IssueReport],
) -> Head:
    """Write the new ones of some rows, report them, and return the last record."""
    known = _known(connection, table, rows)
    failures = [*_twice(table, rows), *misplaced(connection, table, rows, known)]
    if failures:
        raise DataError(failures)
    ready = _seal(table, (row for row in rows if row["key"] not in known), head)
    for first in range(0, len(ready), _BATCH):
        batch = ready[first : first + _BATCH]
        connection.execute(sa.insert(_TABLES[table]), batch)
    already = [(row, known[row["key"]]) for row in rows if row["key"] in known]
    report = IssueReport(
        table,
        tuple(record["seq"] for record in ready),
        tuple(old["seq"] for _, old in already),
        tuple(old["seq"] for row, old in already if _differs(table, row, old)),
        tuple(_remarks(table, ready)),
    )
    reports.append(report)
    return Head(ready[-1]["seq"], ready[-1]["hash"]) if ready else head


def whole(connection: sa.Connection, guard: Guard) -> Head:
    """Return the last record, where the chain still has the one kept outside.

    Raises
    ------
    LedgerError
        Records at the end are gone, or were made anew.
    """
    found, outside = last(connection), guard.head()
    if outside is None or not outside.seq:
        return found
    there = record_at(connection, outside.seq)
    if there is None or there[1]["hash"] != outside.hash:
        raise LedgerError(
            "the ledger is damaged: it does not hold the record that was its last",
            place=str(guard.head_path),
            found=f"{found.seq} records" if there is None else f"another record {outside.seq}",
            allowed=f"record {outside.seq} of hash {outside.hash[:12]}…",
            remedy="tocsin ledger verify tells more; bring the database back from a copy.",
        )
    return found


def _headed(engine: sa.Engine, guard: Guard) -> None:
    """Refuse to go on from a chain of this home whose head was removed: no tail would be missed."""
    if not guard.own or guard.head_path.exists():
        return
    with reading(engine) as connection:
        found = last(connection)
    if found.seq:
        raise LedgerError(
            "the head of the ledger is missing",
            place=str(guard.head_path),
            found="no file",
            allowed="the number and hash of the last record",
            remedy="bring it back from a copy, or accept the records there are: "
            "tocsin ledger verify --anchor.",
        )


def _seal(table: str, rows: Iterable[Texts], before: Head) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    seq, previous = before
    for values in rows:
        seq += 1
        out.append(sealed(table, values, seq, previous))
        previous = out[-1]["hash"]
    return out


def _known(connection: sa.Connection, name: str, rows: Sequence[Texts]) -> dict[str, Any]:
    table = _TABLES[name]
    found: dict[str, Any] = {}
    keys = [values["key"] for values in rows]
    for first in range(0, len(keys), _BATCH):
        query = sa.select(table).where(table.c.key.in_(keys[first : first + _BATCH]))
        found |= {row["key"]: dict(row) for row in connection.execute(query).mappings()}
    return found


def _remarks(table: str, ready: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    late = [row for row in ready if table == "forecasts" and row["closes"] < row["recorded"]]
    if late:
        yield (f"{len(late)} of these windows had closed before: "
               "recorded as issued after the fact")  # fmt: skip


def _twice(table: str, rows: Sequence[Texts]) -> Iterable[Failure]:
    seen: dict[str, int] = {}
    for number, values in enumerate(rows, start=1):
        if seen.setdefault(values["key"], number) != number:
            yield Failure(table, number, None, f"what record {seen[values['key']]} is about",
                          "each once", "Leave one of the two out.")  # fmt: skip


def _differs(table: str, values: Texts, old: Mapping[str, Any]) -> bool:
    names = [name for name in CONTENT[table] if name not in _OF_THE_WRITING]
    return any(values[name] != old[name] for name in names)
