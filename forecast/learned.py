"""The pool of a run: the plain average, unless a backtest known at the origin says otherwise.

Weights are learned, and the pool is chosen, as `forecast.pooling` does at the origins of a
backtest: from windows that had closed, reporting delay included, by what was known at the origin of
the forecast. What was backtested from that day on is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.bounds import ALL
from forecast.material import plain
from forecast.models.pool import Pool
from forecast.outcomes import read_outcomes
from forecast.pooling import POOLS, chosen_at
from forecast.words import label
from indicators.errors import TocsinError
from indicators.tables import DataPackage

__all__ = ["FILE", "MEMBERS", "Learned", "PoolError", "learned"]

MEMBERS = ("base_rate", "hazard", "glm", "process_table")
FILE = "forecasts.parquet"
DELAY = 12
"""Months after its end from which a window teaches."""


class PoolError(TocsinError, ValueError):
    """A backtest that no pool can learn from."""

    exit_code = 3


@dataclass(frozen=True)
class Learned:
    """The pool of a run, and why it is that one.

    Attributes
    ----------
    pool : Pool
        Of `MEMBERS`.
    told : dict
        The ``pool`` of the JSON of a run, under that name; empty where the headline is no pool.
    """

    pool: Pool
    told: dict[str, Any] = field(repr=False)


def learned(
    model: str,
    backtest: str | Path | None,
    package: DataPackage,
    *,
    origin: pd.Timestamp,
    seed: int,
) -> Learned:
    """Choose the pool of a run.

    Parameters
    ----------
    model : str
        The headline; any other than ``pool`` learns nothing.
    backtest : str, Path or None
        What ``tocsin backtest --out`` wrote, the members and pool among its models; None for
        the plain average.
    package : DataPackage
        Outcomes.
    origin : Timestamp
        Of the forecast.
    seed : int
        Of the bootstrap that decides.

    Returns
    -------
    Learned

    Raises
    ------
    OutcomeError
        There is no backtest in the folder, or one under another bound, or of other states.
    PoolError
        It has no forecasts of a member, or of the pools.
    """
    average = Pool(MEMBERS)
    if model != "pool":
        return Learned(average, {})
    if backtest is None:
        words = "plain average of its members: no backtest was given to learn weights from"
        return Learned(average, _told("pool_linear", average, {}, 0, words))
    path = Path(backtest) / FILE
    every = read_outcomes(path, bound=ALL.name)
    if missing := sorted({*MEMBERS, *POOLS} - set(every["model"])):
        raise PoolError(
            "a backtest that no pool can learn from",
            place=str(path),
            found=f"no forecasts of {', '.join(missing)}",
            allowed=f"all of {', '.join((*MEMBERS, *POOLS))}",
            remedy=f"run tocsin backtest --models {','.join(MEMBERS)},pool.",
        )
    how: dict[str, Any] = {"members": MEMBERS, "seed": seed, "delay_months": DELAY}
    pools, choice = chosen_at(every, package, origin=origin, **how)
    name = str(choice["chosen"])
    later = int(every.loc[every["origin"] >= origin, "origin"].nunique())
    return Learned(pools[name], _told(name, pools[name], choice, later, _words(name, choice)))


def _told(
    name: str, pool: Pool, choice: Mapping[str, Any], later: int, words: str
) -> dict[str, Any]:
    equal = [1 / len(pool.members)] * len(pool.members)
    said = {
        "chosen": name,
        "weights": {m: plain(w) for m, w in zip(pool.members, pool.weights or equal, strict=True)},
        "windows": int(choice.get("windows", 0)),
        "events": int(choice.get("events", 0)),
        "delay_months": DELAY,
        "later_origins": later,
        "learned": {m: plain(choice[f"weight_{m}"]) for m in pool.members} if choice else None,
        "rivals": [
            {"pool": rival} | {k: plain(choice[f"{rival}_{k}"]) for k in ("gain", "lo90", "hi90")}
            for rival in POOLS[1:]
            if choice
        ],
        "words": words,
    }
    return {"pool": said}


def _words(name: str, choice: Mapping[str, Any]) -> str:
    """Say which pool it is, and by how much the others were better or worse."""
    how = ""
    if name != "pool_linear":
        how = (
            ", of its members as they were scored: the hazard with its process tables at face "
            "value, the rate of all units at risk"
        )
    gains = ", ".join(
        f"{label(rival)} {choice[f'{rival}_gain']:+.1f} nats "
        f"[{choice[f'{rival}_lo90']:+.1f}, {choice[f'{rival}_hi90']:+.1f}]"
        for rival in POOLS[1:]
    )
    return (
        f"{label(name)}{how}: over {choice['windows']:,} windows with {choice['events']} events, "
        f"closed {DELAY} months before the origin, the others gained over the plain average "
        f"{gains}; it stays unless such an interval leaves out zero"
    )
