"""Reading the text of one CSV file, and collecting what is wrong with it.

Only `indicators.tables` uses this: it holds what can fail before a value has a type (missing
file, encoding, truncation, header, number of fields), and the list of failures.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from indicators.errors import DataError, Failure

__all__ = ["CORE_TABLES", "RawTable", "Report", "read_raw"]

CORE_TABLES = ("observations", "indicators", "states")
# What the code behind `load` computes with; a descriptor may say nothing else of them.
_TYPES = {
    "observations": {"start": "date", "end": "date", "value": "number", "published": "date"},
    "indicators": {"coverage_start": "date", "coverage_end": "date", "lag_days": "integer"},
    "features": {"window_months": "integer", "centre": "number", "scale": "number"},
}
# A column that is wrong throughout would bury everything else: name so many rows, count the rest.
_ROWS_NAMED = 25
_SHOWN = 80


@dataclass
class Report:
    """The failures found so far.

    Attributes
    ----------
    failures : list of Failure
        At most 25 of one kind in one column; the others are counted.
    """

    failures: list[Failure] = field(default_factory=list)
    _seen: Counter[tuple[str, str | None, str]] = field(default_factory=Counter)

    def add(
        self,
        file: str,
        row: int | None,
        column: str | None,
        found: str,
        allowed: str,
        remedy: str,
    ) -> None:
        """Note one failure."""
        kind = (file, column, remedy)
        self._seen[kind] += 1
        if self._seen[kind] <= _ROWS_NAMED:
            self.failures.append(Failure(file, row, column, found, allowed, remedy))

    def raise_if_any(self) -> None:
        """Raise `DataError` with all failures, if there are any."""
        for (file, column, remedy), count in self._seen.items():
            if count > _ROWS_NAMED:
                found = f"{count - _ROWS_NAMED} more rows with a failure of the same kind"
                self.failures.append(Failure(file, None, column, found, "none", remedy))
        if self.failures:
            raise DataError(sorted(self.failures, key=_order))


def _order(failure: Failure) -> tuple[str, int, str]:
    return failure.file, failure.row or 0, failure.column or ""


@dataclass(frozen=True, eq=False)
class RawTable:
    """A table as text: each column as its distinct texts and, per row, the number of the text.

    Parameters
    ----------
    name, file : str
        Resource name, and the file as its reader knows it.
    fields : sequence of mapping
        Field descriptors of the Table Schema.
    primary_key : tuple of str
        Columns of the key, may be empty.
    foreign_keys : sequence of mapping
        As in the Table Schema.
    codes : mapping of str to array of int, shape (n_rows,)
        Number of the text of each row.
    uniques : mapping of str to list of str
        Distinct texts of each column.
    lines : sequence of int, shape (n_rows,)
        Line of the file on which each row begins.
    """

    name: str
    file: str
    fields: Sequence[Mapping[str, Any]]
    primary_key: tuple[str, ...]
    foreign_keys: Sequence[Mapping[str, Any]]
    codes: Mapping[str, npt.NDArray[np.intp]]
    uniques: Mapping[str, list[str]]
    lines: Sequence[int]

    @property
    def n_rows(self) -> int:
        """Number of rows that have the right number of fields."""
        return len(self.lines)

    def line(self, row: int) -> int:
        """Line of the file on which a row begins."""
        return int(self.lines[row])

    def text(self, column: str, row: int) -> str:
        """Text of one cell."""
        return self.uniques[column][int(self.codes[column][row])]

    def refuse(
        self,
        report: Report,
        column: str,
        bad_texts: npt.NDArray[np.bool_],
        allowed: str,
        remedy: str,
    ) -> None:
        """Report every row whose text is among the bad ones.

        Parameters
        ----------
        report : Report
            Where failures are collected.
        column : str
            The column.
        bad_texts : array of bool, shape (n_distinct,)
            Which of the distinct texts are bad.
        allowed, remedy : str
            As in `Failure`.
        """
        if bad_texts.any():
            self.refuse_rows(report, column, bad_texts[self.codes[column]], allowed, remedy)

    def refuse_rows(
        self,
        report: Report,
        column: str,
        bad_rows: npt.NDArray[np.bool_],
        allowed: str,
        remedy: str,
    ) -> None:
        """Report every bad row; `bad_rows` has shape (n_rows,)."""
        for row in np.flatnonzero(bad_rows):
            text = self.text(column, int(row))
            found = "nothing" if text == "" else repr(_shorten(text))
            report.add(self.file, self.line(int(row)), column, found, allowed, remedy)


def read_raw(path: Path, resource: Mapping[str, Any], report: Report) -> RawTable | None:
    """Read one resource as text.

    Parameters
    ----------
    path : Path
        Folder of the package.
    resource : mapping
        Resource descriptor: ``name``, ``path``, ``schema``.
    report : Report
        Where failures are collected.

    Returns
    -------
    RawTable or None
        None where nothing can be read.
    """
    name, file = str(resource.get("name")), str(resource.get("path"))
    schema = resource.get("schema")
    inside = not Path(file).is_absolute() and ".." not in Path(file).parts
    if not (isinstance(schema, dict) and schema.get("fields") and inside):
        allowed = "a path inside the package and a Table Schema with fields"
        found = f"resource {name} with path {file!r}"
        report.add("datapackage.json", None, "resources", found, allowed, "Complete the resource.")
        return None
    short = Path(file).name
    fields = _checked(name, schema, report)
    text = _read_text(path / file, short, report)
    if text is None:
        return None
    records, lines = _records(text, short, report)
    if not records:
        return None
    _check_header(records[0], schema, short, report)
    rows, kept = _complete_rows(records, lines, short, report)
    codes: dict[str, npt.NDArray[np.intp]] = {}
    uniques: dict[str, list[str]] = {}
    columns: Sequence[Sequence[str]] = (
        list(zip(*rows, strict=True)) if rows else [()] * len(records[0])
    )
    for column, cells in zip(records[0], columns, strict=True):
        array = np.empty(len(cells), dtype=object)
        array[:] = cells
        numbers, distinct = pd.factorize(array)
        codes[column], uniques[column] = numbers, list(distinct)
    key = schema.get("primaryKey", [])
    primary = (key,) if isinstance(key, str) else tuple(key)
    foreign = schema.get("foreignKeys", [])
    return RawTable(name, short, fields, primary, foreign, codes, uniques, kept)


def _checked(name: str, schema: Mapping[str, Any], report: Report) -> list[Mapping[str, Any]]:
    """Fields of a table with the types that they must have; others are reported."""
    wanted = _TYPES.get(name, {})
    for spec in schema["fields"]:
        column, kind = str(spec["name"]), str(spec.get("type", "string"))
        if kind != wanted.get(column, kind):
            report.add("datapackage.json", None, f"{name}.{column}", f"type {kind}",
                       f"type {wanted[column]}", "Correct the type of the field.")  # fmt: skip
    return [s | {"type": wanted[s["name"]]} if s["name"] in wanted else s for s in schema["fields"]]


def _read_text(file: Path, short: str, report: Report) -> str | None:
    try:
        content = file.read_bytes()
    except OSError as error:
        found = f"no readable file ({error.strerror})"
        report.add(short, None, None, found, "the CSV file of the table", "Restore the file.")
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{content[error.start]:02x}, which is not UTF-8"
        report.add(short, row, None, found, "UTF-8 text", "Save the file again as UTF-8.")
        return None


def _records(text: str, short: str, report: Report) -> tuple[list[list[str]], Sequence[int]]:
    """Every record of the file and the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        records = list(reader)
    except csv.Error as error:
        remedy = "The quotes of this line do not match: correct or restore it."
        report.add(short, reader.line_num, None, str(error), "comma-separated text", remedy)
        return [], []
    if not records:
        allowed = "a line of column names and at least one row"
        report.add(short, 1, None, "an empty file", allowed, "Restore the file.")
        return [], []
    if len(records) == 1:
        found = "column names only"
        report.add(short, 1, None, found, "at least one row", "Restore the rows of the table.")
    if not text.endswith("\n"):
        found = f"a last line without a line break: {_shorten(text.splitlines()[-1])!r}"
        allowed = "a file whose last line is complete"
        remedy = "The file looks truncated: fetch or write it again."
        report.add(short, text.count("\n") + 1, None, found, allowed, remedy)
    if reader.line_num == len(records):
        return records, range(1, len(records) + 1)
    again = csv.reader(io.StringIO(text, newline=""))
    lines, begin = [], 1
    for _ in again:
        lines.append(begin)
        begin = again.line_num + 1
    return records, lines


def _check_header(header: list[str], schema: Mapping[str, Any], short: str, report: Report) -> None:
    wanted = [str(spec["name"]) for spec in schema["fields"]]
    for name in wanted:
        if name not in header:
            found = "the columns " + ", ".join(header)
            remedy = "Add the column, or correct its name."
            report.add(short, 1, name, found, f"a column called {name}", remedy)
    for name, count in Counter(header).items():
        if name not in wanted or count > 1:
            found = f"{name!r}" + (f", {count} times" if count > 1 else "")
            allowed = "each of these once: " + ", ".join(wanted)
            report.add(short, 1, name, found, allowed, "Remove the column, or correct its name.")


def _complete_rows(
    records: list[list[str]], lines: Sequence[int], short: str, report: Report
) -> tuple[list[list[str]], Sequence[int]]:
    """Rows with as many fields as the header; the others are reported."""
    width = len(records[0])
    wrong = [i for i, record in enumerate(records) if len(record) != width]
    if not wrong:
        return records[1:], lines[1:]
    for i in wrong:
        last = i == len(records) - 1 and len(records[i]) < width
        remedy = (
            "The file looks truncated: fetch or write it again."
            if last
            else "Quote fields that contain commas; remove blank lines."
        )
        found = f"{len(records[i])} fields"
        report.add(short, lines[i], None, found, f"{width} fields, as in line 1", remedy)
    skip = set(wrong)
    kept = [i for i in range(1, len(records)) if i not in skip]
    return [records[i] for i in kept], [lines[i] for i in kept]


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
