r"""Does one event open the door to another? Links between questions, and their joint outcome.

For a link from event A to event B, months at risk of B in units that had A within the last N
months are *open*, the others *shut*. With k events of B in T months of either kind,

.. math::

    k_0 \sim \text{Poisson}(\lambda T_0), \quad k_1 \sim \text{Poisson}(\lambda e^{\gamma} T_1),
    \qquad \gamma \sim \text{Normal}(0, s^2),

and, given the total, k_1 is binomial with odds :math:`e^{\gamma} T_1 / T_0`: the level of B drops
out, and the posterior of the one number left is exact on a grid. The prior is sceptical: s = log 2,
so that one standard deviation is a factor of two.

References
----------
.. [1] Przyborowski, J., Wilenski, H. (1940). Homogeneity of results in testing samples from
   Poisson series. Biometrika 31(3/4). doi:10.2307/2332612
"""

from dataclasses import dataclass

import numpy as np

from forecast.models.design import Array

__all__ = ["Link", "Linked", "arrivals", "joint_log_score", "joint_outcomes", "second_given"]

SCEPTICAL = float(np.log(2.0))
"""Prior standard deviation of a log multiplier."""
GRID = 2001
WIDTH = 6.0
"""Half the width of the grid in prior standard deviations."""


@dataclass(frozen=True)
class Link:
    """What the joint history says about one link.

    Attributes
    ----------
    events : (int, int)
        Events of B in shut and in open months.
    months : (float, float)
        Months at risk of B, shut and open.
    scale : float
        Prior standard deviation of the log multiplier.
    """

    events: tuple[int, int]
    months: tuple[float, float]
    scale: float = SCEPTICAL

    def __post_init__(self) -> None:
        if min(self.events) < 0 or min(self.months) < 0 or not self.scale > 0:
            raise ValueError(f"counts and months must be 0 or more, found {self}")
        if any(k > 0 and t == 0 for k, t in zip(self.events, self.months, strict=True)):
            raise ValueError(f"events without months at risk: {self}")

    def grid(self) -> tuple[Array, Array]:
        """Points of the log multiplier and their posterior weights, adding up to one."""
        gamma = np.linspace(-WIDTH, WIDTH, GRID) * self.scale
        log_p = -0.5 * (gamma / self.scale) ** 2
        if min(self.months) > 0:
            shut, opened = self.months
            odds = gamma + np.log(opened) - np.log(shut)
            log_p += self.events[1] * odds - sum(self.events) * np.logaddexp(0.0, odds)
        weight = np.exp(log_p - log_p.max())
        return gamma, weight / weight.sum()

    def draws(self, size: int, *, seed: int) -> Array:
        """Draws of the log multiplier, shape (size,)."""
        gamma, weight = self.grid()
        step = gamma[1] - gamma[0]
        rng = np.random.default_rng([seed, 31])
        return np.asarray(rng.choice(gamma, size, p=weight) + rng.uniform(-0.5, 0.5, size) * step)

    def summary(self) -> dict[str, float]:
        """Median multiplier, 90% interval, P(multiplier > 1) and share of the prior variance."""
        gamma, weight = self.grid()
        low, middle, high = np.exp(np.interp([0.05, 0.5, 0.95], weight.cumsum(), gamma))
        mean = float(gamma @ weight)
        variance = float(weight @ (gamma - mean) ** 2)
        return {
            "multiplier": float(middle),
            "lo90": float(low),
            "hi90": float(high),
            "above_one": float(weight[gamma > 0].sum() + weight[gamma == 0].sum() / 2),
            "prior_share": min(1.0, variance / self.scale**2),
            "events_open": self.events[1],
            "events": sum(self.events),
        }


@dataclass(frozen=True)
class Linked:
    """How long a door stays open, and how sceptical the prior is.

    Attributes
    ----------
    months : int
        N: months after A in which B has another rate.
    scale : float
        Prior standard deviation of the log multiplier.
    """

    months: int = 36
    scale: float = SCEPTICAL

    def fit(self, first: Array, second: Array, at_risk: Array) -> Link:
        """Count events of B and months at risk of it, by whether A came before.

        Parameters
        ----------
        first, second : (units, months) arrays
            Events of A and of B, from the same units.
        at_risk : (units, months) array of bool
            Months at risk of B.

        Returns
        -------
        Link

        Notes
        -----
        A month opens the door from the next month on: what came in one month has no order.
        """
        happened = np.asarray(first) > 0
        counts = np.cumsum(happened, axis=1)
        before = np.pad(counts, ((0, 0), (1, 0)))[:, :-1]
        past = np.pad(before, ((0, 0), (self.months, 0)))[:, : before.shape[1]]
        door = (before - past) > 0
        there = np.asarray(at_risk, bool)
        came = np.where(there, np.asarray(second), 0)
        events = (int(came[~door].sum()), int(came[door].sum()))
        months = (float((there & ~door).sum()), float((there & door).sum()))
        return Link(events, months, self.scale)


def joint_outcomes(
    first: Array, second: Array, log_multiplier: Array, *, months: int, already: int = 0
) -> Array:
    r"""Probability of the four outcomes of two linked events by the end of a horizon.

    Parameters
    ----------
    first, second : (draws, horizon) arrays
        Probability of A, and of B while the door is shut, by the end of each month.
    log_multiplier : (draws,) array
        Log of what the hazard of B is multiplied by in the `months` months after A.
    months : int
        N.
    already : int, optional
        First months of the horizon in which the door is open whatever comes: A was there before.

    Returns
    -------
    (draws, 2, 2) array
        [d, a, b]: A by the end (1) or not (0), B by the end or not. Rows without the link
        (multiplier 1) are products.

    Notes
    -----
    See `second_given` for B; A keeps its probability whatever the link.
    """
    one = np.asarray(first, dtype=float)
    given = second_given(second, log_multiplier, months=months, already=already)
    weight = arrivals(one)
    happened = one[:, -1]
    both = (weight[:, :-1] * given[:, :-1]).sum(axis=1)
    alone = weight[:, -1] * given[:, -1]
    out = np.empty((len(one), 2, 2))
    out[:, 1, 1], out[:, 1, 0] = both, happened - both
    out[:, 0, 1], out[:, 0, 0] = alone, 1 - happened - alone
    return out


def arrivals(first: Array) -> Array:
    """Probability that A first comes in each month, and last that it does not come at all.

    Parameters
    ----------
    first : (draws, horizon) array
        Probability of A by the end of each month.

    Returns
    -------
    (draws, horizon + 1) array
        Rows add up to one.
    """
    one = np.asarray(first, dtype=float)
    return np.column_stack([np.diff(one, axis=1, prepend=0.0), 1 - one[:, -1]])


def second_given(second: Array, log_multiplier: Array, *, months: int, already: int = 0) -> Array:
    r"""Probability of B by the end of the horizon, given the month in which A first comes.

    Parameters
    ----------
    second, log_multiplier, months, already
        As for :func:`joint_outcomes`.

    Returns
    -------
    (draws, horizon + 1) array
        The last column: A does not come.

    Notes
    -----
    Given A in month s, B stays away with probability :math:`\exp(-\Lambda_H - (e^\gamma - 1)
    (\Lambda_o + \max(0, \Lambda_{\min(s+N, H)} - \Lambda_{\max(s, o)})))`, Λ the cumulative hazard
    of B and o the months in which the door is open already. A second event of A does not prolong
    the door.
    """
    hazard = -np.log1p(-np.clip(np.asarray(second, dtype=float), 0, 1 - 1e-12))
    horizon = hazard.shape[1]
    before = min(already, horizon)
    led = np.pad(hazard, ((0, 0), (1, 0)))  # cumulative hazard after 0, 1, ... months
    month = np.arange(1, horizon + 1)
    later = led[:, np.minimum(month + months, horizon)] - led[:, np.maximum(month, before)]
    opened = led[:, [before]] + np.maximum(later, 0.0)
    extra = np.column_stack([opened, led[:, before]])
    factor = np.expm1(np.asarray(log_multiplier, dtype=float))[:, None]
    return np.asarray(-np.expm1(-led[:, [-1]] - factor * extra))


def joint_log_score(joint: Array, came: Array) -> tuple[Array, Array]:
    """Log score of joint outcomes, and of the same margins taken as independent.

    Parameters
    ----------
    joint : (windows, 2, 2) array
        Probability of each outcome, a state and origin a row.
    came : (windows, 2) array of int
        Whether A and B came.

    Returns
    -------
    together : (windows,) array
        Minus the log of the probability of what came, in nats: lower is better.
    apart : (windows,) array
        The same, had the two been independent with the same margins.
    """
    table, y = np.asarray(joint, dtype=float), np.asarray(came, dtype=int)
    rows = np.arange(len(y))
    apart = table.sum(axis=2)[rows, y[:, 0]] * table.sum(axis=1)[rows, y[:, 1]]
    return -np.log(table[rows, y[:, 0], y[:, 1]]), -np.log(apart)
