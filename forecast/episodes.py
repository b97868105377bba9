"""From rows of an outcome table to events: dated, marked, each counted once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.criteria import Criteria
from forecast.definitions import EventSpec, Question
from indicators.masks import known_date
from indicators.vintages import Snapshot

__all__ = [
    "EVENT_COLUMNS",
    "ceil_month",
    "events_of",
    "floor_month",
    "month_start",
    "of_spells",
    "presences",
    "records",
    "verified",
]

EVENT_COLUMNS = (
    "event_id",
    "state",
    "slot",
    "power",
    "date",
    "month",
    "known",
    "mark",
    "campaign",
    "instrument",
    "reason",
)
Months = npt.NDArray[np.int64]
_OPEN = pd.Timestamp("2262-01-01")


def floor_month(dates: Any) -> Months:
    """Return the month of each date, counted from January 1970.

    Parameters
    ----------
    dates : Series, sequence or one Timestamp
        Dates, none missing.
    """
    days = np.atleast_1d(np.asarray(dates, dtype="datetime64[D]"))
    return days.astype("datetime64[M]").astype(np.int64)


def ceil_month(dates: Any) -> Months:
    """Return the first month whose first day is not before each date.

    Parameters
    ----------
    dates : Series, sequence or one Timestamp
        Dates, none missing.
    """
    days = np.atleast_1d(np.asarray(dates, dtype="datetime64[D]"))
    month = days.astype("datetime64[M]")
    return month.astype(np.int64) + (days > month.astype("datetime64[D]"))


def month_start(months: Any) -> pd.DatetimeIndex:
    """Return the first day of months counted from January 1970."""
    return pd.DatetimeIndex(np.asarray(months, np.int64).astype("datetime64[M]")).as_unit("us")


def records(frame: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows of a frame as named tuples."""
    yield from frame.itertuples(index=False)


def verified(frame: pd.DataFrame, grades: Sequence[str]) -> pd.Series[bool]:
    """Mark the rows that one coder read in a source, or a second coder confirmed.

    Parameters
    ----------
    frame : DataFrame
        A coded table.
    grades : sequence of str
        Grades of ``verification`` or ``second_check`` that are good enough.
    """
    out = pd.Series(False, index=frame.index)
    for column in ("verification", "second_check"):
        if column in frame.columns:
            out |= frame[column].isin(grades)
    return out


def presences(
    question: Question, snapshot: Snapshot, *, exclude: Collection[str] = ()
) -> pd.DataFrame:
    """Return the spells that put a state at risk, or rule a new event out.

    Parameters
    ----------
    question : Question
        Its `risk` names table, columns and conditions.
    snapshot : Snapshot
        What was known.
    exclude : collection of str
        Ids to leave out.

    Returns
    -------
    DataFrame
        ``id, state, slot, start, stop``: ends of the intervals of start and end; ``stop`` is
        missing while nothing is known of an end.
    """
    risk = question.risk
    table = risk.where.select(snapshot.table(risk.table))
    out = pd.DataFrame(
        {
            "id": table[risk.id],
            "state": table[risk.state],
            "slot": risk.slot_of(table[risk.slot]) if risk.slot else "",
            "start": known_date(table, risk.start, risk.start_precision or None),
            "stop": known_date(table, risk.end, risk.end_precision or None) if risk.end else pd.NaT,
        }
    )
    out = out[out["slot"].isin(risk.slots) & ~out["id"].isin(list(exclude))]
    return out.sort_values(["state", "slot", "start", "id"], ignore_index=True)


def of_spells(
    question: Question, events: pd.DataFrame, spells: pd.DataFrame, *, known: Collection[str]
) -> pd.Series[bool]:
    """Mark the events that belong to spells of a status.

    An event whose instrument is the id of a spell belongs to that one. Any other belongs to a
    spell of its state and slot that was in force on the first day of the event's month, as a
    month is at risk.

    Parameters
    ----------
    question : Question
        One whose units are at risk while a spell is in force.
    events : DataFrame
        As `events_of` returns them.
    spells : DataFrame
        Some of what `presences` returned.
    known : collection of str
        Ids of all rows of the table of spells.
    """
    ids = set(spells["id"])
    start, stop = ceil_month(spells["start"]), floor_month(spells["stop"].fillna(_OPEN))
    out = []
    for row, named in zip(records(events), _named(question, events, known), strict=True):
        month = int(floor_month(row.date)[0])
        own = (spells["state"] == row.state) & (spells["slot"] == row.slot)
        there = bool((own & (start <= month) & (month <= stop)).any())
        out.append(row.instrument in ids if named else there)
    return pd.Series(out, index=events.index, dtype=bool)


def _named(
    question: Question, events: pd.DataFrame, known: Collection[str]
) -> npt.NDArray[np.bool_]:
    """Events whose instrument is a row of the table of spells."""
    named = events["instrument"].isin(list(known)).to_numpy(bool)
    return np.asarray(named & (question.event.instrument != ""))


def events_of(
    question: Question,
    snapshot: Snapshot,
    *,
    where: Criteria | None = None,
    spec: EventSpec | None = None,
    sites: bool | None = None,
    verified_only: bool = False,
    exclude: Collection[str] = (),
) -> pd.DataFrame:
    """Return the events of a question as known at a date.

    Events at most 30 days apart in one instrument, and those of one campaign, host and power,
    count once: the first. An opening by a power that has a base in the host already is no event
    of a host-power pair at risk.

    Parameters
    ----------
    question : Question
        What counts.
    snapshot : Snapshot
        What was known.
    where : Criteria, optional
        Another definition of the event in the same table.
    spec : EventSpec, optional
        Another table and definition (that of the parent question).
    sites : bool, optional
        True: each new site counts, whoever is there already.
    verified_only : bool
        Leave out what neither coder found in a source.
    exclude : collection of str
        Ids of contested events to leave out.

    Returns
    -------
    DataFrame
        Columns `EVENT_COLUMNS`, sorted by date, state, slot and id. ``date`` is the end of the
        interval the date stands for and ``month`` its month; ``known`` is when it was public;
        ``reason`` says why a row does not count, '' where it does.
    """
    spec = spec or question.event
    table = snapshot.table(spec.table)
    table = (where or spec.where).select(table)
    table = table[~table[spec.id].isin(list(exclude))]
    if verified_only:
        table = table[verified(table, spec.verified)]
    out = _frame(question, spec, table)
    out = out[out["slot"].isin(question.slots) & out["date"].notna()]
    out = out.sort_values(["date", "state", "slot", "event_id"], ignore_index=True)
    out["reason"] = _repeats(out, spec)
    if not sites:
        spells = presences(question, snapshot, exclude=exclude)
        if question.risk.while_in_force:
            why = _of_no_spell(question, snapshot, out, spells)
        else:
            why = _already_there(question, out, spells)
        out["reason"] = out["reason"].where(out["reason"] != "", why)
    return out


def _frame(question: Question, spec: EventSpec, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of an outcome table under the names of events."""
    date, known = spec.dates(table)
    power = table[spec.slot].astype(object) if spec.slot else pd.Series("", index=table.index)
    slot = question.risk.slot_of(power) if spec.slot else power
    frame = pd.DataFrame(
        {
            "event_id": table[spec.id].astype(object),
            "state": table[spec.state].astype(object),
            "slot": slot.astype(object),
            "power": power,
            "date": date,
            "month": date.dt.to_period("M").dt.start_time.astype("datetime64[us]"),
            "known": known,
            "mark": _marks(question, table, slot),
            "campaign": table[spec.campaign].astype(object).fillna("") if spec.campaign else "",
            "instrument": table[spec.instrument].astype(object) if spec.instrument else power,
            "reason": "",
        },
        columns=list(EVENT_COLUMNS),
    )
    frame.loc[frame["campaign"].isin(spec.no_campaign), "campaign"] = ""
    return frame


def _marks(question: Question, table: pd.DataFrame, slot: pd.Series[Any]) -> pd.Series[Any]:
    """Mark of each row: that of the first rule that holds, else the default or the slot."""
    marks = question.marks
    if question.slots != ("",):
        return slot.astype(object)
    out = pd.Series(marks.default, index=table.index, dtype=object)
    for name, rule in reversed((*marks.aside, *marks.rules)):
        out[rule.mask(table)] = name
    return out


def _repeats(events: pd.DataFrame, spec: EventSpec) -> list[str]:
    """For each event, in order of date, the earlier one it is a repetition of."""
    last: dict[tuple[str, ...], tuple[pd.Timestamp, str]] = {}
    out = []
    for row in records(events):
        same = ("instrument", str(row.state), str(row.instrument))
        wave = ("campaign", str(row.state), str(row.power), str(row.campaign))
        reason = ""
        if same in last and (row.date - last[same][0]).days <= spec.merge_days:
            reason = f"counted with {last[same][1]}: same instrument"
        elif row.campaign and wave in last:
            reason = f"counted with {last[wave][1]}: same campaign and power"
        if not reason:
            last[same] = last[wave] = (row.date, str(row.event_id))
        out.append(reason)
    return out


def _of_no_spell(
    question: Question, snapshot: Snapshot, events: pd.DataFrame, spells: pd.DataFrame
) -> pd.Series[Any]:
    """For each event, whether its instrument is a spell that puts nobody at risk."""
    known = snapshot.table(question.risk.table)[question.risk.id]
    lost = _named(question, events, known) & ~events["instrument"].isin(spells["id"])
    reason = pd.Series("", index=events.index, dtype=object)
    return reason.where(~lost, "its instrument puts nobody at risk: " + events["instrument"])


def _already_there(
    question: Question, events: pd.DataFrame, spells: pd.DataFrame
) -> pd.Series[Any]:
    """For each event, a presence of the same power that began in an earlier month."""
    reason = pd.Series("", index=events.index, dtype=object)
    if events.empty or spells.empty:
        return reason
    start = floor_month(spells["start"])
    stop = floor_month(spells["stop"].fillna(_OPEN))
    for i, row in enumerate(records(events)):
        if row.slot in question.risk.free:
            continue
        month = int(floor_month(row.date)[0])
        there = (spells["state"] == row.state) & (spells["slot"] == row.slot)
        there &= (start < month) & (month <= stop) & (spells["id"] != row.event_id)
        if there.any():
            reason.iloc[i] = f"{row.slot} was there already: {spells.loc[there, 'id'].iloc[0]}"
    return reason
