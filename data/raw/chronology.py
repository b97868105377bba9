"""The two hand-coded chronologies, how hard each was searched, and their monthly counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

from common import Observation, Row, day, month_end, notes, ordered, read, sheet, urls
from outcomes import same

BORDER = "tocsin_border"
CONTACTS = "tocsin_contacts"
TONES = {"contacts_cooperative": "1", "contacts_conflictual": "-1"}
Count = tuple[str, str, date, date]  # indicator, counterpart, month, known


def incidents(source: Path) -> list[Row]:
    """Incidents on and near the Turkmen-Afghan border."""
    own = notes("incidents")
    rows = []
    for row in read(source / "chronology" / "border_incidents.csv"):
        rows.append(
            {
                **same(row, "incident_id", "date_start", "date_end"),
                "date_precision": row["precision"],
                **same(row, "class", "type", "country_side", "admin1", "admin2", "border_tier"),
                **same(row, "place", "actor_a", "actor_b", "deaths_low", "deaths_high"),
                **same(row, "turkmen_deaths_low", "turkmen_deaths_high", "claim_status"),
                **same(row, "confidence", "published", "published_precision", "toll_published"),
                "source": BORDER,
                "source_name": row["source_name"],
                "urls": urls(row["source_url"], row["extra_urls"]),
                "note": own.get(row["incident_id"]) or row["note"],
            }
        )
    return ordered(rows, ["incident_id"])


def contacts(source: Path) -> list[Row]:
    """Contacts of Turkmenistan with neighbours, powers and organisations."""
    own = notes("contacts")
    rows = []
    for row in read(source / "chronology" / "diplomatic_contacts.csv"):
        rows.append(
            {
                "contact_id": row["contact_id"],
                "state": "TKM",
                **same(row, "counterpart", "date_start", "date_end"),
                "date_precision": row["precision"],
                **same(row, "level", "kind", "domain", "cooperative", "place", "principals"),
                **same(row, "confidence", "published", "published_precision"),
                "source": CONTACTS,
                "source_name": row["source_name"],
                "urls": urls(row["source_url"]),
                "note": own.get(row["contact_id"]) or row["note"],
            }
        )
    return ordered(rows, ["contact_id"])


def search_effort(source: Path) -> list[Row]:
    """Search effort: look-ups a year for contacts, graded coverage for the border."""
    rows = [
        {"chronology": "border", "coverage_source": "tocsin_border", **row}
        for row in sheet("border_coverage")
    ]
    for row in read(source / "chronology" / "contacts_search_effort.csv"):
        rows.append(
            {
                "chronology": "contacts",
                "counterpart": row["counterpart"],
                "start": f"{row['year']}-01-01",
                "end": f"{row['year']}-12-31",
                "look_ups": row["look_ups"],
                "coverage": "searched" if int(row["look_ups"]) else "none",
                "coverage_source": "tocsin_contacts",
            }
        )
    return [
        {("source" if k == "coverage_source" else k): v for k, v in row.items()}
        for row in ordered(rows, ["chronology", "counterpart", "start"])
    ]


def place_month(row: Row) -> date:
    """Month an incident counts in: its start, or the middle of a window of month precision."""
    start, end = day(row["date_start"]), day(row["date_end"])
    middle = start + (end - start) // 2
    return (start if row["date_precision"] == "day" else middle).replace(day=1)


def border_counts(rows: Iterable[Row]) -> list[Count]:
    """One count an incident; rows dated to a year only fall in no month."""
    return [
        (f"border_incidents_{row['class']}", "AFG", place_month(row), known(row))
        for row in rows
        if row["date_precision"] != "year"
    ]


def contact_counts(rows: Iterable[Row]) -> list[Count]:
    """One count a contact and tone."""
    found = []
    for row in rows:
        if row["date_precision"] == "year":
            continue
        month = day(row["date_start"]).replace(day=1)
        names = ["contacts_total", *(n for n, tone in TONES.items() if tone == row["cooperative"])]
        found += [(name, row["counterpart"], month, known(row)) for name in names]
    return found


def known(row: Row) -> date:
    """Day from which a row can have been known."""
    return max(day(row["published"]), day(row["date_start"]))


def months(start: date, end: date) -> Iterable[date]:
    """First days of the months from start to end."""
    at = start.replace(day=1)
    while at <= end:
        yield at
        at = date(at.year + at.month // 12, at.month % 12 + 1, 1)


def vintages(counts: list[Count], searched: set[tuple[str, str, date]], source: str) -> list[Row]:
    """Cumulative count of each month, one row each time a later report changes it.

    The first row is dated the last day of the month; a month without any report is a zero
    where it was searched and absent elsewhere.
    """
    known_days: dict[tuple[str, str, date], list[date]] = {key: [] for key in searched}
    for indicator, counterpart, month, known_on in counts:
        key = (indicator, counterpart, month)
        known_days.setdefault(key, []).append(max(known_on, month_end(month)))
    rows = []
    for (indicator, counterpart, month), found in sorted(known_days.items()):
        days = set(found)
        if (indicator, counterpart, month) in searched:
            days.add(month_end(month))
        rows += [
            Observation(
                indicator=indicator,
                state="TKM",
                counterpart=counterpart,
                start=month,
                end=month_end(month),
                frequency="M",
                basis="coded_reports",
                value=sum(1 for one in found if one <= published),
                unit="incidents" if indicator.startswith("border") else "contacts",
                published=published,
                rule="dated",
                source=source,
            ).row()
            for published in sorted(days)
        ]
    return rows


def searched_months(
    effort: Iterable[Row], chronology: str, good: Callable[[Row], bool], names: Iterable[str]
) -> set[tuple[str, str, date]]:
    """Months in which a zero is a finding, by indicator and counterpart."""
    return {
        (name, row["counterpart"], month)
        for row in effort
        if row["chronology"] == chronology and good(row)
        for month in months(day(row["start"]), day(row["end"]))
        for name in names
    }


def monthly(source: Path) -> list[Row]:
    """Monthly counts of both chronologies as observations."""
    effort = search_effort(source)
    classes = [f"border_incidents_{c}" for c in ("cross_border", "border_district", "posture")]
    border = searched_months(effort, "border", lambda r: r["coverage"] == "good", classes)
    tones = ["contacts_total", *TONES]
    asked = searched_months(
        effort,
        "contacts",
        lambda r: r["coverage"] == "searched" and r["counterpart"] not in {"OTHER", "MULTI"},
        tones,
    )
    return vintages(border_counts(incidents(source)), border, BORDER) + vintages(
        contact_counts(contacts(source)), asked, CONTACTS
    )
