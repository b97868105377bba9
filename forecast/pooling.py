"""A pool as it would have been at each origin: weights from windows that had closed by then.

The plain average is the default. Another pool takes its place at an origin only where, on forward
forecasts whose windows had closed and been reported, its log score was better with a 90% interval
that excludes zero. What decides are windows of one horizon, so that none counts twice, of every
question that is not part of another, and Turkmenistan, the case the design grew from, left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.backtest import COLUMNS
from forecast.models.design import Array
from forecast.models.pool import Pool, stacking_weights
from forecast.outcomes import FOUNDED, FOUNDING, outcomes
from forecast.questions import load_questions
from forecast.scores import log_score, two_way_bootstrap
from indicators.tables import DataPackage, load

__all__ = ["POOLS", "Pooled", "chosen_at", "pooled"]

KEY = ["question", "state", "origin", "horizon"]
RIVALS = ("pool_log_odds", "pool_stacked")
POOLS = ("pool_linear", *RIVALS)
"""The plain average first."""


@dataclass(frozen=True)
class Pooled:
    """Forecasts of the pools, and how each origin chose.

    Attributes
    ----------
    forecasts : DataFrame
        As `backtest` returns them, models ``pool`` (the chosen one), ``pool_linear``,
        ``pool_log_odds`` and ``pool_stacked``.
    choices : DataFrame
        One row an origin: ``origin, windows, events, chosen``, the weight of each member in the
        stacked pool, and for each rival of the average its gain in nats with ``lo90, hi90``.
    """

    forecasts: pd.DataFrame = field(repr=False)
    choices: pd.DataFrame


def pooled(
    forecasts: pd.DataFrame,
    *,
    members: tuple[str, ...],
    seed: int,
    horizon: int = 6,
    delay_months: int = 12,
    data_dir: str | Path | None = None,
) -> Pooled:
    """Pool what the members said, origin by origin.

    Parameters
    ----------
    forecasts : DataFrame
        As `backtest` returns them, holding every member.
    members : tuple of str
        Models to pool.
    seed : int
        Of the bootstrap that decides.
    horizon : int, optional
        Months of the windows that weights are learned from.
    delay_months : int, optional
        A window teaches only this long after its end: outcomes surface late.
    data_dir : str or Path, optional
        Data package.

    Returns
    -------
    Pooled

    Raises
    ------
    KeyError
        A member was not backtested.
    """
    missing = sorted(set(members) - set(forecasts["model"]))
    if missing:
        raise KeyError(f"not backtested: {', '.join(missing)}")
    chosen = forecasts[forecasts["model"].isin(members)]
    wide = chosen.pivot_table(index=KEY, columns="model", values="p")[list(members)].dropna()
    rows = wide.reset_index()
    share = chosen.groupby(KEY)["prior_share"].mean()
    package = load(data_dir)
    teaching = _teaching(rows, package, horizon)
    past: list[pd.DataFrame] = []
    made: list[pd.DataFrame] = []
    choices = []
    for origin, here in rows.groupby("origin", sort=True):
        latest = pd.Timestamp(str(origin)) - pd.DateOffset(months=delay_months)
        closed = _closed(teaching, latest, pd.Timestamp(str(origin)), package)
        pools = _pools(closed, members)
        said = {name: pool.p(here[list(members)].to_numpy()) for name, pool in pools.items()}
        choice = _choose(past, closed, seed)
        weights = dict(zip(members, pools["pool_stacked"].weights, strict=True))
        events = int(closed["y"].sum()) if len(closed) else 0
        choices.append({"origin": origin, "windows": len(closed), "events": events}
                       | choice | {f"weight_{m}": w for m, w in weights.items()})  # fmt: skip
        said["pool"] = said[str(choice["chosen"])]
        frames = [here[KEY].assign(model=name, p=p) for name, p in said.items()]
        made += frames
        past.append(here[KEY].assign(**{name: said[name] for name in pools}))
    frame = pd.concat(made, ignore_index=True).join(share, on=KEY)[COLUMNS]
    return Pooled(frame.sort_values(COLUMNS[:5], ignore_index=True), pd.DataFrame(choices))


def chosen_at(
    forecasts: pd.DataFrame,
    package: DataPackage,
    *,
    origin: pd.Timestamp,
    members: tuple[str, ...],
    seed: int,
    horizon: int = 6,
    delay_months: int = 12,
) -> tuple[Mapping[str, Pool], dict[str, Any]]:
    """Learn and choose a pool for a forecast of today from a backtest of the past.

    Parameters
    ----------
    forecasts : DataFrame
        A backtest of every member and, as `pooled` made them, of every pool.
    package : DataPackage
        Outcomes.
    origin : Timestamp
        Of the forecast: origins from this day on are left out, and windows are judged by what was
        known on it.
    members, seed, horizon, delay_months
        As for `pooled`.

    Returns
    -------
    pools : mapping of str to Pool
        By name, weights learned.
    choice : dict
        As a row of `Pooled.choices`.
    """
    earlier = forecasts[forecasts["origin"] < origin]

    def wide(models: tuple[str, ...]) -> pd.DataFrame:
        found = earlier[KEY].drop_duplicates()
        for model in models:
            own = earlier.loc[earlier["model"] == model, [*KEY, "p"]]
            found = found.merge(own.rename(columns={"p": model}).dropna(), on=KEY)
        return found.sort_values(KEY, ignore_index=True)

    teaching = _teaching(wide(members), package, horizon)
    closed = _closed(teaching, origin - pd.DateOffset(months=delay_months), origin, package)
    pools = _pools(closed, members)
    weights = dict(zip(members, pools["pool_stacked"].weights, strict=True))
    events = int(closed["y"].sum()) if len(closed) else 0
    choice = {"origin": origin, "windows": len(closed), "events": events}
    choice |= _choose([wide(POOLS)], closed, seed) | {f"weight_{m}": w for m, w in weights.items()}
    return pools, choice


def _teaching(rows: pd.DataFrame, package: DataPackage, horizon: int) -> pd.DataFrame:
    """Windows that a pool may learn from, closed or not."""
    roots = [name for name, question in load_questions(package).items() if not question.parent]
    founding = (rows["state"] == FOUNDING[0]) & rows["question"].isin(FOUNDED)
    kept = (rows["horizon"] == horizon) & ~founding
    return rows[kept & rows["question"].isin(roots)]


def _closed(
    teaching: pd.DataFrame, latest: pd.Timestamp, origin: pd.Timestamp, package: DataPackage
) -> pd.DataFrame:
    """Windows that ended by `latest`, with outcomes as they were known at the origin."""
    months = teaching["origin"].dt.to_period("M") + teaching["horizon"]
    early = teaching[months.dt.to_timestamp() <= latest]
    if early.empty:
        return pd.DataFrame(early.assign(y=np.nan, campaign=""))
    told = outcomes(early, package=package, as_of=origin)
    return pd.DataFrame(told[told["y"].notna()])


def _pools(closed: pd.DataFrame, members: tuple[str, ...]) -> Mapping[str, Pool]:
    given = closed[list(members)].to_numpy(dtype=float)
    weights = stacking_weights(given, closed["y"].to_numpy(dtype=float))
    return {
        "pool_linear": Pool(members),
        "pool_log_odds": Pool(members, "log_odds"),
        "pool_stacked": Pool(members, "linear", weights),
    }


def _choose(past: list[pd.DataFrame], closed: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Name the pool to use, from forward forecasts of windows that have closed."""
    found: dict[str, Any] = {"chosen": "pool_linear"}
    best = 0.0
    joined = pd.concat(past).merge(closed[[*KEY, "y", "campaign"]], on=KEY) if past else closed
    for name in RIVALS:
        gain, low, high = (0.0, 0.0, 0.0)
        if past and len(joined) and joined["y"].sum() > 0:
            gain, low, high = _gain(joined, name, seed)
        found |= {f"{name}_gain": gain, f"{name}_lo90": low, f"{name}_hi90": high}
        if low > 0 and gain > best:
            found["chosen"], best = name, gain
    return found


def _gain(joined: pd.DataFrame, name: str, seed: int) -> tuple[float, float, float]:
    """Total log gain over the average, with its two-way bootstrap interval."""
    y = joined["y"].to_numpy(dtype=float)
    losses: list[Array] = [np.asarray(log_score(joined[m].to_numpy(dtype=float), y))
                           for m in ("pool_linear", name)]  # fmt: skip
    gains = losses[0] - losses[1]
    alone = "none " + joined["state"] + joined["origin"].dt.strftime(" %Y-%m")
    labels = joined["campaign"].where(y == 1, alone)
    draws = two_way_bootstrap(gains, joined["state"], labels, seed=seed, repeats=500) * len(y)
    low, high = np.quantile(draws, [0.05, 0.95])
    return float(gains.sum()), float(low), float(high)
