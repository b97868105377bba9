"""The watch list of a state as plain records: what `tocsin indicators signals` and the page show.

The outcomes behind the records are those of the questions, as known at the snapshot's date.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from forecast import cache
from forecast.material import plain
from forecast.questions import Question
from forecast.risk import risk_set
from forecast.signal_words import false_alarms, said
from indicators.signals.events import Outcomes
from indicators.signals.watching import THRESHOLD, WINDOW, WatchEntry, WatchList, watch
from indicators.vintages import Snapshot

__all__ = ["TOP", "brief", "known_outcomes", "listed"]

TOP = 10
"""Signals a run tells; ``tocsin indicators signals --json`` tells all."""
_CODE = (
    "forecast.watched", "forecast.risk", "forecast.episodes", "forecast.criteria",
    "forecast.bounds", "forecast.stages", "forecast.material", "forecast.signal_words",
    "forecast.words", "indicators.dates", "indicators.lookup", "indicators.windows",
    "indicators.signals.changepoints",
    "indicators.signals.changes", "indicators.signals.events", "indicators.signals.findings",
    "indicators.signals.records", "indicators.signals.regular", "indicators.signals.reports",
    "indicators.signals.scales", "indicators.signals.segments", "indicators.signals.series",
    "indicators.signals.silences", "indicators.signals.thresholds", "indicators.signals.watching",
)  # fmt: skip
_RECORD = (
    "side", "events", "campaigns", "alarms", "a", "b", "c", "d", "preceded", "share", "share_lo90",
    "share_hi90", "false_alarm_rate", "noise_to_signal", "noise_to_signal_lo90",
    "noise_to_signal_hi90", "p_event_alarm", "p_event", "gain", "lead_median", "lead_min",
    "lead_max", "note",
)  # fmt: skip
_SILENCE = (
    "months", "since", "covered", "reports", "chance", "p_quiet", "p_shuffled", "bayes_factor",
    "unreported", "p_nothing", "note",
)  # fmt: skip
_KEPT = 16
_lists: OrderedDict[str, str] = OrderedDict()


def known_outcomes(
    known: Mapping[str, Question], seen: Snapshot, *, exclude: Collection[str] = ()
) -> tuple[Outcomes, ...]:
    """Return the outcomes of each question as known at a date, with its risk set.

    Parameters
    ----------
    known : mapping of str to Question
        Questions by id.
    seen : Snapshot
        What was known.
    exclude : collection of str, optional
        Ids of contested events to leave out.
    """
    found = []
    for name in sorted(known):
        question = known[name]
        risk = risk_set(question, seen, exclude=exclude)
        at_risk = risk.rows[["state", "month"]].drop_duplicates(ignore_index=True)
        found.append(Outcomes(name, risk.events, question.family, at_risk, question.feed.censor))
    return tuple(found)


def listed(
    seen: Snapshot,
    known: Mapping[str, Question],
    state: str,
    *,
    seed: int,
    home: Path | None = None,
    exclude: Collection[str] = (),
) -> dict[str, Any]:
    """Return the watch list of a state as plain types.

    Parameters
    ----------
    seen : Snapshot
        What was known.
    known : mapping of str to Question
        Questions whose events the records count.
    state : str
        Alpha-3 code.
    seed : int
        Of the records' intervals.
    home : Path, optional
        Folder of the cache; None for none.
    exclude : collection of str, optional
        Ids of contested events that no record counts.

    Returns
    -------
    dict
        ``signals`` and ``unranked`` (lists of records), ``questions``, ``window_months``,
        ``threshold``, ``false_alarms_per_year`` of all ranked.

    Raises
    ------
    UnknownNameError
        No such state.
    """
    asked = sorted((name, repr(question)) for name, question in known.items())
    signs = sorted((item.indicator, name, sign.sign)
                   for item in seen.catalog.indicators.values()
                   for name, sign in item.signs.items())  # fmt: skip
    key = cache.digest("signals", seen.hash, asked, signs, state, seed, sorted(exclude),
                       cache.code(*_CODE), cache.versions())  # fmt: skip
    text = _lists.get(key) or _loaded(home, key)
    if text is None:
        events = known_outcomes(known, seen, exclude=exclude)
        made = watch(seen, state, events=events, seed=seed)
        text = json.dumps(_plain(made, seen))
        if home is not None:
            cache.save(home, key, {"text": np.frombuffer(text.encode(), dtype=np.uint8)})
    _lists[key] = text
    while len(_lists) > _KEPT:
        _lists.popitem(last=False)
    found: dict[str, Any] = json.loads(text)
    return found


def _loaded(home: Path | None, key: str) -> str | None:
    stored = None if home is None else cache.load(home, key)
    return None if stored is None else bytes(stored["text"]).decode()


def brief(told: Mapping[str, Any], top: int = TOP) -> dict[str, Any]:
    """Return what a run tells of the list: its first signals, and what so long a list means.

    Parameters
    ----------
    told : mapping
        Of `listed`.
    top : int, optional
        Signals kept.

    Returns
    -------
    dict
        ``signals``, and ``signals_about``: ``ranked``, ``unranked``, ``window_months``,
        ``threshold``, ``false_alarms_per_year`` of the signals kept.
    """
    kept = told["signals"][:top]
    about = {
        "ranked": len(told["signals"]),
        "unranked": len(told["unranked"]),
        "window_months": told["window_months"],
        "threshold": told["threshold"],
        "false_alarms_per_year": plain(false_alarms(kept)),
    }
    return {"signals": kept, "signals_about": about}


def _plain(made: WatchList, seen: Snapshot) -> dict[str, Any]:
    signals = [_signal(entry, seen) for entry in made.entries]
    rest = [
        {
            "indicator": row["indicator"],
            "state": row["state"],
            "counterpart": row["counterpart"] or None,
            "last_period": plain(row["last_period"]),
            "published": plain(row["published"]),
            "age_months": plain(row["age_months"]),
            "reason": row["reason"],
        }
        for row in made.unranked.to_dict("records")
    ]
    return {
        "questions": list(made.outcomes),
        "window_months": WINDOW,
        "threshold": THRESHOLD,
        "false_alarms_per_year": plain(false_alarms(signals)),
        "signals": signals,
        "unranked": rest,
    }


def _signal(entry: WatchEntry, seen: Snapshot) -> dict[str, Any]:
    item = seen.catalog.indicators.get(entry.indicator)
    feature = seen.catalog.features.get(entry.indicator)
    row = entry.as_row()
    quiet = row["silence"]
    out = {
        "rank": entry.rank,
        "indicator": entry.indicator,
        "state": entry.state,
        "counterpart": entry.counterpart or None,
        "family": item.family if item is not None else feature.family if feature else None,
        "meaning": _meaning(entry.indicator, seen),
        "what": entry.what,
        "chance": plain(entry.chance),
        "value": plain(entry.value),
        "unit": entry.unit,
        "window_months": entry.months,
        "period": f"{entry.period:%Y-%m}" if entry.months != 12 or _monthly(entry, seen)
        else f"{entry.period:%Y}",
        "published": row["published"],
        "age_months": plain(entry.age_months),
        "percentile": plain(entry.percentile),
        "change": plain(entry.change),
        "silence": None if quiet is None else {name: plain(quiet[name]) for name in _SILENCE},
        "signs": entry.signs,
        "records": {
            name: {key: plain(one[key]) for key in _RECORD} for name, one in row["records"].items()
        },
        "false_alarms_per_year": plain(entry.false_alarms_per_year),
    }  # fmt: skip
    return out | {"said": said(out)}


def _meaning(name: str, seen: Snapshot) -> str:
    """Meaning of an indicator, or of the first one a feature sums."""
    catalog = seen.catalog
    if name in catalog.indicators:
        return catalog.indicators[name].meaning
    feature = catalog.features[name]
    over = {"neighbours": "over the land neighbours", "counterparts": "over all counterparts"}
    where = f", {over[feature.scope]}" if feature.scope in over else ""
    return f"{catalog.indicator(feature.indicators[0]).meaning}{where}"


def _monthly(entry: WatchEntry, seen: Snapshot) -> bool:
    catalog = seen.catalog
    name = entry.indicator
    if name in catalog.features:
        name = catalog.features[name].indicators[0]
    return catalog.indicator(name).frequency != "A"
