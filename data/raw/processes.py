"""Reform processes, prospective bases, and the aims their proposers stated."""

from __future__ import annotations

from calendar import monthrange
from pathlib import Path

from common import Row, notes, ordered, read, urls
from outcomes import same, user_code

SOURCE = "tocsin_processes"
PUBLIC = ("became_public", "became_public_precision")


def verification(text: str) -> str:
    """Grade of a row; 'inherited' rows rest on the process row's own source, not re-read."""
    return "partly-verified" if text == "inherited" else text


def links(source: Path) -> dict[tuple[str, str], str]:
    """Legal event of a spell by its date, to complete links of rows coded before the event was."""
    rows = read(source / "reference" / "neutrality_events.csv")
    return {
        (row["episode_id"], row["event_date"]): f"{row['episode_id']}@{row['event_date']}"
        for row in rows
    }


def reforms(source: Path) -> list[Row]:
    """Initiatives that touched, or could have touched, a neutrality or base-ban text."""
    own = notes("reform_processes")
    dated = links(source)
    rows = []
    for row in read(source / "chronology" / "reform_processes.csv"):
        late = dated.get((row["episode_at_risk"], row["outcome_date"]), "")
        mention = row["neutrality_mentioned"]
        started = row["started"]
        rows.append(
            {
                "process_id": row["process_id"],
                "state": row["state"],
                "spell_at_risk": row["episode_at_risk"],
                **same(row, "kind", "started"),
                "started_precision": row["started_precision"] if started else "",
                **same(row, *PUBLIC, "draft_public", "draft_precision"),
                **same(row, "ended", "ended_precision", "outcome", "outcome_date"),
                **same(row, "text_changed", "agenda"),
                "neutrality_mentioned": "" if mention == "unknown" else mention,
                "linked_event": row["linked_event"] or late,
                **same(row, "confidence", "verification"),
                "source": SOURCE,
                "urls": urls(row["sources"]),
                "note": own.get(row["process_id"]) or row["note"],
            }
        )
    return ordered(rows, ["process_id"])


def bases(source: Path) -> list[Row]:
    """Foreign bases that were rumoured, offered, negotiated or agreed."""
    own = notes("base_processes")
    rows = []
    for row in read(source / "chronology" / "base_processes.csv"):
        kind, signed = first_stage(row)
        rows.append(
            {
                **same(row, "process_id", "host"),
                "user": user_code(row["user"]),
                "kind": kind,
                "started": row["started"],
                "started_precision": row["precision"],
                **same(row, *PUBLIC),
                "signed": signed,
                "ended": row["ended"],
                "ended_precision": row["outcome_precision"] if row["ended"] else "",
                **same(row, "outcome", "outcome_date", "outcome_precision"),
                **same(row, "opened_as_base", "peak_kind", "end_imputed", "linked_episode"),
                **same(row, "confidence", "verification"),
                "source": SOURCE,
                "urls": urls(row["sources"]),
                "note": own.get(row["process_id"]) or row["note"],
            }
        )
    return ordered(rows, ["process_id"])


def first_stage(row: Row) -> tuple[str, str]:
    """Kind and date of signature, each as it could be read when the process became public.

    The sheet calls some processes "agreement_signed" that were signed only later: their
    first public stage was a negotiation. Where it gives no date, the signature is what
    became public.
    """
    if row["kind"] != "agreement_signed":
        return row["kind"], row["signed"]
    public = interval_end(row["became_public"], row["became_public_precision"])
    if row["signed"] > public:
        return "negotiation", row["signed"]
    return row["kind"], row["signed"] or public


def interval_end(day: str, precision: str) -> str:
    """Last day of the interval that a day of some precision stands for."""
    if precision == "year":
        return f"{day[:4]}-12-31"
    if precision == "month":
        year, month = int(day[:4]), int(day[5:7])
        return f"{day[:8]}{monthrange(year, month)[1]:02d}"
    return day


def statements(source: Path) -> list[Row]:
    """Aim stated by the proposers of a reform; ids ending in S1 are the first statements."""
    own = notes("process_statements")
    rows = []
    for row in read(source / "chronology" / "process_statements.csv"):
        rows.append(
            {
                **same(row, "statement_id", "process_id", "state"),
                **same(row, "statement_date", "statement_precision", "aim", "basis", "who"),
                "first": "1" if row["statement_id"].endswith("-S1") else "0",
                "verification": verification(row["verification"]),
                "source": SOURCE,
                "urls": urls(row["source"]),
                "note": own.get(row["statement_id"]) or row["note"],
            }
        )
    return ordered(rows, ["statement_id"])
