"""The plainer models that stand beside the main one, fitted once and asked of any state."""

from dataclasses import dataclass, replace

import numpy as np

from forecast.episodes import records
from forecast.material import Material
from forecast.models import glm
from forecast.models.chain import Start
from forecast.models.design import Array
from forecast.models.process_table import ProcessTable
from forecast.predict import Prediction, Target, starting

DRAWS = 1000
"""Posterior draws of a rival."""


@dataclass(frozen=True)
class GlmRival:
    """A fitted penalised regression: carried covariates, no stages.

    Attributes
    ----------
    part : Material
        What it was fitted to.
    found : GlmFit
    terms, prior_terms : (draws, terms) array
        From the posterior, and from the prior alone.
    """

    part: Material
    found: glm.GlmFit
    terms: Array
    prior_terms: Array

    @classmethod
    def of(cls, part: Material, *, seed: int) -> "GlmRival":
        """Fit to a question's design, with its priors."""
        model = glm.Glm(rate=part.model.rate, effect_scale=part.model.effect_scale)
        found = glm.fit(model, part.design)
        return cls(part, found, found.draws(DRAWS, seed), found.prior_draws(DRAWS, seed))

    def blind(self, target: Target, *, horizon: int) -> Prediction:
        """The same from the prior alone."""
        return replace(self, terms=self.prior_terms).predict(target, horizon=horizon)

    def predict(self, target: Target, *, horizon: int) -> Prediction:
        """Probability by each month, covariates carried at their value at the origin."""
        x = np.nan_to_num(target.paths[0, 0])
        slots = tuple(target.units["slot"])
        months = np.arange(1, horizon + 1, dtype=float)
        p = self.found.probability(self.terms, slots, x, months)
        marks = {s: self.found.probability(self.terms, (s,), x, months) for s in slots if s}
        return Prediction(p, marks or _direction(self.part, p))


@dataclass(frozen=True)
class TableRival:
    """The three-cell process table.

    Attributes
    ----------
    part : Material
    model : ProcessTable
    hazard, sign : (draws, 3) and (draws, 5) arrays
    seed : int
        Of the draws.
    """

    part: Material
    model: ProcessTable
    hazard: Array
    sign: Array
    seed: int

    @classmethod
    def of(cls, part: Material, *, seed: int) -> "TableRival":
        """Count the cells of a question's design, with its priors."""
        model = ProcessTable.from_priors(part.model.rate, part.model.live, part.model.late)
        hazard, sign = model.draws(part.design, DRAWS, seed)
        return cls(part, model, hazard, sign, seed)

    def blind(self, target: Target, *, horizon: int) -> Prediction:
        """The same from the prior alone."""
        hazard, sign = self.model.prior_draws(DRAWS, self.seed)
        return replace(self, hazard=hazard, sign=sign).predict(target, horizon=horizon)

    def predict(self, target: Target, *, horizon: int) -> Prediction:
        """Probability by each month, from the stages at the origin."""
        starts = {u.slot: starting(u) for u in records(target.units)}
        chain = self.part.design.has_signs

        def probability(chosen: list[Start]) -> Array:
            return self.model.probability(
                self.hazard,
                self.sign,
                chosen,
                horizon=horizon,
                chain=chain,
                expiry=target.expiry,
            )

        p = probability(list(starts.values()))
        marks = {s: probability([start]) for s, start in starts.items() if s}
        return Prediction(p, marks or _direction(self.part, p))


def _direction(part: Material, p: Array) -> dict[str, Array]:
    """Share of weakening among past revisions, one half added to each direction."""
    total, weaken = part.design.mark_total.sum(), part.design.mark_weaken.sum()
    share = (weaken + 0.5) / (total + 1.0)
    return {"weaken": p * share, "strengthen": p * (1 - share)}


RIVALS: dict[str, type[GlmRival] | type[TableRival]] = {
    "glm": GlmRival,
    "process_table": TableRival,
}
"""Every rival by the name of its model."""
