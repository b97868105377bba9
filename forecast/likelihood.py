"""Log densities at draws of the standardised variables: their prior, and a design given them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from forecast.influence import log_chance
from forecast.models.design import Array, Design
from forecast.models.hazard import RAW, Hazard, cells, columns, effects

__all__ = ["log_likelihood", "log_prior"]


def log_prior(raw: Mapping[str, Array]) -> Array:
    """Log prior density of each draw, up to a constant, shape (draws,).

    Parameters
    ----------
    raw : dict of (draws, ...) arrays
        Standardised variables: standard normal, or half-normal, each.
    """
    total = np.zeros(len(raw["alpha_raw"]))
    for name, _, _ in RAW:
        value = np.square(raw[name])
        total -= 0.5 * value.reshape(len(value), -1).sum(axis=1)
    return total


def log_likelihood(model: Hazard, raw: Mapping[str, Array], design: Design) -> Array:
    """Log likelihood of each draw: months without the event, events, signs, marks.

    Parameters
    ----------
    model : Hazard
    raw : dict of (draws, ...) arrays
    design : Design
        The one the model was fitted to, or another with the same variables.

    Returns
    -------
    (draws,) array
    """
    e = effects(raw, model.constants(design), np)
    cell, column = cells(e, design.arrays(), np), columns(e, np)
    quiet = np.einsum("dc,ck,dk->d", np.exp(cell), design.exposure,
                      np.exp(column[:, design.column]), optimize=True)  # fmt: skip
    eta = cell[:, design.event_cell] + column[:, design.event_column]
    total = log_chance(eta) @ design.event_weight - quiet
    rate = e["sign"][:, design.sign_kind] + e["birth"][:, design.sign_state]
    total += log_chance(rate) @ design.sign_count - np.exp(rate) @ design.sign_months
    odds = e["mark"]
    total += odds @ design.mark_weaken - np.logaddexp(0.0, odds) @ design.mark_total
    return np.asarray(total)
