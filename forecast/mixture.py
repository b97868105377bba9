r"""The pool as a forecast: the draws of its members, mixed.

.. math::

    p_{pool} = \tfrac{1}{M} \sum_m p_m , \qquad
    \text{interval of the mixture } \tfrac{1}{M} \sum_m F_m ,

with F_m what member m leaves open about its own probability. The interval of the mixture is
wider than the average of the members' intervals where they disagree, as it should be.

References
----------
.. [1] Genest, C., Zidek, J. V. (1986). Combining probability distributions: a critique and an
   annotated bibliography. Statistical Science 1(1). doi:10.1214/ss/1177013825
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.answers import Answer
from forecast.models.base_rate import BaseRate
from forecast.models.design import Array
from forecast.predict import Prediction

__all__ = ["DRAWS", "mixed", "mixture", "of_base_rate"]

DRAWS = 1000
"""Draws that each member puts in."""


def of_base_rate(
    rate: BaseRate, counts: Mapping[str, int], *, joint: bool, horizon: int, seed: int
) -> Prediction:
    """Return the base rate as draws, its events divided over the marks as they were seen.

    Parameters
    ----------
    rate : BaseRate
        Events and exposure of the reference class.
    counts : mapping of str to int
        Events by mark known at the origin.
    joint : bool
        True where an event has one mark only (the direction of a revision): p times the share.
        False where marks compete as hazards of their own (the power): the rate times the share.
    horizon : int
        Months.
    seed : int

    Returns
    -------
    Prediction
        (draws, horizon) arrays; shares are Dirichlet(counts + 1/2).
    """
    rng = np.random.default_rng([seed, 23])
    years = np.arange(1, horizon + 1) / 12
    rates = rate.draws(rng, DRAWS)[:, None] * years
    p = -np.expm1(-rates)
    if not counts:
        return Prediction(p, {})
    shares = rng.dirichlet(np.array(list(counts.values()), float) + 0.5, DRAWS)
    parts = {
        name: p * shares[:, [j]] if joint else -np.expm1(-rates * shares[:, [j]])
        for j, name in enumerate(counts)
    }
    return Prediction(p, parts)


def mixture(members: Sequence[Prediction], *, seed: int) -> Prediction:
    """Return the equal mixture of the members' draws.

    Parameters
    ----------
    members : sequence of Prediction
        Of one horizon; a mark that a member does not know is no mark of the pool.
    seed : int
        For the order of the draws, which is the same for all marks.

    Returns
    -------
    Prediction
        (members * DRAWS, horizon) arrays. Its mean is the plain average of the members' means.

    Raises
    ------
    ValueError
        There is no member.
    """
    if not members:
        raise ValueError("a pool needs a member")
    order = np.random.default_rng([seed, 29]).permutation(len(members) * DRAWS)
    named = [m for m in members[0].marks if all(m in other.marks for other in members)]

    def together(arrays: Sequence[Array]) -> Array:
        return np.concatenate([_resized(a) for a in arrays])[order]

    paths = max(m.by_path().shape[1] for m in members)
    apart = [np.repeat(m.by_path(), paths // m.by_path().shape[1], axis=1) for m in members]
    return Prediction(
        together([m.p for m in members]),
        {name: together([m.marks[name] for m in members]) for name in named},
        together(apart).astype(np.float32) if paths > 1 else None,
    )


def _resized(draws: Array) -> Array:
    """As many draws from every member: evenly spaced ones."""
    if len(draws) == DRAWS:
        return draws
    return np.asarray(draws[np.linspace(0, len(draws) - 1, DRAWS).astype(int)])


def mixed(found: Answer, classes: pd.DataFrame, counts: Mapping[str, int], *, seed: int) -> Answer:
    """Return the answer of the pool, its members beside it.

    Parameters
    ----------
    found : Answer
        Of the hazard model.
    classes : DataFrame
        Reference classes of the question, the default first.
    counts : mapping of str to int
        Events by mark known at the origin.
    seed : int

    Returns
    -------
    Answer
        The rivals are now the members. What belongs to one member alone (drivers, cases,
        hindsight, prior) is left out.
    """
    if found.default is None:
        return found
    first = classes.iloc[0]
    base = of_base_rate(
        BaseRate(int(first["events"]), float(first["exposure_years"])),
        {name: counts.get(name, 0) for name in found.default.marks},
        joint="weaken" in found.default.marks,
        horizon=found.default.p.shape[1],
        seed=seed,
    )
    members = {"hazard": found.default, **found.rivals}
    pool = mixture([base, *members.values()], seed=seed)
    return replace(
        found, default=pool, face=pool, rivals=members, strict=None, prior=None, raw=None,
        padded=None, drivers={}, chains=1, hindsight=None,
    )  # fmt: skip
