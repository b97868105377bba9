"""How good forecasts of two questions together are, by state and origin.

The log score of the joint outcome (both, one, the other, neither) of a model that forecasts pairs,
against the product of two forecasts made apart. Most of a joint score is the two margins; what is
left over is what the link and the shared futures say.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.links import PAIR, pair_of
from forecast.models.design import Array
from forecast.models.linked import joint_log_score
from forecast.scores import two_way_bootstrap
from forecast.skill import headline_rows

__all__ = ["joint_scores", "joint_table"]

KEY = ["state", "origin", "horizon"]
EDGE = 1e-12


def joint_scores(resolved: pd.DataFrame, *, model: str = "linked") -> pd.DataFrame:
    """Score every pair of questions at every state, origin and horizon.

    Parameters
    ----------
    resolved : DataFrame
        Forecasts with outcomes, as `forecast.outcomes.outcomes` returns them, those of pairs
        among them.
    model : str, optional
        Whose pairs and margins are scored.

    Returns
    -------
    DataFrame
        One row a window that closed: ``pair, state, origin, horizon, y_first, y_second,
        campaign``, and in nats ``together`` (minus the log of the probability of what came) and
        ``apart_M`` for each model M that forecast both questions: the same by the product of its
        margins, as if the two were independent. Turkmenistan from July 2016 on is left out, see
        `forecast.skill.headline_rows`.
    """
    rows = headline_rows(resolved).dropna(subset=["p"])
    pairs = rows[rows["question"].str.contains(PAIR, regex=False) & (rows["model"] == model)]
    out = []
    for pair, cell in pairs.groupby("question", sort=True):
        sides = [rows[rows["question"] == name] for name in pair_of(str(pair)) or ()]
        one, two = (_margin(side, model) for side in sides)
        wide = cell.set_index(KEY)[["p"]].join(one.add_suffix("_first")).join(
            two.add_suffix("_second")
        ).dropna(subset=["p_first", "p_second"])  # fmt: skip
        if wide.empty:
            continue
        y = wide[["y_first", "y_second"]].to_numpy(int)
        names = np.char.add(*(wide[f"campaign_{s}"].to_numpy(str) for s in ("first", "second")))
        scores = {"together": joint_log_score(_table(wide), y)[0]}
        for rival in sorted(set(sides[0]["model"]) & set(sides[1]["model"])):
            first, second = (
                _margin(side, rival)["p"].reindex(wide.index).to_numpy(float) for side in sides
            )
            scores[f"apart_{rival}"] = -np.log(_said(first, y[:, 0]) * _said(second, y[:, 1]))
        kept = wide[["y_first", "y_second"]].assign(campaign=names, pair=pair, **scores)
        out.append(kept.reset_index())
    first_columns = ["pair", *KEY]
    if not out:
        return pd.DataFrame(columns=[*first_columns, "y_first", "y_second", "campaign", "together"])
    frame = pd.concat(out, ignore_index=True)
    return frame[[*first_columns, *frame.columns.difference(first_columns, sort=False)]]


def _margin(rows: pd.DataFrame, model: str) -> pd.DataFrame:
    return rows[rows["model"] == model].set_index(KEY)[["p", "y", "campaign"]]


def _said(p: Array, y: Array) -> Array:
    return np.asarray(np.where(y == 1, p, 1 - p).clip(min=EDGE))


def _table(wide: pd.DataFrame) -> Array:
    """Probability of the four outcomes from the two margins and that of both."""
    both, one, two = (wide[name].to_numpy(float) for name in ("p", "p_first", "p_second"))
    table = np.empty((len(wide), 2, 2))
    table[:, 1, 1], table[:, 1, 0], table[:, 0, 1] = both, one - both, two - both
    table[:, 0, 0] = 1 - one - two + both
    return table.clip(min=EDGE)


def joint_table(
    scores: pd.DataFrame, *, seed: int, against: str = "hazard", repeats: int = 1000
) -> pd.DataFrame:
    """Say what forecasting two questions together gained over forecasting them apart.

    Parameters
    ----------
    scores : DataFrame
        As `joint_scores` returns them, ``joint.parquet`` of a backtest.
    seed : int
        Of the bootstrap.
    against : str, optional
        The product of whose margins is beaten or not; the model of the pairs itself leaves what
        the link does to the margins out.
    repeats : int, optional
        Resamples.

    Returns
    -------
    DataFrame
        One row a pair and horizon: ``pair, horizon, against, n`` (windows), ``first,
        second, both`` (windows in which each and both came), ``log`` (mean joint log loss of the
        model, nats), ``gain`` (summed over windows, positive is better) with ``lo90, hi90`` of
        the two-way bootstrap over states and campaigns.

    Raises
    ------
    KeyError
        `against` did not forecast the questions.
    """
    name = f"apart_{against}"
    if len(scores) and name not in scores:
        raise KeyError(f"{against!r} was not backtested beside the model of the pairs")
    out = []
    for (pair, horizon), cell in scores.groupby(["pair", "horizon"], sort=True):
        paired = cell.dropna(subset=[name])
        if paired.empty:
            continue
        gains = (paired[name] - paired["together"]).to_numpy(float)
        alone = "none " + paired["state"] + paired["origin"].dt.strftime(" %Y-%m")
        labels = paired["campaign"].where(paired["campaign"] != "", alone)
        draws = two_way_bootstrap(gains, paired["state"], labels, seed=seed, repeats=repeats)
        low, high = np.quantile(draws * len(gains), [0.05, 0.95])
        y = paired[["y_first", "y_second"]].to_numpy(int)
        out.append({
            "pair": pair, "horizon": int(str(horizon)), "against": against,
            "n": len(paired), "first": int(y[:, 0].sum()), "second": int(y[:, 1].sum()),
            "both": int(y.prod(axis=1).sum()), "log": float(paired["together"].mean()),
            "gain": float(gains.sum()), "lo90": float(low), "hi90": float(high),
        })  # fmt: skip
    return pd.DataFrame(out)
