"""What a question is: its event, who is at risk, what was thought beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from forecast.criteria import Criteria
from forecast.priors import Priors
from indicators.errors import DataError, Failure
from indicators.masks import known_date

__all__ = [
    "EventSpec",
    "Feed",
    "MarkSpec",
    "Priors",
    "ProcessSpec",
    "Question",
    "ReferenceClass",
    "RiskSpec",
    "StateSet",
]


@dataclass(frozen=True, slots=True)
class EventSpec:
    """Where the events of a question are found and how they are told apart.

    Parameters
    ----------
    table : str
        Outcome table.
    where : Criteria
        Which of its rows are events.
    id, state, date, precision : str
        Columns: key, state, date of the onset and precision of that date.
    slot : str
        Column that names the power or organisation, '' for none.
    public, public_precision : str
        Columns that say when the event became public, '' where it was public at once.
    instrument : str
        Column within which events at most `merge_days` apart count once. Where it holds the id
        of a spell at risk, the event belongs to that spell; otherwise, or where it is '', to the
        one in force when the event's month began (`forecast.episodes.of_spells`).
    merge_days : int
        See `instrument`.
    campaign : str
        Column of campaigns: one campaign, state and power count once; '' for none.
    no_campaign : tuple of str
        Values of `campaign` that stand for "part of no campaign".
    verified : tuple of str
        Grades of `verification` and `second_check` kept by "verified only".
    """

    table: str
    where: Criteria
    id: str
    state: str
    date: str
    precision: str
    slot: str = ""
    public: str = ""
    public_precision: str = ""
    instrument: str = ""
    merge_days: int = 30
    campaign: str = ""
    no_campaign: tuple[str, ...] = ()
    verified: tuple[str, ...] = (
        "verified-stored-page",
        "partly-verified",
        "confirmed",
        "corrected",
    )

    def dates(self, table: pd.DataFrame) -> tuple[pd.Series[Any], pd.Series[Any]]:
        """Return the onset (end of its interval) and the date from which each row counts as known.

        Parameters
        ----------
        table : DataFrame
            Rows of the outcome table.

        Returns
        -------
        tuple of Series of datetime64
            Onset, and known: an event that was public in advance is known when it happens.
        """
        onset = known_date(table, self.date, self.precision)
        if not self.public:
            return onset, onset
        public = known_date(table, self.public, self.public_precision)
        return onset, public.where(public > onset, onset)


@dataclass(frozen=True, slots=True)
class Feed:
    """The coded outcomes behind a question.

    Parameters
    ----------
    open : bool
        False: nobody codes outcomes after `censor` any more.
    censor : Timestamp
        Last day that was coded, included.
    """

    open: bool
    censor: pd.Timestamp


@dataclass(frozen=True, slots=True)
class StateSet:
    """States a question may be asked of.

    Parameters
    ----------
    label : str
        What the set is, "selected" where its members were chosen for having events.
    eligible : mapping of str to tuple of str
        States by slot; '' stands for every slot. Empty: whoever has a spell in force.
    complete : bool
        Whether its list of events aims at being complete.
    """

    label: str
    eligible: Mapping[str, tuple[str, ...]]
    complete: bool

    def states(self, slot: str) -> tuple[str, ...]:
        """Return the states eligible for one slot."""
        return self.eligible.get(slot, self.eligible.get("", ()))


@dataclass(frozen=True, slots=True)
class RiskSpec:
    """Who could have the event, and when.

    Parameters
    ----------
    table : str
        Table of spells: of the status at risk, or of the presence that rules an event out.
    while_in_force : bool
        True: at risk while a spell is in force. False: at risk unless one is.
    where : Criteria
        Which rows of the table are such spells.
    id, state, slot, start, start_precision, end, end_precision : str
        Columns of the table; `slot` is '' where there is none.
    slots : tuple of str
        Powers or organisations; ('',) where there are none.
    other : str
        The slot of every power not named, '' where such rows do not count.
    free : tuple of str
        Slots in which an existing presence rules nothing out.
    since : mapping of str to Timestamp
        First day on which a state or a slot exists; absent: always.
    sets : mapping of str to StateSet
        ``primary`` first.
    """

    table: str
    while_in_force: bool
    where: Criteria
    id: str
    state: str
    start: str
    start_precision: str
    end: str
    end_precision: str
    slot: str
    slots: tuple[str, ...]
    other: str
    free: tuple[str, ...]
    since: Mapping[str, pd.Timestamp]
    sets: Mapping[str, StateSet]

    def slot_of(self, names: pd.Series[str]) -> pd.Series[str]:
        """Map the powers or organisations of a table to slots; '' where there is none."""
        return names.where(names.isin(self.slots), self.other)


@dataclass(frozen=True, slots=True)
class MarkSpec:
    """What kind of event it was.

    Parameters
    ----------
    names : tuple of str
        All marks.
    rules : tuple of (str, Criteria)
        The first rule that holds gives the mark; empty: the slot is the mark.
    default : str
        The mark where no rule holds.
    aside : tuple of (str, Criteria)
        Marks of rows that are no events but are shown beside them.
    """

    names: tuple[str, ...]
    rules: tuple[tuple[str, Criteria], ...]
    default: str
    aside: tuple[tuple[str, Criteria], ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """Processes under way that may lead to the event.

    Parameters
    ----------
    table, id, state, slot : str
        Table and its columns; `slot` is '' where a process concerns the state as such.
    late, late_precision : str
        Columns of the date from which the process counts as late (a text or a signature).
    late_kinds : tuple of str
        First public stages (column ``kind``) that are late where no such date is given.
    required : str
        Column that must not be blank, '' for none.
    statements : str
        Table of stated aims, '' for none.
    skip_aims : tuple of str
        First stated aims that leave the process out.
    expiry_months : int
        Months without a public sign after which a process counts as over.
    searched : tuple of str
        States whose failures were searched for as hard as their successes.
    """

    table: str
    id: str
    state: str
    slot: str
    late: str
    late_precision: str
    late_kinds: tuple[str, ...]
    required: str
    statements: str
    skip_aims: tuple[str, ...]
    expiry_months: int
    searched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceClass:
    """A reference class, registered before anybody looked.

    Parameters
    ----------
    id, label : str
        Name and what it is.
    where : Criteria
        Rows of the table of spells at risk (of a status); empty: all of the primary set.
    states : tuple of str
        States of the class; empty: all of the primary set.
    start, end : Timestamp or None
        Window within the question's, both days included.
    events : Criteria or None
        Another definition of the event, None for the question's own.
    sites : bool
        Count each new site, also of a power that is there already.
    drop_focal : bool
        Leave out the state that is asked about.
    same_slots : bool
        Only the slots for which the state asked about is eligible.
    slots : tuple of str
        Only these slots; empty: all.
    """

    id: str
    label: str
    where: Criteria
    states: tuple[str, ...] = ()
    start: pd.Timestamp | None = None
    end: pd.Timestamp | None = None
    events: Criteria | None = None
    sites: bool = False
    drop_focal: bool = False
    same_slots: bool = False
    slots: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """One question: what would count, of whom it can be asked, what was thought beforehand.

    Attributes
    ----------
    id, title, definition, family : str
        Name, wording, and the family by which features state their signs: ``neutrality``,
        ``base``, ``bloc``, or one of the package's own.
    file : str
        Name of its TOML file.
    event : EventSpec
        Its resolution criteria, compiled.
    marks : MarkSpec
        Kinds of the event.
    risk : RiskSpec
        Who is at risk.
    process : ProcessSpec or None
        Processes under way, None where none are coded.
    cleared_by : EventSpec
        Events that end a process: the question's own, or those of its parent.
    feed : Feed
        Where the coded outcomes end.
    window_start : Timestamp
        First day of the training window.
    horizons : tuple of int
        Months ahead that may be asked.
    priors : Priors
        Ranges on human scales, with their reasons.
    reference_classes : tuple of ReferenceClass
        The default first.
    near_misses : tuple of str
        Kinds of near miss that must not count.
    contested : tuple of str
        Rows that could be disputed.
    toggles : mapping of str to tuple of str
        Groups of them that stand or fall together, by name; one in no group is its own.
    void : tuple of str
        What makes the question void.
    sources : tuple of str
        Where it is resolved.
    parent : str
        Question of which this one is a part, '' for none.
    """

    id: str
    title: str
    definition: str
    family: str
    file: str
    event: EventSpec
    marks: MarkSpec
    risk: RiskSpec
    process: ProcessSpec | None
    cleared_by: EventSpec
    feed: Feed
    window_start: pd.Timestamp
    horizons: tuple[int, ...]
    priors: Priors
    reference_classes: tuple[ReferenceClass, ...]
    near_misses: tuple[str, ...]
    contested: tuple[str, ...]
    toggles: Mapping[str, tuple[str, ...]]
    void: tuple[str, ...]
    sources: tuple[str, ...]
    parent: str

    @property
    def slots(self) -> tuple[str, ...]:
        """Powers or organisations, ('',) where there are none."""
        return self.risk.slots

    @property
    def prior_rate(self) -> tuple[float, float]:
        """Central 90% range of the yearly rate of a unit without a process."""
        return self.priors.rate

    def closes(self, origin: pd.Timestamp, horizon: int) -> pd.Timestamp:
        """Return the first day after a window of `horizon` months from `origin`.

        Raises
        ------
        DataError
            The window passes the end of a closed feed: nobody would ever say what happened.
        """
        failure = self.beyond(origin, horizon)
        if failure is not None:
            raise DataError([failure])
        return pd.Timestamp(origin) + pd.DateOffset(months=horizon)

    def beyond(self, origin: pd.Timestamp, horizon: int) -> Failure | None:
        """Say why a window cannot be resolved, None where it can."""
        closes = pd.Timestamp(origin) + pd.DateOffset(months=horizon)
        if self.feed.open or closes <= self.feed.censor + pd.Timedelta(days=1):
            return None
        end = f"{self.feed.censor:%Y-%m-%d}"
        return Failure(
            self.file,
            None,
            "horizons",
            f"{horizon} months from {origin:%Y-%m-%d}, which end on {closes:%Y-%m-%d}",
            f"windows that end by {end}, where the feed of outcomes was closed",
            "Ask for a shorter horizon or an earlier origin, or name a feed that is still open.",
        )
