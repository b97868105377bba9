"""Regime, wealth, elections and changes of leader."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

from common import Row, month_end, read, year_span
from places import by_cow
from rules import stamped
from scope import panel

LAST = date(2021, 2, 28)


def polyarchy(source: Path) -> list[Row]:
    """Electoral democracy index."""
    codes = by_cow()
    rows: list[Row] = []
    for row in read(source / "reference" / "vdem_indices_country_year.csv"):
        state = codes.get(row["vdem_cowcode"], "")
        if state in panel(source) and row["year"] >= "1990" and row["v2x_polyarchy"]:
            rows += stamped(
                "polyarchy",
                state,
                year_span(int(row["year"])),
                float(row["v2x_polyarchy"]),
                "vdem",
                basis="release_2025",
            )
    return rows


def wealth(source: Path) -> list[Row]:
    """Gross domestic product at current prices."""
    rows: list[Row] = []
    for row in read(source / "gas" / "worldbank_gdp_current_usd_panel.csv"):
        if row["iso3"] in panel(source) and row["year"] >= "1990" and row["gdp_current_usd"]:
            rows += stamped(
                "gdp_current_usd",
                row["iso3"],
                year_span(int(row["year"])),
                float(row["gdp_current_usd"]),
                "worldbank_gdp",
                basis="current_usd",
            )
    return rows


def in_months(
    source: Path, indicator: str, counts: Counter[tuple[str, date]], basis: str
) -> list[Row]:
    """Counts by state and month; covered months without any are zeros and left out."""
    codes = by_cow()
    rows: list[Row] = []
    for (cow, month), value in counts.items():
        state = codes.get(cow, "")
        if state in panel(source) and date(1990, 1, 1) <= month <= LAST:
            rows += stamped(
                indicator,
                state,
                (month, month_end(month)),
                value,
                "reign",
                frequency="M",
                basis=basis,
            )
    return rows


def elections(source: Path) -> list[Row]:
    """National votes held."""
    counts: Counter[tuple[str, date]] = Counter()
    for row in read(source / "reference" / "reign_elections_2021_3.csv"):
        if row["event"].startswith("Vote") and row["elec_month"]:
            month = date(int(row["elec_year"]), int(row["elec_month"]), 1)
            counts[row["ccode"], month] += 1
    return in_months(source, "elections_held", counts, "votes_held")


def leaders(source: Path) -> list[Row]:
    """Months in which another leader took over; a state's first listed leader is no change."""
    starts: dict[str, list[date]] = {}
    for row in read(source / "reference" / "reign_leaders_2021_3.csv"):
        if row["syear"] and row["smonth"]:
            first = date(int(float(row["syear"])), int(float(row["smonth"])), 1)
            starts.setdefault(row["ccode"], []).append(first)
    counts: Counter[tuple[str, date]] = Counter()
    for cow, found in starts.items():
        for month in sorted(found)[1:]:
            counts[cow, month] += 1
    return in_months(source, "leader_changes", counts, "effective_leader")


def observations(source: Path) -> list[Row]:
    """All figures on context."""
    recipes = (polyarchy, wealth, elections, leaders)
    return [row for recipe in recipes for row in recipe(source)]
