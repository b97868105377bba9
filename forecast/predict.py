"""Posterior times simulated indicator paths: probability of the event by each horizon."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from forecast.episodes import records
from forecast.models.chain import EXPIRY, Rates, Start, without_event
from forecast.models.design import Array, Design, gap_class
from forecast.models.hazard import Hazard, effects
from forecast.models.waves import ahead

FUTURES = 25
"""Paths that a prediction keeps apart."""


@dataclass(frozen=True)
class Target:
    """One state at the origin: its units, where each stands, and its future covariates.

    Attributes
    ----------
    state, region : str
    units : DataFrame
        Rows of ``RiskSet.origin`` of this state: slot, stage, stage_age, had_before,
        gap, aim.
    paths : (horizon, paths, features) array
        Simulated covariates; NaN where the state has no value.
    ends : tuple of float
        Competing ends of spells and the unit-months in which they happened.
    expiry : int
        Months without a public sign after which a process is over.
    month : int
        Month of the origin, see ``design.month_number``: which wave it is in.
    """

    state: str
    region: str
    units: pd.DataFrame
    paths: Array
    ends: tuple[float, float]
    expiry: int = EXPIRY
    month: int = 0

    def digest(self) -> str:
        """SHA-256 over everything in it."""
        h = hashlib.sha256(np.ascontiguousarray(self.paths).tobytes())
        units = self.units.to_csv(index=False)
        where = (self.state, self.region, self.expiry, self.month)
        named = (where, units, self.ends, self.paths.shape)
        h.update(repr(named).encode())
        return h.hexdigest()

    def without(self, feature: int) -> "Target":
        """Same target with one covariate at its reference value throughout."""
        paths = self.paths.copy()
        paths[:, :, feature] = 0.0
        return replace(self, paths=paths)

    def calm(self) -> "Target":
        """Same target with no process under way at the origin."""
        return replace(self, units=self.units.assign(stage=0, stage_age=0, aim=""))

    def thinned(self, paths: int) -> "Target":
        """Same target with fewer paths."""
        return replace(self, paths=self.paths[:, :paths])


@dataclass(frozen=True)
class Prediction:
    """Probabilities with futures integrated out.

    Attributes
    ----------
    p : (draws, horizon) array
        At least one event by the end of each month.
    marks : dict of (draws, horizon) arrays
        At least one event with the mark (a power, an organisation, a direction).
    futures : (draws, paths, horizon) array or None
        ``p`` before the average, over the first `FUTURES` paths: two questions of one state share
        these paths, so that their joint outcome can be told.
    """

    p: Array
    marks: dict[str, Array]
    futures: Array | None = field(default=None, repr=False)

    def by_path(self) -> Array:
        """Probability by draw, path and month; one path where none were kept."""
        return self.p[:, None, :] if self.futures is None else self.futures


def thin(raw: Mapping[str, Array], draws: int) -> dict[str, Array]:
    """Evenly spaced draws of flattened variables."""
    size = len(raw["alpha_raw"])
    index = np.linspace(0, size - 1, min(draws, size)).astype(int)
    return {name: value[index] for name, value in raw.items()}


def predict(
    model: Hazard, raw: Mapping[str, Array], design: Design, target: Target, *, seed: int
) -> Prediction:
    """Probability of the event by each month of the horizon, draw by draw.

    Parameters
    ----------
    model : Hazard
    raw : dict of (draws, ...) arrays
        Standardised variables, from the posterior or the prior.
    design : Design
        The padded design that the model was fitted to.
    target : Target
    seed : int
        For the rate of competing ends and for covariates never seen in training.

    Notes
    -----
    Given parameters and a path, units are independent: with S_k the probability that
    unit k has no event, the state has none with probability prod_k S_k, averaged over
    paths.
    """
    rng = np.random.default_rng([seed, 7])
    e = effects(raw, model.constants(design), np)
    draws = len(e["alpha"])
    level = _state_log_hazard(e, design, target, rng)
    if model.wave_scale:
        when = (target.month + np.arange(len(level))) // model.wave_months
        paths = level.shape[2]
        level += ahead(e, design.waves, target.region, periods=when, paths=paths, seed=seed)
    base = np.exp(level)
    chain = design.has_signs
    end = _end(target.ends, draws, rng)
    total = np.ones(base.shape)
    marks: dict[str, Array] = {}
    for unit in records(target.units):
        rates = Rates(
            base=base * np.exp(_unit_log_factor(e, design, unit, len(base))),
            factor=np.exp(e["stage"]),
            sign=_sign(e, design, target.state) if chain else np.zeros((draws, 5)),
            end=end,
            expiry=target.expiry,
        )
        start = starting(unit) if chain else Start()
        quiet = without_event(rates, start)
        total = total * quiet
        if unit.slot:
            marks[unit.slot] = _by_month(quiet)
        else:
            weaken = weaken_probability(e, design, unit.aim if start.stage else "")
            marks["weaken"] = _by_month(without_event(rates, start, weaken=weaken))
            marks["strengthen"] = _by_month(without_event(rates, start, weaken=1.0 - weaken))
    kept = (1.0 - total[:, :, :FUTURES]).transpose(1, 2, 0).astype(np.float32)
    return Prediction(_by_month(total), marks, kept)


def starting(unit: Any) -> Start:
    """Where a unit stands: a sign last month is one month old in the risk set, new in the chain."""
    return Start(int(unit.stage), max(int(unit.stage_age) - 1, 0))


def weaken_probability(e: Mapping[str, Array], design: Design, aim: str) -> Array:
    """Probability that a revision weakens: by the process at the origin, a later one, or none.

    Later processes have an aim nobody has stated yet: theirs is the average over the
    aims of past revisions, each counted once more than it occurred. A revision without a
    process has none, as in the likelihood.

    Returns
    -------
    (draws, 3) array
    """
    from forecast.models.design import AIMS

    by_aim = 1.0 / (1.0 + np.exp(-e["mark"]))
    weights = design.mark_total + 1.0
    later = by_aim @ (weights / weights.sum())
    return np.column_stack([by_aim[:, AIMS.index(aim)], later, by_aim[:, AIMS.index("")]])


def _by_month(quiet: Array) -> Array:
    """(horizon, draws, paths) without the event -> (draws, horizon) probability of it."""
    return 1.0 - quiet.mean(axis=2).T


def _state_log_hazard(
    e: Mapping[str, Array], design: Design, target: Target, rng: np.random.Generator
) -> Array:
    """Log hazard common to the units of the state, shape (horizon, draws, paths)."""
    state = e["state"][:, design.states.index(target.state)]
    region = e["region"][:, design.regions.index(target.region)]
    level = (e["alpha"] + state + region)[None, :, None]
    horizon, paths, features = target.paths.shape
    out = np.broadcast_to(level, (horizon, len(state), paths)).copy()
    for j in range(features):
        beta = e["beta"][:, j]
        x = target.paths[:, :, j]
        if np.isnan(x).all():
            name = (target.state, design.features[j])
            known = name in design.latent
            value = (
                e["x_missing"][:, design.latent.index(name)]
                if known
                else rng.standard_normal(len(beta))
            )
            out += (beta * value)[None, :, None]
        else:
            out += beta[None, :, None] * x[:, None, :]
    return out


def _unit_log_factor(e: Mapping[str, Array], design: Design, unit: Any, horizon: int) -> Array:
    """Slot and recurrence effects of a unit, shape (horizon, draws, 1)."""
    gap = float(unit.gap) + np.arange(horizon)
    classes = gap_class(np.full(horizon, int(unit.had_before)), gap)
    slot = e["slot"][:, design.slots.index(unit.slot)]
    return (e["gap"][:, classes].T + slot)[:, :, None]


def _sign(e: Mapping[str, Array], design: Design, state: str) -> Array:
    rate = e["sign"] + e["birth"][:, [design.states.index(state)]]
    return -np.expm1(-np.exp(rate))


def _end(ends: tuple[float, float], draws: int, rng: np.random.Generator) -> Array:
    """Monthly probability of a competing end, from its Gamma posterior (a = 1/2 + count)."""
    count, months = ends
    if months <= 0:
        return np.zeros(draws)
    return -np.expm1(-rng.gamma(0.5 + count, 1.0 / months, draws))


def logit(p: Array) -> Array:
    """Log-odds, with p kept off 0 and 1 by 1e-12."""
    q = np.clip(p, 1e-12, 1 - 1e-12)
    return np.log(q) - np.log1p(-q)


def prior_share(posterior: Array, prior: Array) -> float:
    """How much of a forecast is prior: min(1, Var(log L | data) / Var(log L)).

    L = -log(1 - p) is the cumulative hazard over the horizon, the same covariates in
    both. Near 1 the data have hardly narrowed the answer, however far they moved it.

    Parameters
    ----------
    posterior, prior : (draws,) arrays
        Probabilities.
    """

    def log_hazard(p: Array) -> Array:
        return np.log(-np.log1p(-np.clip(p, 1e-12, 1 - 1e-12)))

    return float(min(1.0, np.var(log_hazard(posterior)) / np.var(log_hazard(prior))))


def summary(p: Array) -> dict[str, float]:
    """Mean and central 90% interval over draws."""
    low, high = np.quantile(p, [0.05, 0.95])
    return {"p": float(p.mean()), "lo90": float(low), "hi90": float(high)}


def monte_carlo_error(p: Array, chains: int) -> float:
    """Standard error of the mean of p from a finite number of draws.

    Parameters
    ----------
    p : (draws,) array
        Draws of one chain after another.
    chains : int

    Returns
    -------
    float
        Standard deviation over the root of the effective sample size (Vehtari et al.
        2021, doi:10.1214/20-BA1221).
    """
    array_stats: Any = import_module("arviz_stats.base").array_stats
    size = len(p) // chains
    table = p[: size * chains].reshape(chains, size)
    return float(array_stats.mcse(table, method="mean", chain_axis=0, draw_axis=1))
