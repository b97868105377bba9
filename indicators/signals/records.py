"""The record of an alarm: how often it rang before an event, and how often for nothing.

Every count is over state-months whose window had closed by the as-of date, with the events known
by then. With no event or one there is no ratio, and the record says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import beta

from indicators.dates import DateLike
from indicators.signals.events import (
    Outcomes,
    Windows,
    event_windows,
    expected_side,
    outcome_states,
)
from indicators.signals.thresholds import Past, alarms, past
from indicators.vintages import Snapshot

__all__ = ["MIN_CAMPAIGNS", "Record", "record", "record_table", "score_alarms"]

type Floats = npt.NDArray[np.float64]
type Bools = npt.NDArray[np.bool_]

MIN_CAMPAIGNS = 2
"""Campaigns of events below which no ratio is printed: one case is no record."""
_BOOTSTRAP = 2000
_LEVEL = 0.9


@dataclass(frozen=True)
class Record:
    """How an alarm did: months by alarm and by event within the window, and what follows.

    Attributes
    ----------
    name, counterpart, question, side : str
    threshold : float
        Percentile of the past beyond which it rings.
    window : int
        Months after an alarm in which an event makes it a good one.
    events, campaigns : int
        Events with at least one month before them that could ring; their campaigns.
    alarms : int
        Months in alarm.
    a, b, c, d : int
        State-months: alarm and event (a), alarm and none (b), event alone (c), neither (d).
    states : int
        States with such months.
    preceded : int
        Events with an alarm in the window before them.
    share, share_lo90, share_hi90 : float or None
        Share of events preceded; Jeffreys interval over campaigns.
    false_alarm_rate, false_alarm_rate_lo90, false_alarm_rate_hi90 : float or None
        b / (b + d).
    noise_to_signal, noise_to_signal_lo90, noise_to_signal_hi90 : float or None
        [b / (b + d)] / [a / (a + c)]; below 1 is better than chance. None with fewer than two
        campaigns, or without a good alarm (then it is without bound).
    p_event_alarm, p_event, gain : float or None
        a / (a + b); (a + c) / all; their difference.
    lead_median, lead_min, lead_max : float or None
        Months from the first alarm in the window to the event.
    expected_noise_to_signal, p_value : float or None
        Median under no relation (alarms of the states shuffled and shifted in time), and the
        share of shuffles whose a / (a + c) - b / (b + d) is as large.
    note : str
        ``too few events`` or ``no alarms`` where so; empty otherwise.
    """

    name: str
    counterpart: str
    question: str
    side: str
    threshold: float
    window: int
    events: int
    campaigns: int
    alarms: int
    a: int
    b: int
    c: int
    d: int
    states: int
    preceded: int
    share: float | None = None
    share_lo90: float | None = None
    share_hi90: float | None = None
    false_alarm_rate: float | None = None
    false_alarm_rate_lo90: float | None = None
    false_alarm_rate_hi90: float | None = None
    noise_to_signal: float | None = None
    noise_to_signal_lo90: float | None = None
    noise_to_signal_hi90: float | None = None
    p_event_alarm: float | None = None
    p_event: float | None = None
    gain: float | None = None
    lead_median: float | None = None
    lead_min: float | None = None
    lead_max: float | None = None
    expected_noise_to_signal: float | None = None
    p_value: float | None = None
    note: str = ""

    def as_row(self) -> dict[str, Any]:
        """Return the attributes by name."""
        return asdict(self)


def record(
    snapshot: Snapshot,
    name: str,
    outcomes: Outcomes | pd.DataFrame,
    *,
    seed: int,
    states: Iterable[str] | None = None,
    counterpart: str = "",
    threshold: float = 0.9,
    side: str | None = None,
    window: int = 24,
    against: str = "own",
    start: DateLike = "1990-01-01",
    permutations: int = 500,
) -> Record:
    """Score one alarm on one kind of event, from what was public in each month.

    Parameters
    ----------
    snapshot : Snapshot
        What was known; events after it, or public after it, are not looked at.
    name : str
        Id of a feature or an indicator.
    outcomes : Outcomes or DataFrame
        The events; a frame has ``state, date`` and perhaps ``campaign``.
    seed : int
        Of bootstrap and permutations.
    states : iterable of str, optional
        States; by default those at risk, or those of the events.
    counterpart : str, optional
        Of an indicator.
    threshold, side
        As in `indicators.signals.thresholds.alarms`; the side expected by theory by default:
        high for +, low for -, either for none.
    window : int, optional
        Months in which an event must follow: an alarm seen on the first day of month t is good
        if one comes in months t to t + window - 1.
    against, start
        As in `indicators.signals.thresholds.past`.
    permutations : int, optional
        Shuffles for the p value; 0 is none.

    Returns
    -------
    Record

    Raises
    ------
    UnknownNameError
        No such feature or indicator.
    LookAheadError
        `start` is after the snapshot's date.
    ValueError
        `window` is below 1, or `threshold` or `side` is not allowed.

    Notes
    -----
    Intervals are 90% ones, and their unit is the campaign, not the month: shares of events by
    Jeffreys' Beta(k + 1/2, n - k + 1/2) over campaigns, ratios by Bayesian bootstrap over
    campaigns and states.

    References
    ----------
    Kaminsky, G. L. and Reinhart, C. M. (1999), The twin crises, doi:10.1257/AER.89.3.473.
    Rubin, D. B. (1981), The Bayesian bootstrap, doi:10.1214/aos/1176345338.
    """
    asked = outcomes if isinstance(outcomes, Outcomes) else Outcomes("", outcomes)
    chosen = tuple(outcome_states(asked) if states is None else states)
    found = past(snapshot, name, chosen, counterpart=counterpart, start=start, against=against)
    tail = expected_side(snapshot, name, asked) if side is None else side
    spans = event_windows(snapshot, asked, chosen, found.months, window=window)
    return score_alarms(
        found, spans, seed=seed, threshold=threshold, side=tail, permutations=permutations
    )


def record_table(records: Iterable[Record]) -> pd.DataFrame:
    """Lay records out, one a row.

    Parameters
    ----------
    records : iterable of Record

    Returns
    -------
    DataFrame
        Columns are the attributes of `Record`.
    """
    return pd.DataFrame([one.as_row() for one in records])


def score_alarms(
    found: Past,
    spans: Windows,
    *,
    seed: int,
    threshold: float = 0.9,
    side: str = "high",
    permutations: int = 500,
) -> Record:
    """Score the alarms of a past already read on windows already found: see `record`.

    Parameters
    ----------
    found : Past
        Of `indicators.signals.thresholds.past`.
    spans : Windows
        Of `event_windows`, for its states and months, from the same snapshot.
    seed, threshold, side, permutations
        As in `record`.

    Returns
    -------
    Record

    Raises
    ------
    ValueError
        `threshold` or `side` is not allowed.
    """
    rang = alarms(found, threshold=threshold, side=side)
    cells = spans.counted & ~np.isnan(rang)
    on = rang == 1
    a, b, c, d = _counts(cells, on, spans.event)
    leads, hits = _leads(rang, cells, spans)
    campaigns = len({number for number, _ in hits})
    head = (found.name, found.counterpart, spans.question, side, threshold, spans.window)
    tally = (len(hits), campaigns, a + b, a, b, c, d, int(cells.any(axis=1).sum()), len(leads))
    rates = _rates(a, b, c, d)
    if campaigns < MIN_CAMPAIGNS:
        kept = {name: rates[name] for name in ("false_alarm_rate", "p_event")}
        return Record(*head, *tally, **kept, note="too few events")
    rng = np.random.default_rng(seed)
    rates |= _share(hits)
    if not a + b:
        return Record(*head, *tally, **rates, note="no alarms")
    rates |= _bootstrap(cells, on, spans, rng)
    if leads:
        rates |= {"lead_median": float(np.median(leads)),
                  "lead_min": float(min(leads)), "lead_max": float(max(leads))}  # fmt: skip
    if permutations:
        rates |= _permuted(rang, spans, rng, permutations)
    return Record(*head, *tally, **rates)


def _counts(cells: Bools, on: Bools, event: Bools) -> tuple[int, int, int, int]:
    pairs = ((on, event), (on, ~event), (~on, event), (~on, ~event))
    a, b, c, d = (int((cells & first & second).sum()) for first, second in pairs)
    return a, b, c, d


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _rates(a: int, b: int, c: int, d: int) -> dict[str, Any]:
    false, good = _ratio(b, b + d), _ratio(a, a + c)
    given, plain = _ratio(a, a + b), _ratio(a + c, a + b + c + d)
    return {
        "false_alarm_rate": false,
        "noise_to_signal": false / good if false is not None and good else None,
        "p_event_alarm": given,
        "p_event": plain,
        "gain": None if given is None or plain is None else given - plain,
    }


def _leads(rang: Floats, cells: Bools, spans: Windows) -> tuple[list[int], list[tuple[int, bool]]]:
    """Months from first alarm to event; of each event that could be warned of: campaign, hit."""
    leads: list[int] = []
    hits: list[tuple[int, bool]] = []
    for row, column, campaign in spans.rows:
        first = max(0, column - spans.window + 1)
        ahead = slice(first, max(0, column + 1))
        if not cells[row, ahead].any():
            continue
        on = np.flatnonzero(cells[row, ahead] & (rang[row, ahead] == 1))
        hits.append((campaign, bool(on.size)))
        if on.size:
            leads.append(int(column - first - on[0]))
    return leads, hits


def _share(hits: list[tuple[int, bool]]) -> dict[str, float | None]:
    """Share of events preceded, with Beta(k + 1/2, n - k + 1/2) over campaigns."""
    frame = pd.DataFrame(hits, columns=["campaign", "hit"])
    mean = frame.groupby("campaign")["hit"].mean()
    n, k = len(mean), float(mean.sum())
    low, high = beta.ppf([(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], k + 0.5, n - k + 0.5)
    return {"share": float(frame["hit"].mean()), "share_lo90": float(low),
            "share_hi90": float(high)}  # fmt: skip


def _bootstrap(
    cells: Bools, on: Bools, spans: Windows, rng: np.random.Generator
) -> dict[str, float | None]:
    """Intervals by Bayesian bootstrap: campaigns are weighted anew for a and c, states for b, d.

    Beside the campaigns stand half a one with every month in alarm and half a one with none:
    with wholly warned or wholly missed campaigns a / (a + c) then is Beta(k + 1/2, n - k + 1/2),
    Jeffreys' posterior, and a handful of campaigns gives the width that a handful should.
    """
    quiet, loud = cells & ~spans.event, cells & spans.event
    rows = np.flatnonzero(quiet.any(axis=1))
    campaigns = np.unique(spans.campaign[loud])
    if not len(rows) or not len(campaigns):
        return {}
    b, all_quiet = (quiet & on).sum(axis=1)[rows], quiet.sum(axis=1)[rows]
    a = np.array([(loud & on & (spans.campaign == one)).sum() for one in campaigns], dtype=float)
    every = np.array([(loud & (spans.campaign == one)).sum() for one in campaigns], dtype=float)
    a, every = np.append(a, [every.mean(), 0.0]), np.append(every, [every.mean()] * 2)
    states = np.ones(len(rows))
    if not b.any():  # none rang for nothing: half a state that did, or the rate would be 0 to 0
        b, all_quiet = np.append(b, all_quiet.mean()), np.append(all_quiet, all_quiet.mean())
        states = np.append(states, 0.5)
    by_state = rng.standard_gamma(states, (_BOOTSTRAP, len(states)))
    by_case = rng.standard_gamma(np.append(np.ones(len(campaigns)), [0.5, 0.5]),
                                 (_BOOTSTRAP, len(every)))  # fmt: skip
    false = (by_state @ b) / (by_state @ all_quiet)
    ratio = false / ((by_case @ a) / (by_case @ every))
    tails = [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]
    rate, ends = np.quantile(false, tails), np.quantile(ratio, tails)
    return {
        "false_alarm_rate_lo90": float(rate[0]),
        "false_alarm_rate_hi90": float(rate[1]),
        "noise_to_signal_lo90": float(ends[0]),
        "noise_to_signal_hi90": float(ends[1]),
    }


def _permuted(
    rang: Floats, spans: Windows, rng: np.random.Generator, count: int
) -> dict[str, float | None]:
    """No relation: whose alarms they are is shuffled, and when, by one circular shift for all.

    One shift for all keeps what alarms of many states share in time, such as a war among
    neighbours; the shuffle of states keeps each one's clusters of alarms.
    """

    def score(series: Floats) -> tuple[float, float]:
        cells = spans.counted & ~np.isnan(series)
        a, b, c, d = _counts(cells, series == 1, spans.event)
        good, false = _ratio(a, a + c) or 0.0, _ratio(b, b + d) or 0.0
        return good - false, false / good if good else np.inf

    real = score(rang)[0]
    months = rang.shape[1]
    found = [
        score(np.roll(rang[rng.permutation(len(rang))], rng.integers(1, months), axis=1))
        for _ in range(count)
    ]
    large = sum(one >= real - 1e-12 for one, _ in found)
    middle = float(np.median([ratio for _, ratio in found]))
    return {
        "expected_noise_to_signal": middle if np.isfinite(middle) else None,
        "p_value": (1 + large) / (1 + count),
    }
