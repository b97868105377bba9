"""What the page says, before it is laid out: the payload grouped by question, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from forecast import plots
from forecast.overview import overview_height
from forecast.report.pictures import INK, inline
from forecast.report.seen import ages, indicator_groups
from forecast.report.signals import signals_panel
from forecast.sampling import BFMI_MIN, DIVERGENT_MAX, ESS_MIN, RHAT_MAX
from forecast.words import label, one_in, percent, signed, times

__all__ = ["answer", "marks_are", "view"]

Row = Mapping[str, Any]
_NAMED = 8  # drivers drawn in a picture; the table lists all
_GATE = {
    "rhat": f"{RHAT_MAX:g}",
    "ess": f"{ESS_MIN:g}",
    "divergent": f"{100 * DIVERGENT_MAX:g}%",
    "bfmi": f"{BFMI_MIN:g}",
}
_PARTS = {"neutrality_weakening": "neutrality_text_revision"}  # one process feeds both


def view(payload: Row) -> dict[str, Any]:
    """Return everything the templates print.

    Parameters
    ----------
    payload
        Output of a run that follows the schema.

    Returns
    -------
    dict
        Plain values and finished pictures.
    """
    forecasts: Sequence[Row] = payload["forecasts"]
    names = list(dict.fromkeys(row["question"] for row in forecasts))
    questions = [_question(payload, name, f"q{i}") for i, name in enumerate(names, start=1)]
    known = [question for question in questions if question["head"]]
    return {
        "run": payload,
        "questions": questions,
        "overview": _overview(payload) if known else None,
        "span": _listed(sorted({int(row["horizon"]) for row in forecasts})) if forecasts else "",
        "model": next((row["model"] for row in forecasts), ""),
        "gap": _gap(payload),
        "poor_fit": _poor_fit(payload["provenance"]),
        "gate": _GATE,
        "strict": payload.get("strict_vintages", False),
        "signals": signals_panel(payload),
        "skill": payload.get("skill"),
        "joint": _joint(payload.get("joint")),
        "powers": payload.get("powers"),
        "pool": payload.get("pool"),
        "priors": payload.get("priors", []),
        "priors_are": payload.get("priors_are", "neutral"),
        "groups": indicator_groups(payload),
        "ages": ages(payload),
    }


def _question(payload: Row, name: str, slug: str) -> dict[str, Any]:
    every = [row for row in payload["forecasts"] if row["question"] == name]
    rows = sorted((r for r in every if r["p"] is not None), key=lambda row: int(row["horizon"]))
    head = rows[-1] if rows else None
    found: dict[str, Any] = {
        "id": name,
        "slug": slug,
        "title": every[0]["title"],
        "rows": rows,
        "head": head,
        "processes": _processes(payload, name),
    }
    if head is None:
        return found
    drivers = sorted(head["drivers"] or (), key=lambda d: -abs(d["log_odds"] or 0.0))
    return found | {
        "answer": answer(head),
        "picture": _horizons(rows, found["title"], slug),
        "base_class": _base_class(head),
        "classes": _by_horizon(rows, "reference_classes", "class"),
        "baselines": _by_horizon(rows, "baselines", "model"),
        "marks": _by_horizon(rows, "marks_detail", "mark"),
        "marks_are": marks_are(head),
        "marks_picture": _marks(head, slug),
        "drivers": drivers,
        "drivers_picture": _drivers(drivers[:_NAMED], slug),
        "cases": head["cases"] or [],
        "hindsight": head.get("hindsight"),
        "contested": head.get("contested"),
        "face": any(row.get("hindsight") for row in rows),
        "strict": any(row["strict"] for row in rows),
        "no_process": any(row["no_process"] for row in rows),
        "prior": any(row["prior"] for row in rows),
    }


def _joint(joint: Row | None) -> dict[str, Any] | None:
    """The questions together: a row each for any and for every pair, a cell a horizon."""
    if joint is None:
        return None
    every = joint["horizons"]
    lines = [{"name": "At least one of them", "cells": [row["any"] for row in every]}]
    for i, pair in enumerate(every[0]["pairs"]):
        name = " and ".join(map(label, pair["questions"]))
        lines.append({"name": name, "cells": [row["pairs"][i] for row in every]})
    spoken = len(every[0]["pairs"]) + 1
    months = [row["horizon"] for row in every]
    return {"months": months, "lines": lines, "links": joint["words"][spoken:]}


def _listed(values: Sequence[int]) -> str:
    *first, last = map(str, values)
    return f"{', '.join(first)} and {last}" if first else last


def _processes(payload: Row, name: str) -> list[Row]:
    own = [row for row in payload["processes"] if row["question"] == name]
    whole = _PARTS.get(name)
    return own or [row for row in payload["processes"] if row["question"] == whole]


def answer(row: Row) -> dict[str, str]:
    """Return the answer to one question at one horizon, in words.

    Parameters
    ----------
    row
        One forecast that holds a number.

    Returns
    -------
    dict
        ``lead`` (the range and best estimate), ``base`` (the base rate and how the estimate
        compares with it), ``behind`` (events and prior share); a part is empty where unknown.
    """
    rare = one_in(row["p"])
    lead = f"best estimate {percent(row['p'])}" + (f" (about {rare})" if rare else "")
    if row["lo90"] is not None and row["hi90"] is not None:
        lead = f"between {percent(row['lo90'])} and {percent(row['hi90'])}, {lead}"
    base = ""
    if row["base_rate"] is not None:
        base = f"The base rate is {percent(row['base_rate'])}"
        if row["base_rate_lo90"] is not None and row["base_rate_hi90"] is not None:
            span = (percent(row["base_rate_lo90"]), percent(row["base_rate_hi90"]))
            base += f" ({span[0]} to {span[1]})"
        base += f": the estimate is {times(row['ratio'])}." if row["ratio"] is not None else "."
    return {"lead": lead, "base": base, "behind": _behind(row)}


def _behind(row: Row) -> str:
    parts = []
    if row["base_rate_events"] is not None:
        k = row["base_rate_events"]
        count = "No event" if k == 0 else "1 event" if k == 1 else f"{k} events"
        years = row["base_rate_exposure_years"]
        time = f" in {years:,.0f} years of exposure" if years is not None else ""
        parts.append(f"{count}{time} {'stands' if k < 2 else 'stand'} behind it")
    if row["prior_share"] is not None:
        parts.append(f"the data left {percent(row['prior_share'])} of the prior's uncertainty")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _base_class(row: Row) -> str | None:
    """Identifier of the class behind the base rate, which a run may name by its label."""
    named = row["base_rate_class"]
    found = (
        e["class"] for e in row["reference_classes"] or () if named in (e["class"], e["label"])
    )
    return next(found, None)


def marks_are(row: Row) -> str:
    """Say whether marks are joint probabilities or shares of the event.

    Parameters
    ----------
    row
        One forecast.

    Returns
    -------
    str
        ``joint`` or ``given_event``: what the payload states or, where it does not, what follows
        from arithmetic, since no joint probability can exceed that of the event.
    """
    if stated := row.get("marks_are"):
        return str(stated)
    values = [value for value in (row["marks"] or {}).values() if value is not None]
    return "given_event" if any(value > row["p"] + 1e-9 for value in values) else "joint"


def _by_horizon(rows: Sequence[Row], part: str, key: str) -> list[dict[str, Any]]:
    """Turn a list that each horizon repeats into one row an entry, one cell a horizon."""
    order = dict.fromkeys(entry[key] for row in rows for entry in row[part] or ())
    found = []
    for name in order:
        cells = [next((e for e in row[part] or () if e[key] == name), None) for row in rows]
        last = next(cell for cell in reversed(cells) if cell is not None)
        found.append({"key": name, "entry": last, "cells": cells})
    return found


def _horizons(rows: Sequence[Row], title: str, slug: str) -> Any:
    last = rows[-1]
    name = f"{title}: probability by horizon, {percent(last['p'])} at {last['horizon']} months"
    if last["base_rate"] is not None:
        name += f", against a base rate of {percent(last['base_rate'])}"
    ax = plots.horizons(rows, last["question"], palette=INK)
    return inline(_figure(ax), f"{name}. The table beside it holds the numbers.", f"{slug}-h")


def _marks(row: Row, slug: str) -> Any:
    entries = [entry for entry in row["marks_detail"] or () if entry["p"] is not None]
    if len(entries) < 2:
        return None
    parts = ", ".join(f"{label(entry['mark'])} {percent(entry['p'])}" for entry in entries)
    return inline(_figure(plots.marks(entries, palette=INK)), f"Marks: {parts}.", f"{slug}-m")


def _drivers(entries: Sequence[Row], slug: str) -> Any:
    known = [entry for entry in entries if entry["log_odds"] is not None]
    if not known:
        return None
    parts = "; ".join(f"{e['label'] or e['indicator']} {signed(e['log_odds'])}" for e in known)
    name = f"Drivers, change in log-odds: {parts}."
    return inline(_figure(plots.drivers(known, palette=INK)), name, f"{slug}-d")


def _overview(payload: Row) -> dict[str, Any]:
    from matplotlib.figure import Figure

    name = (
        "All questions and horizons: estimate with 90% interval against the base rate, on a "
        "logarithmic scale. The tables below hold the numbers."
    )
    height = overview_height(payload)
    found = {}
    for slug, width in (("wide", 10.0), ("narrow", 4.6)):
        figure = Figure(figsize=(width, height))
        plots.forecast_overview(payload, fig=figure, palette=INK)
        found[slug] = inline(figure, name, f"overview-{slug}")
    return found


def _figure(ax: Any) -> Any:
    return ax.figure


def _gap(payload: Row) -> str:
    gap = payload["gap"]
    if not gap or not (gap["months_unobserved"] or gap["text"]):
        return ""
    return str(gap["text"] or "") or (
        f"The months since then, {gap['months_unobserved']} in all, are not observed: an event in "
        "them would not be in the figures."
    )


def _poor_fit(provenance: Row) -> list[str]:
    """List the limits of the diagnostics gate that this fit breaks."""
    found: list[str] = []
    limits = (
        ("rhat_max", "R-hat", RHAT_MAX, 1),
        ("ess_min", "effective sample size", ESS_MIN, -1),
        ("bfmi_min", "E-BFMI", BFMI_MIN, -1),
    )
    for key, name, limit, sign in limits:
        value = provenance[key]
        if value is not None and (value >= limit if sign > 0 else value < limit):
            found.append(f"{name} {value:g} (limit {limit:g})")
    if provenance.get("poor_fit") and not found:
        found.append("a limit of the gate was broken")
    return found
