"""The priors of a fit as a small table: what was said, the distribution that says it, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from forecast.models.design import GAP_MIDS, SIGNS, Design
from forecast.models.hazard import Hazard, effects, prior_draws, sizes
from forecast.priors import Normal, effect, multiplier, spread, spread_interval, yearly_rate
from forecast.questions import Question
from indicators.catalog import Catalog, Feature

__all__ = ["PRIORS", "configured", "prior_table", "words_of"]

PRIORS = ("neutral", "informed")
"""Neutral: no sign is expected of any covariate. Informed: those of the catalog are."""
DRAWS = 20_000
SEED = 1
"""Of the draws behind the intervals of effects, which have no closed form under every family."""
_SCALES = {"slot": "powers or bodies", "region": "regions", "state": "states",
           "birth": "states, in how often a process is heard of,"}  # fmt: skip
_DEFAULT = {
    "gap": "Openings and revisions come in runs as often as they satisfy a demand: either way.",
    "mark": "Texts have been made weaker and stronger: neither is expected beforehand.",
    "aim": "What a process says it is for is usually what comes of it, not always.",
    "spread": "The scale of the model where the question does not state its own.",
    "effects": "Covariates in other such panels have mostly told little.",
    "signs": "The range of the model where the question does not state its own.",
}


def configured(
    question: Question,
    features: tuple[str, ...],
    *,
    processes: bool,
    like: Hazard | None = None,
    priors: str = "neutral",
    catalog: Catalog | None = None,
) -> Hazard:
    """Hazard model with the priors that the question registers.

    Parameters
    ----------
    question : Question
    features : tuple of str
        Covariates.
    processes : bool
        Whether stages and signs are modelled, where the question codes them.
    like : Hazard, optional
        Structure of the model, its scales included; what the question states besides, and the
        covariates, replace its own.
    priors : {'neutral', 'informed'}, optional
    catalog : Catalog, optional
        States the signs; needed for informed priors.
    """
    p, default = question.priors, like or Hazard()
    signs = tuple(
        yearly_rate(*p.signs[kind]) if kind in p.signs else default.signs[i]
        for i, kind in enumerate(SIGNS)
    )
    scales: dict[str, Any] = {
        f"{what}_scale": spread(factor) for what, factor in p.spread.items() if like is None
    }
    known = catalog.features if catalog is not None and priors == "informed" else {}
    stated = tuple(
        (name, effect(known[name].signs.get(question.family, 0), p.sizes.get(name, "medium")))
        for name in features
        if name in known
    )
    made = replace(
        default,
        rate=yearly_rate(*p.rate),
        live=multiplier(*p.live_multiplier),
        late=multiplier(*p.late_multiplier),
        signs=signs,
        features=features,
        processes=processes and question.process is not None,
        **scales,
    )
    return replace(made, effect_priors=stated) if stated else made


def prior_table(
    question: Question, model: Hazard, design: Design, catalog: Catalog
) -> list[dict[str, Any]]:
    """Tell the priors of a fit, one row each.

    Parameters
    ----------
    question : Question
        Gives ranges and reasons.
    model : Hazard
        As fitted: what is told is what was used.
    design : Design
        Gives what there is to have a prior: slots, processes, marks, covariates.
    catalog : Catalog
        Gives signs, and the reasons for them with their references.

    Returns
    -------
    list of dict
        ``question, name, words, distribution, lo90, hi90, unit, reason``; lo90 and hi90 are the
        central 90% interval on the scale of the words: events a year, or a factor on the rate.
    """
    rows = [_rate("rate", "events a year and unit at risk, nothing under way", model.rate,
                  question, "rate")]  # fmt: skip
    if model.processes and design.has_signs:
        for name, prior in (("live", model.live), ("late", model.late)):
            key = f"{name}_multiplier"
            said = {"live": "a live process multiplies the rate by",
                    "late": "a draft or a signed agreement multiplies it by"}  # fmt: skip
            rows.append(_factor(key, said[name], prior, question, key))
        rows += [
            _rate(f"sign {kind}", f"public signs a year, {kind.replace('>', ' to ')}", prior,
                  question, "signs")
            for kind, prior in zip(SIGNS, model.signs, strict=True)
        ]  # fmt: skip
    rows += _recurrence(model)
    rows += [_spread_row(what, getattr(model, f"{what}_scale"), question)
             for what in _SCALES if _differs(what, model, design)]  # fmt: skip
    if design.slots == ("",):
        rows += _marks(model)
    rows += _effects(question, model, design, catalog)
    return [{"question": question.id, **row} for row in rows]


def words_of(row: Mapping[str, Any]) -> str:
    """Write one row of the table as an analyst would say it."""
    low, high = (f"{row[end]:.3g}" for end in ("lo90", "hi90"))
    if row["unit"] == "events a year":
        low, high = (f"1 in {1 / row[end]:,.0f}" if row[end] < 0.5 else f"{row[end]:.2g}"
                     for end in ("lo90", "hi90"))  # fmt: skip
    return f"{row['words']} {low} to {high}"


def _row(
    name: str, words: str, distribution: str, ends: tuple[float, float], unit: str, reason: str
) -> dict[str, Any]:
    low, high = (float(f"{end:.4g}") for end in ends)
    return {"name": name, "words": words, "distribution": distribution, "lo90": low, "hi90": high,
            "unit": unit, "reason": reason}  # fmt: skip


def _reason(question: Question, key: str) -> str:
    return question.priors.reasons.get(key, _DEFAULT.get(key, "judgement"))


def _normal(prior: Normal, of: str) -> str:
    return f"log {of} ~ Normal({prior.mu:.3f}, {prior.sigma:.3f})"


def _rate(name: str, words: str, prior: Normal, question: Question, key: str) -> dict[str, Any]:
    low, high = prior.interval()  # of a month
    text = _normal(prior, "rate a month")
    return _row(name, words, text, (12 * low, 12 * high), "events a year", _reason(question, key))


def _factor(name: str, words: str, prior: Normal, question: Question, key: str) -> dict[str, Any]:
    text = _normal(prior, "factor")
    return _row(name, words, text, prior.interval(), "factor", _reason(question, key))


def _recurrence(model: Hazard) -> list[dict[str, Any]]:
    said = {
        "before": ("an earlier event multiplies the rate by", model.before_sigma),
        "log gap": (f"an event {GAP_MIDS[-1] / 12:.0f} instead of 5 years ago multiplies it by",
                    model.gap_sigma * float(np.log(GAP_MIDS[-1] / 60))),
    }  # fmt: skip
    return [
        _row(name, words, _normal(prior := Normal(0.0, scale), "factor"), prior.interval(),
             "factor", _DEFAULT["gap"])
        for name, (words, scale) in said.items()
    ]  # fmt: skip


def _differs(what: str, model: Hazard, design: Design) -> bool:
    """Tell whether there is anything whose differences a scale is of."""
    many = {"slot": len(design.slots), "region": len(design.regions), "state": len(design.states),
            "birth": len(design.states) if design.has_signs else 0}  # fmt: skip
    return bool(getattr(model, f"{what}_scale") > 0 and many[what] > 1)


def _spread_row(what: str, scale: float, question: Question) -> dict[str, Any]:
    words = f"{_SCALES[what]} differ, by one standard deviation, by a factor of"
    reason = _reason(question, "spread")
    if what not in question.priors.spread:
        reason = _DEFAULT["spread"]
    text = f"standard deviation of log rate ~ HalfNormal({scale:.3f})"
    return _row(f"{what} spread", words, text, spread_interval(scale), "factor", reason)


def _marks(model: Hazard) -> list[dict[str, Any]]:
    level, aim = Normal(model.mark_mu, model.mark_sigma), Normal(model.aim_shift, model.aim_scale)
    low, high = (odds / (1 + odds) for odds in level.interval())
    return [
        _row("mark", "share of revisions that weaken, no aim stated,", _normal(level, "odds"),
             (low, high), "share", _DEFAULT["mark"]),
        _row("aim", "a stated aim to weaken multiplies the odds of weakening by",
             _normal(aim, "factor"), aim.interval(), "factor", _DEFAULT["aim"]),
    ]  # fmt: skip


def _why(feature: Feature, expected: int, question: Question, catalog: Catalog) -> str:
    """Say why a sign is expected, and who argued it, where the registry says so."""
    for indicator in feature.indicators if feature.scope != "neighbours" else ():
        said = catalog.indicator(indicator).signs.get(question.id)
        if said is not None and said.sign == expected and said.reason:
            return f"{feature.reason}; {said.reason} ({said.reference})"
    return feature.reason


def _family(model: Hazard, prior: Normal) -> str:
    """The family of shrinkage with its own scale."""
    at = f"centred at {prior.mu:.3f}"
    if model.shrinkage == "horseshoe":
        return (f"regularised horseshoe, {at}, global scale {model.global_scale:g}, "
                f"slab {model.slab_scale:g}")  # fmt: skip
    if model.shrinkage == "r2d2":
        return f"R2D2, {at}, half of the variance explained at {model.explained:g}"
    learned = " × learned scale" if model.learn_ridge else ""
    return f"ridge: Normal({prior.mu:.3f}, {prior.sigma:.3f}{learned})"


def _effects(
    question: Question, model: Hazard, design: Design, catalog: Catalog
) -> list[dict[str, Any]]:
    """One row a covariate; intervals by simulation, whatever the family of shrinkage."""
    if not design.features:
        return []
    raw = prior_draws(sizes(design), DRAWS, SEED)
    factors = np.exp(effects(raw, model.constants(design), np)["beta"])
    stated = dict(model.effect_priors)
    rows = []
    for j, name in enumerate(design.features):
        ends = np.quantile(factors[:, j], [0.05, 0.95])
        prior = stated.get(name, Normal(0.0, model.effect_scale))
        text = f"log factor ~ {_family(model, prior)}"
        words = f"one catalog scale more of {name.replace('_', ' ')} multiplies the rate by"
        reason = _reason(question, "effects")
        if name in stated:
            feature = catalog.features[name]
            sign = {1: "a higher rate", -1: "a lower rate", 0: "no sign"}
            size = question.priors.sizes.get(name, "medium")
            expected = feature.signs.get(question.family, 0)
            why = _why(feature, expected, question, catalog)
            reason = f"{sign[expected]} expected, {size} size: {why}"
        rows.append(_row(f"effect of {name}", words, text, (ends[0], ends[1]), "factor", reason))
    return rows
