"""Organised violence: UCDP GED by month, by year, and large attacks in northern Afghanistan."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import chronology
from common import Row, month_end, month_span, read, year_span
from places import by_cow
from rules import stamped
from scope import with_neighbours

RELEASES = {"GED 25.1": "ucdp_ged_251", "GED 23.1 + Candidate 2023": "ucdp_ged_231_candidate"}
ATTACKS = "large_attacks_north_afghanistan"
DEATHS = "large_attack_deaths_north_afghanistan"


def monthly(source: Path) -> list[Row]:
    """Deaths by state and month; months without any are covered zeros and left out."""
    states = with_neighbours(source)
    rows: list[Row] = []
    for row in read(source / "events" / "ged_country_month_fatalities_1989_2024.csv"):
        deaths = int(float(row["fatalities_best"]))
        if deaths > 0 and row["iso3"] in states:
            rows += stamped(
                "violence_deaths",
                row["iso3"],
                month_span(row["month"]),
                deaths,
                RELEASES[row["source"]],
                frequency="M",
                basis="best_estimate",
            )
    return rows


def yearly(source: Path) -> list[Row]:
    """Deaths in state-based conflict placed inside a state's polygon, with bounds."""
    states, codes = with_neighbours(source), by_cow()
    rows: list[Row] = []
    for row in read(source / "events" / "ged231_state_based_deaths_country_year_1989_2022.csv"):
        state = codes.get(row["gwcode"], "")
        low, best, high = (float(row[name]) for name in ("low", "best", "high"))
        if state in states and high > 0:
            rows += stamped(
                "state_based_deaths",
                state,
                year_span(int(row["year"])),
                best,
                "ucdp_ged_231",
                basis="best_estimate",
                bounds=(low, high),
            )
    return rows


def attacks(source: Path) -> list[Row]:
    """Large attacks near Turkmenistan by month, zeros included: the list holds every such event."""
    count: Counter[date] = Counter()
    deaths: Counter[date] = Counter()
    name = "ged191_afghanistan_events_over10_sideA_deaths_2001_2018.csv"
    for row in read(source / "events" / name):
        if row["near_turkmenistan"] == "1" and row["date_start"] >= "2002":
            month = date.fromisoformat(row["date_start"]).replace(day=1)
            count[month] += 1
            deaths[month] += int(row["deaths_side_a"])
    rows: list[Row] = []
    for month in chronology.months(date(2002, 1, 1), date(2018, 12, 31)):
        span = (month, month_end(month))
        for indicator, counted in ((ATTACKS, count), (DEATHS, deaths)):
            rows += stamped(
                indicator,
                "AFG",
                span,
                counted[month],
                "ucdp_ged_191",
                frequency="M",
                basis="over_ten_side_a_deaths",
            )
    return rows


def observations(source: Path) -> list[Row]:
    """All figures on violence."""
    return monthly(source) + yearly(source) + attacks(source)
