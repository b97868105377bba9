r"""Forecasts without contested events: the fitted draws reweighed, or a fit of its own.

A posterior without a group g is the fitted one with each draw weighed by
:math:`p(y_{-g} \mid \theta) / p(y \mid \theta)`, smoothed by Pareto importance sampling (Vehtari
et al. 2024, JMLR 25:72), after the draws were moved to the weighted means of the variables that
single events inform (Paananen et al. 2021, doi:10.1007/s11222-020-09982-2). Where k-hat is above
0.7 all the same, the model is fitted again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from forecast import answers, cache
from forecast.contested import Contested, Groups, Under, agreement, imputed
from forecast.engine import Fitted, Job, fit_all
from forecast.hindsight import carried
from forecast.likelihood import log_likelihood, log_prior
from forecast.material import Material, without
from forecast.predict import Prediction, predict, thin
from forecast.reweighing import K_HAT_MAX, smoothed
from forecast.rivals import RIVALS
from forecast.sampling import Fit
from indicators.errors import FitError
from indicators.vintages import Snapshot

__all__ = ["by_question", "contested", "reweighed"]

SHIFTS = 4
"""How often draws are moved at most; each time only if it makes the weights more even."""
SHIFTED = ("alpha_raw", "delta_raw", "gap_raw", "region_raw", "slot_raw", "state_raw")
"""Variables that a few events more or less move."""


def by_question(
    material: Mapping[str, Mapping[str, Material]],
    fitted: Mapping[str, Fitted],
    found: Mapping[str, answers.Answer],
    seen: Snapshot,
    model: str,
    seed: int,
    home: Path | None,
    exclude: Mapping[str, Sequence[str]],
    *,
    say: Callable[[str], None],
) -> dict[str, Contested | None]:
    """:func:`contested` for each root question of a run.

    Parameters
    ----------
    material : mapping of str to mapping of str to Material
        By root question and variant; the default one counts.
    fitted : mapping of str to Fitted
        By job.
    found : mapping of str to Answer
        The headlines: whether hindsight is carried in them.
    seen : Snapshot
        What they were made from.
    model, seed, home, exclude, say
        As for :func:`contested`.
    """
    face = answers.at_face(found)
    ask: dict[str, Any] = {"model": model, "seed": seed, "home": home}
    ask |= {"exclude": exclude, "say": say}
    return {
        name: contested(
            parts["default"], fitted.get(f"{name} (default)"), seen, face=face[name], **ask
        )
        for name, parts in material.items()
    }


def contested(
    part: Material,
    fitted: Fitted | None,
    seen: Snapshot,
    *,
    model: str,
    seed: int,
    home: Path | None,
    exclude: Mapping[str, Sequence[str]],
    face: bool = False,
    say: Callable[[str], None],
) -> Contested | None:
    """Forecast one root question under each reading of its contested events.

    Parameters
    ----------
    part : Material
        What was fitted.
    fitted : Fitted or None
        Its fit, where the model needs one.
    seen : Snapshot
        What it was made from.
    model : str
        Whose forecast is the headline.
    seed : int
    home : Path or None
        Where the cache is; None for none.
    exclude : mapping of str to sequence of str
        Groups left out of the run altogether.
    face : bool, optional
        Whether the headline takes process tables at face value, as where hindsight failed.
    say : callable
        Told what is done.

    Returns
    -------
    Contested or None
        None where there is no forecast, or the headline is the base rate or a pool.
    """
    if part.target is None or model in ("base_rate", "pool"):
        return None
    gone = [row for rows in exclude.values() for row in rows]
    free = {k: v for k, v in part.question.toggles.items() if k not in exclude}
    parts = {k: without(part, seen, (*gone, *v)) for k, v in free.items() if _known(part, seen, v)}
    parts = {k: p for k, p in parts.items() if _other(p, part)}
    agreed, checked = agreement(part, seen)
    stands = imputed(list(parts), part.question.event.table, agreed, checked, seed=seed)
    coins = zip(*stands.values(), strict=True)
    wanted = {tuple(k for k, z in zip(stands, row, strict=True) if not z) for row in coins}
    wanted |= {(k,) for k in parts}
    under = {}
    for groups in sorted(wanted - {()}):
        rows = tuple(row for k in groups for row in free[k])
        less = parts[groups[0]] if len(groups) == 1 else without(part, seen, (*gone, *rows))
        ask: dict[str, Any] = {"model": model, "seed": seed, "home": home, "say": say}
        ask["face"] = face
        under[groups] = _recall(part, less, fitted, seen, (*gone, *rows), **ask)
    counted = set(part.risk.events["event_id"])
    toggles = {k: tuple(row for row in free[k] if row in counted) for k in parts}
    idle = tuple(k for k in free if k not in parts)
    return Contested(toggles, idle, agreed, checked, stands, under)


def _known(part: Material, seen: Snapshot, rows: Sequence[str]) -> bool:
    """Whether any of the rows was public and of a state that is or was at risk."""
    question = part.question
    states = {*part.design.states, *part.risk.origin["state"]}
    return any(
        bool((table[spec.id].isin(list(rows)) & table[spec.state].isin(states)).any())
        for spec, table in (
            (spec, seen.table(spec.table)) for spec in (question.event, question.risk)
        )
    )


def _other(less: Material, part: Material) -> bool:
    """Whether leaving rows out changes what is fitted or forecast."""
    if less.target is None or part.target is None:
        return True
    same = less.design.digest() == part.design.digest()
    return not (same and less.target.digest() == part.target.digest())


def _recall(
    part: Material,
    less: Material,
    fitted: Fitted | None,
    seen: Snapshot,
    rows: Groups,
    *,
    model: str,
    seed: int,
    home: Path | None,
    face: bool,
    say: Callable[[str], None],
) -> Under:
    """:func:`_under`, from the cache where it holds the same content."""
    if less.target is None:
        return Under(None, "refused", np.nan)
    of = fitted.key if fitted is not None else part.design.digest()
    told = less.risk.rows[["stage", "event"]].to_numpy().tobytes()
    key = cache.digest(
        "contested", of, less.design.digest(), less.target.digest(), rows, model, seed, face,
        answers.DRAWS, hashlib.sha256(told).hexdigest(), seen.hash,
        cache.code(*cache.reach("forecast.toggled")), cache.versions(),
    )  # fmt: skip
    stored = cache.load(home, key) if home is not None else None
    if stored is not None:
        how, k_hat = str(stored.pop("how")), float(stored.pop("k_hat"))
        p = stored.pop("p", None)
        marks = {name.removeprefix("mark|"): v for name, v in stored.items()}
        return Under(None if p is None else Prediction(p, marks), how, k_hat)
    found = _under(part, less, fitted, rows, model=model, seed=seed, home=home, face=face, say=say)
    if home is not None:
        arrays = {"how": np.array(found.how), "k_hat": np.array(found.k_hat)}
        if found.prediction is not None:
            arrays["p"] = found.prediction.p
            arrays |= {f"mark|{name}": v for name, v in found.prediction.marks.items()}
        cache.save(home, key, arrays)
    return found


def _under(
    part: Material,
    less: Material,
    fitted: Fitted | None,
    rows: Groups,
    *,
    model: str,
    seed: int,
    home: Path | None,
    face: bool,
    say: Callable[[str], None],
) -> Under:
    """Forecast without some rows, as a run without them would."""
    target = less.target
    if target is None:
        return Under(None, "refused", np.nan)
    if model in RIVALS:
        rival = RIVALS[model].of(less, seed=seed)
        return Under(rival.predict(target, horizon=target.paths.shape[0]), "refitted", np.nan)
    if fitted is None:
        raise ValueError(f"{model} needs a fit")
    moved, k_hat = reweighed(part, less, fitted, seed=seed)
    found = None if moved is None else _carried(less, moved, seed=seed, face=face)
    if found is not None:
        return Under(found, "reweighed", k_hat)
    # weights too uneven, for the events left out or for hindsight on top of it
    say(f"{part.question.id}: without {', '.join(rows)}, fitted again")
    moved = _refitted(less, rows, seed=seed, home=home)
    found = None if moved is None else _carried(less, moved, seed=seed, face=face)
    return Under(found, "refused" if found is None else "refitted", k_hat)


def _carried(less: Material, moved: Fitted, *, seed: int, face: bool) -> Prediction | None:
    """Forecast with hindsight carried, unless the headline is not either; None where that fails.

    The face value is no stand-in: beside a headline that carries hindsight it would look as if
    the events left out had made the difference.
    """
    target = less.target
    if target is None:
        return None
    told = None
    if not face:
        told = carried(less, moved, target, draws=answers.DRAWS, seed=seed, curve=False)
    if told is not None:
        return told.prediction if told.trusted else None
    raw = thin(moved.fit.flat(), answers.DRAWS)
    return predict(less.model, raw, moved.design, target, seed=seed)


def reweighed(
    part: Material, less: Material, fitted: Fitted, *, seed: int
) -> tuple[Fitted | None, float]:
    """Posterior draws of other data, from those of the data that were fitted.

    Parameters
    ----------
    part, less : Material
        What was fitted, and what would have been.
    fitted : Fitted
        Fit of `part`.
    seed : int

    Returns
    -------
    (Fitted or None, float)
        As many draws in one chain, and k-hat of their weights; None where k-hat is above 0.7, or
        the two designs do not share their variables (k-hat is NaN then).
    """
    labels = ("states", "regions", "slots", "features", "latent", "waves")
    size = fitted.design.capacity
    same = all(getattr(part.design, name) == getattr(less.design, name) for name in labels)
    if not same or less.design.capacity.union(size) != size:
        return None, np.nan
    padded = less.design.padded(size)
    raw = fitted.fit.flat()
    here = log_prior(raw) + log_likelihood(part.model, raw, fitted.design)
    at, kept, log_weights, k_hat = raw, raw, np.zeros(len(here)), np.inf
    for _ in range(SHIFTS + 1):
        there = log_prior(at) + log_likelihood(less.model, at, padded)
        found = smoothed(there - here)
        if not found[1] < k_hat:
            break
        kept, (log_weights, k_hat) = at, found
        weight = np.exp(log_weights) / np.exp(log_weights).sum()
        moved = {name: at[name] + weight @ at[name] - at[name].mean(axis=0) for name in SHIFTED}
        at = {**at, **moved}
    if not k_hat <= K_HAT_MAX:
        return None, k_hat
    edges = np.cumsum(np.exp(log_weights))
    points = (np.arange(len(edges)) + np.random.default_rng([seed, 37]).uniform()) / len(edges)
    picked = np.minimum(np.searchsorted(edges, points * edges[-1]), len(edges) - 1)
    draws = {name: value[picked][None] for name, value in kept.items()}
    return Fitted(less.model, padded, Fit(draws, fitted.fit.diagnostics), fitted.key), k_hat


def _refitted(less: Material, rows: Groups, *, seed: int, home: Path | None) -> Fitted | None:
    """Fit without some rows, approximately where that holds; None where no fit passes the gate."""
    name = f"{less.question.id} without {', '.join(rows)}"
    try:
        job = Job(name, less.model, less.design)
        return fit_all([job], seed=seed, home=home, engine="approximate")[name]
    except FitError:
        return None
