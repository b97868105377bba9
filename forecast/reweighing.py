r"""A fitted posterior under other weights of failures and successes, without another fit.

The log-likelihood is linear in the weights of :func:`forecast.bounds.weights`, so a posterior under
other weights is the fitted one reweighted. The draws are first moved towards it, by moment matching
of the effects concerned (Paananen et al. 2021, doi:10.1007/s11222-020-09982-2), and what is left is
corrected by Pareto-smoothed importance weights (Vehtari et al. 2024, JMLR 25:72).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import numpy as np

from forecast.bounds import most_missing, weights
from forecast.material import Material, reduced
from forecast.models.design import GAPS, SIGNS, STAGES, Array, Design
from forecast.models.hazard import Hazard, cells, columns, effects

__all__ = ["K_HAT_MAX", "Moved", "Reweighing", "reweighing", "smoothed"]

K_HAT_MAX = 0.7
ROOM_LEFT = 0.9
"""Share of the months without a process that missing ones may take at most."""
MAX_SCORINGS, TOLERANCE = 60, 1e-8
STEP = 0.2
"""How far log omega plus rho changes between two matchings of moments."""
MOVED = ("alpha_raw", "delta_raw")
"""Variables that say how hazards differ between stages."""


@dataclass(frozen=True)
class Moved:
    """Draws moved to one pair, and how well that went.

    Attributes
    ----------
    missing, visible : float
    values : dict of (draws, ...) arrays
        The variables of `MOVED`.
    log_weights : (draws,) array
        Smoothed, normalised.
    k_hat : float
        Shape of the tail of the weights; above 0.7 they say little.
    """

    missing: float
    visible: float
    values: dict[str, Array] = field(repr=False)
    log_weights: Array = field(repr=False)
    k_hat: float

    def pick(self, size: int, rng: np.random.Generator) -> Array:
        """Indices of draws in proportion to their weights, systematically."""
        edges = np.cumsum(np.exp(self.log_weights))
        points = (np.arange(size) + rng.uniform()) / size * edges[-1]
        return np.asarray(np.minimum(np.searchsorted(edges, points), len(edges) - 1))


@dataclass(frozen=True)
class Births:
    """Posterior of the levels of signs and of the births of states, at a middling spread.

    Attributes
    ----------
    at_zero : (signs,) array
        Log hazard of each kind of sign in each state where both variables are 0.
    slope : (signs, variables) array
        What one unit of each variable adds: kinds of sign first, then states.
    counts, quiet : (2, signs) arrays
        Months with and without a sign at face value, and what omega adds.
    """

    at_zero: Array = field(repr=False)
    slope: Array = field(repr=False)
    counts: Array = field(repr=False)
    quiet: Array = field(repr=False)

    @classmethod
    def of(cls, model: Hazard, face: Design, extra: Design, raw: Mapping[str, Array]) -> Births:
        """Take the linear form from the model's own effects, a variable at a time."""
        kinds, states = len(SIGNS), raw["birth_raw"].shape[1]
        size = kinds + states
        each = {k: np.repeat(v.mean(axis=0, keepdims=True), size + 1, 0) for k, v in raw.items()}
        unit = np.eye(size + 1)[:, 1:]
        each |= {"sign_raw": unit[:, :kinds], "birth_raw": unit[:, kinds:]}
        e = effects(each, model.constants(face), np)
        rate = e["sign"][:, face.sign_kind] + e["birth"][:, face.sign_state]
        return cls(
            rate[0],
            (rate[1:] - rate[0]).T,
            np.stack([face.sign_count, extra.sign_count]),
            np.stack([face.sign_months, extra.sign_months]),
        )

    def mode(self, missing: float) -> Array:
        """Mode by Fisher scoring, shape (variables,)."""
        count, quiet = (v[0] + (missing - 1.0) * v[1] for v in (self.counts, self.quiet))
        at = np.zeros(self.slope.shape[1])
        for _ in range(MAX_SCORINGS):
            hazard = np.exp(self.at_zero + self.slope @ at)
            score = self.slope.T @ (count * hazard / np.expm1(hazard) - quiet * hazard) - at
            weight = (count + quiet) * hazard
            step = np.linalg.solve(
                self.slope.T @ (self.slope * weight[:, None]) + np.eye(len(at)), score
            )
            # no further than one prior standard deviation at a time: the surface is concave
            step /= max(1.0, float(np.abs(step).max()))
            at = at + step
            if np.abs(step).max() < TOLERANCE:
                break
        return at


@dataclass(frozen=True)
class Reweighing:
    """Everything about a fit that a change of weights touches.

    Attributes
    ----------
    model : Hazard
    design : Design
        Padded, at face value.
    raw : dict of (draws, ...) arrays
        Posterior draws.
    months, extra : (draws, stages) arrays
        Expected events by stage at face value, and what omega adds for each unit above 1.
    eta : (draws, events) array
        Log hazard of each event.
    stage : (events,) int
    births : Births
        Signs, which share no variable with the hazards.
    most : float
        Largest omega there is room for.
    """

    model: Hazard
    design: Design
    raw: Mapping[str, Array] = field(repr=False)
    months: Array = field(repr=False)
    extra: Array = field(repr=False)
    eta: Array = field(repr=False)
    stage: Array = field(repr=False)
    births: Births = field(repr=False)
    most: float

    def effects(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Effects with some variables replaced."""
        raw = {**self.raw, **values}
        return effects(raw, self.model.constants(self.design), np)

    def log_density(self, values: Mapping[str, Array], missing: float, visible: float) -> Array:
        """Log of prior times likelihood at moved variables, as far as moves or weights touch it."""
        new, old = self.effects(values), self.effects({})
        level = (new["alpha"] - old["alpha"])[:, None] + new["stage"] - old["stage"]
        expected = self.months + (missing - 1.0) * self.extra
        total = -(np.exp(level) * expected).sum(axis=1)
        # credited to its stage, and what is taken from it to none
        total += _events(self.eta + level[:, self.stage]) @ np.where(self.stage > 0, visible, 1.0)
        if visible < 1.0:
            live = np.nonzero(self.stage > 0)[0]
            none = self.eta[:, live] - old["stage"][:, self.stage[live]] + level[:, [0]]
            total += (1.0 - visible) * _events(none).sum(axis=1)
        for name in MOVED:
            square = np.square(values.get(name, self.raw[name]))
            total -= 0.5 * square.reshape(len(total), -1).sum(axis=1)
        return np.asarray(total)

    def moved(self, missing: float, visible: float) -> Moved:
        """Posterior draws under other weights.

        Parameters
        ----------
        missing, visible : float
            Omega and rho.
        """
        values = {name: self.raw[name] for name in MOVED}
        here = self.log_density(values, 1.0, 1.0)
        if missing == visible == 1.0:
            even = np.full(len(here), -np.log(len(here)))
            return Moved(missing, visible, values | self.signs(missing), even, -np.inf)
        steps = int(np.ceil(abs(np.log(missing)) / STEP + (1.0 - visible) / STEP))
        for step in np.arange(1, steps + 1) / steps:
            way = (missing**step, 1.0 - (1.0 - visible) * step)
            weight, _ = smoothed(self.log_density(values, *way) - here)
            values = {k: _matched(v, np.exp(weight)) for k, v in values.items()}
        weight, k_hat = smoothed(self.log_density(values, missing, visible) - here)
        return Moved(missing, visible, values | self.signs(missing), weight, k_hat)

    def signs(self, missing: float) -> dict[str, Array]:
        """Levels of the signs and births of the states, moved as the mode of their posterior is.

        Hazards and signs share no variable. There are many signs, so that their level follows
        the counts; a state whose failures were searched for keeps its own.
        """
        move = self.births.mode(missing) - self.births.mode(1.0)
        size = len(SIGNS)
        return {
            "sign_raw": self.raw["sign_raw"] + move[:size],
            "birth_raw": self.raw["birth_raw"] + move[size:],
        }

    def draws(self, moves: list[Moved], size: int, *, seed: int) -> tuple[dict[str, Array], Array]:
        """Draws spread evenly over pairs, each in proportion to its weight.

        Parameters
        ----------
        moves : list of Moved
        size : int
            Draws in all.
        seed : int

        Returns
        -------
        (dict of (size, ...) arrays, (size,) int array)
            The draws, and which posterior draw each was moved from.
        """
        rng = np.random.default_rng([seed, 17])
        counts = np.diff(np.linspace(0, size, len(moves) + 1).astype(int))
        picks = [m.pick(n, rng) for m, n in zip(moves, counts, strict=True)]
        # in no order of the pairs: like draws of one chain
        mix = rng.permutation(size)
        source = np.concatenate(picks)[mix]
        out = {name: value[source] for name, value in self.raw.items()}
        for name in moves[0].values:
            parts = [m.values[name][i] for m, i in zip(moves, picks, strict=True)]
            out[name] = np.concatenate(parts)[mix]
        return out, source


def reweighing(part: Material, padded: Design, raw: Mapping[str, Array]) -> Reweighing:
    """Prepare the draws of a fit for other weights.

    Parameters
    ----------
    part : Material
        What was fitted.
    padded : Design
        Its design, as it was fitted.
    raw : dict of (draws, ...) arrays
        Posterior draws.
    """
    process = part.question.process
    searched = process.searched if process is not None else ()
    most = most_missing(part.risk.rows, searched=searched)
    step = (min(2.0, most) - 1.0) / 2.0
    weighed = weights(part.risk.rows, missing=1.0 + step, visible=1.0, searched=searched)
    risk = replace(part.risk, rows=part.risk.rows.assign(weight=weighed))
    other = reduced(risk, part.panel, part.model).padded(padded.capacity)
    names = ("exposure", "sign_count", "sign_months")
    extra = replace(padded, **{n: (getattr(other, n) - getattr(padded, n)) / step for n in names})
    e = effects(raw, part.model.constants(padded), np)
    arrays = padded.arrays()
    cell, column = np.exp(cells(e, arrays, np)), columns(e, np)
    group = np.eye(len(STAGES))[_stage(padded.column)]
    each = np.exp(column[:, padded.column])

    def by_stage(exposure: Array) -> Array:
        return np.asarray(((cell @ exposure) * each) @ group)

    real = padded.event_weight > 0
    at_cell, at_column = padded.event_cell[real], padded.event_column[real]
    return Reweighing(
        model=part.model,
        design=padded,
        raw=raw,
        months=by_stage(padded.exposure),
        extra=by_stage(extra.exposure),
        eta=np.log(cell[:, at_cell]) + column[:, at_column],
        stage=_stage(at_column),
        births=Births.of(part.model, padded, extra, raw),
        most=1.0 + ROOM_LEFT * (most - 1.0),
    )


def _stage(combination: Array) -> Array:
    """Stage of columns."""
    return np.asarray((combination // len(GAPS)) % len(STAGES))


def _events(eta: Array) -> Array:
    """Log probability of an event in a month of log hazard eta."""
    return np.asarray(np.log(-np.expm1(-np.exp(eta))))


def smoothed(log_ratio: Array) -> tuple[Array, float]:
    """Normalised log weights, Pareto-smoothed, and k-hat."""
    array_stats: Any = import_module("arviz_stats.base").array_stats
    even = np.full(len(log_ratio), -np.log(len(log_ratio)))
    # a tail that cannot be fitted overflows, or is all of one value: nothing is moved, and k-hat is
    # as bad as can be
    with np.errstate(all="ignore"):
        try:
            log_weights, k_hat = array_stats.psislw(-log_ratio, axis=-1)
        except ValueError:
            return even, np.inf
        top = log_weights.max()
        normalised = log_weights - top - np.log(np.exp(log_weights - top).sum())
    if not (np.isfinite(log_ratio).all() and np.isfinite(np.exp(normalised)).all()):
        return even, np.inf
    return normalised, float(k_hat) if np.isfinite(k_hat) else np.inf


def _matched(values: Array, weight: Array) -> Array:
    """Values moved and stretched to their weighted mean and standard deviation."""
    mean = values.mean(axis=0)
    wanted = weight @ values
    spread = np.sqrt(weight @ np.square(values - wanted) / values.var(axis=0))
    # a few large weights tell little of the spread: within a factor of 1.5 a step
    return np.asarray(wanted + (values - mean) * np.clip(spread, 1 / 1.5, 1.5))
