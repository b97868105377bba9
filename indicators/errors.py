"""What can go wrong, said so that it can be put right.

Every error of the toolkit is a `TocsinError` and also an ordinary Python error of its kind
(`ValueError`, `LookupError`, `RuntimeError`), and carries the exit code of the command line:
2 usage, 3 bad data, 4 diagnostics failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar

__all__ = [
    "DataError",
    "Failure",
    "FitError",
    "LookAheadError",
    "TocsinError",
    "UnknownNameError",
]


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing wrong in one place of the data.

    Parameters
    ----------
    file : str
        Name of the file, as the reader knows it (``observations.csv``).
    row : int or None
        Line of the file, the header being line 1; None where the whole file is meant.
    column : str or None
        Column of the table, or key of a TOML file; None where the whole row or file is meant.
    found : str
        What stands there.
    allowed : str
        What may stand there.
    remedy : str
        What to do about it.
    """

    file: str
    row: int | None
    column: str | None
    found: str
    allowed: str
    remedy: str

    def __str__(self) -> str:
        """Return one line: place, found, allowed, remedy."""
        place = self.file
        if self.row is not None:
            place += f", line {self.row}"
        if self.column:
            place += f", column {self.column}"
        return f"{place}: found {self.found}; allowed: {self.allowed}. {self.remedy}"


class TocsinError(Exception):
    """The root of every error this toolkit raises on purpose.

    Parameters
    ----------
    message : str
        What happened, in one sentence.
    place, found, allowed, remedy : str, optional
        The four parts a reader needs; those given are appended to the message.

    Attributes
    ----------
    exit_code : int
        What the command line returns when it ends on this error.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str = "",
        *,
        place: str = "",
        found: str = "",
        allowed: str = "",
        remedy: str = "",
    ) -> None:
        parts = {"place": place, "found": found, "allowed": allowed, "remedy": remedy}
        lines = [message] if message else []
        lines += [f"  {name}: {text}" for name, text in parts.items() if text]
        super().__init__("\n".join(lines))
        self.place, self.found, self.allowed, self.remedy = place, found, allowed, remedy


class DataError(TocsinError, ValueError):
    """The data do not follow their schema; every failure is listed at once.

    Parameters
    ----------
    failures : iterable of Failure
        All that was found, in the order of the files.
    """

    exit_code = 3

    def __init__(self, failures: Iterable[Failure]) -> None:
        self.failures: tuple[Failure, ...] = tuple(failures)
        super().__init__()
        self.args = (self.failures,)  # so that the error survives pickling

    def __str__(self) -> str:
        """Return all failures, one a line."""
        count = len(self.failures)
        head = f"{count} failure{'' if count == 1 else 's'} in the data"
        return "\n".join([head, *(f"  {failure}" for failure in self.failures)])


class LookAheadError(TocsinError, LookupError):
    """Something asked for what was not known yet, or mixed two as-of dates."""

    exit_code = 3


class UnknownNameError(TocsinError, LookupError):
    """A name that is not registered.

    Parameters
    ----------
    kind : str
        What was looked for (``"indicator"``, ``"question"``, ``"table"``).
    name : str
        The name that was not found.
    available : iterable of str
        The names that exist.
    """

    exit_code = 2

    def __init__(self, kind: str, name: str, available: Iterable[str]) -> None:
        self.kind, self.name = kind, name
        self.available: tuple[str, ...] = tuple(sorted(available))
        close = tuple(get_close_matches(name, self.available, n=3))
        super().__init__(
            f"no {kind} is called {name!r}",
            found=repr(name),
            allowed=", ".join(self.available) or "none is registered",
            remedy=f"did you mean {' or '.join(close)}?" if close else f"use a listed {kind}.",
        )
        self.close_matches = close
        self._text = str(self.args[0])
        self.args = (kind, name, self.available)

    def __str__(self) -> str:
        """Return the name, what is available, and the nearest matches."""
        return self._text


class FitError(TocsinError, RuntimeError):
    """A fit did not pass its diagnostics.

    Parameters
    ----------
    message : str
        What failed.
    diagnostics : mapping, optional
        Name of each diagnostic and its value.
    place, found, allowed, remedy : str, optional
        As in `TocsinError`.
    """

    exit_code = 4

    def __init__(
        self,
        message: str = "",
        diagnostics: Mapping[str, Any] | None = None,
        *,
        place: str = "",
        found: str = "",
        allowed: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(message, place=place, found=found, allowed=allowed, remedy=remedy)
        self.diagnostics: dict[str, Any] = dict(diagnostics or {})
