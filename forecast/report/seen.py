"""What could be seen from the origin: the indicators as known then, and how old they were."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from forecast import plots
from forecast.report.pictures import INK, inline
from forecast.words import age_months, label, number, period_span, plain_id

__all__ = ["ages", "indicator_groups"]

Row = Mapping[str, Any]
FAMILIES = ("border", "gas", "contacts", "context")
_MONTH = re.compile(r"^\d{4}-\d{2}$")


def indicator_groups(payload: Row) -> list[dict[str, Any]]:
    """Return the indicators by family, each with its picture and its figures as a table.

    Parameters
    ----------
    payload
        Output of a run.
    """
    found = []
    for family in FAMILIES:
        entries = [
            _entry(entry, payload, f"i{i}")
            for i, entry in enumerate(payload["indicators"], start=1)
            if entry["family"] == family
        ]
        if entries:
            found.append({"family": family, "entries": entries})
    return found


def _entry(entry: Row, payload: Row, slug: str) -> dict[str, Any]:
    rows = _rows(entry)
    where = [label(code) for code in (entry["counterpart"],) if code]
    if entry["state"] != payload["state"]:
        where.insert(0, entry["state"])
    title = entry["meaning"] + (f" ({', '.join(where)})" if where else "")
    return {
        "slug": slug,
        "id": entry["indicator"],
        "title": title,
        "unit": entry["unit"],
        "picture": _picture(entry, rows, title, payload["origin"], slug),
        "grid": _grid(rows),
        "rows": rows,
        "last": rows[-1] if rows else None,
        "age": age_months(rows[-1]["period"], payload["origin"]) if rows else None,
    }


def _rows(entry: Row) -> list[Row]:
    known = [row for row in entry["observations"] if row["value"] is not None]
    return sorted(known, key=lambda row: period_span(row["period"]))


def _picture(entry: Row, rows: Sequence[Row], title: str, origin: str, slug: str) -> Any:
    if not rows:
        return None
    last = rows[-1]
    name = (
        f"{title}, {entry['unit']}, {rows[0]['period']} to {last['period']}, as known at the "
        f"origin; newest figure {number(last['value'])}. The figures are in the table below."
    )
    figure: Any = plots.series(entry, origin, palette=INK).figure
    return inline(figure, name, slug)


def _grid(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Lay monthly figures out as years by months: a table a person can read."""
    if not rows or not all(_MONTH.match(row["period"]) for row in rows):
        return []
    values = {row["period"]: row["value"] for row in rows}
    first, last = int(rows[0]["period"][:4]), int(rows[-1]["period"][:4])
    return [
        {"year": year, "cells": [values.get(f"{year}-{month:02d}") for month in range(1, 13)]}
        for year in range(first, last + 1)
    ]


def ages(payload: Row) -> list[dict[str, Any]]:
    """Return every source with the age of its newest figure, oldest first.

    Parameters
    ----------
    payload
        Output of a run.
    """
    stale = {
        entry["indicator"]: entry for row in payload["forecasts"] for entry in row["stale"] or ()
    }
    found = []
    for entry in payload["indicators"]:
        rows = _rows(entry)
        flag = stale.get(entry["indicator"])
        last = rows[-1] if rows else None
        period = last["period"] if last else flag["last_period"] if flag else None
        name = entry["meaning"]
        if entry["counterpart"]:
            name += f" ({label(entry['counterpart'])})"
        public = last["published"] if last else None
        found.append(_age(name, period, public, flag, payload["origin"]))
    listed = {entry["indicator"] for entry in payload["indicators"]}
    for key, flag in stale.items():
        if key not in listed:
            found.append(_age(plain_id(key), flag["last_period"], None, flag, payload["origin"]))
    return sorted(
        found, key=lambda row: (-(row["age"] if row["age"] is not None else 1e9), row["name"])
    )


def _age(
    name: str, period: str | None, public: str | None, flag: Row | None, origin: str
) -> dict[str, Any]:
    age = age_months(period, origin) if period else None
    if flag is not None and flag["age_months"] is not None:
        age = round(flag["age_months"])
    state = "current" if flag is None else "ended" if flag["ended"] else "stale"
    return {"name": name, "period": period, "published": public, "age": age, "state": state}
