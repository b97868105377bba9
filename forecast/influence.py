"""Which past events carry a forecast: what it would be without each, by reweighting its draws.

References
----------
.. [1] Vehtari, A., Simpson, D., Gelman, A., Yao, Y., Gabry, J. (2024). Pareto smoothed importance
   sampling. Journal of Machine Learning Research 25(72).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from forecast.models.design import AIMS, Array, Design
from forecast.models.hazard import Hazard, cells, columns, effects
from forecast.predict import logit

__all__ = ["RELIABLE", "Without", "in_words", "log_chance", "without_each"]

RELIABLE = 0.7
"""Largest Pareto k-hat at which a reweighted number is believed."""
SMALL = 30.0
"""Below minus this a hazard is the probability itself, to the last bit; above it, that is 1."""


@dataclass(frozen=True)
class Without:
    """A forecast without one past event.

    Attributes
    ----------
    event : str
    p : float
        Probability had that event not come.
    log_odds : float
        Log-odds of it, less those of the forecast.
    k_hat : float
        Pareto shape of the weights.
    """

    event: str
    p: float
    log_odds: float
    k_hat: float

    @property
    def reliable(self) -> bool:
        """Whether reweighting can tell; otherwise only a refit could."""
        return bool(self.k_hat <= RELIABLE)


def without_each(
    model: Hazard,
    raw: Mapping[str, Array],
    design: Design,
    p: Array,
    *,
    events: pd.DataFrame | None = None,
) -> list[Without]:
    """Tell what a forecast would be without each past event.

    Parameters
    ----------
    model, raw, design
        As for :func:`forecast.predict.predict`.
    p : (draws,) array
        The forecast, draw by draw as ``raw``.
    events : DataFrame, optional
        ``RiskSet.events``: the direction and the stated aim of each go with it. Unless given a
        direction stays in, and it is the event itself that is left out.

    Returns
    -------
    list of Without
        In the order of the design.

    Notes
    -----
    Draws are reweighted by the inverse likelihood of the event, smoothed by Pareto importance
    sampling [1]_.
    """
    array_stats: Any = import_module("arviz_stats.base").array_stats
    e = effects(raw, model.constants(design), np)
    marked = None if events is None else events.set_index("event_id")[["mark", "aim"]]
    level, column = cells(e, design.arrays(), np), columns(e, np)
    whole = float(logit(np.array(p.mean())))
    out = []
    for i, event in enumerate(design.event_ids):
        eta = level[:, design.event_cell[i]] + column[:, design.event_column[i]]
        log_lik = log_chance(eta)
        if marked is not None:
            log_lik = log_lik + _mark_log_lik(e, marked, event)
        log_weights, k_hat = array_stats.psislw(log_lik, axis=-1)
        without = float(np.average(p, weights=np.exp(log_weights - np.max(log_weights))))
        out.append(Without(event, without, float(logit(np.array(without))) - whole, float(k_hat)))
    return out


def log_chance(eta: Array) -> Array:
    """Log probability of an event from its log hazard, log(1 - exp(-exp(eta))), for any of them.

    Parameters
    ----------
    eta : array
    """
    usual = np.clip(eta, -SMALL, SMALL)
    return np.where(eta < -SMALL, eta, np.log(-np.expm1(-np.exp(usual))))


def _mark_log_lik(e: Mapping[str, Array], marked: pd.DataFrame, event: str) -> Array:
    """Log-likelihood of the direction of a revision; 0 for events without a direction."""
    mark, aim = marked.loc[event]
    if mark not in ("weaken", "strengthen"):
        return np.zeros(len(e["alpha"]))
    odds = e["mark"][:, AIMS.index(aim)] * (1.0 if mark == "weaken" else -1.0)
    return np.asarray(-np.logaddexp(0.0, -odds))


def in_words(found: Without) -> str:
    """Say what the forecast would be, and whether that can be said."""
    text = (
        f"without {found.event} the model, processes at face value, would say {100 * found.p:.2g}%"
    )
    if found.reliable:
        return f"{text} (k-hat {found.k_hat:.2f})"
    return f"{text}, but its k-hat of {found.k_hat:.2f} is too high: only a refit could tell"
