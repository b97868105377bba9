"""Settling the ledger: due windows resolved and their forecasts scored, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast.ledger.entries import IssueReport, ResolutionRecord, ScoreRecord
from forecast.ledger.placing import WINDOW
from forecast.ledger.writing import Batch, append_all
from forecast.questions import load_questions
from forecast.resolution import Judge, Resolution
from forecast.scores import brier, log_score
from indicators.dates import DateLike, as_date
from indicators.tables import DataPackage
from indicators.vintages import snapshot

if TYPE_CHECKING:
    from forecast.ledger.main import Ledger

__all__ = ["FLOOR", "RULES", "Settlement", "settle"]

FLOOR = 1e-6
"""Log scores take probabilities in [FLOOR, 1 - FLOOR], so that none is infinite: 13.8 nats."""
RULES = ("brier", "log")


@dataclass(frozen=True)
class Settlement:
    """What one settling did.

    Attributes
    ----------
    as_of : Timestamp
        Outcomes as known then.
    resolved, corrected : tuple of Resolution
        Windows resolved now for the first time, and anew.
    pending : tuple of Resolution
        Windows that have closed and cannot be resolved yet.
    open : int
        Windows that have not closed.
    unknown : tuple of str
        Questions of the ledger that the data package does not ask.
    scores : int
        Forecasts scored now.
    judges : mapping of str to Judge
        By question, as used.
    """

    as_of: pd.Timestamp
    resolved: tuple[Resolution, ...]
    corrected: tuple[Resolution, ...]
    pending: tuple[Resolution, ...]
    open: int
    unknown: tuple[str, ...]
    scores: int
    judges: Mapping[str, Judge] = field(repr=False)


def settle(ledger: Ledger, *, as_of: DateLike, package: DataPackage) -> Settlement:
    """Resolve every due window of a ledger and score the forecasts of it.

    A window resolved before is judged again where outcomes are known at a later date; where the
    answer has changed, a new resolution names the one it corrects, and scores are made anew.
    Resolutions and scores are one transaction: both are written, or neither.

    Parameters
    ----------
    ledger : Ledger
        Held by this run.
    as_of : date
        Outcomes as known then, and nothing published later.
    package : DataPackage
        Questions and outcome tables.

    Returns
    -------
    Settlement
        Nothing to do is no error.

    Raises
    ------
    LedgerError
        The ledger is damaged, held by another run, or the disk refused; nothing was written.
    """
    day = as_date(as_of)
    issued, before = ledger.forecasts(), ledger.resolutions()
    windows = issued.drop_duplicates(list(WINDOW))
    closed = windows[windows["closes"] < day]
    seen = snapshot(day, package=package)
    questions = load_questions(package)
    judges: dict[str, Judge] = {}
    for name, rows in closed.groupby("question"):
        if str(name) in questions:
            states = sorted(set(rows["state"]))
            judges[str(name)] = Judge.of(questions[str(name)], seen, states=states)
    standing = {_window(row): row for row in before.to_dict("records")}
    found = [
        (row, judges[row["question"]].resolve(row["state"], opens=row["origin"],
                                              closes=row["closes"]))
        for row in closed.to_dict("records")
        if row["question"] in judges
    ]  # fmt: skip
    new = [pair for pair in found if _window(pair[0]) not in standing]
    pending = [told for _, told in new if told.status == "pending"]
    firsts = [(row, told) for row, told in new if told.status != "pending"]
    again = [
        (row, told)
        for row, told in found
        if _window(row) in standing and _changed(standing[_window(row)], told)
    ]
    data_hash = seen.hash if firsts or again else ""
    records = [_record(row, told, data_hash) for row, told in firsts]
    records += [
        _record(row, told, data_hash, corrects=standing[_window(row)]) for row, told in again
    ]
    scored = _write(ledger, issued, before, records)
    return Settlement(
        day,
        tuple(told for _, told in firsts),
        tuple(told for _, told in again),
        tuple(pending),
        len(windows) - len(closed),
        tuple(sorted(set(closed["question"]) - set(judges))),
        scored,
        judges,
    )


Row = Mapping[Any, Any]


def _window(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in WINDOW)


def _iso(day: Any) -> str:
    return "" if day is None or pd.isna(day) else f"{day:%Y-%m-%d}"


def _changed(old: Row, told: Resolution) -> bool:
    """Whether what is known at a later date says something else."""
    if told.status == "pending" or told.as_of <= old["as_of"]:
        return False
    happened = _iso(told.date)
    return bool(told.status != old["outcome"] or happened != _iso(old["happened"]))


def _record(
    row: Row, told: Resolution, data_hash: str, *, corrects: Row | None = None
) -> ResolutionRecord:
    evidence = {
        "rows": [dict(item) for item in told.evidence],
        "campaign": told.campaign,
        "contested": list(told.contested),
        "without_contested": told.without_contested,
        "delay_quantile": told.delay.quantile,
        "delay_days": told.delay.days,
    }
    reason = told.reason
    if corrects is not None:
        reason += f"; {corrects['outcome']} as known on {_iso(corrects['as_of'])}"
    return ResolutionRecord(
        question=told.question,
        state=told.state,
        origin=_iso(told.opens),
        closes=_iso(told.closes),
        horizon=int(row["horizon"]),
        outcome=told.status,
        happened=_iso(told.date),
        as_of=_iso(told.as_of),
        data_hash=data_hash,
        reason=reason,
        evidence=json.dumps(evidence, sort_keys=True, ensure_ascii=False),
        corrects=None if corrects is None else int(corrects["id"]),
    )


def _write(
    ledger: Ledger, issued: pd.DataFrame, before: pd.DataFrame, records: list[ResolutionRecord]
) -> int:
    """Write resolutions and scores together; the number of forecasts scored."""
    first = issued[issued["first"]]
    replaced = {record.corrects for record in records}
    standing = before[~before["id"].isin(replaced)]
    numbers = {_window(r): (int(r["id"]), r["outcome"]) for r in standing.to_dict("records")}
    scores = ledger.scores(history=True)
    done = set(zip(scores["forecast"], scores["resolution"], scores["rule"], strict=True))
    old = [s for s in _scores(first, numbers) if (s.forecast, s.resolution, s.rule) not in done]
    told = {_key(record): (0, record.outcome) for record in records}
    waiting = len(_scores(first, told))

    def new(reports: Sequence[IssueReport]) -> list[ScoreRecord]:
        pairs = zip(records, reports[0].new, strict=True)
        return _scores(first, {_key(r): (number, r.outcome) for r, number in pairs})

    batches: list[Batch] = []
    batches += [records] if records else []
    batches += [new] if waiting else []
    batches += [old] if old else []
    if batches:
        append_all(ledger.engine, ledger.guard, batches)
    return (waiting + len(old)) // len(RULES)


def _key(record: ResolutionRecord) -> tuple[Any, ...]:
    return record.question, record.state, pd.Timestamp(record.origin), record.horizon


def _scores(
    forecasts: pd.DataFrame, resolved: Mapping[tuple[Any, ...], tuple[int, str]]
) -> list[ScoreRecord]:
    """Scores of the forecasts whose window was resolved with yes or no."""
    out = []
    for row in forecasts.to_dict("records"):
        number, outcome = resolved.get(_window(row), (0, ""))
        if outcome not in ("yes", "no"):
            continue
        y = float(outcome == "yes")
        for rule in RULES:
            ours, theirs = (_loss(rule, float(row[name]), y) for name in ("p", "base_rate"))
            floor = json.dumps({"floor": FLOOR}) if rule == "log" else "{}"
            out.append(
                ScoreRecord(
                    forecast=int(row["id"]),
                    resolution=int(number),
                    rule=rule,
                    value=ours,
                    reference="base_rate",
                    reference_value=theirs,
                    detail=floor,
                )
            )
    return out


def _loss(rule: str, p: float, y: float) -> float:
    return float(brier(p, y) if rule == "brier" else log_score(p, y, floor=FLOOR))
