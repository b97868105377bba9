r"""Which of several models is worth being the default, judged where it was not chosen.

Windows are cut into cells of one question and one era. For each cell the model of the largest log
gain over the default is chosen on the cells of *other* questions in *other* eras, and scored here:

.. math::

    \hat m_{qe} = \arg\max_m \sum_{q' \ne q,\ e' \ne e} G_{m q' e'}, \qquad
    \text{gain of choosing} = \sum_{q, e} G_{\hat m_{qe}\, q e},

with :math:`G_{mqe}` the sum over the windows of a cell of the log score of m less that of the
default. Where no event stands behind a choice the default is kept: without one the lowest forecast
wins. Choosing pays if that sum is above zero; where its interval, given the choices, holds zero the
default stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from forecast.scores import log_score, two_way_bootstrap
from forecast.skill import campaigns, headline_rows
from indicators.errors import UnknownNameError

__all__ = ["Selection", "selection"]


@dataclass(frozen=True)
class Selection:
    """What choosing a default by past scores would have gained.

    Attributes
    ----------
    default : str
        The model that all are held against.
    chosen : str
        The model of the largest gain over all cells: the default where none gained.
    gain, lo90, hi90 : float
        Nats over all cells, each by the model that was chosen for it elsewhere.
    cells : DataFrame
        One row a cell: ``question, era, windows, events, chosen, behind, gain``: campaigns in the
        cell, the model chosen for it, the campaigns it was chosen on.
    """

    default: str
    chosen: str
    gain: float
    lo90: float
    hi90: float
    cells: pd.DataFrame = field(repr=False)

    @property
    def pays(self) -> bool:
        """Whether the interval of the gain lies above zero."""
        return self.lo90 > 0


def selection(
    resolved: pd.DataFrame,
    *,
    models: Sequence[str],
    default: str,
    questions: Sequence[str],
    horizon: int,
    split: pd.Timestamp,
    seed: int,
    repeats: int = 1000,
) -> Selection:
    """Choose a default on some questions and eras, and score it on the others.

    Parameters
    ----------
    resolved : DataFrame
        Forecasts with outcomes, as `forecast.outcomes.outcomes` returns them.
    models : sequence of str
        Candidates, the default among them or not.
    default : str
        Chosen wherever no candidate gained.
    questions : sequence of str
        None of them part of another: their outcomes must not be the same twice.
    horizon : int
        Months of the windows: those that do not overlap.
    split : Timestamp
        First origin of the second era.
    seed : int
        Of the bootstrap.
    repeats : int, optional
        Resamples.

    Returns
    -------
    Selection

    Raises
    ------
    UnknownNameError
        A model that was not backtested.
    """
    rows = headline_rows(resolved)
    rows = rows[(rows["horizon"] == horizon) & rows["question"].isin(list(questions))]
    for name in (default, *models):
        if name not in set(rows["model"]):
            raise UnknownNameError("model", name, sorted(set(rows["model"])))
    wide, about = _gains(rows, dict.fromkeys((default, *models)), default)
    eras = np.where(about["origin"] < split, 0, 1)
    own: list[tuple[object, ...]] = []
    gains = np.zeros(len(wide))
    for (question, era), cell in about.groupby([about["question"], eras]):
        elsewhere = ((about["question"] != question) & (eras != era)).to_numpy()
        behind = _campaigns(about[elsewhere])
        best = _best(wide[elsewhere]) if behind else default
        here = about.index.isin(cell.index)
        gains[here] = wide.loc[here, best]
        told = (len(cell), _campaigns(cell), best, behind, float(gains[here].sum()))
        own.append((question, era, *told))
    draws = two_way_bootstrap(gains, about["state"], campaigns(about), seed=seed, repeats=repeats)
    low, high = np.quantile(draws * len(gains), [0.05, 0.95])
    names = ["question", "era", "windows", "events", "chosen", "behind", "gain"]
    cells = pd.DataFrame(own, columns=names)
    return Selection(default, _best(wide), float(gains.sum()), float(low), float(high), cells)


def _gains(
    rows: pd.DataFrame, names: Mapping[str, None], default: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Log gain of each model over the default, on the windows that all forecast."""
    key = ["question", "state", "origin"]
    p = rows[rows["model"].isin(list(names))].pivot_table(index=key, columns="model", values="p")
    p = p.dropna()
    first = rows[rows["model"] == default].set_index(key).loc[p.index]
    y = first["y"].to_numpy(float)
    loss = {name: np.asarray(log_score(p[name].to_numpy(float), y)) for name in names}
    wide = pd.DataFrame({name: loss[default] - value for name, value in loss.items()})
    return wide, first[["y", "campaign"]].reset_index()


def _campaigns(windows: pd.DataFrame) -> int:
    return int(windows.loc[windows["y"] == 1, "campaign"].nunique())


def _best(gains: pd.DataFrame) -> str:
    """Column of the largest sum; the first, which is the default, where none is above it."""
    return str(gains.sum().idxmax())
