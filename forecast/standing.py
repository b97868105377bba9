"""One past origin as every model of a backtest finds it: risk sets, panel, designs, futures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from forecast.bounds import ALL, Bound
from forecast.futures import futures
from forecast.material import Material, first_month, reduced
from forecast.models.chain import EXPIRY
from forecast.models.design import Array
from forecast.models.waves import month_number
from forecast.predict import Target
from forecast.prior_table import configured
from forecast.questions import Question
from forecast.risk import RiskSet, risk_set
from indicators.panel import Panel, panel
from indicators.vintages import Snapshot

__all__ = ["Origin", "Standing", "origin_seed", "stand"]


@dataclass(frozen=True)
class Standing:
    """One root question at an origin.

    Attributes
    ----------
    part : Material
        Question, risk set, the origin's panel, configured model and design; no target.
    targets : dict of str to Target
        Every state at risk, its covariates carried at their last value.
    """

    part: Material
    targets: Mapping[str, Target] = field(repr=False)


@dataclass(frozen=True)
class Origin:
    """One origin: what all models share.

    Attributes
    ----------
    seen : Snapshot
    standings : tuple of Standing
        One a root question that somebody was at risk of, all on one panel.
    horizon : int
        Longest, months.
    seed : int
        Of this origin.
    engine : str
        How hazards are fitted.
    home : Path or None
        Where fits are kept.
    horizons : tuple of int
        Months that are asked about; none for all up to the longest.
    """

    seen: Snapshot
    standings: tuple[Standing, ...]
    horizon: int
    seed: int
    engine: str
    home: Path | None
    horizons: tuple[int, ...] = ()
    _futures: dict[tuple[str, int], Array] = field(default_factory=dict, repr=False, compare=False)

    def futures(self, state: str, paths: int) -> Array:
        """Simulated covariates of a state, shape (horizon, paths, features); made once.

        Parameters
        ----------
        state : str
            At risk of any of the questions.
        paths : int
        """
        key = (state, paths)
        if key not in self._futures:
            x = self.standings[0].part.panel
            self._futures[key] = futures(self.seen).simulate(
                state, horizon=self.horizon, paths=paths, seed=self.seed, features=x.features
            )
        return self._futures[key]


def origin_seed(seed: int, as_of: pd.Timestamp) -> int:
    """Seed of an origin, from that of the grid."""
    return int(hashlib.sha256(f"{seed} {as_of:%Y-%m-%d}".encode()).hexdigest()[:8], 16)


def stand(roots: Sequence[Question], seen: Snapshot, *, bound: Bound = ALL) -> tuple[Standing, ...]:
    """Return where each root question stands; those that nobody was at risk of are left out.

    Parameters
    ----------
    roots : sequence of Question
    seen : Snapshot
        All that was known at the origin.
    bound : Bound, optional
        How the coded processes are read.
    """
    found = {question.id: risk_set(question, seen, bound=bound) for question in roots}
    known = [q for q in roots if len(found[q.id].rows) and len(found[q.id].origin)]
    if not known:
        return ()
    # one panel for all questions: what it says of a state does not depend on the other states
    states = {s for q in known for part in ("rows", "origin") for s in _states(found[q.id], part)}
    x = panel(seen, sorted(states), start=first_month(known))
    return tuple(_one(q, found[q.id], x, bound) for q in known)


def _states(risk: RiskSet, part: str) -> set[str]:
    return set(getattr(risk, part)["state"])


def _one(question: Question, risk: RiskSet, x: Panel, bound: Bound) -> Standing:
    model = configured(question, x.features, processes=bound.processes)
    part = Material(question, risk, x, model, reduced(risk, x, model), None)
    expiry = question.process.expiry_months if question.process else EXPIRY
    last = x.values.xs(x.origin, level="month")
    targets = {}
    for state, units in risk.origin.groupby("state"):
        if state not in part.design.states:  # at risk only from this month on
            continue
        frame = units.reset_index(drop=True)
        still = last.loc[state].to_numpy(dtype=float)[None, None, :]
        where = (str(state), str(frame["region"].iloc[0]), frame, still, risk.ends, expiry)
        targets[str(state)] = Target(*where, month=month_number(risk.as_of))
    return Standing(part, targets)
