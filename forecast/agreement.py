r"""How far the approximate engine is from the exact one: the same probabilities from long chains.

At an origin every hazard is fitted twice. The approximation is what a backtest uses, with more
seeds for its own Monte Carlo error. The reference is NUTS, in rounds of four chains until the
Monte Carlo error of every headline probability is at most `ENOUGH`. Both are read over the same
simulated futures, so what differs is the posterior alone:

.. math::

    |\Delta p| \le \max(0.005,\ 3 \sqrt{s_a^2 + s_e^2}),

with :math:`s_a` the spread of the approximation over seeds and :math:`s_e` the Monte Carlo error
of the reference.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.backtest import Grid, keys_of, roots_of
from forecast.bounds import bound_of
from forecast.cache import code, digest, reach
from forecast.engine import Job, fit_all
from forecast.files import write_whole
from forecast.models.design import Array, Capacity, Design
from forecast.models.hazard import Hazard
from forecast.predict import Target, monte_carlo_error, predict
from forecast.questions import load_questions
from forecast.sampling import Fit, Sampler, Settings
from forecast.standing import Origin, Standing, origin_seed, stand
from forecast.variants import HAZARD_PATHS
from indicators.tables import DataPackage, load
from indicators.vintages import snapshot

__all__ = ["ALLOWED", "COLUMNS", "ENOUGH", "Long", "agreement", "at_origin", "judged", "summary"]

ALLOWED = 0.005
"""Largest difference that is always accepted."""
ENOUGH = 0.001
"""Monte Carlo error that the reference must reach at every probability."""
SEEDS = 2
"""Runs of the approximation; the first is the one that is compared."""
CHUNK = 1000
COLUMNS = [
    "key", "question", "state", "origin", "horizon", "p", "spread", "deviation", "p_exact",
    "error_exact", "draws_exact", "rhat_exact", "divergent_exact", "engine", "khat", "ess", "cpu",
    "cpu_exact",
]  # fmt: skip


@dataclass(frozen=True)
class Long:
    """The reference: rounds of four chains.

    Attributes
    ----------
    settings : Settings
        Of one round.
    most : int
        Rounds at most.
    """

    settings: Settings = field(
        default_factory=lambda: Settings(rounds=1, tune=400, draws=1500, target_accept=0.9)
    )
    most: int = 6


def agreement(
    grid: Grid,
    *,
    state: str,
    out: Path,
    data_dir: str | Path | None = None,
    long: Long | None = None,
) -> Iterator[pd.DataFrame]:
    """Compare both engines at every origin of a grid; each is kept, whole, as it is done.

    Parameters
    ----------
    grid : Grid
        Origins, questions and horizons; its engine and models are not read.
    state : str
        Whose probabilities are compared, at the origins where it is at risk.
    out : Path
        A CSV that each origin's rows are added to. Origins found in it are not done again, unless
        they were compared for another state or grid, or with other data, code or packages: their
        rows are replaced.
    data_dir : str or Path, optional
        Data package.
    long : Long, optional

    Yields
    ------
    DataFrame
        Rows of one origin, see `at_origin`.
    """
    package, long = load(data_dir), long or Long()
    known = load_questions(package)
    how = (state, long, SEEDS, code(*reach("forecast.agreement")))
    keys = {
        day: digest(*keys_of(grid, snapshot(day, package=package), known).values(), *how)[:16]
        for day in grid.origins
    }
    kept = pd.read_csv(out) if out.exists() else pd.DataFrame(columns=COLUMNS)
    kept = kept[kept["key"].isin(keys.values())] if "key" in kept else kept.iloc[:0]
    for day in grid.origins:
        if keys[day] in set(kept["key"]):
            continue
        rows = at_origin(grid, day, package, state=state, long=long).assign(key=keys[day])
        kept = pd.concat([kept, rows], ignore_index=True) if len(kept) else rows
        write_whole(out, kept.to_csv(index=False, float_format="%.6g").encode())
        yield rows


_SAMPLERS: dict[Any, Sampler] = {}


def at_origin(
    grid: Grid, day: pd.Timestamp, package: DataPackage, *, state: str, long: Long
) -> pd.DataFrame:
    """Compare both engines at one origin.

    Parameters
    ----------
    grid : Grid
    day : Timestamp
    package : DataPackage
    state : str
    long : Long

    Returns
    -------
    DataFrame
        ``key``, empty, which says what it was made from, ``question, state, origin, horizon``
        (months); ``p``, its ``spread`` over seeds and the
        ``deviation`` of its draws; ``p_exact``, its Monte Carlo error, draws, largest R-hat and
        share of divergent draws; ``engine`` that was used in the end, ``khat`` and ``ess`` of the
        approximation, and seconds of CPU of one fit by each engine, compiling left out.
    """
    seen = snapshot(day, package=package)
    pairs = roots_of(grid, package, seen.as_of)
    standings = stand([root for root, _ in pairs], seen, bound=bound_of(grid.bound))
    origin = Origin(
        seen, standings, max(grid.horizons), origin_seed(grid.seed, day), "approximate", None
    )
    asked = {root.id: questions for root, questions in pairs}
    rows: list[dict[str, Any]] = []
    for here in standings:
        if state not in here.targets:
            continue
        marks = {q.id: q.marks.names[0] if q.parent else "" for q in asked[here.part.question.id]}
        target = replace(here.targets[state], paths=origin.futures(state, HAZARD_PATHS))
        rows += [
            {"key": "", "state": state, "origin": f"{day:%Y-%m-%d}", **row}
            for row in _one(here, target, marks, grid.horizons, origin.seed, long)
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _one(
    here: Standing,
    target: Target,
    marks: Mapping[str, str],
    horizons: tuple[int, ...],
    seed: int,
    long: Long,
) -> list[dict[str, Any]]:
    """Both engines on one design."""
    model, design = here.part.model, here.part.design
    own, cpu, tried = [], [], None
    for k in range(SEEDS):
        begun = time.process_time()
        made = fit_all([Job("own", model, design)], seed=seed + k, home=None, engine="approximate",
                       allow_poor_fit=True)["own"]  # fmt: skip
        cpu.append(time.process_time() - begun)
        own.append(_read(model, made.fit.flat(), made.design, target, marks, horizons, seed))
        tried = tried or made.fit.diagnostics
    assert tried is not None  # noqa: S101 (SEEDS is at least one)
    exact = _reference(model, design, target, marks, horizons, seed, long)
    rows = []
    for i, (name, h) in enumerate((name, h) for name in marks for h in horizons):
        drawn = [found[i] for found in own]
        rows.append(
            {
                "question": name,
                "horizon": h,
                "p": float(drawn[0].mean()),
                "spread": float(np.std([d.mean() for d in drawn], ddof=1)),
                "deviation": float(drawn[0].std()),
                "p_exact": exact.p[i],
                "error_exact": exact.errors[i],
                "draws_exact": exact.draws,
                "rhat_exact": exact.rhat,
                "divergent_exact": exact.divergent,
                "engine": tried.engine,
                "khat": tried.khat,
                "ess": tried.ess_min,
                "cpu": float(np.min(cpu)),
                "cpu_exact": exact.cpu,
            }
        )
    return rows


@dataclass(frozen=True)
class _Exact:
    """What the reference says."""

    p: list[float]
    errors: list[float]
    draws: int
    rhat: float
    divergent: float
    cpu: float


def _reference(
    model: Hazard,
    design: Design,
    target: Target,
    marks: Mapping[str, str],
    horizons: tuple[int, ...],
    seed: int,
    long: Long,
) -> _Exact:
    """Rounds of chains until every probability is known to `ENOUGH`."""
    size = _room(design)
    key = (size, long.settings)
    if key not in _SAMPLERS:
        _SAMPLERS[key] = Sampler(model, design.padded(size), long.settings)
    sampler, padded = _SAMPLERS[key], design.padded(size)
    drawn: Array = np.zeros((len(marks) * len(horizons), 0))
    fits: list[Fit] = []
    cpu = 0.0
    while len(fits) < long.most:
        begun = time.process_time()
        fits.append(sampler(model, design, seed=seed + 1000 * len(fits)))
        cpu += time.process_time() - begun
        new = _read(model, fits[-1].flat(), padded, target, marks, horizons, seed)
        drawn = np.concatenate([drawn, new], axis=1)
        errors = [monte_carlo_error(p, len(fits) * long.settings.chains) for p in drawn]
        if max(errors) <= ENOUGH:
            break
    told = [fit.diagnostics for fit in fits]
    return _Exact(
        [float(p.mean()) for p in drawn],
        errors,
        drawn.shape[1],
        max(d.rhat_max for d in told),
        float(np.mean([d.divergent_fraction for d in told])),
        cpu,
    )


def _room(design: Design) -> Capacity:
    """Room in powers of two: few programs, and little padding where chains are long."""
    sizes = {f.name: getattr(design.capacity, f.name) for f in fields(Capacity)}
    return Capacity(**{k: 1 << max(v - 1, 0).bit_length() for k, v in sizes.items()})


def _read(
    model: Hazard,
    raw: Mapping[str, Array],
    design: Design,
    target: Target,
    marks: Mapping[str, str],
    horizons: tuple[int, ...],
    seed: int,
) -> Array:
    """Draws of every headline probability, shape (probabilities, draws)."""
    size = len(raw["alpha_raw"])
    parts = []
    for begin in range(0, size, CHUNK):
        some = {name: value[begin : begin + CHUNK] for name, value in raw.items()}
        found = predict(model, some, design, target, seed=seed)
        where = [found.marks[mark] if mark else found.p for mark in marks.values()]
        parts.append(np.array([p[:, h - 1] for p in where for h in horizons]))
    return np.concatenate(parts, axis=1)


def judged(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the difference, what is allowed of it, and whether it agrees.

    Parameters
    ----------
    rows : DataFrame
        Of `agreement`.

    Returns
    -------
    DataFrame
        With ``difference``, ``error`` (both engines' Monte Carlo errors together), ``allowed``,
        ``agrees``. Few seeds tell a spread badly, so the spread is pooled over the rows of a
        question, as a multiple of the deviation of the draws.
    """
    out = rows.copy()
    share: pd.Series[float] = (out["spread"] / out["deviation"]) ** 2
    pooled = np.sqrt(share.groupby(out["question"]).transform("mean"))
    out["difference"] = out["p"] - out["p_exact"]
    out["error"] = np.hypot(pooled * out["deviation"], out["error_exact"])
    out["allowed"] = np.maximum(ALLOWED, 3 * out["error"])
    out["agrees"] = out["difference"].abs() <= out["allowed"]
    return out


def summary(rows: pd.DataFrame) -> str:
    """Say it in words.

    Parameters
    ----------
    rows : DataFrame
        Of `agreement`.
    """
    told = judged(rows)
    fits = told.drop_duplicates(["origin", "engine", "khat", "ess"])
    held = fits.loc[fits["engine"] == "approximate", "khat"]
    worst = told.iloc[int(np.argmax(told["difference"].abs()))]
    fold = np.log((told["p"] / told["p_exact"]).to_numpy(float))
    ratios = np.exp(fold.mean()), np.exp(np.quantile(np.abs(fold), 0.9))
    ratio = fits["cpu_exact"].sum() / fits["cpu"].sum()
    return (
        f"{len(told)} probabilities at {told['origin'].nunique()} origins, {len(fits)} fits: "
        f"{int(told['agrees'].sum())} within max({ALLOWED}, 3 Monte Carlo errors) of long NUTS "
        f"(its own error at most {told['error_exact'].max():.4f}, "
        f"{int(fits['draws_exact'].median()):,} draws in the median); largest difference "
        f"{abs(worst['difference']):.4f} (`{worst['question']}`, {worst['horizon']} months, "
        f"{worst['origin']}: {worst['p']:.4f} against {worst['p_exact']:.4f}); mean difference "
        f"{told['difference'].mean():+.4f}; ratio of the two {ratios[0]:.3f} in the mean, "
        f"within {ratios[1]:.2f}-fold nine times in ten; {len(fits) - len(held)} refused "
        f"themselves and were sampled, k-hat of the others {held.min():.2f} to {held.max():.2f}; "
        f"{fits['cpu'].sum():.0f} s of CPU against {fits['cpu_exact'].sum():.0f} s, "
        f"{ratio:.1f} times."
    )
