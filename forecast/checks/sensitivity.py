"""How much a forecast leans on its prior, and on single past events.

References
----------
.. [1] Kallioinen, N., Paananen, T., Bürkner, P.-C., Vehtari, A. (2024). Detecting and diagnosing
   prior and likelihood sensitivity with power-scaling. Statistics and Computing 34:57.
   doi:10.1007/s11222-023-10366-5
.. [2] Vehtari, A., Simpson, D., Gelman, A., Yao, Y., Gabry, J. (2024). Pareto smoothed importance
   sampling. Journal of Machine Learning Research 25(72).
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from forecast.influence import RELIABLE, without_each
from forecast.likelihood import log_likelihood
from forecast.models.design import Array, Design
from forecast.models.hazard import RAW, Hazard, sizes
from forecast.predict import logit

__all__ = ["RELIABLE", "influence", "log_likelihood", "power_scaling", "stated_log_prior"]

SENSITIVE = 0.05
"""Sensitivity from which a number is said to lean on what was scaled; of the reference."""


GROUPED = frozenset({"slot_raw", "region_raw", "state_raw", "birth_raw", "wave_raw", "x_missing"})
"""Levels within a pooled scale: their priors are part of the model, not of what was stated."""
SIGNED = frozenset({"delta_raw", "sign_raw", "birth_sd"})
"""Of the process chain."""


def stated_log_prior(model: Hazard, raw: Mapping[str, Array], design: Design) -> Array:
    """Log density of each draw under the priors that were stated, up to a constant, (draws,).

    Parameters
    ----------
    model : Hazard
    raw : dict of (draws, ...) arrays
        Standardised variables: standard normal, or half-normal, each.
    design : Design
        The unpadded one: what fills the room of the compiled program has no say, nor have
        variables that this design does not reach.

    Returns
    -------
    (draws,) array

    Notes
    -----
    Levels within a pooled scale are not scaled, as the reference advises [1]_. Hundreds of them
    would make the distance the noise of the weights, whatever the forecast.
    """
    room = sizes(design)
    unused = set(GROUPED)
    if not design.has_signs:
        unused |= SIGNED
    if design.slots != ("",):
        unused |= {"mark_level", "mark_raw"}
    if model.shrinkage == "ridge":
        unused.add("local")
    if not model.wave_scale:
        unused.add("wave_sd")
    total = np.zeros(len(raw["alpha_raw"]))
    for name, dim, _ in RAW:
        if name not in unused:
            value = np.square(raw[name]).reshape(len(total), -1)
            total -= 0.5 * value[:, : None if dim is None else room[dim]].sum(axis=1)
    return total


def power_scaling(
    p: Mapping[str, Array], prior: Array, likelihood: Array, *, chains: int
) -> pd.DataFrame:
    """Tell how much each forecast moves when prior or data count for slightly more or less.

    Parameters
    ----------
    p : dict of (draws,) arrays
        Forecasts by name, draw by draw, one chain after another.
    prior, likelihood : (draws,) arrays
        Log densities, as `stated_log_prior` and `log_likelihood` give them.
    chains : int
        Chains behind the draws.

    Returns
    -------
    DataFrame
        One row a forecast: ``forecast, prior, likelihood`` (cumulative Jensen–Shannon distance
        per doubling of the power) and ``diagnosis`` in words.
    """
    stats: Any = import_module("arviz_stats")
    base: Any = import_module("arviz")

    def shaped(value: Array) -> Array:
        size = len(value) // chains
        return np.asarray(value[: size * chains]).reshape(chains, size)

    # the log-odds: distances are of distribution functions, so any one-to-one scale will do
    tree = base.from_dict(
        {
            "posterior": {name: shaped(logit(value)) for name, value in p.items()},
            "log_prior": {"all": shaped(prior)},
            "log_likelihood": {"all": shaped(likelihood)},
        }
    )
    moved = {group: stats.psense(tree, group=group) for group in ("prior", "likelihood")}
    rows = [(name, float(moved["prior"][name]), float(moved["likelihood"][name])) for name in p]
    return pd.DataFrame(
        [(*row, _words(row[1], row[2])) for row in rows],
        columns=["forecast", "prior", "likelihood", "diagnosis"],
    )


def _words(prior: float, likelihood: float) -> str:
    if prior < SENSITIVE:
        return "not sensitive to the prior"
    if likelihood < SENSITIVE:
        return "mostly prior: the data say little"
    return "sensitive to the prior and to the data"


def influence(
    model: Hazard,
    raw: Mapping[str, Array],
    design: Design,
    p: Array,
) -> pd.DataFrame:
    """Tell what the forecast would be without each past event, and whether that can be said.

    Parameters
    ----------
    model, raw, design
        Of the fit.
    p : (draws,) array
        The forecast, draw by draw as `raw`.

    Returns
    -------
    DataFrame
        ``event, p_without, log_odds`` (change that the event makes) and ``k_hat``; a row with a
        k-hat above 0.7 is ``reliable = False``: only a refit could tell. The direction of a
        revision stays in: it is the event itself that is left out.
    """
    rows = [
        (w.event, w.p, -w.log_odds, w.k_hat, w.reliable)
        for w in without_each(model, raw, design, p)
    ]
    frame = pd.DataFrame(rows, columns=["event", "p_without", "log_odds", "k_hat", "reliable"])
    order = frame["log_odds"].abs().sort_values(ascending=False).index
    return frame.loc[order].reset_index(drop=True)
