r"""Process stage and outcome as one competing-risk chain.

A unit is in stage *none*, *live* or *late* (a draft is public, an agreement signed). In
a month it has the event with the hazard of its stage; otherwise a public sign may start,
renew or advance a process; a process without a sign for ``expiry`` months is over. The
event ends the process that led to it, so success is never fitted as an exit and a stage
is never carried forward on its own. With :math:`Q_t` the monthly transition matrix over
stage and age, rows summing to one minus the event hazard,

.. math::

    P(h) = 1 - E_x\left[\pi(\text{origin})' \prod_{t=1}^{h} Q_t\, 1\right].

Ages matter only through expiry, so the product is accumulated by *cohorts*: a cohort is
the mass that had its last sign in one month, and all cohorts of a stage shrink by the
same factor each month. A month costs a few vector operations instead of a 49 x 49
matrix product; a test holds the two against each other.
"""

from dataclasses import dataclass

import numpy as np

from forecast.models.design import Array

TINY = 1e-280
EXPIRY = 24
"""Months without a public sign after which a process is over, unless a question says so."""
HAZARD_MAX = 6.0
"""Cumulative hazard of a month is cut here (p = 0.9975): keeps 60-month products finite."""


@dataclass(frozen=True)
class Start:
    """Where a unit stands at the origin.

    Attributes
    ----------
    stage : int
        0 none, 1 live, 2 late.
    age : int
        Full months since the last public sign.
    """

    stage: int = 0
    age: int = 0


@dataclass(frozen=True)
class Rates:
    """Monthly hazards of one unit for draws d and paths p.

    Attributes
    ----------
    base : (horizon, draws, paths) or (horizon, draws, 1) float
        Cumulative hazard of the event in each month without a process.
    factor : (draws, 3) float
        What each stage multiplies it by; the first column is 1.
    sign : (draws, 5) float
        Monthly probability of each kind of public sign, see ``design.SIGNS``.
    end : (draws,) float
        Monthly probability that the unit leaves the risk set for another reason.
    expiry : int
        Months without a public sign after which a process is over.
    """

    base: Array
    factor: Array
    sign: Array
    end: Array
    expiry: int = EXPIRY


def without_event(rates: Rates, start: Start, *, weaken: Array | None = None) -> Array:
    """Probability that the event has not happened by the end of each month.

    Parameters
    ----------
    rates : Rates
    start : Start
    weaken : (draws, 3) float, optional
        Probability that an event is of the marked kind: from the process at the origin, from
        a later one, and from none. An event of another kind then returns the unit to stage
        none, so that the marked event stays possible; it never exceeds the event itself.

    Returns
    -------
    (horizon, draws, paths) array
    """
    if start.stage == 0 and not rates.sign.any():
        return _without_process(rates, None if weaken is None else weaken[:, 2])
    walk = _Walk(rates, start, weaken)
    return np.stack([walk.month(t) for t in range(len(rates.base))])


def _without_process(rates: Rates, weaken: Array | None) -> Array:
    """No stage but none can ever be reached: a product over months."""
    survive = np.exp(-np.minimum(rates.base, HAZARD_MAX))
    share = 1.0 if weaken is None else weaken[:, None]
    failing = (1.0 - survive) * share
    alive = np.cumprod((1.0 - failing) * (1.0 - rates.end[:, None]), axis=0)
    before = np.concatenate([np.ones_like(alive[:1]), alive[:-1]])
    return np.asarray(1.0 - np.cumsum(before * failing, axis=0))


class _Walk:
    """Mass over stages; with a mark, the process at the origin is told from later ones."""

    def __init__(self, rates: Rates, start: Start, weaken: Array | None) -> None:
        self.rates, self.weaken = rates, weaken
        shape = rates.base.shape[1:]
        self.zero = np.zeros(shape)
        self.none = np.ones(shape) if start.stage == 0 else self.zero
        self.failed = np.zeros(shape)
        # Lineages: the process at the origin first, where it exists and matters, then the rest.
        apart = weaken is not None and start.stage > 0
        self.lineages = [[_Cohorts(shape), _Cohorts(shape)] for _ in range(2 if apart else 1)]
        self.shares = [
            None if weaken is None else weaken[:, [i]] for i in ((0, 1) if apart else (1,))
        ]
        if start.stage:
            age = min(start.age, rates.expiry - 1)
            self.lineages[0][start.stage - 1].enter(np.ones(shape), -1 - age)

    def month(self, t: int) -> Array:
        """Advance by one month; the mass without the (marked) event."""
        r = self.rates
        survive = [
            np.exp(-np.minimum(r.base[t] * r.factor[:, z, None], HAZARD_MAX)) for z in range(3)
        ]
        b0, d0, b1, d1, d2 = (r.sign[:, i, None] for i in range(5))
        masses = [[c.total() for c in stages] for stages in self.lineages]
        returned = self._events(survive, masses)
        none = self.none * survive[0]
        started, drafted = none * ((1 - d0) * b0), none * d0
        none = none - started - drafted + returned
        keep = (survive[1] * ((1 - d1) * (1 - b1)), survive[2] * (1 - d2))
        for stages, mass in zip(self.lineages, masses, strict=True):
            live, late = mass[0] * survive[1], mass[1] * survive[2]
            fresh = [live * ((1 - d1) * b1), live * d1 + late * d2]
            if stages is self.lineages[-1]:
                fresh = [fresh[0] + started, fresh[1] + drafted]
            for cohorts, kept, entering in zip(stages, keep, fresh, strict=True):
                cohorts.shrink(kept)
                none = none + cohorts.expire(t - r.expiry)
                cohorts.enter(entering, t)
        self._leave(none)
        return 1.0 - self.failed

    def _events(self, survive: list[Array], masses: list[list[Array]]) -> Array:
        """Book the events of the month; what returns to stage none for lack of the mark."""
        lost = [m[0] * (1 - survive[1]) + m[1] * (1 - survive[2]) for m in masses]
        lost.append(self.none * (1 - survive[0]))
        direct = None if self.weaken is None else self.weaken[:, [2]]
        returned = self.zero
        for gone, share in zip(lost, [*self.shares, direct], strict=True):
            marked = gone if share is None else gone * share
            self.failed = self.failed + marked
            returned = returned if share is None else returned + (gone - marked)
        return returned

    def _leave(self, none: Array) -> None:
        """Competing ends of the spell: what is alive leaves without the event."""
        stay = 1.0 - self.rates.end[:, None]
        self.none = none * stay
        for stages in self.lineages:
            for cohorts in stages:
                cohorts.shrink(stay)


class _Cohorts:
    """Mass by month of the last sign, under a common shrinking factor.

    Cohort c entering at month tau is stored as mass / factor(tau); at month t it is that
    times factor(t). ``entered`` is the month in which its last sign fell; it is on the
    first days of the months entered + 1 .. entered + expiry.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.factor = np.ones(shape)
        self.scaled: dict[int, Array] = {}
        self.sum = np.zeros(shape)

    def enter(self, mass: Array, month: int) -> None:
        scaled = mass / np.maximum(self.factor, TINY)
        self.scaled[month] = scaled
        self.sum = self.sum + scaled

    def shrink(self, by: Array) -> None:
        self.factor = self.factor * by

    def total(self) -> Array:
        """Mass now."""
        return self.sum * self.factor

    def expire(self, month: int) -> Array:
        """Take out the cohort of a month, no longer seen in the coming one."""
        gone = self.scaled.pop(month, None)
        if gone is None:
            return np.zeros_like(self.sum)
        self.sum = self.sum - gone
        return gone * self.factor
