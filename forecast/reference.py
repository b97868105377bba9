"""Reference classes: events and exposure of sets that were registered before anybody looked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import pandas as pd

from forecast.criteria import Criteria
from forecast.definitions import Question, ReferenceClass
from forecast.episodes import events_of, of_spells, presences, records
from indicators.vintages import Snapshot

__all__ = ["DAYS_A_YEAR", "Interval", "reference_classes", "union_days"]

DAYS_A_YEAR = 365.25
Interval = tuple[pd.Timestamp, pd.Timestamp]
_BEFORE, _OPEN = pd.Timestamp("1700-01-01"), pd.Timestamp("2262-01-01")
_DAY = pd.Timedelta(days=1)


def union_days(intervals: Iterable[Interval]) -> int:
    """Return the days covered by any of several intervals.

    Parameters
    ----------
    intervals : iterable of (Timestamp, Timestamp)
        First day, and the day after the last.
    """
    total, reached = 0, pd.Timestamp.min
    for start, stop in sorted(intervals):
        begin = max(start, reached)
        if stop > begin:
            total += (stop - begin).days
            reached = stop
    return total


def reference_classes(
    question: Question,
    snapshot: Snapshot,
    *,
    state: str | None = None,
    exclude: Collection[str] = (),
) -> pd.DataFrame:
    """Return events and exposure of every registered class, as known at a date.

    Parameters
    ----------
    question : Question
        Its classes stand in its TOML file, the default first.
    snapshot : Snapshot
        What was known.
    state : str, optional
        The state asked about; classes that are defined by it are left out without it.
    exclude : collection of str
        Ids of contested events to leave out; a presence that is one no longer ends exposure.

    Returns
    -------
    DataFrame
        ``class_id, label, events, exposure_years, counted``: exposure in state-years to the day,
        from the start of the class's window to the earlier of its end, the as-of date and the
        end of the coded outcomes (overlapping spells of one state count once); ``counted`` names
        the events. Classes without exposure are left out.
    """
    rows = []
    for item in question.reference_classes:
        if item.drop_focal and state is None:
            continue
        slots = _slots(question, item, state)
        window = _window(question, snapshot, item)
        exposed = _exposed(question, snapshot, item, slots=slots, state=state, exclude=exclude)
        days = sum(union_days(_clip(spans, window)) for spans in exposed.values())
        found = _events(question, snapshot, item, slots=slots, exclude=exclude)
        found = found[found["state"].isin(list(exposed))]
        found = found[(found["date"] >= window[0]) & (found["date"] < window[1])]
        if days > 0:
            ids = tuple(found["event_id"].astype(str))
            rows.append((item.id, item.label, len(ids), days / DAYS_A_YEAR, ids))
    names = ["class_id", "label", "events", "exposure_years", "counted"]
    return pd.DataFrame(rows, columns=names)


def _window(question: Question, snapshot: Snapshot, item: ReferenceClass) -> Interval:
    """First day of a class, and the day after its last."""
    start = question.window_start if item.start is None else item.start
    last = min(snapshot.as_of, question.feed.censor)
    return start, (last if item.end is None else min(last, item.end)) + _DAY


def _clip(spans: Sequence[Interval], window: Interval) -> list[Interval]:
    return [(max(start, window[0]), min(stop, window[1])) for start, stop in spans]


def _slots(question: Question, item: ReferenceClass, state: str | None) -> tuple[str, ...]:
    """Slots that a class counts."""
    slots = item.slots or question.slots
    if not item.same_slots or state is None:
        return slots
    primary = question.risk.sets["primary"]
    own = tuple(slot for slot in slots if state in primary.states(slot))
    return own or slots


def _events(
    question: Question,
    snapshot: Snapshot,
    item: ReferenceClass,
    *,
    slots: Sequence[str],
    exclude: Collection[str],
) -> pd.DataFrame:
    """Events that a class counts, before its states and window are applied."""
    found = events_of(question, snapshot, where=item.events, sites=item.sites, exclude=exclude)
    found = found[(found["reason"] == "") & found["slot"].isin(slots)]
    if question.risk.while_in_force:
        ids = _spells(question, snapshot, item.where, exclude)[question.risk.id]
        spells = presences(question, snapshot, exclude=exclude)
        spells = spells[spells["id"].isin(ids)]
        known = snapshot.table(question.risk.table)[question.risk.id]
        found = found[of_spells(question, found, spells, known=known)]
    return found


def _spells(
    question: Question, snapshot: Snapshot, where: Criteria, exclude: Collection[str]
) -> pd.DataFrame:
    """Spells of a class: those of the risk set, narrowed by its own conditions."""
    table = question.risk.where.select(snapshot.table(question.risk.table))
    table = table[~table[question.risk.id].isin(list(exclude))]
    return where.select(table)


def _exposed(
    question: Question,
    snapshot: Snapshot,
    item: ReferenceClass,
    *,
    slots: Sequence[str],
    state: str | None,
    exclude: Collection[str],
) -> Mapping[str, list[Interval]]:
    """Intervals at risk of each state of a class, in any of its slots."""
    risk = question.risk
    where = item.where if risk.while_in_force else Criteria()
    table = _spells(question, snapshot, where, exclude)
    spans: dict[str, dict[str, list[Interval]]] = {}
    ends = table[risk.end].fillna(_OPEN) if risk.end else pd.Series(_OPEN, index=table.index)
    keys = risk.slot_of(table[risk.slot]) if risk.slot else pd.Series("", index=table.index)
    frame = pd.DataFrame({"s": table[risk.state], "k": keys, "a": table[risk.start], "z": ends})
    for row in records(frame):
        spans.setdefault(str(row.s), {}).setdefault(str(row.k), []).append((row.a, row.z))
    if risk.while_in_force:
        out = _inside(question, spans, slots)
    else:
        out = _outside(question, spans, slots, states=item.states)
    skip = state if item.drop_focal else None
    return {
        s: v for s, v in sorted(out.items()) if s != skip and (not item.states or s in item.states)
    }


def _inside(
    question: Question, spans: Mapping[str, Mapping[str, list[Interval]]], slots: Sequence[str]
) -> dict[str, list[Interval]]:
    """Return each state's time in spells of the slots for which it is eligible."""
    primary = question.risk.sets["primary"]
    out: dict[str, list[Interval]] = {}
    for state, parts in spans.items():
        for slot, intervals in parts.items():
            if slot not in slots or (primary.eligible and state not in primary.states(slot)):
                continue
            born = _born(question, state, slot)
            out.setdefault(state, []).extend((max(a, born), z) for a, z in intervals)
    return out


def _born(question: Question, state: str, slot: str) -> pd.Timestamp:
    """First day on which both a state and a slot existed."""
    since = question.risk.since
    known = [since[name] for name in (state, slot) if name in since]
    return max(known, default=_BEFORE)


def _outside(
    question: Question,
    spans: Mapping[str, Mapping[str, list[Interval]]],
    slots: Sequence[str],
    *,
    states: Sequence[str],
) -> dict[str, list[Interval]]:
    """Return what is left of each eligible state's time once presences are taken out."""
    risk = question.risk
    primary = risk.sets["primary"]
    out: dict[str, list[Interval]] = {}
    for slot in slots:
        for state in primary.states(slot):
            if states and state not in states:
                continue
            born = _born(question, state, slot)
            there = [] if slot in risk.free else spans.get(state, {}).get(slot, [])
            out.setdefault(state, []).extend(_gaps(born, there))
    return out


def _gaps(born: pd.Timestamp, there: Sequence[Interval]) -> list[Interval]:
    """Time since `born` that no interval covers."""
    out, reached = [], born
    for start, stop in sorted(there):
        if start > reached:
            out.append((reached, start))
        reached = max(reached, stop)
    if reached < _OPEN:
        out.append((reached, _OPEN))
    return out
