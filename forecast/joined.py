r"""The questions of a run together: at least one, each pair, and what the links do.

Draw by draw and future by future, with A the question that opens doors, :math:`w_s` the chance that
it first comes in month s (:math:`w_\infty` that it does not), and B, C questions behind its doors,

.. math::

    P(B \wedge C) = \sum_s w_s P(B \mid s) P(C \mid s), \qquad
    P(\text{none}) = w_\infty (1 - P(B \mid \infty)) (1 - P(C \mid \infty)) ,

averaged over futures that the questions share. A question behind no door depends on the others
through the future alone. Only the first futures are kept apart, so each number is multiplied by
what the product of the answers is over what it would be on those futures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from forecast.answers import Answer
from forecast.links import Door, open_doors
from forecast.material import Material, plain
from forecast.models.base_rate import BaseRate
from forecast.models.design import Array
from forecast.models.linked import arrivals, second_given
from forecast.predict import Prediction, summary
from forecast.words import label, percent

__all__ = ["joined"]

DRAWS = 1000
"""Draws at most."""


@dataclass(frozen=True)
class _Way:
    """One link of the run: its door, its summary, draws of its log multiplier."""

    door: Door
    told: Mapping[str, float]
    gamma: Array = field(repr=False)
    already: int
    months: tuple[float, float]


def joined(
    material: Mapping[str, Mapping[str, Material]],
    answers: Mapping[str, Answer],
    *,
    rates: Mapping[str, BaseRate],
    state: str,
    horizons: Sequence[int],
    seed: int,
) -> dict[str, Any] | None:
    """Forecast the questions of a run together.

    Parameters
    ----------
    material, answers : mapping
        By question that is not part of another.
    rates : mapping of str to BaseRate
        Registered base rate of each: what stands beside is their product, as if independent.
    state : str
    horizons : sequence of int
        Months.
    seed : int
        Of the draws of the links.

    Returns
    -------
    dict or None
        The ``joint`` of the JSON of a run; None where fewer than two questions have an answer.
    """
    found = {name: a.default for name, a in answers.items() if a.default is not None}
    if len(found) < 2:
        return None
    draws = min(DRAWS, *(len(p.p) for p in found.values()))
    risks = {name: material[name]["default"].risk for name in found}
    ways = []
    for number, door in enumerate(open_doors(risks)):
        link = door.link(risks[door.first], risks[door.second])
        already = door.still_open(risks[door.first], state)
        told, gamma = link.summary(), link.draws(draws, seed=seed + number)
        ways.append(_Way(door, told, gamma, already, link.months))
    return {
        "questions": list(found),
        "links": (links := [_link(way) for way in ways]),
        "horizons": (rows := [_at(found, ways, rates, h, draws) for h in sorted(horizons)]),
        "words": [*_words(rows[-1], len(found)), *map(_link_words, links)],
    }


def _link(way: _Way) -> dict[str, Any]:
    return {
        "first": way.door.first,
        "second": way.door.second,
        "months": way.door.months,
        "open_months": way.already,
        "months_at_risk": round(sum(way.months)),
        "months_at_risk_open": round(way.months[1]),
        **{name: plain(value) for name, value in way.told.items()},
    }


def _words(row: Mapping[str, Any], size: int) -> list[str]:
    """Say what the longest horizon holds."""
    some = row["any"]
    base = percent(some["base_rate"])
    apart = f"base rate {base}; {percent(some['independent'])} if they were independent"
    out = [f"within {row['horizon']} months at least one of {size}: {percent(some['p'])} ({apart})"]
    for pair in row["pairs"]:
        names = " and ".join(map(label, pair["questions"]))
        apart = f"base rate {percent(pair['base_rate'])}; {percent(pair['independent'])}"
        out.append(f"{names}: {percent(pair['p'])} ({apart})")
    return out


def _link_words(link: Mapping[str, Any]) -> str:
    """Say what the record holds of a link."""
    door = f" (open for {link['open_months']} months)" if link["open_months"] else ""
    names = f"{label(link['second'])} within {link['months']} months of {label(link['first'])}"
    return (
        f"{names}{door}: "
        f"rate times {link['multiplier']:.2g} (90% {link['lo90']:.2g} to {link['hi90']:.2g}), "
        f"{percent(link['prior_share'])} of it prior; {link['events_open']} of {link['events']} "
        f"events, {link['months_at_risk_open']:,} of {link['months_at_risk']:,} months at risk"
    )


def _at(
    found: Mapping[str, Prediction],
    ways: Sequence[_Way],
    rates: Mapping[str, BaseRate],
    horizon: int,
    draws: int,
) -> dict[str, Any]:
    """What the questions say together at one horizon, beside the product of their own answers."""
    paths = max(p.by_path().shape[1] for p in found.values())
    flat = {name: _flat(p, draws, paths, horizon) for name, p in found.items()}
    firsts = dict.fromkeys(way.door.first for way in ways)
    # a month of arrival for each question that opens a door; only one does
    weight = arrivals(flat[next(iter(firsts))]) if firsts else np.ones((draws * paths, 1))
    given = {name: p[:, -1:] for name, p in flat.items()}
    for way in ways:
        how: dict[str, Any] = {"months": way.door.months, "already": way.already}
        gamma = np.repeat(way.gamma, paths)
        given[way.door.second] = second_given(flat[way.door.second], gamma, **how)
    for name in firsts:
        given[name] = np.concatenate([np.ones(weight.shape[1] - 1), [0.0]])[None, :]

    def of(chance: Array, full: float, kept: float) -> Array:
        p = (weight * chance).sum(axis=1).reshape(draws, paths).mean(axis=1)
        return np.asarray(np.minimum(p * (full / kept), 1.0))

    alone = {name: float(p.p[:, horizon - 1].mean()) for name, p in found.items()}
    kept = {name: float(p[:, -1].mean()) for name, p in flat.items()}
    base = {name: float(rates[name].p(horizon / 12)) for name in found}

    def told(chance: Array, how: Callable[[Mapping[str, float]], float]) -> dict[str, Any]:
        full = how(alone)
        out = _summary(of(chance, full, how(kept)))
        return out | {"independent": plain(full), "base_rate": plain(how(base))}

    some = 1 - np.prod(np.broadcast_arrays(*(1 - chance for chance in given.values())), axis=0)
    linked = {frozenset((way.door.first, way.door.second)) for way in ways}
    pairs = [
        {
            "questions": [a, b],
            **told(given[a] * given[b], lambda p, a=a, b=b: p[a] * p[b]),  # type: ignore[misc]
            "linked": frozenset((a, b)) in linked,
        }
        for a, b in combinations(found, 2)
    ]
    moved = []
    for name in (way.door.second for way in ways):
        p = float(of(given[name], alone[name], kept[name]).mean())
        moved.append({"question": name, "p": plain(p), "unlinked": plain(alone[name])})
    return {"horizon": horizon, "any": told(some, _any), "pairs": pairs, "moved": moved}


def _any(p: Mapping[str, float]) -> float:
    """Chance of at least one of several, were they independent."""
    return 1 - float(np.prod([1 - one for one in p.values()]))


def _summary(p: Array) -> dict[str, Any]:
    return {name: plain(value) for name, value in summary(p).items()}


def _flat(found: Prediction, draws: int, paths: int, horizon: int) -> Array:
    """Rows of draws and paths; evenly spaced draws, one path repeated where none were kept."""
    p = found.by_path()
    index = np.linspace(0, len(p) - 1, draws).astype(int)
    shape = (draws, paths, horizon)
    return np.broadcast_to(p[index][:, :, :horizon], shape).reshape(draws * paths, horizon)
