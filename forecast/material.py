"""What a forecast is made from: risk set, panel, design and target of one question."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from forecast.bounds import ALL, Bound
from forecast.futures import futures
from forecast.models.chain import EXPIRY
from forecast.models.design import Array, Design, design
from forecast.models.hazard import Hazard
from forecast.models.waves import month_number
from forecast.predict import Target
from forecast.prior_table import configured
from forecast.questions import Question
from forecast.risk import RiskSet, risk_set
from indicators.dates import DateLike
from indicators.panel import Panel, panel
from indicators.vintages import Snapshot

PATHS = 200
PANEL_START = "1990-01-01"


@dataclass(frozen=True)
class Material:
    """Everything a model needs for one question, one snapshot and one state.

    Attributes
    ----------
    question : Question
    risk : RiskSet
    panel : Panel
    model : Hazard
        With the question's priors.
    design : Design
    target : Target or None
        None where the state is not at risk at the origin, or nobody was before it.
    """

    question: Question
    risk: RiskSet
    panel: Panel
    model: Hazard
    design: Design
    target: Target | None


@dataclass(frozen=True)
class Ground:
    """Panel and futures of one snapshot, shared by all questions.

    Attributes
    ----------
    panel : Panel
    futures : (horizon, paths, features) array
        Of the state asked about.
    """

    panel: Panel
    futures: Array


def first_month(questions: Iterable[Question]) -> pd.Timestamp:
    """First month of a panel: that of the oldest window, or `PANEL_START` where that is older.

    Parameters
    ----------
    questions : iterable of Question
    """
    return min([pd.Timestamp(PANEL_START), *(month_start(q.window_start) for q in questions)])


def ground(
    snapshot: Snapshot,
    states: Sequence[str],
    state: str,
    *,
    horizon: int,
    seed: int,
    start: DateLike = PANEL_START,
) -> Ground:
    """Build the panel of some states, and simulate the covariates of one.

    Parameters
    ----------
    snapshot : Snapshot
    states : sequence of str
        All states of the risk sets.
    state : str
        The state asked about.
    horizon, seed : int
    start : date, optional
        First month of the panel, see `first_month`.
    """
    x = panel(snapshot, sorted({*states, state}), start=start)
    future = futures(snapshot).simulate(
        state, horizon=horizon, paths=PATHS, seed=seed, features=x.features
    )
    return Ground(x, future)


def gather(
    question: Question,
    snapshot: Snapshot,
    state: str,
    *,
    horizon: int,
    seed: int,
    processes: bool = True,
    bound: Bound = ALL,
    exclude: Collection[str] = (),
    on: Ground | None = None,
    like: Hazard | None = None,
    priors: str = "neutral",
) -> Material:
    """Build risk set, panel, design and target of one question from one snapshot.

    Parameters
    ----------
    question : Question
    snapshot : Snapshot
    state : str
        The state asked about.
    horizon : int
        Months ahead.
    seed : int
    processes : bool
        Whether stages and signs are used.
    bound : Bound
        How the coded rows are read.
    exclude : collection of str
        Ids of contested events to leave out.
    on : Ground, optional
        Panel and futures of the same snapshot; built for the states at risk unless given.
    like : Hazard, optional
        Structure of the model (family of shrinkage, waves, scales); the question's priors
        and the panel's covariates replace its own.
    priors : {'neutral', 'informed'}, optional
        Whether covariates have the signs that the catalog expects.
    """
    risk = risk_set(question, snapshot, processes=processes, bound=bound, exclude=exclude)
    if on is None:
        states, start = sorted(set(risk.rows["state"])), first_month([question])
        on = ground(snapshot, states, state, horizon=horizon, seed=seed, start=start)
    model = configured(
        question,
        on.panel.features,
        processes=processes and bound.processes,
        like=like,
        priors=priors,
        catalog=snapshot.catalog,
    )
    arrays = reduced(risk, on.panel, model)
    units = risk.origin[risk.origin["state"] == state].reset_index(drop=True)
    target = None
    if len(units) and len(risk.rows):  # from no month at all nothing can be learnt
        region = str(units["region"].iloc[0])
        expiry = question.process.expiry_months if question.process else EXPIRY
        target = Target(state, region, units, on.futures, risk.ends, expiry,
                        month_number(snapshot.as_of))  # fmt: skip
    return Material(question, risk, on.panel, model, arrays, target)


def without(part: Material, snapshot: Snapshot, rows: Collection[str]) -> Material:
    """Build the same material without some contested rows, the target included.

    Parameters
    ----------
    part : Material
    snapshot : Snapshot
        What it was made from.
    rows : collection of str
        All ids to leave out: what `part` left out is not remembered.
    """
    if part.target is None:
        raise ValueError("a question without a target has no forecast to change")
    risk = risk_set(part.question, snapshot, exclude=rows, processes=part.model.processes)
    units = risk.origin[risk.origin["state"] == part.target.state].reset_index(drop=True)
    target = replace(part.target, units=units, ends=risk.ends) if len(units) else None
    arrays = reduced(risk, part.panel, part.model)
    return replace(part, risk=risk, design=arrays, target=target)


def reduced(risk: RiskSet, panel: Panel, model: Hazard) -> Design:
    """Design as a model needs it: cells split by its waves, months counted as it counts them.

    Parameters
    ----------
    risk : RiskSet
    panel : Panel
    model : Hazard
    """
    return design(
        risk,
        panel,
        features=model.features,
        wave_months=model.wave_months if model.wave_scale else 0,
        reporting=model.reporting,
    )


def month_start(as_of: pd.Timestamp) -> pd.Timestamp:
    """First day of the month of a date."""
    return as_of.replace(day=1)


def plain(value: Any) -> Any:
    """JSON value of a figure: None for missing, plain numbers, six significant digits."""
    if value is None or value is pd.NaT or (isinstance(value, float) and not np.isfinite(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, (float, np.floating)):
        return None if not np.isfinite(value) else float(f"{value:.6g}")
    if isinstance(value, np.integer):
        return int(value)
    return value
