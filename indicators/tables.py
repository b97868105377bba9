"""The one door: read a data package by its Table Schema, report all that is wrong at once.

A data package is a folder with `datapackage.json` (Frictionless Data Package, Table Schema) and
the CSV files it lists: UTF-8, comma, ISO dates, blank for missing. Whatever passes `load` may be
trusted by every function behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from indicators.errors import DataError, Failure, UnknownNameError
from indicators.reading import CORE_TABLES, RawTable, Report, read_raw

__all__ = ["DataPackage", "default_data_dir", "load"]

Series = pd.Series
_SCHEMA_REMEDY = "Correct the value, or blank it if it is not known."
# Plans and announcements speak about a period that has not ended: all else must be over.
_PROSPECTIVE = ("plan", "announcement")
# Checked whether or not the descriptor declares them: (table, column, table referred to, column).
_BUILT_IN_KEYS = (
    ("observations", "indicator", "indicators", "indicator"),
    ("observations", "state", "states", "state"),
    ("observations", "counterpart", "states", "state"),
)


@dataclass(frozen=True, eq=False)
class DataPackage:
    """A data package that passed its schema.

    Parameters
    ----------
    path : Path
        The folder of `datapackage.json`.
    tables : mapping of str to DataFrame
        Every table by its resource name. Dates are ``datetime64``, integers ``Int64``, numbers
        ``float64``, text ``str``; a blank is missing, except in text columns of a primary key,
        where it stays the empty string.
    descriptor : mapping
        The content of `datapackage.json`.
    """

    path: Path
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    descriptor: Mapping[str, Any] = field(repr=False)

    @property
    def questions_dir(self) -> Path:
        """Folder of the TOML files of the questions."""
        return self.path / "questions"

    def table(self, name: str) -> pd.DataFrame:
        """Return one table, all of it, later facts included.

        Parameters
        ----------
        name : str
            Resource name, such as ``"observations"``.

        Returns
        -------
        DataFrame
            A copy: changing it does not change the package.

        Raises
        ------
        UnknownNameError
            The package has no such table.
        """
        if name not in self.tables:
            raise UnknownNameError("table", name, self.tables)
        return self.tables[name].copy(deep=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.path, dict(self.tables), dict(self.descriptor))


def _restore(
    path: Path, tables: dict[str, pd.DataFrame], descriptor: dict[str, Any]
) -> DataPackage:
    return DataPackage(path, MappingProxyType(tables), MappingProxyType(descriptor))


def default_data_dir() -> Path:
    """Folder of the bundled data package: inside the wheel, else the checkout's ``data``.

    Raises
    ------
    DataError
        Neither is there.
    """
    here = Path(__file__).resolve().parent
    bundled = here / "_data"
    if (bundled / "datapackage.json").is_file():
        return bundled
    checkout = here.parent / "data"
    descriptor = checkout / "datapackage.json"
    if descriptor.is_file():
        try:
            name = json.loads(descriptor.read_text(encoding="utf-8")).get("name", "")
        except (UnicodeDecodeError, json.JSONDecodeError, AttributeError):
            name = ""
        # Any folder may be called data; only a package that says it is ours is taken unasked.
        if str(name).startswith("tocsin"):
            return checkout
    raise DataError(
        [
            Failure(
                "datapackage.json",
                None,
                None,
                f"no data package in {bundled} or {checkout}",
                "a folder with tocsin's datapackage.json",
                "Reinstall tocsin, or name a data package with data_dir= or --data.",
            )
        ]
    )


def load(data_dir: str | Path | None = None) -> DataPackage:
    """Read and check a data package.

    Parameters
    ----------
    data_dir : str or Path, optional
        Folder of `datapackage.json`; the bundled package by default.

    Returns
    -------
    DataPackage

    Raises
    ------
    DataError
        Listing every failure found in every table: a missing column, a wrong unit, a duplicated
        key, an unknown code, a value outside its range, a date that does not parse, a figure
        published before its period ended, a wrong encoding, an empty table, a truncated file.
    """
    path = default_data_dir() if data_dir is None else Path(data_dir).expanduser().resolve()
    report = Report()
    descriptor = _read_descriptor(path, report)
    raw: dict[str, RawTable] = {}
    for resource in descriptor.get("resources", []):
        table = read_raw(path, resource, report)
        if table is not None:
            raw[table.name] = table
    listed = {str(resource.get("name")) for resource in descriptor.get("resources", [])}
    for name in CORE_TABLES:
        if descriptor and name not in listed:
            report.add(
                "datapackage.json",
                None,
                "resources",
                f"no resource named {name}",
                ", ".join(CORE_TABLES) + " and any others",
                "Add the table and its schema.",
            )
    frames = {name: _convert(table, report) for name, table in raw.items()}
    _check_references(raw, report)
    if "observations" in frames:
        _check_observations(raw, frames["observations"], report)
    report.raise_if_any()
    return _restore(path, frames, descriptor)


def _read_descriptor(path: Path, report: Report) -> dict[str, Any]:
    file = path / "datapackage.json"
    allowed = "a JSON object with a list of resources, in UTF-8"
    try:
        descriptor = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(descriptor, dict) or not isinstance(descriptor.get("resources"), list):
            raise TypeError("no list of resources")
    except FileNotFoundError:
        found, remedy = f"no such file in {path}", "Name the folder that holds datapackage.json."
    except (UnicodeDecodeError, json.JSONDecodeError, TypeError) as error:
        found, remedy = f"{error}", "Write the descriptor again as a Frictionless data package."
    else:
        return descriptor
    report.add("datapackage.json", None, None, found, allowed, remedy)
    return {}


def _convert(table: RawTable, report: Report) -> pd.DataFrame:
    """Turn the text of a table into typed columns, reporting what does not fit its field."""
    columns: dict[str, Any] = {}
    for spec in table.fields:
        name = str(spec["name"])
        if name not in table.codes:
            continue
        codes, texts = table.codes[name], table.uniques[name]
        keep_blank = name in table.primary_key
        values = _typed(table, spec, texts, keep_blank, report)
        columns[name] = values.take(codes)
    if set(table.primary_key) <= set(columns) and table.primary_key:
        _check_duplicates(table, report)
    return pd.DataFrame(columns)


def _typed(
    table: RawTable, spec: Mapping[str, Any], texts: list[str], keep_blank: bool, report: Report
) -> Any:
    """Typed values of the distinct texts of one column, each text checked once."""
    name, kind = str(spec["name"]), str(spec.get("type", "string"))
    constraints: Mapping[str, Any] = spec.get("constraints", {})
    array = np.array(texts, dtype=object)
    blank = array == ""
    if constraints.get("required") and blank.any():
        table.refuse(report, name, blank, "a value (the column is required)", "Fill it in.")
    parse = _PARSERS.get(kind, _parse_string)
    values, bad = parse(array, blank)
    if bad.any():
        table.refuse(report, name, bad, _ALLOWED[kind], _SCHEMA_REMEDY)
    good = ~bad & ~blank
    _check_constraints(table, name, constraints, array, values, good, report)
    if kind == "string" and not keep_blank:
        values[blank] = np.nan
    return pd.array(values, dtype="str") if kind == "string" else values.array


def _check_constraints(
    table: RawTable,
    name: str,
    constraints: Mapping[str, Any],
    array: npt.NDArray[Any],
    values: Any,
    good: npt.NDArray[np.bool_],
    report: Report,
) -> None:
    if "enum" in constraints:
        allowed = [str(item) for item in constraints["enum"]]
        outside = good & ~np.isin(array.astype(str), allowed)
        table.refuse(report, name, outside, "one of " + ", ".join(allowed), _SCHEMA_REMEDY)
    if "pattern" in constraints:
        pattern = str(constraints["pattern"])
        matches = pd.Series(array, dtype="str").str.fullmatch(pattern).to_numpy(dtype=bool)
        table.refuse(report, name, good & ~matches, f"text like {pattern}", _SCHEMA_REMEDY)
    for word, sign in (("minimum", -1), ("maximum", 1)):
        if word in constraints:
            limit = constraints[word]
            bound = pd.Timestamp(limit) if isinstance(limit, str) else limit
            beyond = values > bound if sign > 0 else values < bound
            outside = good & np.asarray(pd.array(beyond, dtype="boolean").fillna(False), bool)
            side = "at most" if sign > 0 else "at least"
            table.refuse(report, name, outside, f"{side} {limit}", _SCHEMA_REMEDY)
    if constraints.get("unique"):
        counts = np.bincount(table.codes[name], minlength=len(array))
        table.refuse(report, name, good & (counts > 1), "each value once", "Remove the repeats.")


def _parse_string(array: npt.NDArray[Any], blank: npt.NDArray[np.bool_]) -> Any:
    return array.copy(), np.zeros(len(blank), dtype=bool)


def _parse_number(array: npt.NDArray[Any], blank: npt.NDArray[np.bool_]) -> Any:
    numbers = pd.to_numeric(pd.Series(array, dtype=object), errors="coerce")
    values = numbers.to_numpy(dtype=float, copy=True)
    bad = ~np.isfinite(values) & ~blank
    values[bad] = np.nan
    return pd.Series(values), bad


def _parse_integer(array: npt.NDArray[Any], blank: npt.NDArray[np.bool_]) -> Any:
    numbers, bad = _parse_number(array, blank)
    fraction = numbers.notna().to_numpy() & (numbers.to_numpy() % 1 != 0)
    return numbers.mask(fraction).astype("Int64"), bad | fraction


def _parse_date(array: npt.NDArray[Any], blank: npt.NDArray[np.bool_]) -> Any:
    texts = pd.Series(array, dtype="str")
    dates = pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")
    bad = (dates.isna() | (texts.str.len() != 10)).to_numpy() & ~blank
    return dates.mask(bad), bad


def _parse_boolean(array: npt.NDArray[Any], blank: npt.NDArray[np.bool_]) -> Any:
    words = {"true": True, "1": True, "false": False, "0": False}
    values = [words.get(str(text).lower(), pd.NA) for text in array]
    out = pd.Series(values, dtype="boolean")
    return out, out.isna().to_numpy() & ~blank


_Parser = Callable[[npt.NDArray[Any], npt.NDArray[np.bool_]], Any]
_PARSERS: dict[str, _Parser] = {
    "string": _parse_string,
    "number": _parse_number,
    "integer": _parse_integer,
    "year": _parse_integer,
    "date": _parse_date,
    "boolean": _parse_boolean,
}
_ALLOWED = {
    "number": "a finite number",
    "integer": "a whole number",
    "year": "a year",
    "date": "a date of the calendar as YYYY-MM-DD",
    "boolean": "0 or 1",
}


def _check_duplicates(table: RawTable, report: Report) -> None:
    key = pd.DataFrame({name: table.codes[name] for name in table.primary_key})
    repeated = key.duplicated(keep="first").to_numpy()
    if not repeated.any():
        return
    first: dict[tuple[int, ...], int] = {}
    for row, values in enumerate(key.itertuples(index=False, name=None)):
        line = first.setdefault(values, row)
        if line != row:
            report.add(
                table.file,
                table.line(row),
                "+".join(table.primary_key),
                "the key " + ", ".join(table.text(c, row) or "''" for c in table.primary_key),
                f"each key once (it stands on line {table.line(line)} already)",
                "Remove one of the two rows, or correct its key.",
            )


def _check_references(raw: Mapping[str, RawTable], report: Report) -> None:
    wanted: dict[tuple[str, str], tuple[str, str]] = {}
    for name, column, other, target in _BUILT_IN_KEYS:
        wanted[name, column] = (other, target)
    for table in raw.values():
        for key in table.foreign_keys:
            columns, targets = _listed(key["fields"]), _listed(key["reference"]["fields"])
            other = str(key["reference"].get("resource") or table.name)
            for column, target in zip(columns, targets, strict=False):
                wanted[table.name, column] = (other, target)
    for (name, column), (other, target) in wanted.items():
        if name not in raw or other not in raw:
            continue
        table, referred = raw[name], raw[other]
        if column not in table.uniques or target not in referred.uniques:
            continue
        known = set(referred.uniques[target])
        unknown = np.array([t != "" and t not in known for t in table.uniques[column]], dtype=bool)
        allowed = f"a {target} listed in {referred.file}"
        table.refuse(report, column, unknown, allowed, f"Correct the code, or add it to {other}.")


def _listed(names: str | Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else [str(name) for name in names]


def _check_observations(raw: Mapping[str, RawTable], frame: pd.DataFrame, report: Report) -> None:
    """Check what no single field can say: the order of the dates, and the units."""
    table = raw["observations"]
    have = set(frame.columns)
    if {"start", "end"} <= have:
        wrong = (frame["start"] > frame["end"]).to_numpy(dtype=bool)
        allowed = "a date not before the start of the period"
        table.refuse_rows(report, "end", wrong, allowed, "Correct the start or the end.")
    if {"end", "published", "published_rule", "basis"} <= have:
        early = (frame["published"] < frame["end"]).to_numpy(dtype=bool)
        plans = frame["basis"].fillna("").str.startswith(_PROSPECTIVE)
        excepted = (plans & (frame["published_rule"] == "dated")).to_numpy(dtype=bool)
        table.refuse_rows(
            report,
            "published",
            early & ~excepted,
            "a date not before the end of the period "
            "(dated figures whose basis starts with plan or announcement excepted)",
            "Correct the date of publication or of the period.",
        )
    other = raw.get("indicators")
    if other is not None and {"indicator", "unit"} <= have & set(other.uniques):
        _check_units(table, other, report)


def _check_units(table: RawTable, other: RawTable, report: Report) -> None:
    """Check that each observation has the unit its indicator is registered with."""
    units = {other.text("indicator", row): other.text("unit", row) for row in range(other.n_rows)}
    expected = [units.get(name) for name in table.uniques["indicator"]]
    texts = table.uniques["unit"]
    agrees = np.array([[e is None or e == text for text in texts] for e in expected], dtype=bool)
    if not agrees.size:
        return
    for row in np.flatnonzero(~agrees[table.codes["indicator"], table.codes["unit"]]).tolist():
        name = table.text("indicator", row)
        report.add(
            table.file,
            table.line(row),
            "unit",
            repr(table.text("unit", row)),
            f"{units[name]!r}, the unit of {name} in {other.file}",
            "Convert the figure to that unit.",
        )
