"""Reading a TOML file key by key, so that all that is wrong in it is said at once."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from indicators.errors import Failure

__all__ = ["Reader", "read_toml"]

_LINE = re.compile(r"line (\d+)")


def read_toml(path: Path, failures: list[Failure]) -> dict[str, Any]:
    """Return the content of a TOML file; an unreadable one is a failure and reads as empty.

    Parameters
    ----------
    path : Path
        The file.
    failures : list of Failure
        Grows by one where the file is not UTF-8 or not TOML.

    Returns
    -------
    dict
        Keys and values.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as wrong:
        line = _LINE.search(str(wrong))
        failures.append(
            Failure(
                path.name,
                int(line.group(1)) if line else None,
                None,
                str(wrong),
                "a TOML file in UTF-8",
                "Correct the syntax there.",
            )
        )
        return {}


class Reader:
    """One table of a TOML file and the failures found while reading it.

    Parameters
    ----------
    data : mapping
        The table.
    file : str
        Name of the file, for messages.
    failures : list of Failure
        Shared by all tables of the file; grows by one for each thing wrong.
    path : str
        Dotted key of the table within the file, '' for the root.
    """

    def __init__(
        self, data: Mapping[str, Any], file: str, *, failures: list[Failure], path: str = ""
    ) -> None:
        self.data = data
        self.file = file
        self.failures = failures
        self.path = path
        self._asked: set[str] = set()

    def fail(self, key: str, *, found: object, allowed: str, remedy: str) -> None:
        """Note one failure at a key of this table."""
        place = f"{self.path}.{key}" if self.path and key else self.path or key
        self.failures.append(Failure(self.file, None, place or None, str(found), allowed, remedy))

    def _get(self, key: str, kind: tuple[type, ...], allowed: str, *, required: bool) -> Any:
        self._asked.add(key)
        if key not in self.data:
            if required:
                self.fail(key, found="nothing", allowed=allowed, remedy=f"Add the key {key!r}.")
            return None
        value = self.data[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kind):
            self.fail(key, found=repr(value), allowed=allowed, remedy="Give a value of that kind.")
            return None
        return value

    def text(self, key: str, *, default: str | None = None) -> str:
        """Return a string; required unless there is a default."""
        value = self._get(key, (str,), "text", required=default is None)
        return (default or "") if value is None else " ".join(str(value).split())

    def choice(self, key: str, options: Sequence[str], *, default: str | None = None) -> str:
        """Return one of the listed words."""
        value = self.text(key, default=default)
        if key in self.data and isinstance(self.data[key], str) and value not in options:
            self.fail(
                key, found=repr(value), allowed=" | ".join(options), remedy="Use one of these."
            )
        return value if value in options else options[0]

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return a truth value, false where absent."""
        value = self._get(key, (bool,), "true or false", required=False)
        return default if value is None else bool(value)

    def number(self, key: str, *, default: int) -> int:
        """Return a whole number of at least 0."""
        value = self._get(key, (int,), "a whole number", required=False)
        if value is not None and value < 0:
            self.fail(key, found=value, allowed="0 or more", remedy="Give a count.")
            return default
        return default if value is None else int(value)

    def numbers(self, key: str) -> tuple[int, ...]:
        """Return whole numbers above 0, in rising order."""
        value = self._get(key, (list,), "a list of whole numbers", required=True) or []
        good = [v for v in value if isinstance(v, int) and not isinstance(v, bool) and v > 0]
        if len(good) != len(value) or sorted(set(good)) != good:
            self.fail(
                key,
                found=value,
                allowed="whole numbers above 0, each once, rising",
                remedy="Sort them and leave out the rest.",
            )
        return tuple(sorted(set(good)))

    def date(self, key: str, *, required: bool = True) -> pd.Timestamp | None:
        """Return a TOML date (1990-01-01, without quotation marks)."""
        value = self._get(key, (dt.date,), "a date as in 1990-01-01", required=required)
        return None if value is None else pd.Timestamp(value).tz_localize(None).normalize()

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """Return a list of strings."""
        value = self._get(key, (list,), "a list of texts", required=required) or []
        if not all(isinstance(v, str) for v in value):
            self.fail(key, found=value, allowed="a list of texts", remedy="Put each in quotes.")
            return ()
        return tuple(" ".join(v.split()) for v in value)

    def interval(self, key: str) -> tuple[float, float]:
        """Return the 90% range [low, high] of a positive quantity; "1/500" is a number too."""
        value = self._get(key, (list,), "[low, high]", required=True)
        pair = [_fraction(v) for v in value or []]
        if len(pair) != 2 or None in pair or not 0 < pair[0] < pair[1]:  # type: ignore[operator]
            if value is not None:
                self.fail(
                    key,
                    found=value,
                    allowed='[low, high] with 0 < low < high, numbers or fractions as in "1/500"',
                    remedy="State the range that holds the quantity with 90% probability.",
                )
            return (0.5, 2.0)
        return (float(pair[0] or 0.0), float(pair[1] or 0.0))

    def factor(self, key: str) -> float:
        """Return a factor above 1."""
        value = self._get(key, (int, float), "a factor above 1", required=True)
        if value is None or not value > 1:
            if value is not None:
                remedy = "Say by what factor the rates of two kinds differ at most."
                self.fail(key, found=value, allowed="a factor above 1", remedy=remedy)
            return 2.0
        return float(value)

    def table(self, key: str, *, required: bool = True) -> Reader | None:
        """Return a table below this one."""
        value = self._get(key, (dict,), "a table", required=required)
        place = f"{self.path}.{key}" if self.path else key
        if value is None:
            return None
        return Reader(value, self.file, failures=self.failures, path=place)

    def section(self, key: str) -> Reader:
        """Return a table that must be there; an empty one, which lacks everything, if it is not."""
        found = self.table(key)
        place = f"{self.path}.{key}" if self.path else key
        return found or Reader({}, self.file, failures=self.failures, path=place)

    def tables(self, key: str, *, required: bool = False) -> list[Reader]:
        """Return a list of tables below this one, each with its position in its path."""
        value = self._get(key, (list,), "a list of tables", required=required) or []
        place = f"{self.path}.{key}" if self.path else key
        out = []
        for i, item in enumerate(value):
            if isinstance(item, dict):
                out.append(Reader(item, self.file, failures=self.failures, path=f"{place}[{i}]"))
            else:
                self.fail(f"{key}[{i}]", found=item, allowed="a table", remedy="Write {…}.")
        return out

    def names(self) -> tuple[str, ...]:
        """Return all keys of a table whose names are free, marked as read."""
        self._asked |= set(self.data)
        return tuple(self.data)

    def done(self) -> None:
        """Every key that nobody asked for is a failure: most often a misspelling."""
        for key in self.data:
            if key not in self._asked:
                self.fail(
                    key,
                    found=f"the key {key!r}",
                    allowed=", ".join(sorted(self._asked)),
                    remedy="Remove it or correct its spelling.",
                )


def _fraction(value: object) -> float | None:
    """Return a number, or a fraction written as text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        parts = value.split("/")
        try:
            top, bottom = float(parts[0]), float(parts[1]) if len(parts) > 1 else 1.0
        except ValueError:
            return None
        return top / bottom if bottom and len(parts) <= 2 else None
    return None
