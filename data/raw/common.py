"""What all recipes share: reading, dates, formatting, the published column order, writing."""

from __future__ import annotations

import calendar
import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

Row = dict[str, str]
HERE = Path(__file__).resolve().parent
SHEETS = HERE / "sheets"
URL = re.compile(r"https?://[^\s;|]+")
FEED_END = date(2024, 12, 31)


def read(path: Path) -> list[Row]:
    """Read a CSV file with a real parser: fields may hold commas, quotes and line breaks."""
    with path.open(encoding="utf-8", newline="") as handle:
        return [{k: v.strip() for k, v in row.items()} for row in csv.DictReader(handle)]


def sheet(name: str) -> list[Row]:
    """One of the hand-kept sheets beside these recipes."""
    return read(SHEETS / f"{name}.csv")


def notes(table: str) -> dict[str, str]:
    """Notes worded anew for this package, by row id; other rows keep the coder's terse note."""
    return {row["id"]: row["note"] for row in sheet("notes") if row["table"] == table}


def columns(table: str) -> list[str]:
    """Published column order of a table."""
    return [row["field"] for row in sheet("fields") if row["table"] == table]


def write(folder: Path, table: str, rows: Iterable[Mapping[str, str]]) -> int:
    """Write one table in published column order; a missing or surplus column is an error."""
    fields = columns(table)
    count = 0
    with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, fields, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            if set(row) != set(fields):
                raise ValueError(f"{table}: columns differ: {set(row) ^ set(fields)}")
            writer.writerow(row)
            count += 1
    return count


def day(text: str) -> date:
    """Read an ISO date."""
    return date.fromisoformat(text)


def month_end(value: date) -> date:
    """Last day of the month of a date."""
    return value.replace(day=calendar.monthrange(value.year, value.month)[1])


def interval_end(text: str, precision: str) -> date:
    """Last day a date of day, month or year precision may mean."""
    value = day(text)
    if precision == "year":
        return date(value.year, 12, 31)
    return month_end(value) if precision == "month" else value


def later(value: date, days: int) -> date:
    """A date moved on by days."""
    return value + timedelta(days=days)


def number(value: float) -> str:
    """Text of a number: at most six decimals, no trailing zeros, never an exponent."""
    text = f"{round(value, 6):.6f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def urls(*texts: str) -> str:
    """Addresses found in source fields, in order, once each, joined by ' | '."""
    found = [url.rstrip(",.") for text in texts for url in URL.findall(text)]
    return " | ".join(dict.fromkeys(found))


@dataclass(frozen=True)
class Observation:
    """One figure of one period as printed in one publication."""

    indicator: str
    state: str
    start: date
    end: date
    frequency: str
    value: float
    unit: str
    published: date
    rule: str
    source: str
    counterpart: str = ""
    basis: str = ""
    low: float | None = None
    high: float | None = None
    note: str = ""

    def row(self) -> Row:
        """Row of the observations table."""
        return {
            "indicator": self.indicator,
            "state": self.state,
            "counterpart": self.counterpart,
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "frequency": self.frequency,
            "basis": self.basis,
            "value": number(self.value),
            "value_low": "" if self.low is None else number(self.low),
            "value_high": "" if self.high is None else number(self.high),
            "unit": self.unit,
            "published": self.published.isoformat(),
            "published_rule": self.rule,
            "source": self.source,
            "note": self.note,
        }


def year_span(year: int) -> tuple[date, date]:
    """First and last day of a year."""
    return date(year, 1, 1), date(year, 12, 31)


def month_span(text: str) -> tuple[date, date]:
    """First and last day of a month written YYYY-MM."""
    first = day(f"{text}-01")
    return first, month_end(first)


def ordered(rows: Iterable[Row], keys: Sequence[str]) -> list[Row]:
    """Rows in the order of the named columns."""
    return sorted(rows, key=lambda row: tuple(row[key] for key in keys))
