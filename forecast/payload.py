"""The JSON document of a run, assembled from plain values."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecast import __version__, cache
from forecast.answers import Answer
from forecast.contested import Contested, block
from forecast.context import gap, not_seen, processes, shown_series, stale
from forecast.engine import WORDS, Fitted
from forecast.evidence import cases
from forecast.hindsight import HINDSIGHT, in_words, tipping_point
from forecast.material import Material, plain
from forecast.models.base_rate import BaseRate
from forecast.models.design import GAPS, STAGES, Array
from forecast.predict import Prediction, Target, monte_carlo_error, prior_share, summary
from forecast.prior_table import prior_table, words_of
from forecast.questions import Question
from forecast.reference import reference_classes
from indicators.vintages import Snapshot


@dataclass(frozen=True)
class Context:
    """What all questions of a run share."""

    state: str
    origin: pd.Timestamp
    horizons: tuple[int, ...]
    model: str
    seed: int
    seen: Snapshot
    strict: Snapshot
    states: pd.DataFrame
    exclude: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Contested events left out of the run, by toggle."""
    contested: Mapping[str, Contested | None] = field(default_factory=dict)
    """What the others do, by root question."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Ids of the contested events left out."""
        return tuple(row for rows in self.exclude.values() for row in rows)

    @property
    def state_name(self) -> str:
        """Name of the state asked about."""
        named = self.states.set_index("state")["name"]
        return str(named[self.state])


def part_mark(question: Question) -> str:
    """Mark whose probability answers a question that is part of another; '' for the whole."""
    return question.marks.names[0] if question.parent else ""


def entries(
    context: Context, question: Question, parts: Mapping[str, Material], found: Answer
) -> list[dict[str, Any]]:
    """One JSON entry a horizon; empty where the state is not at risk."""
    main = parts["default"]
    if main.target is None:
        return []
    mark = part_mark(question)
    classes = reference_classes(
        question, context.seen, state=context.state, exclude=context.left_out
    )
    shared = {
        "drivers": _drivers(main, found, mark),
        "stale": stale(main, context.state, context.seen.catalog),
    }
    doubts = context.contested.get(question.parent or question.id)
    groups = doubts.toggles if doubts is not None else ()
    without = _rates_without(context, question, groups, main.question.toggles)
    return [
        _entry(context, question, main, found, classes, h, mark)
        | shared_at(shared, h)
        | {"contested": block(doubts, found.default, without, horizon=h, mark=mark)}
        for h in context.horizons
    ]


def _rates_without(
    context: Context, question: Question, toggles: Iterable[str], rows: Mapping[str, Sequence[str]]
) -> dict[str, BaseRate]:
    """Registered base rate without each contested group."""

    def rate(group: str) -> BaseRate:
        gone = (*context.left_out, *rows[group])
        classes = reference_classes(question, context.seen, state=context.state, exclude=gone)
        return BaseRate.of_class(classes.iloc[0])

    return {group: rate(group) for group in toggles}


def shared_at(shared: Mapping[str, Any], horizon: int) -> dict[str, Any]:
    """Parts of an entry that were computed for all horizons at once."""
    drivers = [
        {k: v for k, v in d.items() if k != "draws"} | _log_odds(d["draws"], horizon)
        for d in shared["drivers"]
    ]
    drivers.sort(key=lambda d: -abs(d["log_odds"]))
    return {"drivers": drivers, "stale": shared["stale"]}


def _entry(
    context: Context,
    question: Question,
    main: Material,
    found: Answer,
    classes: pd.DataFrame,
    horizon: int,
    mark: str,
) -> dict[str, Any]:
    listed = [_reference(row, horizon) for row in _records(classes)]
    base = listed[0]
    headline = base if found.default is None else _at(found.default, horizon, mark)
    p = headline["p"]
    share = None
    # at face value: the prior beside it knows no hindsight either
    if found.prior is not None and found.face is not None:
        share = prior_share(
            _draws(found.face, mark)[:, horizon - 1], _draws(found.prior, mark)[:, horizon - 1]
        )
    closes = context.origin + pd.DateOffset(months=horizon) - pd.Timedelta(days=1)
    out = {
        "question": question.id,
        "title": question.title,
        "state": context.state,
        "origin": plain(context.origin),
        "horizon": horizon,
        "closes": plain(closes),
        "model": context.model,
        **{k: headline[k] for k in ("p", "lo90", "hi90")},
        "monte_carlo_error": plain(_error(found, horizon, mark)),
        "base_rate": base["p"],
        "base_rate_lo90": base["lo90"],
        "base_rate_hi90": base["hi90"],
        "base_rate_events": base["events"],
        "base_rate_exposure_years": base["exposure_years"],
        "base_rate_class": base["class"],
        "ratio": plain(p / base["p"]),
        "prior_share": plain(share),
        "beside": "hazard" if context.model == "pool" else context.model,
        "hindsight": _hindsight(found, horizon, mark),
        "no_process": _optional(found.no_process, horizon, mark),
        "strict": _optional(found.strict, horizon, mark),
        "prior": _optional(found.prior, horizon, mark),
        "reference_classes": listed,
        "baselines": [{"model": k, **_at(v, horizon, mark)} for k, v in found.rivals.items()],
        "cases": _cases(main, found, horizon, mark),
    }
    return out | _marks(main, found, horizon, mark)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def _reference(row: Mapping[str, Any], horizon: int) -> dict[str, Any]:
    rate = BaseRate.of_class(row)
    years = horizon / 12
    low, high = rate.interval(years)
    return {
        "class": row["class_id"],
        "label": row["label"],
        "events": int(row["events"]),
        "exposure_years": plain(round(float(row["exposure_years"]), 1)),
        "p": plain(float(rate.p(years))),
        "lo90": plain(float(low)),
        "hi90": plain(float(high)),
    }


def _draws(prediction: Prediction, mark: str) -> Array:
    return prediction.marks[mark] if mark else prediction.p


def _at(prediction: Prediction, horizon: int, mark: str) -> dict[str, Any]:
    values = summary(_draws(prediction, mark)[:, horizon - 1])
    return {k: plain(v) for k, v in values.items()}


def _optional(prediction: Prediction | None, horizon: int, mark: str) -> dict[str, Any] | None:
    return None if prediction is None else _at(prediction, horizon, mark)


def _error(found: Answer, horizon: int, mark: str) -> float | None:
    """Monte Carlo error of the headline."""
    if found.default is None:
        return None
    p, told = _draws(found.default, mark)[:, horizon - 1], found.hindsight
    if told is not None and told.trusted:
        return told.monte_carlo_error(p, found.chains)
    return monte_carlo_error(p, found.chains)


def _hindsight(found: Answer, horizon: int, mark: str) -> dict[str, Any] | None:
    """The forecast at face value, and how many failures must be missing to undo its process."""
    told = found.hindsight
    if told is None or found.face is None or found.no_process is None:
        return None
    face = _at(found.face, horizon, mark)
    curve = told.curves[mark][:, :, horizon - 1]
    goal = _at(found.no_process, horizon, mark)["p"]
    tips = [
        tipping_point(told.omegas, line, face=face["p"], start=curve[0, 0], goal=goal)
        for line in curve
    ]
    out: dict[str, Any] = {
        "face_value": face,
        "carried": _at(told.prediction, horizon, mark),
        "in_headline": told.trusted,
        "k_hat": plain(told.k_hat),
        "poor": plain(told.poor),
        "tipping": {
            "missing": plain(tips[0]),
            "missing_half_visible": plain(tips[1]),
            "most": plain(float(told.omegas[-1])),
        },
        "prior": {
            "missing_median": 1.0 + HINDSIGHT.missing[0],
            "missing_sd_log": HINDSIGHT.missing[1],
            "visible_beta": list(HINDSIGHT.visible),
        },
    }
    return out | {"words": in_words(out, goal=goal)}


def _marks(main: Material, found: Answer, horizon: int, mark: str) -> dict[str, Any]:
    """Marks of the event: the event happens by then *and* has the mark."""
    shown = {} if mark or found.default is None else own_marks(main.question, found.default)
    if not shown:
        return {"marks": None, "marks_are": "joint", "marks_detail": None}
    counts = informed(main)
    detail = [
        {
            "mark": name,
            **{k: plain(v) for k, v in summary(draws[:, horizon - 1]).items()},
            "events": counts.get(name, 0),
            "from_prior": counts.get(name, 0) == 0,
        }
        for name, draws in shown.items()
    ]
    return {
        "marks": {d["mark"]: d["p"] for d in detail},
        "marks_are": "joint",
        "marks_detail": detail,
    }


def own_marks(question: Question, found: Prediction) -> dict[str, Array]:
    """Marks that the question tells apart; with a single one there is nothing to tell."""
    named = {k: v for k, v in found.marks.items() if k in question.marks.names}
    return named if len(question.marks.names) > 1 else {}


def informed(main: Material) -> dict[str, int]:
    """Events seen at the origin by mark."""
    design = main.design
    if design.slots == ("",):
        weaken = int(design.mark_weaken.sum())
        return {"weaken": weaken, "strengthen": int(design.mark_total.sum()) - weaken}
    slot = design.event_column // (len(STAGES) * len(GAPS))
    counts = np.bincount(slot, design.event_weight, minlength=len(design.slots))
    return {name: round(n) for name, n in zip(design.slots, counts, strict=True)}


def _drivers(main: Material, found: Answer, mark: str) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    target = main.target
    if target is None:
        return out
    for name, draws in found.drivers.get(mark, {}).items():
        if name == "process":
            described = _process_driver(target)
        else:
            latest = main.panel.latest(name, states=[target.state])
            row = latest.iloc[0].to_dict()
            described = {
                "label": name.replace("_", " "),
                "value": plain(float(row["value"])),
                "unit": row["unit"],
                "published": plain(row["published"]),
                "period": row["period"],
            }
        out.append({"indicator": name, **described, "draws": draws})
    return out


def _process_driver(target: Target) -> dict[str, Any]:
    units = target.units[target.units["stage"] > 0].sort_values("stage_age")
    named = [f"{u['slot']} {STAGES[u['stage']]}".strip() for _, u in units.iterrows()]
    label = f"{'processes' if len(named) > 1 else 'process'} under way ({', '.join(named)})"
    return {
        "label": label,
        "value": int(units["stage_age"].min()),
        "unit": "months since a sign",
        "published": None,
        "period": None,
    }


def _log_odds(draws: Array, horizon: int) -> dict[str, Any]:
    values = summary(draws[:, horizon - 1])
    names = {"p": "log_odds", "lo90": "lo90", "hi90": "hi90"}
    return {names[k]: plain(v) for k, v in values.items()}


def _cases(main: Material, found: Answer, horizon: int, mark: str) -> list[dict[str, Any]]:
    if found.raw is None or found.padded is None or found.face is None or main.target is None:
        return []
    listed = cases(
        main.risk,
        main.panel,
        main.model,
        found.raw,
        found.padded,
        main.target,
        p=_draws(found.face, mark)[:, horizon - 1],
        horizon=horizon,
        mark=mark,
    )
    return [{k: plain(v) for k, v in case.items()} for case in listed]


def priors_of(
    material: Mapping[str, Mapping[str, Material]], fitted: Mapping[str, Fitted], seen: Snapshot
) -> list[dict[str, Any]]:
    """Every prior of every fit, in words; none where nothing was fitted."""
    mains = [parts["default"] for parts in material.values()] if fitted else []
    return [
        {**row, "said": words_of(row)}
        for part in mains
        if part.target is not None
        for row in prior_table(part.question, part.model, part.design, seen.catalog)
    ]


def frame(
    context: Context,
    asked: Sequence[Question],
    material: Mapping[str, Mapping[str, Material]],
    rows: list[dict[str, Any]],
    fitted: Mapping[str, Fitted],
) -> dict[str, Any]:
    """The document around the entries: processes, series, gap, provenance."""
    roots = {name: parts["default"] for name, parts in material.items()}
    return {
        "schema": "tocsin/forecast/1",
        "state": context.state,
        "state_name": context.state_name,
        "as_of": plain(context.origin),
        "origin": plain(context.origin),
        "forecasts": rows,
        "processes": processes(context.seen, context.state, asked),
        "indicators": shown_series(context.seen, context.state),
        "gap": gap(asked, context.origin),
        "exclude": [{"name": k, "events": list(v)} for k, v in context.exclude.items()],
        "not_seen": not_seen(asked, roots, context.state, context.seen, exclude=context.exclude),
        "provenance": _provenance(context, fitted),
    }


def _provenance(context: Context, fitted: Mapping[str, Fitted]) -> dict[str, Any]:
    found = [f.fit.diagnostics for f in fitted.values()]
    config = sorted((name, repr(f.model), f.key) for name, f in fitted.items())
    return {
        "data_hash": context.seen.hash,
        "strict_hash": context.strict.hash,
        "config_hash": cache.digest(
            config, context.horizons, context.model, context.seed, *context.left_out
        ),
        "code_version": __version__,
        "seed": context.seed,
        "engine": ", ".join(sorted({WORDS[d.engine] for d in found})) or "closed form",
        "draws": min((int(f.fit.raw["alpha_raw"].size) for f in fitted.values()), default=0),
        "chains": max((len(f.fit.raw["alpha_raw"]) for f in fitted.values()), default=0),
        "rhat_max": plain(max((d.rhat_max for d in found), default=None)),
        "ess_min": plain(min((d.ess_min for d in found), default=None)),
        "divergences": sum(d.divergences for d in found),
        "bfmi_min": plain(min((d.bfmi_min for d in found), default=None)),
        "poor_fit": any(d.failures() for d in found),
        "python": platform.python_version(),
        "packages": cache.versions(),
    }
