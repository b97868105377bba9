"""Neutrality spells and events, bases, memberships, and what must not count as an event."""

from __future__ import annotations

import re
from pathlib import Path

from common import Row, notes, ordered, read, sheet, urls
from places import by_name

SOURCE = "tocsin_outcomes"
LONG = 110
FOUNDED = {
    "CIS": "1991-12-21",
    "EAEU": "2015-01-01",
    "NATO": "1949-04-04",
    "OTS": "2009-10-03",
}
# NAM is Namibia's code
ORGANISATIONS = {"NAM": "NonAligned"}
QUESTIONS = {
    "A broad (revision of the neutrality or ban text)": "revision",
    "A strict (weakening or abolition)": "weakening",
    "B new consented base": "base",
    "any termination of neutrality": "termination",
}


def same(row: Row, *fields: str) -> Row:
    """Columns taken over under their own names."""
    return {field: row[field] for field in fields}


def joined(*parts: str) -> str:
    """Terse note of the parts that fit; the later ones are dropped where it grows long."""
    text = ""
    for part in (p.strip().rstrip(".") for p in parts):
        if part and len(text) + len(part) + 2 <= LONG + 60:
            text = f"{text}; {part}" if text else part
    return text


def spells(source: Path) -> list[Row]:
    """Spells of neutrality, non-alignment or a legal ban on bases."""
    own = notes("neutrality_spells")
    rows = []
    for row in read(source / "reference" / "neutrality_episodes.csv"):
        text = own.get(row["episode_id"]) or joined(row["legal_basis"], row["notes"])
        rows.append(
            {
                "spell_id": row["episode_id"],
                "state": row["iso3"],
                **same(row, "category", "legal_force", "start_date", "start_precision"),
                **same(row, "end_date", "end_precision"),
                "end_mechanism": mechanism(row["end_mechanism"]),
                **same(row, "censor_date", "no_base_clause", "core_neutrality", "core_base_ban"),
                **same(row, "post_soviet", "confidence", "verification", "second_check"),
                "source": SOURCE,
                "urls": urls(row["sources"], row["second_check_source"]),
                "note": text,
            }
        )
    return ordered(rows, ["spell_id"])


def mechanism(text: str) -> str:
    """End mechanism as one word of the schema; open spells have none."""
    return "" if text == "censored" else re.sub(r"[^a-z]+", "_", text.lower())


def events(source: Path) -> list[Row]:
    """Dated legal events inside the spells."""
    own = notes("neutrality_events")
    rows = []
    for row in read(source / "reference" / "neutrality_events.csv"):
        key = f"{row['episode_id']}@{row['event_date']}"
        rows.append(
            {
                "event_id": key,
                "spell_id": row["episode_id"],
                "state": row["iso3"],
                "event_date": row["event_date"],
                "event_precision": row["precision"],
                **same(row, "event_type", "direction"),
                "strict_event": row["strict_A_event"],
                "broad_event": row["broad_A_event"],
                "description": own.get(key) or row["description"],
                **same(row, "verification"),
                "second_check": row["second_check"] or "not_checked",
                "source": SOURCE,
                "urls": urls(row["source"], row["second_check_source"]),
                "note": "contested" if "CONTESTED" in row["second_check_note"] else "",
            }
        )
    return ordered(rows, ["spell_id", "event_date"])


def user_code(code: str) -> str:
    """Code of the manning power; NAT is the alliance in rotation."""
    return "NATO" if code == "NAT" else code


def bases(source: Path) -> list[Row]:
    """Foreign military presences by host, user and site."""
    own = notes("base_episodes")
    rows = []
    for row in read(source / "reference" / "base_episodes.csv"):
        part = re.search(r"\((Abkhazia|South Ossetia|Somaliland)\)", row["host"])
        text = row["notes"].replace("PROPOSED ROW.", "Added at second coding.")
        rows.append(
            {
                "episode_id": row["episode_id"],
                "host": row["host_iso3"],
                "user": user_code(row["user_iso3"]),
                "site": f"{part[1]}: {row['site']}" if part else row["site"],
                **same(row, "base_type", "opening_type", "agreement_date"),
                **same(row, "open_date", "open_precision", "close_date", "close_precision"),
                **same(row, "close_type", "host_consent", "is_base"),
                "new_opening": row["new_opening_event"],
                "new_opening_wide": row["new_opening_event_wide"],
                **same(row, "became_public", "became_public_precision", "campaign"),
                **same(row, "post_soviet_host", "censor_date", "confidence", "verification"),
                **same(row, "second_check"),
                "source": SOURCE,
                "urls": urls(row["sources"], row["second_check_source"]),
                "note": own.get(row["episode_id"]) or text.rstrip("."),
            }
        )
    return ordered(rows, ["episode_id"])


def memberships(source: Path) -> list[Row]:
    """Spells of membership; an entry on the founding day is marked as a founding."""
    rows = []
    for row in read(source / "reference" / "memberships.csv"):
        founder = row["start_date"] == FOUNDED.get(row["org"]) or row["founding"] == "1"
        body = ORGANISATIONS.get(row["org"], row["org"])
        rows.append(
            {
                "membership_id": f"{body}-{row['iso3']}-{row['start_date'][:4]}",
                "organisation": body,
                "state": row["iso3"],
                "status": row["status"],
                "start_date": row["start_date"],
                "start_precision": row["precision"],
                "end_date": row["end_date"],
                "end_precision": "day" if row["end_date"] else "",
                "founding": "1" if founder else "0",
                "verification": row["verification"],
                "second_check": row["second_check"] or "not_checked",
                "source": "tocsin_memberships",
                "urls": urls(row["second_check_source"]),
                "note": joined(row["note"], row["second_check_note"]),
            }
        )
    return ordered(rows, ["organisation", "state", "start_date"])


def near_misses(source: Path) -> list[Row]:
    """Happenings the criteria must not fire on, and three contested events."""
    codes = by_name()
    links = {row["id"]: row["linked"] for row in sheet("near_miss_links")}
    episodes = {row["episode_id"] for row in read(source / "reference" / "base_episodes.csv")}
    rows = []
    for row in read(source / "reference" / "near_misses.csv"):
        full = len(row["date"]) == len("2000-01-01")
        rows.append(
            {
                "id": row["id"],
                "kind": row["kind"],
                "state": codes[row["state"]],
                "date": row["date"] if full else f"{row['date'][:4]}-01-01",
                "date_precision": "day" if full else "year",
                "question": QUESTIONS[row["question_it_must_not_trigger"]],
                "why": row["why"],
                "source": SOURCE,
                "urls": urls(row["source"]),
                "linked": links.get(row["id"], row["id"] if row["id"] in episodes else ""),
            }
        )
    return ordered(rows, ["id"])
