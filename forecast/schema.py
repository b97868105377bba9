"""The published form of a run: check a payload against the JSON schema shipped with the package."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from indicators.errors import DataError, Failure

__all__ = ["SCHEMA_ID", "failures", "schema", "validate"]

SCHEMA_ID = "tocsin/forecast/1"
_REMEDY = "see forecast/schemas/forecast-1.json, or make the payload with `tocsin run --json`"


@cache
def _text() -> str:
    return files("forecast.schemas").joinpath("forecast-1.json").read_text(encoding="utf-8")


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``tocsin run --json``.

    Returns
    -------
    dict
        A fresh copy.
    """
    found: dict[str, Any] = json.loads(_text())
    return found


def failures(payload: Mapping[str, Any]) -> list[Failure]:
    """List everything in which a payload departs from the schema.

    Besides the schema, three things that it cannot say are checked: numbers are finite, the low
    end of an interval is not above its high end, and no forecast is there twice.

    Parameters
    ----------
    payload
        Output of a run, as plain types.

    Returns
    -------
    list of Failure
        In the order of the payload; empty for a good one. ``column`` is the path of the value.
    """
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(schema()).iter_errors(payload)
    found = [
        _failure(_path(error.absolute_path), f"{error.instance!r}"[:120], error.message[:200])
        for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path])
    ]
    return found or [*_numbers(payload, ""), *_twice(payload)]


def validate(payload: Mapping[str, Any]) -> None:
    """Refuse a payload that departs from the schema.

    Parameters
    ----------
    payload
        Output of a run, as plain types.

    Raises
    ------
    DataError
        With every departure at once, each with its path in the payload.
    """
    found = failures(payload)
    if found:
        raise DataError(found)


def _failure(path: str, found: str, allowed: str) -> Failure:
    return Failure("payload", None, path or None, found, allowed, _REMEDY)


def _path(parts: Any) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _numbers(value: object, path: str) -> Iterator[Failure]:
    if isinstance(value, Mapping):
        yield from _ordered(value, path)
        for key, item in value.items():
            yield from _numbers(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _numbers(item, f"{path}[{i}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield _failure(path, repr(value), "a finite number, or null")


def _ordered(value: Mapping[Any, Any], path: str) -> Iterator[Failure]:
    for prefix in ("", "base_rate_"):
        low, high = value.get(f"{prefix}lo90"), value.get(f"{prefix}hi90")
        if low is not None and high is not None and low > high:
            where = f"{path}.{prefix}lo90" if path else f"{prefix}lo90"
            yield _failure(where, f"{low!r} above {high!r}", "the low end at or below the high end")


def _twice(payload: Mapping[str, Any]) -> Iterator[Failure]:
    seen: set[tuple[object, ...]] = set()
    for i, row in enumerate(payload["forecasts"]):
        key = tuple(row[name] for name in ("question", "state", "origin", "horizon", "model"))
        if key in seen:
            text = ", ".join(map(str, key))
            yield _failure(f"forecasts[{i}]", text, "one forecast a question, horizon and model")
        seen.add(key)
