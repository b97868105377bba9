"""Conditions on the rows of a table, compiled against its schema.

Criteria come from TOML: columns, tests and values are checked against the Table Schema before
anything is selected with them, and all that is wrong is reported together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from forecast.reader import Reader
from indicators.tables import DataPackage

__all__ = ["Condition", "Criteria", "TableShape"]

_TESTS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "equals": lambda x, v: x == v,
        "differs": lambda x, v: x.notna() & (x != v),
        "in": lambda x, v: x.isin(v),
        "not_in": lambda x, v: x.notna() & ~x.isin(v),
        "above": lambda x, v: x > v,
        "below": lambda x, v: x < v,
        "known": lambda x, v: x.notna() == v,
    }
)


@dataclass(frozen=True, slots=True)
class TableShape:
    """What the schema of a table says about its columns.

    Parameters
    ----------
    name : str
        Name of the table.
    kinds : mapping of str to str
        ``number``, ``date`` or ``text`` for each column.
    enums : mapping of str to tuple
        The values a column may take, where the schema lists them.
    """

    name: str
    kinds: Mapping[str, str]
    enums: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, package: DataPackage, name: str) -> TableShape:
        """Read the shape of one table of a package."""
        words = {"integer": "number", "number": "number", "boolean": "number", "date": "date"}
        resource = next(r for r in package.descriptor["resources"] if r["name"] == name)
        columns = resource["schema"]["fields"]
        return cls(
            name,
            {f["name"]: words.get(f.get("type", "string"), "text") for f in columns},
            {
                f["name"]: tuple(map(str, f["constraints"]["enum"]))
                for f in columns
                if "enum" in f.get("constraints", {})
            },
        )


@dataclass(frozen=True, slots=True)
class Condition:
    """One test on one column, or on any of several columns.

    Parameters
    ----------
    columns : tuple of str
        The condition holds where the test holds for any of them.
    test : str
        ``equals``, ``differs``, ``in``, ``not_in``, ``above``, ``below`` or ``known``.
    value : object
        What is tested against; a tuple for ``in`` and ``not_in``. A blank cell passes no test
        but ``known = false``.
    """

    columns: tuple[str, ...]
    test: str
    value: Any

    def mask(self, frame: pd.DataFrame) -> pd.Series[bool]:
        """Mark the rows that meet the condition."""
        run = _TESTS[self.test]
        out = pd.Series(False, index=frame.index)
        for column in self.columns:
            out |= pd.Series(run(frame[column], self.value)).fillna(value=False).astype(bool)
        return out

    def __str__(self) -> str:
        """Write the condition as a reader would."""
        return f"{' or '.join(self.columns)} {self.test.replace('_', ' ')} {self.value!r}"


@dataclass(frozen=True, slots=True)
class Criteria:
    """Conditions that must all hold.

    Parameters
    ----------
    conditions : tuple of Condition
        Empty: every row passes.
    """

    conditions: tuple[Condition, ...] = ()

    def mask(self, frame: pd.DataFrame) -> pd.Series[bool]:
        """Mark the rows of a table that pass."""
        out = pd.Series(True, index=frame.index)
        for condition in self.conditions:
            out &= condition.mask(frame)
        return out

    def select(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Select the rows of a table that pass, in their order."""
        return frame[self.mask(frame)]

    def __str__(self) -> str:
        """Join all conditions by 'and'."""
        return " and ".join(map(str, self.conditions)) or "every row"

    @classmethod
    def read(cls, reader: Reader, key: str, *, shape: TableShape | None) -> Criteria:
        """Compile a list of conditions against the schema of the table they speak of.

        Parameters
        ----------
        reader : Reader
            The TOML table that holds the list; failures are noted there.
        key : str
            Name of the list.
        shape : TableShape or None
            Schema of the table; None where it does not exist (already noted).

        Returns
        -------
        Criteria
            What could be compiled.
        """
        out = [_condition(item, shape) for item in reader.tables(key)]
        return cls(tuple(c for c in out if c is not None))


def _condition(reader: Reader, shape: TableShape | None) -> Condition | None:
    """One condition, checked: columns exist, one known test, a value of the column's kind."""
    several = reader.texts("any_of")
    columns = several or (reader.text("column"),)
    tests = [k for k in reader.names() if k not in {"column", "any_of"}]
    if len(tests) != 1 or tests[0] not in _TESTS:
        reader.fail(
            "", found=tests or "no test", allowed=" | ".join(_TESTS), remedy="Give one test."
        )
        return None
    if shape is None:
        return None
    test, value = tests[0], reader.data[tests[0]]
    for column in columns:
        if column not in shape.kinds:
            reader.fail(
                "any_of" if several else "column",
                found=repr(column),
                allowed=", ".join(shape.kinds),
                remedy=f"Use a column of {shape.name}.",
            )
            return None
        if not _fits(reader, column, shape, test=test):
            return None
    return Condition(columns, test, tuple(value) if isinstance(value, list) else value)


def _fits(reader: Reader, column: str, shape: TableShape, *, test: str) -> bool:
    """Whether a value can be compared with a column; a failure says why not."""
    value: Any = reader.data[test]
    values = value if isinstance(value, list) else [value]
    number = shape.kinds[column] == "number"
    many = test in {"in", "not_in"}
    wanted = "true or false" if test == "known" else "a number" if number else "a text"
    kind: tuple[type, ...] = (bool,) if test == "known" else (int, float) if number else (str,)
    right = isinstance(value, list) == many and (number or test not in {"above", "below"})
    right &= all(isinstance(v, kind) and isinstance(v, bool) == (test == "known") for v in values)
    if not right:
        allowed = f"a list, each {wanted}" if many else wanted
        reader.fail(test, found=repr(value), allowed=allowed, remedy=f"{column} needs that kind.")
        return False
    enum = shape.enums.get(column, ())
    unknown = [v for v in values if enum and test != "known" and str(v) not in enum]
    if unknown:
        reader.fail(
            test,
            found=", ".join(map(repr, unknown)),
            allowed=", ".join(enum),
            remedy=f"Use a value that {column} may take.",
        )
    return not unknown
