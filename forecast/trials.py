"""The criteria on trial: every near miss judged as a window is, and how often windows come to void.

The library of near misses is the test of the criteria. It speaks of what was learned later, so it
is judged at the end of all that is coded, never as part of a forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from forecast.definitions import Feed, Question
from forecast.episodes import month_start
from forecast.refusals import rows_of_miss
from forecast.resolution import Judge
from forecast.voids import LOST
from indicators.tables import DataPackage
from indicators.vintages import Snapshot, everything

__all__ = ["VoidRate", "near_miss_verdicts", "void_rate"]

_LATER = pd.DateOffset(years=5)


def near_miss_verdicts(questions: Mapping[str, Question], package: DataPackage) -> pd.DataFrame:
    """Judge every row of the library of near misses by the questions it was collected for.

    Each is given a window of the months its date may fall in, resolved as a forecast would be,
    with the end of coding lifted: rows coded after it must fail by the criteria, not by the date.

    Parameters
    ----------
    questions : mapping of str to Question
        What `forecast.load_questions` gave.
    package : DataPackage
        Its tables, unmasked.

    Returns
    -------
    DataFrame
        One row a near miss and question: ``id, kind, question, state, opens, closes, status,
        rows, verdict, reason, why``. ``rows`` are those of the outcome table it speaks of;
        ``verdict`` is *COUNTS* where the criteria fire on one of them. Contested events are
        listed with whether they count; so is a near miss in whose months a contested event
        counts. One of a kind that no question was made for is judged by all questions.
    """
    near = package.table("near_misses")
    end = pd.Timestamp(near["date"].max()) + _LATER
    seen = everything(package, end)
    out = []
    for question in questions.values():
        lifted = replace(question, feed=Feed(open=True, censor=end))
        mine = near[[_concerns(question, str(kind), questions) for kind in near["question"]]]
        judge = Judge.of(lifted, seen, states=sorted(set(mine["state"])))
        for miss in mine.to_dict("records"):
            out.append(_verdict(judge, miss, package.table(question.event.table)))
    return pd.DataFrame(out).sort_values(["id", "question"], ignore_index=True)


def _concerns(question: Question, kind: str, questions: Mapping[str, Question]) -> bool:
    """Whether a question is tried on a kind of near miss."""
    asked = [q for q in questions.values() if kind in q.near_misses]
    return question in asked if asked else True


def _verdict(judge: Judge, miss: Mapping[Any, Any], table: pd.DataFrame) -> dict[str, Any]:
    question = judge.question
    day = pd.Timestamp(miss["date"])
    grain = {"year": "Y", "month": "M"}.get(str(miss["date_precision"]), "M")
    span = day.to_period(grain)
    opens, closes = span.start_time, span.end_time.normalize()
    found = judge.resolve(str(miss["state"]), opens=opens, closes=closes)
    own = table.loc[rows_of_miss(miss, table, question.event), question.event.id].astype(str)
    fires = question.event.where.select(table)[question.event.id].astype(str)
    counted = {str(row["id"]) for row in found.evidence if row["counts"]}
    return {
        "id": miss["id"],
        "kind": miss["kind"],
        "question": question.id,
        "state": miss["state"],
        "opens": opens,
        "closes": closes,
        "status": found.status,
        "rows": " ".join(sorted(own)),
        "verdict": _word(str(miss["kind"]), set(own), set(fires), counted, question.contested),
        "reason": found.reason,
        "why": miss["why"],
    }


def _word(
    kind: str, own: set[str], fires: set[str], counted: set[str], contested: tuple[str, ...]
) -> str:
    """Verdict on a near miss: its rows, those the criteria take, those its months were a yes by."""
    if kind == "contested_event":
        return "contested, counts" if own & counted else "contested, does not count"
    if own & (fires | counted):
        return "COUNTS"
    if not counted:
        return "does not count"
    return "contested, counts" if counted <= set(contested) else "another event counts"


@dataclass(frozen=True, slots=True)
class VoidRate:
    """How likely a window of a question comes to void, from windows that have closed.

    Attributes
    ----------
    question : str
    horizon : int
        Months.
    windows, voids : int
        Windows of states at risk at their start, end to end, without overlap; void ones.
    mean, lo90, hi90 : float
        Posterior of the chance of a void: Beta(1/2 + voids, 1/2 + windows - voids).
    """

    question: str
    horizon: int
    windows: int
    voids: int
    mean: float
    lo90: float
    hi90: float


def void_rate(question: Question, seen: Snapshot, *, horizon: int = 12) -> VoidRate:
    """Predict how often windows come to void.

    Parameters
    ----------
    question : Question
        What is asked, of all states of its primary set.
    seen : Snapshot
        What was known.
    horizon : int, optional
        Months, 1 or more.

    Returns
    -------
    VoidRate
        Voids that the tables can show: loss of the legal order, rows that cannot be decided.
        States of one year share their fate, so the interval is the narrowest that is fair.
    """
    from scipy.stats import beta

    judge = Judge.of(question, seen)
    rows = judge.risk.rows
    windows = voids = 0
    if len(rows):
        months = rows["month"].dt.year * 12 + rows["month"].dt.month - 1
        first, last = int(months.min()), int(months.max())
        starts = range(first, last + 2 - horizon, horizon)
        for start in starts:
            here = set(rows.loc[months == start, "state"])
            windows += len(here)
            opens, closes = month_start([start - 1970 * 12, start + horizon - 1970 * 12])
            voids += len(here & _void_states(judge, opens, closes))
    a, b = 0.5 + voids, 0.5 + windows - voids
    low, high = beta.ppf([0.05, 0.95], a, b)
    mean = a / (a + b)
    return VoidRate(question.id, horizon, windows, voids, mean, float(low), float(high))


def _void_states(judge: Judge, opens: pd.Timestamp, stop: pd.Timestamp) -> set[str]:
    """States whose window is void: a cause, and no event that came first."""
    causes, events = (
        frame[(frame["date"] >= opens) & (frame["date"] < stop)]
        for frame in (judge.causes, judge.risk.events)
    )
    first = events.groupby("state")["date"].min()
    came = first.reindex(causes["state"]).astype("datetime64[us]").to_numpy()
    lost = causes["mark"].isin(LOST).to_numpy() & (causes["date"].to_numpy() < came)
    return set(causes.loc[np.isnat(came) | lost, "state"])
