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
from forecast.material import Material
from forecast.models.base_rate import BaseRate
from forecast.models.design import Array
from forecast.models.pool import Pool
from forecast.predict import Prediction, logit

__all__ = ["DRAWS", "log_odds", "mixed", "mixture", "of_base_rate"]

DRAWS = 1000
"""Draws that each member puts in."""
TINY = 1e-300


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


def mixture(
    members: Sequence[Prediction], *, seed: int, weights: Sequence[float] = ()
) -> Prediction:
    """Return the mixture of the members' draws.

    Parameters
    ----------
    members : sequence of Prediction
        Of one horizon; a mark that a member does not know is no mark of the pool.
    seed : int
        For the order of the draws, which is the same for all marks and questions: a member that
        is right about one question is taken to be right about the others.
    weights : sequence of float, optional
        Shares of the draws, adding up to one; equal ones unless given.

    Returns
    -------
    Prediction
        (members * DRAWS, horizon) arrays. Its mean is the weighted average of the members' means.

    Raises
    ------
    ValueError
        There is no member.
    """
    if not members:
        raise ValueError("a pool needs a member")
    sizes = _sizes(weights or [1 / len(members)] * len(members), len(members) * DRAWS)
    order = np.random.default_rng([seed, 29]).permutation(sum(sizes))
    named = [m for m in members[0].marks if all(m in other.marks for other in members)]

    def together(arrays: Sequence[Array]) -> Array:
        return np.concatenate([_resized(a, n) for a, n in zip(arrays, sizes, strict=True)])[order]

    paths = max(m.by_path().shape[1] for m in members)
    apart = [np.repeat(m.by_path(), paths // m.by_path().shape[1], axis=1) for m in members]
    return Prediction(
        together([m.p for m in members]),
        {name: together([m.marks[name] for m in members]) for name in named},
        together(apart).astype(np.float32) if paths > 1 else None,
    )


def _sizes(weights: Sequence[float], total: int) -> list[int]:
    """Whole numbers of draws, the largest remainders rounded up."""
    exact = np.asarray(weights, float) * total
    whole = np.floor(exact).astype(int)
    most = np.argsort(whole - exact, kind="stable")[: total - int(whole.sum())]
    whole[most] += 1
    return [int(n) for n in whole]


def _resized(draws: Array, size: int) -> Array:
    """As many draws as asked for: evenly spaced ones."""
    if len(draws) == size:
        return draws
    return np.asarray(draws[np.linspace(0, len(draws) - 1, size).astype(int)])


def log_odds(members: Sequence[Prediction], pool: Pool, *, seed: int) -> Prediction:
    """Return the pool of the members' log-odds, draw by draw.

    Parameters
    ----------
    members : sequence of Prediction
        In the order of the pool's members.
    pool : Pool
        By log-odds.
    seed : int
        For the order in which draws meet.

    Returns
    -------
    Prediction
        (DRAWS, horizon) arrays, moved in log-odds so that each mean is the pool of the members'
        means, which is what was scored. A mark keeps its share of the event in each draw.
    """
    rng = np.random.default_rng([seed, 29])
    drawn = [_resized(m.p, DRAWS)[rng.permutation(DRAWS)] for m in members]
    p = _moved_to(pool.p(np.stack(drawn, axis=-1)), pool.p(_means([m.p for m in members])))
    even = mixture(members, seed=seed, weights=pool.weights)
    marks = {}
    for name in even.marks:
        share = (even.marks[name] / np.maximum(even.p, TINY))[:DRAWS]
        goal = pool.p(_means([m.marks[name] for m in members]))
        marks[name] = np.minimum(p * share * (goal / (p * share).mean(axis=0)), p)
    return Prediction(p, marks)


def _means(draws: Sequence[Array]) -> Array:
    return np.stack([p.mean(axis=0) for p in draws], axis=-1)


def _moved_to(p: Array, goal: Array) -> Array:
    """Move draws by one step in log-odds a month until their mean is the goal."""
    odds = logit(p)
    low, high = np.full(p.shape[1], -30.0), np.full(p.shape[1], 30.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = (1 / (1 + np.exp(-(odds + middle)))).mean(axis=0) > goal
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray(1 / (1 + np.exp(-(odds + low))))


def _as_scored(main: Material) -> BaseRate:
    """Rate of all units at risk, times the units of the state: the one of backtests."""
    units = 1 if main.target is None else len(main.target.units)
    return BaseRate.posterior(len(main.risk.events), len(main.risk.rows) / 12 / units)


def mixed(
    found: Answer,
    classes: pd.DataFrame,
    counts: Mapping[str, int],
    main: Material,
    *,
    seed: int,
    pool: Pool,
) -> Answer:
    """Return the answer of the pool, its members beside it.

    A pool that was learned mixes what it learned from: the hazard with its process tables at face
    value, and the rate of all units at risk.

    Parameters
    ----------
    found : Answer
        Of the hazard model.
    classes : DataFrame
        Reference classes of the question, the default first.
    counts : mapping of str to int
        Events by mark known at the origin.
    main : Material
        Of the question: its state, and its months at risk.
    seed : int
    pool : Pool
        Of `base_rate` and the members by name.

    Returns
    -------
    Answer
        The rivals are now the members. Prior, true vintages, processes and drivers stay those of
        the hazard among them; hindsight and cases, which move its own number, are left out.
    """
    if found.default is None:
        return found
    base = of_base_rate(
        _as_scored(main) if pool.is_learned else BaseRate.of_class(classes.iloc[0]),
        {name: counts.get(name, 0) for name in found.default.marks},
        joint="weaken" in found.default.marks,
        horizon=found.default.p.shape[1],
        seed=seed,
    )
    own = found.face if pool.is_learned and found.face is not None else found.default
    members = {"base_rate": base, "hazard": own, **found.rivals}
    together = [members[name] for name in pool.members]
    if pool.method == "log_odds":
        said = log_odds(together, pool, seed=seed)
    else:
        said = mixture(together, seed=seed, weights=pool.weights)
    del members["base_rate"]
    return replace(
        found, default=said, rivals=members, raw=None, padded=None, chains=1, hindsight=None
    )
