"""How good forecasts like these have been: a backtest, as far as it could be judged that day."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.backtest import COLUMNS, software
from forecast.bounds import ALL
from forecast.labels import origin_of
from forecast.outcomes import outcomes, read_outcomes
from forecast.skill import skill_table
from indicators.errors import TocsinError
from indicators.tables import DataPackage

__all__ = ["BACKTEST", "TrackError", "track_record"]

BACKTEST = "forecasts.parquet"
REFERENCE = "base_rate"
CARRIED = "hazard_carried"


class TrackError(TocsinError, ValueError):
    """A backtest that says nothing of the model or the questions asked about."""

    exit_code = 3


def track_record(
    folder: str | Path,
    package: DataPackage,
    *,
    origin: pd.Timestamp,
    questions: Iterable[str],
    horizons: Sequence[int],
    model: str,
    seed: int,
) -> dict[str, Any]:
    """Score a model of a backtest on the windows that could be judged at an origin.

    Every window is judged by what was known at the origin, and those that had not closed by then
    are left out: the record shown beside a forecast of 2016 knows nothing of 2017.

    Parameters
    ----------
    folder : str or Path
        What ``tocsin backtest --out`` wrote.
    package : DataPackage
        Outcomes.
    origin : Timestamp
        Of the forecast.
    questions : iterable of str
    horizons : sequence of int
        Of the forecast, in months; those that were not backtested are left out.
    model : str
        The headline model.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``model`` (``hazard_carried`` for the hazard where the backtest has it: that is what a
        headline is), ``made_by`` (``seed``, ``code_hash``, ``data_hash`` and ``same_code``: whether
        the code here would make it again; None where the file does not say), ``against``, ``first``
        and ``last`` (origins of the judged windows, None
        without any), ``rows`` (as `forecast.skill.Skill`, infinities None) and ``unjudged``
        (question ids without a closed window).

    Raises
    ------
    OutcomeError
        There is no backtest in the folder, or one under another bound, or of other states.
    TrackError
        It has no forecasts of the model or of the base rate.
    """
    path = Path(folder) / BACKTEST
    every = read_outcomes(path, bound=ALL.name)
    if model == "hazard" and CARRIED in set(every["model"]):
        model = CARRIED  # what a headline is
    pair = {model, REFERENCE}
    if missing := sorted(pair - set(every["model"])):
        raise TrackError(
            "the backtest says nothing of this model",
            place=str(path),
            found=f"no forecasts of {', '.join(missing)}",
            allowed=", ".join(sorted(set(every["model"]))),
            remedy=f"run tocsin backtest --models {REFERENCE},{model}.",
        )
    names = list(dict.fromkeys(questions))
    mine = every["model"].isin(pair) & every["question"].isin(names)
    mine &= every["horizon"].isin(horizons) & (every["origin"] < origin)
    judged = outcomes(every.loc[mine, COLUMNS], package=package, as_of=origin)
    # what was backtested later, or had not closed, is not there to be scored
    judged = judged[judged["y"].notna()]
    rows: list[dict[str, Any]] = []
    if model != REFERENCE and len(judged):
        table = skill_table(judged, seed=seed, start=origin)
        rows = [_plain(row) for row in table.to_dict("records")]
    told = {row["question"] for row in rows}
    return {
        "model": model,
        "made_by": _made_by(path),
        "against": REFERENCE,
        "first": f"{judged['origin'].min():%Y-%m-%d}" if rows else None,
        "last": f"{judged['origin'].max():%Y-%m-%d}" if rows else None,
        "rows": rows,
        "unjudged": [name for name in names if name not in told],
    }


def _made_by(path: Path) -> dict[str, Any] | None:
    """What the file says of its making."""
    about = origin_of(path)
    if about is None:
        return None
    told = {name: about[name] for name in ("seed", "code_hash", "data_hash")}
    return told | {"same_code": told["code_hash"] == software()[0]}


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """Numbers for JSON: six significant digits, what is infinite is None."""
    return {
        str(key): (float(f"{value:.6g}") if math.isfinite(value) else None)
        if isinstance(value, float)
        else value
        for key, value in row.items()
    }
