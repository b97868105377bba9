"""Contacts as coded by others: dyads, trips, visits, exercises, pacts, arms, votes, troops."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from common import Row, number, read, year_span
from places import by_cow, by_name
from rules import stamped
from scope import panel

FORMER = {"260", "678"}  # their successors have rows of their own
POWERS = ("CHN", "RUS", "USA")
DYADS = (*POWERS, "AFG", "AZE", "GEO", "IND", "IRN", "KAZ", "KGZ", "PAK", "TJK", "UZB")
MOJIBAKE = {"CÃ´te dâ\x80\x99Ivoire": "CIV", "SÃ£o TomÃ© & PrÃ\xadncipe": "STP"}
OTHER_NAMES = {
    "Cabo Verde": "CPV",
    "Congo - Brazzaville": "COG",
    "Congo - Kinshasa": "COD",
    "Congo-Brazzaville": "COG",
    "Congo-Kinshasa": "COD",
    "Cote d'Ivoire": "CIV",
    "Czechia": "CZE",
    "Bosnia & Herzegovina": "BIH",
    "Bosnia-Herzegovina": "BIH",
    "Federal Republic of Germany": "DEU",
    "Holy See": "VAT",
    "Myanmar (Burma)": "MMR",
    "SIngapore": "SGP",
    "Serbia and Montenegro": "SRB",
    "Soviet Union": "SUN",
    "Timor Leste": "TLS",
    "Timor-Leste": "TLS",
    "Turkiye": "TUR",
    "UAE": "ARE",
    "West Germany": "DEU",
    "Yemen Arab Republic": "YEM",
    "Zaire": "COD",
}


def code(name: str, year: int) -> str:
    """ISO code of a state as these sources call it; blank where none is used here."""
    if name == "Yugoslavia":
        return "YUG" if year < 1992 else "SRB"
    return MOJIBAKE.get(name) or OTHER_NAMES.get(name) or by_name().get(name, "")


def icews(source: Path) -> list[Row]:
    """Events of a pair in both directions: every region state with the powers, more for TKM."""
    totals: Counter[tuple[str, str, str, int]] = Counter()
    files = ("turkmenistan", "region_and_neutrals")
    seen: set[tuple[str, str, str]] = set()
    for name in files:
        for row in read(source / "events" / f"icews_dyad_year_{name}_2002_2014.csv"):
            directed = (row["source_iso3"], row["target_iso3"], row["year"])
            if directed in seen:
                continue
            seen.add(directed)
            tally(totals, row, directed)
    rows: list[Row] = []
    for (indicator, state, partner, year), value in totals.items():
        rows += stamped(
            indicator,
            state,
            year_span(year),
            value,
            "icews",
            counterpart=partner,
            basis="both_directions",
        )
    return rows


def tally(
    totals: Counter[tuple[str, str, str, int]], row: Row, directed: tuple[str, str, str]
) -> None:
    """Add a directed pair to the totals of the pairs it belongs to."""
    a, b, year = directed
    for state, partner in ((a, b), (b, a)):
        if partner not in (DYADS if state == "TKM" else POWERS) or state == partner:
            continue
        good = int(row["verbCoop"]) + int(row["matlCoop"])
        bad = int(row["verbConf"]) + int(row["matlConf"])
        totals["icews_cooperation", state, partner, int(year)] += good
        totals["icews_conflict", state, partner, int(year)] += bad


def trips(source: Path) -> list[Row]:
    """Leaders' trips received and made; a year without a row is a zero of the source."""
    totals: Counter[tuple[str, str, int]] = Counter()
    for row in read(source / "events" / "colt_leader_trips_country_year_1990_2024.csv"):
        year = int(row["year"])
        state = code(row["country"], year)
        for way in ("received", "made"):
            totals[f"leader_trips_{way}", state, year] += int(row[f"leader_trips_{way}"])
    rows: list[Row] = []
    for (indicator, state, year), value in totals.items():
        if state in panel(source) and value:
            rows += stamped(indicator, state, year_span(year), value, "colt", basis="trips")
    return rows


def china(source: Path) -> list[Row]:
    """Visits by senior Chinese officials; blanks of the source stay missing."""
    rows: list[Row] = []
    for row in read(source / "events" / "aiddata_china_official_visits_2000_2018.csv"):
        state = code(row["receiving_country"], int(row["year"]))
        if state in panel(source) and row["total_elite_visits"]:
            rows += stamped(
                "china_visits",
                state,
                year_span(int(row["year"])),
                float(row["total_elite_visits"]),
                "aiddata_cpd",
                counterpart="CHN",
                basis="government_and_military",
            )
    return rows


def exercises(source: Path) -> list[Row]:
    """Multinational exercises; a year without a row is a zero of the source."""
    totals: Counter[tuple[str, int]] = Counter()
    for row in read(source / "events" / "mme_exercises_country_year_1980_2010.csv"):
        totals[code(row["country"], int(row["year"])), int(row["year"])] += int(row["exercises"])
    rows: list[Row] = []
    for (state, year), value in totals.items():
        if state in panel(source) and value:
            rows += stamped("exercises", state, year_span(year), value, "mme", basis="states_only")
    return rows


def agreements(source: Path) -> list[Row]:
    """Defence agreements signed, in all and with each power."""
    codes = by_cow()
    totals: Counter[tuple[str, str, int]] = Counter()
    for row in read(source / "events" / "dcad_v1_agreements_1980_2010.csv"):
        year = int(float(row["signYear"]))
        a, b = codes.get(row["ccode1"], ""), codes.get(row["ccode2"], "")
        for state, partner in ((a, b), (b, a)):
            if year >= 1990 and state:
                totals[state, "", year] += 1
                if partner in (*POWERS, "TUR"):
                    totals[state, partner, year] += 1
    rows: list[Row] = []
    for (state, partner, year), value in totals.items():
        if state in panel(source):
            rows += stamped(
                "defence_agreements_signed",
                state,
                year_span(year),
                value,
                "dcad",
                counterpart=partner,
                basis="bilateral",
            )
    return rows


def pacts(source: Path) -> list[Row]:
    """Number of partners in defence pacts."""
    codes = by_cow()
    rows: list[Row] = []
    for row in read(source / "reference" / "atop_country_year.csv"):
        state = codes.get(row["ccode"], "")
        if state in panel(source) and row["year"] >= "1990" and row["ccode"] not in FORMER:
            rows += stamped(
                "defence_pact_partners",
                state,
                year_span(int(row["year"])),
                float(row["atop_n_defense"]),
                "atop",
                basis="defence_obligation",
            )
    return rows


def arms(source: Path) -> list[Row]:
    """Arms received: totals with the zeros of covered years, and each supplier's part."""
    totals: Counter[tuple[str, str, int]] = Counter()
    recipients = set()
    for row in read(source / "events" / "sipri_tiv_region_1991_2021.csv"):
        year, state = int(row["year"]), code(row["recipient"], int(row["year"]))
        supplier = code(row["supplier"], year)
        recipients.add(state)
        value = int(row["tiv_million"])
        totals[state, "", year] += value
        if supplier:
            totals[state, supplier, year] += value
    for state in recipients:
        for year in range(1991, 2022):
            totals[state, "", year] += 0
    rows: list[Row] = []
    for (state, supplier, year), amount in totals.items():
        rows += stamped(
            "arms_imports",
            state,
            year_span(year),
            amount,
            "sipri",
            counterpart=supplier,
            basis="trend_indicator_value",
        )
    return rows


def votes(source: Path) -> list[Row]:
    """Ideal points in the General Assembly with their 5 and 95% bounds."""
    codes = by_cow()
    rows: list[Row] = []
    for row in read(source / "events" / "unga_ideal_points_1946_2023.csv"):
        state = codes.get(row["ccode"], "")
        if row["ccode"] in FORMER or row["year"] < "1990" or not row["ideal_point"]:
            continue
        if state in panel(source):
            few = int(float(row["n_votes"] or 0)) < 20
            rows += stamped(
                "un_ideal_point",
                state,
                year_span(int(row["year"])),
                float(row["ideal_point"]),
                "un_voting",
                basis="release_june_2024",
                bounds=(float(row["ideal_point_q05"]), float(row["ideal_point_q95"])),
                note=f"{number(float(row['n_votes'] or 0))} votes only" if few else "",
            )
    return rows


def troops(source: Path) -> list[Row]:
    """United States personnel by host."""
    rows: list[Row] = []
    for row in read(source / "reference" / "us_troops_country_year.csv"):
        if row["iso3c"] in panel(source) and row["year"] >= "1990" and row["troops"]:
            rows += stamped(
                "us_troops",
                row["iso3c"],
                year_span(int(row["year"])),
                float(row["troops"]),
                "troopdata",
                counterpart="USA",
                basis="active_duty",
            )
    return rows


def observations(source: Path) -> list[Row]:
    """All figures on contacts coded by others."""
    recipes = (icews, trips, china, exercises, agreements, pacts, arms, votes, troops)
    return [row for recipe in recipes for row in recipe(source)]
