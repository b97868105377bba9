"""What one compiled program saves: the same fits made anew with ``pm.sample``, timed and compared.

For a sample of origins every hazard is built, compiled and sampled from nothing by PyMC's own
sampler, twice with different seeds. The difference between the two is the floor below which no two
samplers can be told apart; the difference to the backtest is set beside it. Both sides get one
thread of linear algebra: threads that wait for each other would count as work.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from forecast.backtest import Grid, roots_of
from forecast.bounds import bound_of
from forecast.engine import Job, fit_all
from forecast.models.design import Array
from forecast.plain import sampled, shaped
from forecast.predict import predict, thin
from forecast.sampling import Settings
from forecast.standing import Origin, Standing, origin_seed, stand
from forecast.variants import HAZARD_DRAWS, HAZARD_PATHS
from indicators.errors import FitError
from indicators.tables import load
from indicators.vintages import snapshot

__all__ = ["Comparison", "compare"]

ALLOWED = 0.01
"""Largest difference of probabilities that is accepted, or twice the floor where that is more."""


@dataclass(frozen=True)
class Comparison:
    """Refits beside the backtest.

    Attributes
    ----------
    fits : DataFrame
        One row a fit: ``question, origin, naive_s, own_s`` (seconds of CPU; own without compiling),
        ``difference`` (largest over states and horizons of the absolute difference between the two
        samplers' probabilities) and ``floor`` (the same between two seeds of ``pm.sample``).
    compile_s : float
        Seconds of CPU of compiling the program, once a process.
    engine : str
        Of the backtest.
    """

    fits: pd.DataFrame
    compile_s: float
    engine: str

    @property
    def ratio(self) -> float:
        """Seconds of refitting over seconds of sampling with the compiled program."""
        return float(self.fits["naive_s"].sum() / self.fits["own_s"].sum())

    @property
    def agrees(self) -> bool:
        """Whether every difference is within `ALLOWED` or twice its floor."""
        return bool((self.fits["difference"] <= np.maximum(ALLOWED, 2 * self.fits["floor"])).all())

    def __str__(self) -> str:
        """Say it in two sentences."""
        f = self.fits
        days = ", ".join(sorted({f"{day:%Y-%m}" for day in f["origin"]}))
        judged = "within" if self.agrees else "NOT within"
        return (
            f"{len(f)} hazards ({days}) refitted by a fresh pm.sample, by PyMC's own NUTS: "
            f"{f['naive_s'].mean():.1f} s of CPU each against {f['own_s'].mean():.1f} s by the "
            f"{self.engine} engine, {self.ratio:.1f} times, and "
            f"{self.compile_s:.1f} s of compiling once. Largest difference of a probability "
            f"{f['difference'].max():.4f}, between two seeds {f['floor'].max():.4f}: "
            f"{judged} max({ALLOWED}, twice the floor)."
        )


def compare(
    grid: Grid,
    *,
    origins: int,
    data_dir: str | Path | None = None,
    settings: Settings | None = None,
    allow_poor_fit: bool = False,
) -> Comparison:
    """Refit the hazards of some origins of a grid from nothing, and set them beside its own.

    Parameters
    ----------
    grid : Grid
    origins : int
        How many, evenly spread over the grid.
    data_dir : str or Path, optional
        Data package.
    settings : Settings, optional
        Of both samplers.
    allow_poor_fit : bool, optional
        Compare fits that do not pass the gate, too.

    Raises
    ------
    FitError
        Every fit of the sample was refused.
    """
    package, settings = load(data_dir), settings or Settings()
    # inside the grid: the first origin has the least data, the last the most
    size = len(grid.origins)
    inside = np.linspace(0, size - 1, min(origins, size) + 2)[1:-1].round().astype(int)
    where = np.unique(inside) if origins < size else np.arange(size)
    rows, compile_s = [], float("nan")
    for day in (grid.origins[i] for i in where):
        seen = snapshot(day, package=package)
        seed = origin_seed(grid.seed, day)
        roots = [root for root, _ in roots_of(grid, package, seen.as_of)]
        standings = stand(roots, seen, bound=bound_of(grid.bound))
        origin = Origin(seen, standings, max(grid.horizons), seed, grid.engine, None)
        for here in standings:
            if np.isnan(compile_s):
                compile_s = _compiling(here, seed, settings, grid.engine)
            try:
                rows.append(_one(origin, here, settings, allow_poor_fit=allow_poor_fit))
            except FitError:
                continue
    if not rows:
        raise FitError("no fit of the sample passed the gate: nothing to compare")
    return Comparison(pd.DataFrame(rows), compile_s, grid.engine)


def _compiling(here: Standing, seed: int, settings: Settings, engine: str) -> float:
    """Seconds that the first fit of this process takes more than the same one again."""
    times = []
    for _ in range(2):
        begun = time.process_time()
        job = Job("first", here.part.model, here.part.design)
        fit_all([job], seed=seed, home=None, engine=engine, settings=settings, allow_poor_fit=True)
        times.append(time.process_time() - begun)
    return times[0] - times[1]


def _one(
    origin: Origin, here: Standing, settings: Settings, *, allow_poor_fit: bool
) -> dict[str, Any]:
    part = here.part
    begun = time.process_time()
    job = Job(part.question.id, part.model, part.design)
    made = fit_all(
        [job],
        seed=origin.seed,
        home=None,
        engine=origin.engine,
        settings=settings,
        allow_poor_fit=allow_poor_fit,
    )[job.name]
    own_s = time.process_time() - begun
    ours = _probabilities(origin, here, made.fit.flat(), made.design)
    naive, seconds = [], []
    for seed in (origin.seed, origin.seed + 1):
        begun = time.process_time()
        raw = _sampled(part.model, part.design, settings, seed)
        seconds.append(time.process_time() - begun)
        naive.append(_probabilities(origin, here, raw, part.design))
    return {
        "question": part.question.id,
        "origin": origin.seen.as_of,
        "naive_s": float(np.mean(seconds)),
        "own_s": own_s,
        "difference": float(np.abs(ours - naive[0]).max()),
        "floor": float(np.abs(naive[1] - naive[0]).max()),
    }


def _sampled(model: Any, design: Any, settings: Settings, seed: int) -> dict[str, Array]:
    """Draws of a fresh ``pm.sample``, chains joined."""
    seeds = np.random.SeedSequence(seed).generate_state(settings.chains)
    with threadpool_limits(1, user_api="blas"):
        found = sampled(model, shaped(design), settings, seeds).raw
    return {name: v.reshape(-1, *v.shape[2:]) for name, v in found.items()}


def _probabilities(origin: Origin, here: Standing, raw: dict[str, Array], design: Any) -> Array:
    """Mean probability by state and month, shape (states, horizon)."""
    kept = thin(raw, HAZARD_DRAWS)
    rows = []
    for state, target in here.targets.items():
        moving = replace(target, paths=origin.futures(state, HAZARD_PATHS))
        found = predict(here.part.model, kept, design, moving, seed=origin.seed)
        rows.append(found.p.mean(axis=0))
    return np.array(rows)
