"""Whether simulated futures hold what came: coverage and CRPS on past origins, model by model.

At each origin every model sees the snapshot of that day alone. What came is what the panel showed
so many months later, in the vintage of that month: the same figure a model is given then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from forecast.futures import futures
from forecast.models.design import Array
from forecast.paths import simulate, steps
from indicators.panel import Panel, panel
from indicators.vintages import Snapshot

__all__ = ["MODELS", "calibrated", "crps", "total"]

MODELS = ("state space", "AR(1)", "random walk")
LOW50, HIGH50, LOW90, HIGH90 = 0.25, 0.75, 0.05, 0.95
TIE = 1e-9
"""Figures nearer than this are one: what stands still is inside an interval of no width."""


def crps(drawn: Array, came: Array) -> Array:
    r"""Continuous ranked probability score of draws, :math:`E|X - y| - E|X - X'| / 2`.

    Parameters
    ----------
    drawn : (n, paths) array
    came : (n,) array

    Returns
    -------
    (n,) array
        In the unit of the figures; smaller is better.

    References
    ----------
    Gneiting and Raftery (2007), doi:10.1198/016214506000001437
    """
    x = np.sort(drawn, axis=1)
    size = x.shape[1]
    weight = 2 * np.arange(1, size + 1) - size - 1
    return np.asarray(np.abs(x - came[:, None]).mean(axis=1) - (x * weight).sum(axis=1) / size**2)


def calibrated(
    later: Snapshot,
    origins: Iterable[pd.Timestamp],
    *,
    horizons: Sequence[int],
    states: Sequence[str],
    paths: int = 200,
    seed: int = 1,
    models: Sequence[str] = MODELS,
) -> pd.DataFrame:
    """Score simulated futures of every feature.

    Parameters
    ----------
    later : Snapshot
        From which both the origins are cut and what came is read.
    origins : iterable of Timestamp
        First days of months.
    horizons : sequence of int
        Months after the origin.
    states : sequence of str
        States simulated.
    paths, seed : int
        Paths a state; seed.
    models : sequence of str, optional
        Of `MODELS`.

    Returns
    -------
    DataFrame
        One row an origin, model, feature and horizon: ``origin, model, feature, months, figures``
        (how many states have a figure at both ends), ``in50, in90`` (how many of them were
        inside), ``crps`` and ``width90`` (sums over them, on the fixed scale of the catalog).

    Raises
    ------
    LookAheadError
        An origin plus the longest horizon is after `later`.
    """
    days = [pd.Timestamp(day) for day in origins]
    for day in days:
        later.require(day + pd.DateOffset(months=max(horizons)))
    seen = panel(later, states)
    rows = []
    for day in days:
        snapshot = later.at(day)
        x = panel(snapshot, states)
        for model in models:
            drawn = _drawn(model, snapshot, x, horizon=max(horizons) + 1, paths=paths, seed=seed)
            for months in horizons:
                when = day + pd.DateOffset(months=months)
                came = seen.values.xs(when, level="month").loc[list(states)]
                for j, name in enumerate(x.features):
                    found = _row(drawn[:, months, :, j], came[name].to_numpy(float))
                    rows.append({"origin": day, "model": model, "feature": name,
                                 "months": months, **found})  # fmt: skip
    return pd.DataFrame(rows)


def _drawn(
    model: str, snapshot: Snapshot, x: Panel, *, horizon: int, paths: int, seed: int
) -> Array:
    """Draws of all states, shape (states, horizon, paths, features)."""
    each = []
    for number, state in enumerate(x.states):
        if model == "state space":
            fitted = futures(snapshot)
            each.append(fitted.simulate(state, horizon=horizon, paths=paths, seed=seed))
        elif model == "AR(1)":
            options = {"horizon": horizon, "paths": paths, "seed": seed + number}
            each.append(simulate(x, state, x.features, steps=steps(snapshot), **options))
        elif model == "random walk":
            rng = np.random.default_rng([seed, number])
            each.append(_walk(x, state, steps(snapshot), horizon, paths, rng))
        else:
            raise ValueError(f"model is {model!r}: give one of {', '.join(MODELS)}")
    return np.stack(each)


def _walk(
    x: Panel,
    state: str,
    steps: Mapping[str, int],
    horizon: int,
    paths: int,
    rng: np.random.Generator,
) -> Array:
    """Carry the last value forward, spread by the state's own changes from step to step."""
    out = np.full((horizon, paths, len(x.features)), np.nan)
    for j, name in enumerate(x.features):
        values = x.values[name].xs(state, level="state").dropna().to_numpy(float)
        if not len(values):
            continue
        step = steps[name]
        changes = np.diff(values[::-1][::step])
        scale = float(np.sqrt(np.mean(changes**2))) if len(changes) else 0.0
        moves = scale * rng.standard_normal((-(-horizon // step), paths))
        moves[0] = 0.0
        out[:, :, j] = values[-1] + np.repeat(np.cumsum(moves, axis=0), step, axis=0)[:horizon]
    return out


def _row(drawn: Array, came: Array) -> dict[str, float]:
    known = ~np.isnan(came) & ~np.isnan(drawn[:, 0])
    x, y = drawn[known], came[known]
    if not len(y):
        return {"figures": 0, "in50": 0, "in90": 0, "crps": 0.0, "width90": 0.0}
    low90, low50, high50, high90 = np.quantile(x, [LOW90, LOW50, HIGH50, HIGH90], axis=1)
    return {
        "figures": len(y),
        "in50": int(((y >= low50 - TIE) & (y <= high50 + TIE)).sum()),
        "in90": int(((y >= low90 - TIE) & (y <= high90 + TIE)).sum()),
        "crps": float(crps(x, y).sum()),
        "width90": float((high90 - low90).sum()),
    }


def total(rows: pd.DataFrame) -> pd.DataFrame:
    """Put origins together.

    Parameters
    ----------
    rows : DataFrame
        As `calibrated` returns it.

    Returns
    -------
    DataFrame
        Indexed by feature, months and model: ``figures``, and as means over them ``in50, in90,
        crps, width90``.
    """
    summed = rows.groupby(["feature", "months", "model"], sort=False).agg(
        figures=("figures", "sum"), in50=("in50", "sum"), in90=("in90", "sum"),
        crps=("crps", "sum"), width90=("width90", "sum"),
    )  # fmt: skip
    for name in ("in50", "in90", "crps", "width90"):
        summed[name] = summed[name] / summed["figures"]
    return summed.sort_index(level=["feature", "months"], sort_remaining=False)
