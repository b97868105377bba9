"""States, organisations and who borders whom on land."""

from __future__ import annotations

from pathlib import Path

from common import Row, ordered, read, sheet

# codes of the COW list that share a successor's ISO code
ALIASES = {"260": "DEU", "678": "YEM"}
FORMER = {"265", "315", "680"}
WINDOW = "1990-01-01"


def states(_: Path) -> list[Row]:
    """Codes used in this package, from the hand-kept sheet."""
    return ordered(sheet("states"), ["kind", "state"])


def by_cow() -> dict[str, str]:
    """ISO code of a COW country code."""
    known = {row["cow_code"]: row["state"] for row in sheet("states") if row["kind"] == "state"}
    return known | ALIASES


def by_name() -> dict[str, str]:
    """Code of a state by its name here."""
    return {row["name"]: row["state"] for row in sheet("states")}


def known() -> set[str]:
    """Every code of the states table."""
    return {row["state"] for row in sheet("states")}


def contiguity(source: Path) -> list[Row]:
    """Land borders in force since 1990; the list ends in 2016, so its last day is left open."""
    codes = by_cow()
    spans: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in read(source / "reference" / "cow_land_contiguity.csv"):
        pair = (row["ccode1"], row["ccode2"])
        if row["enddate"] < WINDOW or FORMER & set(pair):
            continue
        states_ = (codes[pair[0]], codes[pair[1]])
        if states_[0] == states_[1]:
            continue
        end = "" if row["enddate"] == "2016-12-01" else row["enddate"]
        spans.setdefault(states_, []).append((row["stdate"], end))
    rows = [
        {"state": a, "neighbour": b, "start": start, "end": end, "source": "cow_contiguity"}
        for (a, b), found in spans.items()
        for start, end in merged(found)
    ]
    return ordered(rows + by_hand(spans), ["state", "neighbour", "start"])


def by_hand(spans: dict[tuple[str, str], list[tuple[str, str]]]) -> list[Row]:
    """Borders of states outside the list's selection, from the hand-kept sheet."""
    rows = []
    for row in sheet("borders"):
        for a, b in ((row["state"], row["neighbour"]), (row["neighbour"], row["state"])):
            if (a, b) not in spans:
                start = row["start"]
                part = {"state": a, "neighbour": b, "start": start, "end": ""}
                rows.append(part | {"source": "tocsin_general"})
    return rows


def merged(spans: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join spells of one pair; an open one swallows those it overlaps or follows within a month."""
    out: list[tuple[str, str]] = []
    for start, end in sorted(spans):
        if out and (not out[-1][1] or start <= out[-1][1]):
            last = out.pop()
            end = "" if not end or not last[1] else max(end, last[1])
            start = last[0]
        out.append((start, end))
    return out
