"""Did it happen: the criteria of a question against what was known at a date.

A window is resolved once it has closed, its outcomes are coded, and events in it have had time to
become public. A *yes* waits as long as a *no* would: recorded earlier, events would fill the
record before the windows without one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import pandas as pd

from forecast.definitions import Question
from forecast.outcomes import together
from forecast.risk import RiskSet, risk_set
from forecast.voids import (
    LOST,
    QUANTILE,
    Delay,
    ResolutionError,
    ends_of,
    reporting_delay,
    undecided_rows,
)
from indicators.dates import DateLike, as_date
from indicators.vintages import Snapshot

__all__ = ["Judge", "Resolution", "resolve"]

_DAY = pd.Timedelta(days=1)
Status = Literal["yes", "no", "pending", "void"]


@dataclass(frozen=True, slots=True)
class Resolution:
    """What came of one window.

    Attributes
    ----------
    question, state : str
    opens, closes : Timestamp
        First and last day of the window.
    as_of : Timestamp
        When this was known.
    status : {'yes', 'no', 'pending', 'void'}
    date : Timestamp or None
        Day of the first event in the window (the end of the interval its date stands for); where
        pending, of one known already.
    evidence : tuple of mapping
        Rows of the data that were looked at: ``table, id, date, known, mark, campaign, counts,
        reason``, days as ISO texts.
    reason : str
        In a sentence.
    due : Timestamp or None
        First day on which the window can be resolved; None where its end is not coded yet.
    delay : Delay
        What `due` allows for.
    contested : tuple of str
        Contested events that the answer rests on.
    without_contested : str
        The status without all contested events of the question; '' where it rests on none.
    campaign : str
        What the first event belongs to; '' without one.
    """

    question: str
    state: str
    opens: pd.Timestamp
    closes: pd.Timestamp
    as_of: pd.Timestamp
    status: Status
    date: pd.Timestamp | None
    evidence: tuple[Mapping[str, Any], ...] = field(repr=False)
    reason: str
    due: pd.Timestamp | None
    delay: Delay = field(repr=False)
    contested: tuple[str, ...] = ()
    without_contested: str = ""
    campaign: str = ""


@dataclass(frozen=True, eq=False)
class Judge:
    """One question at one date, ready to say what came of any window.

    Made by `Judge.of`.

    Attributes
    ----------
    question : Question
    seen : Snapshot
    risk : RiskSet
        Units at risk and events counted.
    causes : DataFrame
        What makes windows void: ``id, table, state, date, mark, reason``.
    ended : DataFrame
        Ends by law of a status at risk, same columns: a competing cause, the answer is *no*.
    delay : Delay
    """

    question: Question
    seen: Snapshot = field(repr=False)
    risk: RiskSet = field(repr=False)
    causes: pd.DataFrame = field(repr=False)
    ended: pd.DataFrame = field(repr=False)
    delay: Delay

    @classmethod
    def of(
        cls,
        question: Question,
        seen: Snapshot,
        *,
        states: Sequence[str] | None = None,
        quantile: float = QUANTILE,
        exclude: Collection[str] = (),
    ) -> Self:
        """Look up what is needed for some states.

        Parameters
        ----------
        question : Question
            What is asked.
        seen : Snapshot
            What was known.
        states : sequence of str, optional
            Those of the question's primary set by default.
        quantile : float, optional
            See `reporting_delay`.
        exclude : collection of str
            Contested events to leave out.
        """
        risk = risk_set(question, seen, states=states, exclude=exclude)
        ends = ends_of(question, seen, exclude=exclude)
        lost = ends["mark"].isin(LOST)
        return cls(
            question,
            seen,
            risk,
            pd.concat([undecided_rows(question, seen), ends[lost]], ignore_index=True),
            ends[~lost].reset_index(drop=True),
            reporting_delay(question, seen, quantile=quantile),
        )

    def resolve(self, state: str, *, opens: DateLike, closes: DateLike) -> Resolution:
        """Say what came of a window.

        Parameters
        ----------
        state : str
            One of those the judge was made for.
        opens, closes : date
            First day of a month; last day of one.

        Raises
        ------
        ResolutionError
            The window is not made of whole months.
        """
        first, last = _window(opens, closes)
        hits = self._within(self.risk.events, state, first, last)
        due = last + pd.Timedelta(days=self.delay.days)
        coded = last <= self.question.feed.censor
        status, reason = self._answer(state, first, last, hits=hits)
        evidence = self._evidence(state, first, last, hits=hits)
        event = hits.iloc[0] if len(hits) and status in ("yes", "pending") else None
        contested = tuple(str(i) for i in hits["event_id"] if i in self.question.contested)
        contested = contested if status == "yes" else ()
        return Resolution(
            self.question.id,
            state,
            first,
            last,
            self.seen.as_of,
            status,
            None if event is None else pd.Timestamp(event["date"]),
            evidence,
            reason,
            due if coded else None,
            self.delay,
            contested,
            self._without(state, first, last) if contested else "",
            together(event.to_dict()) if event is not None else "",
        )

    def _within(
        self, rows: pd.DataFrame, state: str, first: pd.Timestamp, last: pd.Timestamp
    ) -> pd.DataFrame:
        chosen = (rows["state"] == state) & rows["date"].between(first, last)
        return rows[chosen].sort_values("date", kind="stable")

    def _answer(
        self, state: str, first: pd.Timestamp, last: pd.Timestamp, *, hits: pd.DataFrame
    ) -> tuple[Status, str]:
        wait = self._waiting(last)
        if wait:
            known = f"; {hits.iloc[0]['event_id']} is known already" if len(hits) else ""
            return "pending", wait + known
        units = self.risk.rows[self.risk.rows["state"] == state]
        if not (units["month"] == first).any():
            return "void", f"{state} was not at risk on {_day(first)}: there was nothing to ask"
        causes = self._within(self.causes, state, first, last)
        if len(hits):
            event = hits.iloc[0]
            before = causes[(causes["date"] < event["date"]) & causes["mark"].isin(LOST)]
            if before.empty:
                return "yes", f"{event['event_id']} on {_day(event['date'])}"
            causes = before
        if len(causes):
            return "void", str(causes.iloc[0]["reason"])
        ended = self._within(self.ended, state, first, last)
        if len(ended):
            return "no", str(ended.iloc[0]["reason"])
        return "no", f"no row of {self.question.event.table} counts"

    def _waiting(self, last: pd.Timestamp) -> str:
        """Why it is too early to tell, '' where it is not."""
        now, feed = self.seen.as_of, self.question.feed
        if now < last:
            return f"the window is open until {_day(last)}"
        if last > feed.censor:
            return f"outcomes are coded to {_day(feed.censor)}, the window closes on {_day(last)}"
        due = last + pd.Timedelta(days=self.delay.days)
        return "" if now >= due else f"waits until {_day(due)}: {self.delay}"

    def _without(self, state: str, first: pd.Timestamp, last: pd.Timestamp) -> str:
        """Status without the contested events of the question."""
        other = Judge.of(
            self.question,
            self.seen,
            states=[state],
            quantile=self.delay.quantile,
            exclude=self.question.contested,
        )
        hits = other._within(other.risk.events, state, first, last)
        return other._answer(state, first, last, hits=hits)[0]

    def _evidence(
        self, state: str, first: pd.Timestamp, last: pd.Timestamp, *, hits: pd.DataFrame
    ) -> tuple[dict[str, Any], ...]:
        table, spells = self.question.event.table, self.question.risk.table
        aside = self._within(self.risk.set_aside, state, first, last)
        out = [
            {
                "table": table,
                "id": str(row["event_id"]),
                "date": _day(row["date"]),
                "mark": str(row["mark"]),
                "counts": counts,
                **({"known": _day(row["known"])} if counts else {"reason": str(row["reason"])}),
            }
            for rows, counts in ((hits, True), (aside, False))
            for row in rows.to_dict("records")
        ]
        for rows in (self.causes, self.ended):
            for row in self._within(rows, state, first, last).to_dict("records"):
                told = {"date": _day(row["date"]), "mark": row["mark"], "counts": False}
                out.append({"table": row["table"] or spells, "id": row["id"], **told,
                            "reason": row["reason"]})  # fmt: skip
        return tuple(out)


def resolve(
    question: Question,
    state: str,
    *,
    opens: DateLike,
    closes: DateLike,
    seen: Snapshot,
    quantile: float = QUANTILE,
) -> Resolution:
    """Say what came of one window of one state, as known at a date.

    Parameters
    ----------
    question : Question
        What was asked.
    state : str
        Alpha-3 code.
    opens, closes : date
        First and last day of the window, whole months.
    seen : Snapshot
        What was known; its as-of date is when the window is resolved.
    quantile : float, optional
        Share of events that must have had time to become public.

    Returns
    -------
    Resolution
        ``pending`` while the window is open, its outcomes are not coded to its end, or an event
        in it may yet become public. ``void`` where the state was not at risk on the first day, or
        lost its legal order before an event, or a row that could be the event cannot be decided.

    Raises
    ------
    ResolutionError
        The window is not made of whole months.

    Examples
    --------
    >>> import indicators, forecast
    >>> seen = indicators.snapshot("2020-01-01")
    >>> ask = forecast.question("neutrality_text_revision")
    >>> found = resolve(ask, "TKM", opens="2016-07-01", closes="2017-06-30", seen=seen)
    >>> found.status, str(found.date.date())
    ('yes', '2016-09-14')
    """
    _window(opens, closes)
    judge = Judge.of(question, seen, states=[state], quantile=quantile)
    return judge.resolve(state, opens=opens, closes=closes)


def _window(opens: DateLike, closes: DateLike) -> tuple[pd.Timestamp, pd.Timestamp]:
    first, last = as_date(opens, "opens"), as_date(closes, "closes")
    if first.day != 1 or (last + _DAY).day != 1 or last < first:
        raise ResolutionError(
            "a window that no question is asked about",
            place="opens, closes",
            found=f"{_day(first)} to {_day(last)}",
            allowed="from the first day of a month to the last day of one",
        )
    return first, last


def _day(date: Any) -> str:
    return f"{date:%Y-%m-%d}"
