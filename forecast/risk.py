"""Who could have had the event in which month, and who had it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.bounds import ALL, Bound, weights
from forecast.definitions import Question
from forecast.episodes import ceil_month, events_of, floor_month, month_start, presences
from forecast.stages import Ends, StageGrid, processes_of, public_ahead, stage_grid
from indicators.errors import UnknownNameError
from indicators.vintages import Snapshot

__all__ = ["RiskSet", "risk_set"]

_DAY = pd.Timedelta(days=1)
_OPEN = pd.Timestamp("2262-01-01")
_NO_LIMIT = 10**9
Unit = tuple[str, str]


@dataclass(frozen=True, eq=False)
class RiskSet:
    """Unit-months at risk of one question, as known at one date.

    Attributes
    ----------
    question : str
        Id of the question.
    as_of, censor : Timestamp
        When this was known, and where the coded outcomes end.
    strict : bool
        Vintages of the snapshot (outcomes are the same either way).
    slots : tuple of str
        Powers or organisations, ('',) where there are none.
    rows : DataFrame
        One row a unit and month at risk, ordered by state, slot and month: ``state, slot,
        region, month, stage, stage_age, event, had_before, gap, sign_live, sign_late, aim,
        weight``. Stage, age, recurrence and aim are those visible on the first day of the month;
        event and signs are what then happened in it; the weight is 1 unless a bound says
        otherwise (`forecast.bounds.weights`).
    events : DataFrame
        The events in `rows`: ``event_id, state, slot, date, month, known, mark, campaign, stage,
        aim, power, contested``, with stage and aim as visible on the first day of their month.
    origin : DataFrame
        One row a unit at risk on the first day of the month of `as_of`, columns of `rows`
        without event and signs.
    ends : (int, int)
        Units that left the risk set by another cause than the event, and months at risk.
    set_aside : DataFrame
        Known rows that are no event here: ``event_id, state, slot, date, mark, reason``.
    """

    question: str
    as_of: pd.Timestamp
    censor: pd.Timestamp
    strict: bool
    slots: tuple[str, ...]
    rows: pd.DataFrame = field(repr=False)
    events: pd.DataFrame = field(repr=False)
    origin: pd.DataFrame = field(repr=False)
    ends: tuple[int, int]
    set_aside: pd.DataFrame = field(repr=False)


def risk_set(
    question: Question,
    snapshot: Snapshot,
    *,
    states: Sequence[str] | str | None = None,
    processes: bool = True,
    ends: Ends = "silence",
    verified_only: bool = False,
    sites: bool = False,
    exclude: Collection[str] = (),
    bound: Bound = ALL,
) -> RiskSet:
    """Build the risk set of a question from what was known at a date.

    Parameters
    ----------
    question : Question
        What is asked.
    snapshot : Snapshot
        The only source of events, spells and processes.
    states : sequence of str or str, optional
        States to keep, or the name of a set registered with the question; its primary set by
        default.
    processes : bool
        False: as if no process had been coded (stage 0 throughout, no signs).
    ends : {'silence', 'coded'}
        When a process is over; see `forecast.stages.stage_grid`.
    verified_only : bool
        Leave out events and processes that neither coder found in a source.
    sites : bool
        Count each new base, also of a power that is there already; every pair is then always at
        risk.
    exclude : collection of str
        Ids of contested events to leave out.
    bound : Bound
        How the coded rows are read, see `forecast.bounds`. Its states are those kept unless
        others are asked for.

    Returns
    -------
    RiskSet
        Months run from the start of the question's window to the last one that was over, and
        coded, at the as-of date.

    Raises
    ------
    UnknownNameError
        There is no set, or no eligible state, of that name.
    BoundError
        The bound leaves no month without a process.
    """
    states = (bound.states or None) if states is None else states
    frame = _Frame.of(question, snapshot, states=states, sites=sites, exclude=exclude)
    known = events_of(
        question,
        snapshot,
        sites=sites,
        verified_only=verified_only or bound.verified_events,
        exclude=exclude,
    )
    known = known[frame.holds(known)]
    bound = replace(
        bound,
        processes=processes and bound.processes,
        verified_processes=verified_only or bound.verified_processes,
    )
    stages = _stages(question, snapshot, frame, ends=ends, bound=bound, exclude=exclude)
    columns = _columns(frame, known, stages)
    counted, missed = _place(frame, known)
    columns["event"][frame.locate(counted)] = 1
    rows = _flat(frame, columns, frame.at_risk & frame.trained, region=_regions(snapshot))
    searched = question.process.searched if question.process is not None else ()
    rows["weight"] = weights(rows, missing=bound.missing, visible=bound.visible, searched=searched)
    origin = _flat(frame, columns, frame.at_origin, region=_regions(snapshot))
    counted = _dressed(question, counted, frame, stages)
    left = _left(frame, columns["event"])
    return RiskSet(
        question.id,
        snapshot.as_of,
        question.feed.censor,
        snapshot.strict,
        question.slots,
        rows,
        counted,
        origin.drop(columns=["event", "sign_live", "sign_late"]),
        (left, len(rows)),
        _aside(question, snapshot, frame, missed, exclude),
    )


@dataclass(frozen=True)
class _Frame:
    """Units by months, before anything happens in them."""

    units: tuple[Unit, ...]
    index: dict[Unit, int]
    first: int
    stop: int
    last: int
    at_risk: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        question: Question,
        snapshot: Snapshot,
        *,
        states: Sequence[str] | str | None,
        sites: bool,
        exclude: Collection[str],
    ) -> _Frame:
        """Lay out the units and mark where they are at risk."""
        spells = presences(question, snapshot, exclude=exclude)
        units = _units(question, spells, states)
        end = min(snapshot.as_of, question.feed.censor) + _DAY
        stop = int(floor_month(end)[0])  # first month that was not over
        last = int(floor_month(snapshot.as_of)[0])
        first = min(int(ceil_month(question.window_start)[0]), last)
        index = {unit: i for i, unit in enumerate(units)}
        shape = (len(units), last - first + 1)
        while_in_force = question.risk.while_in_force
        at_risk = np.full(shape, not while_in_force)
        if not sites:
            spells = spells[~spells["slot"].isin(question.risk.free)]
            # a status puts at risk from the first day it is in force, a presence rules out from
            # the month after it began: that month is the one of the event itself
            start = (
                ceil_month(spells["start"]) if while_in_force else floor_month(spells["start"]) + 1
            )
            ends = floor_month(spells["stop"].fillna(_OPEN)) + 1
            for i, unit in enumerate(zip(spells["state"], spells["slot"], strict=True)):
                if unit in index:
                    span = slice(max(int(start[i]) - first, 0), max(int(ends[i]) - first, 0))
                    at_risk[index[unit], span] = while_in_force
        for unit, i in index.items():
            at_risk[i, : max(_born(question, unit) - first, 0)] = False
        return cls(units, index, first, stop, last, at_risk)

    @property
    def months(self) -> pd.DatetimeIndex:
        """First days of all months, the origin last."""
        return month_start(np.arange(self.first, self.last + 1))

    @property
    def trained(self) -> npt.NDArray[np.bool_]:
        """Months that were over and coded."""
        return np.arange(self.first, self.last + 1)[None, :] < self.stop

    @property
    def at_origin(self) -> npt.NDArray[np.bool_]:
        """Units at risk in the last column."""
        out = np.zeros_like(self.at_risk)
        out[:, -1] = self.at_risk[:, -1]
        return out

    def holds(self, events: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Mark the events of units that are laid out here."""
        keys = zip(events["state"], events["slot"], strict=True)
        return np.array([unit in self.index for unit in keys], bool)

    def locate(self, events: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Row and column of each event."""
        rows = [self.index[u] for u in zip(events["state"], events["slot"], strict=True)]
        return np.array(rows, np.int64), floor_month(events["date"]) - self.first


def _units(
    question: Question, spells: pd.DataFrame, states: Sequence[str] | str | None
) -> tuple[Unit, ...]:
    """State-slot pairs in order; those of a named set, or of the states listed."""
    sets = question.risk.sets
    name = states if isinstance(states, str) and states in sets else "primary"
    chosen = sets[name]
    if question.risk.while_in_force and not chosen.eligible:
        pairs = set(zip(spells["state"].astype(str), spells["slot"].astype(str), strict=True))
    else:
        pairs = {(state, slot) for slot in question.slots for state in chosen.states(slot)}
    if states is None or name == states:
        return tuple(sorted(pairs))
    wanted = {states} if isinstance(states, str) else set(states)
    wider = {(s, slot) for slot in question.slots for c in sets.values() for s in c.states(slot)}
    kept = tuple(sorted(unit for unit in pairs | wider if unit[0] in wanted))
    if isinstance(states, str) and not kept:
        raise UnknownNameError("set of states", states, sets)
    return kept


def _born(question: Question, unit: Unit) -> int:
    """First month in which both the state and the slot existed on its first day."""
    days = [question.risk.since[name] for name in unit if name in question.risk.since]
    return int(max(ceil_month(day)[0] for day in days)) if days else -_NO_LIMIT


def _stages(
    question: Question,
    snapshot: Snapshot,
    frame: _Frame,
    *,
    ends: Ends,
    bound: Bound,
    exclude: Collection[str],
) -> StageGrid:
    found = processes_of(question, snapshot, verified_only=bound.verified_processes)
    over = events_of(question, snapshot, spec=question.cleared_by, sites=True, exclude=exclude)
    if bound.lead_days is not None:
        found = public_ahead(found, over, days=bound.lead_days)
    expiry = question.process.expiry_months if question.process is not None else 0
    return stage_grid(
        found if bound.processes else found.iloc[:0],
        over,
        units=frame.index,
        first=frame.first,
        last=frame.last,
        expiry=expiry,
        ends=ends,
    )


def _columns(frame: _Frame, known: pd.DataFrame, stages: StageGrid) -> dict[str, npt.NDArray[Any]]:
    """All columns of the rows as units-by-months arrays."""
    shape = frame.at_risk.shape
    last = np.full(shape, -_NO_LIMIT, np.int64)
    where = floor_month(known["date"])
    seen = np.maximum(ceil_month(known["known"]), where + 1) - frame.first
    for unit, month, since in zip(
        zip(known["state"], known["slot"], strict=True), where, seen, strict=True
    ):
        row = last[frame.index[unit], max(int(since), 0) :]
        np.maximum(row, int(month), out=row)
    had = last > -_NO_LIMIT
    gap = np.where(had, np.arange(frame.first, frame.last + 1) - last, 0)
    return {
        "stage": stages.stage.astype(np.int64),
        "stage_age": stages.age,
        "event": np.zeros(shape, np.int64),
        "had_before": had.astype(np.int64),
        "gap": gap,
        "sign_live": stages.sign_live.astype(np.int64),
        "sign_late": stages.sign_late.astype(np.int64),
        "aim": stages.aim,
    }


def _place(frame: _Frame, known: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split events into those that fall in a month at risk and those set aside, with a reason."""
    month = floor_month(known["date"]) - frame.first
    inside = (month >= 0) & (month + frame.first < frame.stop)
    at = np.clip(month, 0, frame.last - frame.first)
    unit = [frame.index[u] for u in zip(known["state"], known["slot"], strict=True)]
    risky = frame.at_risk[np.array(unit, np.int64), at]
    reason = known["reason"].to_numpy(object)
    reason = np.where((reason == "") & ~inside, "outside the months of the risk set", reason)
    reason = np.where((reason == "") & ~risky, "not at risk on the first day of the month", reason)
    out = known.assign(reason=reason)
    return out[out["reason"] == ""], out[out["reason"] != ""]


def _flat(
    frame: _Frame,
    columns: dict[str, npt.NDArray[Any]],
    chosen: npt.NDArray[np.bool_],
    *,
    region: dict[str, str],
) -> pd.DataFrame:
    """Rows of the chosen cells in order of state, slot and month."""
    unit, month = np.nonzero(chosen)
    state = np.array([u[0] for u in frame.units], dtype=object)
    slot = np.array([u[1] for u in frame.units], dtype=object)
    area = np.array([region.get(u[0], "") for u in frame.units], dtype=object)
    return pd.DataFrame(
        {
            "state": state[unit] if len(state) else [],
            "slot": slot[unit] if len(slot) else [],
            "region": area[unit] if len(area) else [],
            "month": frame.months[month],
            **{name: values[unit, month] for name, values in columns.items()},
        }
    )


def _regions(snapshot: Snapshot) -> dict[str, str]:
    states = snapshot.table("states")
    return dict(
        zip(states["state"].astype(str), states["region"].fillna("").astype(str), strict=True)
    )


def _dressed(
    question: Question, events: pd.DataFrame, frame: _Frame, stages: StageGrid
) -> pd.DataFrame:
    """Events with the stage and aim that were visible before them."""
    unit, month = frame.locate(events)
    out = events.assign(
        stage=stages.stage[unit, month].astype(np.int64),
        aim=stages.aim[unit, month],
        contested=events["event_id"].isin(question.contested).astype(np.int64),
    )
    names = ("event_id", "state", "slot", "date", "month", "known", "mark", "campaign")
    return out[[*names, "stage", "aim", "power", "contested"]].reset_index(drop=True)


def _left(frame: _Frame, event: npt.NDArray[np.int64]) -> int:
    """Count units whose time at risk ended within the coded months, but not by the event."""
    risky = frame.at_risk & frame.trained
    over = risky[:, :-1] & ~frame.at_risk[:, 1:] & (event[:, :-1] == 0)
    return int(over.sum())


def _aside(
    question: Question,
    snapshot: Snapshot,
    frame: _Frame,
    missed: pd.DataFrame,
    exclude: Collection[str],
) -> pd.DataFrame:
    """Known rows that are no event here, and why."""
    names = ["event_id", "state", "slot", "date", "mark", "reason"]
    parts = [missed[names]]
    for mark, rule in question.marks.aside:
        rows = events_of(question, snapshot, where=rule, sites=True, exclude=exclude)
        parts.append(
            rows[frame.holds(rows)].assign(mark=mark, reason="a mark of its own, no event")[names]
        )
    out = pd.concat([p for p in parts if len(p)] or parts[:1])
    return out.sort_values(["date", "event_id"], ignore_index=True)
