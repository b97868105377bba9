"""Three-cell process table: none, live, late, and nothing else.

Each cell's hazard and each kind of public sign has its conjugate Gamma posterior, and the
forecast runs through the same chain as the full model. What this table cannot beat, no
covariate has earned.
"""

from dataclasses import dataclass, field

import numpy as np

from forecast.models.chain import EXPIRY, Rates, Start, without_event
from forecast.models.design import GAPS, SIGNS, STAGES, Array, Design
from forecast.priors import Normal


@dataclass(frozen=True)
class ProcessTable:
    """Conjugate hazards by stage.

    Attributes
    ----------
    pseudo_events : tuple of float
        Gamma shape added to the events of each stage.
    pseudo_months : tuple of float
        Gamma rate added to the months of each stage: the prior mean of the monthly
        hazard is pseudo_events / pseudo_months.
    sign_events, sign_months : float
        The same for every kind of public sign.
    """

    pseudo_events: tuple[float, float, float] = field(default=(0.5, 0.5, 0.5))
    pseudo_months: tuple[float, float, float] = field(default=(1500.0, 300.0, 100.0))
    sign_events: float = 0.5
    sign_months: float = 60.0

    @classmethod
    def from_priors(cls, rate: Normal, live: Normal, late: Normal) -> "ProcessTable":
        """Half an event in the months in which the prior's median expects half an event."""
        logs = (rate.mu, rate.mu + live.mu, rate.mu + late.mu)
        months = tuple(0.5 / float(np.exp(v)) for v in logs)
        return cls(pseudo_months=(months[0], months[1], months[2]))

    def draws(self, design: Design, size: int, seed: int) -> tuple[Array, Array]:
        """Monthly hazards by stage (size, 3) and of signs (size, 5)."""
        rng = np.random.default_rng([seed, 13])
        events, months = stage_counts(design)
        hazard = rng.gamma(
            np.add(self.pseudo_events, events),
            1.0 / np.add(self.pseudo_months, months),
            (size, len(STAGES)),
        )
        kinds = len(SIGNS)
        count = np.bincount(design.sign_kind, design.sign_count, minlength=kinds)
        quiet = np.bincount(design.sign_kind, design.sign_months, minlength=kinds)
        sign = rng.gamma(
            self.sign_events + count, 1.0 / (self.sign_months + count + quiet), (size, kinds)
        )
        return hazard, sign

    def prior_draws(self, size: int, seed: int) -> tuple[Array, Array]:
        """The same before any data."""
        rng = np.random.default_rng([seed, 19])
        months = np.asarray(self.pseudo_months)
        hazard = rng.gamma(self.pseudo_events, 1.0 / months, (size, len(STAGES)))
        sign = rng.gamma(self.sign_events, 1.0 / np.asarray(self.sign_months), (size, len(SIGNS)))
        return hazard, sign

    def probability(
        self,
        hazard: Array,
        sign: Array,
        starts: list[Start],
        *,
        horizon: int,
        chain: bool,
        expiry: int = EXPIRY,
    ) -> Array:
        """P(at least one event over the units) by each month, shape (draws, horizon)."""
        quiet = np.ones((horizon, len(hazard), 1))
        rates = Rates(
            base=np.broadcast_to(hazard[None, :, :1], (horizon, len(hazard), 1)),
            factor=hazard / hazard[:, :1],
            sign=-np.expm1(-sign) if chain else np.zeros_like(sign),
            end=np.zeros(len(hazard)),
            expiry=expiry,
        )
        for start in starts:
            quiet = quiet * without_event(rates, start if chain else Start())
        return 1.0 - quiet[:, :, 0].T


def stage_counts(design: Design) -> tuple[Array, Array]:
    """Events and months at risk by stage, each of shape (3,)."""

    def stage(combination: Array) -> Array:
        return (combination // len(GAPS)) % len(STAGES)

    events = np.bincount(stage(design.event_column), design.event_weight, minlength=len(STAGES))
    quiet = np.bincount(stage(design.column), design.exposure.sum(axis=0), minlength=len(STAGES))
    return events, quiet + events
