r"""Prior and posterior predictive checks, on a scale anybody can judge: how many events.

For each draw of the parameters the months at risk are kept as they were and the events drawn anew,

.. math:: k_{ij} \sim \text{Binomial}(n_{ij}, 1 - e^{-e^{\eta_{ij}}}),

with n the unit-months of a cell i in a column j (power or body, stage, recurrence).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecast.models.design import AIMS, GAPS, STAGES, Array, Design
from forecast.models.hazard import Hazard, cells, columns, effects
from indicators.errors import TocsinError

__all__ = [
    "Months",
    "PredictiveError",
    "event_counts",
    "months_at_risk",
    "replicated",
    "simulated_design",
]

COLUMNS = ["what", "observed", "median", "lo90", "hi90", "tail"]


class PredictiveError(TocsinError, ValueError):
    """A design whose events cannot be drawn anew."""

    exit_code = 2


@dataclass(frozen=True)
class Months:
    """Unit-months at risk, those with an event included.

    Attributes
    ----------
    cell, column : (n,) int
        Where they are; a column is numbered as in `Design.column`.
    months : (n,) float
    events : (n,) float
        Events that came in them.
    """

    cell: Array
    column: Array
    months: Array
    events: Array


def months_at_risk(design: Design) -> Months:
    """Return where anybody was at risk, and what came.

    Parameters
    ----------
    design : Design
        Padded or not.
    """
    total: dict[tuple[int, int], list[float]] = {}
    for i, j in zip(*np.nonzero(design.exposure), strict=True):
        total[int(i), int(design.column[j])] = [float(design.exposure[i, j]), 0.0]
    for i, j, weight in zip(
        design.event_cell, design.event_column, design.event_weight, strict=True
    ):
        if weight > 0:
            found = total.setdefault((int(i), int(j)), [0.0, 0.0])
            found[0] += weight
            found[1] += weight
    places = np.array(list(total), dtype=int).reshape(-1, 2)
    values = np.array(list(total.values())).reshape(-1, 2)
    return Months(places[:, 0], places[:, 1], values[:, 0], values[:, 1])


def replicated(
    model: Hazard, raw: Mapping[str, Array], design: Design, at: Months, *, seed: int
) -> Array:
    """Draw the events anew.

    Parameters
    ----------
    model : Hazard
    raw : dict of (draws, ...) arrays
        Standardised variables, from the prior or the posterior.
    design : Design
        The one the model was fitted to.
    at : Months
        As `months_at_risk` found them in it.
    seed : int

    Returns
    -------
    (draws, n) array of int

    Raises
    ------
    PredictiveError
        Months count in part (delayed reporting, bounds on hindsight): how many events a part of
        a month would have shown is not drawn here.
    """
    parts = at.months != np.round(at.months)
    if parts.any():
        raise PredictiveError(
            "months that count in part", place=design.question,
            found=f"{int(parts.sum())} cells with parts of months", allowed="whole months",
            remedy="check the model without delayed reporting and at face value.",
        )  # fmt: skip
    e = effects(raw, model.constants(design), np)
    eta = cells(e, design.arrays(), np)[:, at.cell] + columns(e, np)[:, at.column]
    p = -np.expm1(-np.exp(np.minimum(eta, 30.0)))
    rng = np.random.default_rng(seed)
    return np.asarray(rng.binomial(at.months.astype(int), p))


def event_counts(
    model: Hazard, raw: Mapping[str, Array], design: Design, *, seed: int
) -> pd.DataFrame:
    """Tell how many events the model expects in the months that were, beside those that came.

    Parameters
    ----------
    model, raw, design, seed
        As for `replicated`.

    Returns
    -------
    DataFrame
        One row for all events, for each process stage, for first and later ones, for states with
        one, and for the largest number in one state: ``what, observed, median, lo90, hi90`` and
        ``tail``, the share of draws with as many or more, ties counted half.
    """
    at = months_at_risk(design)
    drawn = replicated(model, raw, design, at, seed=seed)
    state = design.group_state[design.cell_group[at.cell]]
    stage = at.column // len(GAPS) % len(STAGES)
    later = at.column % len(GAPS) > 0
    owner = np.zeros((len(state), len(design.states)))
    owner[np.arange(len(state)), state] = 1.0
    rows = [("all events", at.events.sum(), drawn.sum(axis=1))]
    for z, name in enumerate(STAGES):
        if (stage == z).any():
            text = {"none": "without a process", "live": "from a live process"}
            what = text.get(name, "from a draft or a signed agreement")
            rows.append((what, at.events[stage == z].sum(), drawn[:, stage == z].sum(axis=1)))
    for what, mask in (("first of a state", ~later), ("after an earlier one", later)):
        rows.append((what, at.events[mask].sum(), drawn[:, mask].sum(axis=1)))
    own, each = at.events @ owner, drawn @ owner
    rows.append(("states with one", (own > 0).sum(), (each > 0).sum(axis=1)))
    rows.append(("most in one state", own.max(), each.max(axis=1)))
    return pd.DataFrame([_row(*row) for row in rows], columns=COLUMNS)


def _row(what: str, observed: float, drawn: Array) -> tuple[str, int, float, float, float, float]:
    low, middle, high = np.quantile(drawn, [0.05, 0.5, 0.95])
    tail = float((drawn > observed).mean() + 0.5 * (drawn == observed).mean())
    return what, int(observed), float(middle), float(low), float(high), tail


def simulated_design(
    model: Hazard, raw: Mapping[str, Array], design: Design, *, seed: int
) -> Design:
    """Return the design as it would have been, had one draw of the parameters been true.

    Parameters
    ----------
    model : Hazard
    raw : dict of (1, ...) arrays
        One draw.
    design : Design
        Unpadded; its months, covariates and stages are kept.
    seed : int

    Returns
    -------
    Design
        With new events, signs and marks. States, stages and gaps stay: it is the model of the
        events given them that is simulated.
    """
    at = months_at_risk(design)
    drawn = replicated(model, raw, design, at, seed=seed)[0]
    used = np.unique(at.column)
    exposure = np.zeros((len(design.x), len(used)))
    exposure[at.cell, np.searchsorted(used, at.column)] = at.months - drawn
    which = np.repeat(np.arange(len(drawn)), drawn)
    rng = np.random.default_rng([seed, 1])
    e = {name: value[0] for name, value in effects(raw, model.constants(design), np).items()}
    months = (design.sign_months + design.sign_count).astype(int)
    rate = np.exp(e["sign"][design.sign_kind] + e["birth"][design.sign_state])
    signs = rng.binomial(months, -np.expm1(-rate))
    weaken = rng.binomial(design.mark_total.astype(int), 1 / (1 + np.exp(-e["mark"][: len(AIMS)])))
    return replace(
        design,
        column=used,
        exposure=exposure,
        event_cell=at.cell[which],
        event_column=at.column[which],
        event_weight=np.ones(len(which)),
        event_ids=tuple(f"simulated {i}" for i in range(len(which))),
        sign_months=(months - signs).astype(float),
        sign_count=signs.astype(float),
        mark_weaken=weaken.astype(float),
    )
