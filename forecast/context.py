"""What stands around the numbers: processes, series as known then, gaps, what was not seen."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from forecast.episodes import records
from forecast.material import Material, plain
from forecast.questions import Question
from forecast.stages import under_way
from indicators.catalog import Catalog
from indicators.vintages import Snapshot

SHOWN = 4
"""Series shown of each family."""
FAMILIES = ("border", "gas", "contacts")
MIN_FIGURES = 3
STALE_MONTHS = {"A": 30.0, "Q": 9.0, "M": 6.0}
"""Age, in months, above which a figure of each frequency counts as stale."""


def processes(seen: Snapshot, state: str, asked: Sequence[Question]) -> list[dict[str, Any]]:
    """Processes of the state that were under way, and public, at the origin."""
    out = []
    for question in asked:
        if question.process is None or question.parent:
            continue
        for row in under_way(question, seen, state=state).to_dict("records"):
            out.append(
                {
                    "id": row["process_id"],
                    "question": question.id,
                    "counterpart": row["slot"] or None,
                    "kind": row["kind"],
                    "stage": row["stage"],
                    "public_since": plain(row["public_since"]),
                    "last_sign": plain(row["last_sign"]),
                    "aim": row["aim"] or None if question.process.statements else None,
                }
            )
    return out


def shown_series(seen: Snapshot, state: str) -> list[dict[str, Any]]:
    """Series of the state as known at the origin, the fullest few of each family."""
    rows = seen.observations
    rows = rows[rows["state"] == state]
    out = []
    for family in FAMILIES:
        names = [i.indicator for i in seen.catalog.indicators.values() if i.family == family]
        mine = rows[rows["indicator"].isin(names)]
        counts = mine.groupby(["indicator", "counterpart"]).size()
        counts = counts[counts >= MIN_FIGURES].sort_values(ascending=False, kind="stable")
        for indicator, counterpart in list(counts.index)[:SHOWN]:
            out.append(_series(seen, str(indicator), state, str(counterpart)))
    return out


def _series(seen: Snapshot, indicator: str, state: str, counterpart: str) -> dict[str, Any]:
    entry = seen.catalog.indicator(indicator)
    table = seen.series(indicator, state, counterpart)
    # One figure a period: a series whose definition changed shows the newest definition only.
    table = table.sort_values(["start", "published"]).drop_duplicates("start", keep="last")
    monthly = entry.frequency == "M"
    return {
        "indicator": indicator,
        "family": entry.family,
        "state": state,
        "counterpart": counterpart or None,
        "unit": entry.unit,
        "meaning": entry.meaning,
        "observations": [
            {
                "period": f"{r.start:%Y-%m}" if monthly else f"{r.start:%Y}",
                "value": plain(float(r.value)),
                "published": plain(r.published),
            }
            for r in records(table)
        ],
    }


def stale(main: Material, state: str, catalog: Catalog) -> list[dict[str, Any]]:
    """Covariates whose newest figure is old, or whose source had ended."""
    out = []
    for feature in main.model.features:
        latest = main.panel.latest(feature, states=[state])
        if latest.empty:
            out.append(
                {"indicator": feature, "last_period": None, "age_months": None, "ended": False}
            )
            continue
        row = latest.iloc[0]
        first = catalog.indicator(catalog.feature(feature).indicators[0])
        if row["ended"] or row["age_months"] > STALE_MONTHS.get(first.frequency, 30.0):
            out.append(
                {
                    "indicator": feature,
                    "last_period": row["period"],
                    "age_months": plain(float(row["age_months"])),
                    "ended": bool(row["ended"]),
                }
            )
    return out


def gap(asked: Sequence[Question], origin: pd.Timestamp) -> dict[str, Any]:
    """Time between the end of the outcome feed and the origin."""
    censor = min(q.feed.censor for q in asked)
    months = max(0, (origin.year - censor.year) * 12 + origin.month - censor.month - 1)
    text = None
    if months:
        text = (
            f"Outcomes are coded to {censor:%Y-%m-%d}. What happened in the {months} months "
            "from then to the origin is not in the risk sets, and the base rates end there too; "
            "a later event that is coded all the same counts only as the state's own past."
        )
    return {"feed_ends": plain(censor), "months_unobserved": months, "text": text}


def not_seen(
    asked: Sequence[Question],
    roots: Mapping[str, Material],
    state: str,
    seen: Snapshot,
    *,
    exclude: Mapping[str, Sequence[str]],
) -> list[str]:
    """In words: what this run could not see, and what it does not answer."""
    out = [
        f"left out of this run as contested: {name} ({', '.join(rows)})."
        for name, rows in exclude.items()
    ]
    for question in asked:
        main = roots[question.parent or question.id]
        if main.risk.rows.empty:
            out.append(
                f"{question.id}: no month at risk was over at the origin (they begin in "
                f"{question.window_start:%Y-%m}), so there is no forecast."
            )
            continue
        if main.target is None:
            others = ", ".join(sorted(set(main.risk.origin["state"]))) or "none"
            out.append(
                f"{question.id}: {state} is not at risk at the origin, so there is no forecast. "
                f"At risk then: {others}."
            )
            continue
        held = sorted(set(question.slots) - set(main.target.units["slot"]))
        if held and not question.parent:
            out.append(
                f"{question.id}: not at risk here: {', '.join(held)} (a base there already, a "
                "member already, or not eligible), so they cannot bring the event about."
            )
        if question.process is None and not question.parent:
            out.append(f"{question.id}: no table of processes; stages and signs are not modelled.")
    for feature in next(iter(roots.values())).model.features if roots else ():
        main = next(iter(roots.values()))
        if main.panel.latest(feature, states=[state]).empty:
            out.append(
                f"{feature}: nothing was public for {state}; its value is a latent variable."
            )
    if seen.strict:
        out.append("Strict vintages: reconstructed publication dates are left out.")
    return out
