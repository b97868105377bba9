r"""Pools: one probability out of several models'.

.. math::

    p_{lin} = \sum_m w_m p_m, \qquad
    \operatorname{logit} p_{log} = \sum_m w_m \operatorname{logit} p_m, \qquad
    \hat w = \arg\max_w \sum_n \log \sum_m w_m q_{nm} + \sum_m (a - 1) \log w_m ,

with q the probability that a model gave to what happened. The last are stacking weights with a
symmetric Dirichlet(a) prior, whose mode is the plain average: few events hardly move them.

References
----------
.. [1] Yao, Y., Vehtari, A., Simpson, D., Gelman, A. (2018). Using stacking to average Bayesian
   predictive distributions. Bayesian Analysis 13(3). doi:10.1214/17-BA1091
.. [2] Ranjan, R., Gneiting, T. (2010). Combining probability forecasts. Journal of the Royal
   Statistical Society B 72(1). doi:10.1111/j.1467-9868.2009.00726.x
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from forecast.models.design import Array

__all__ = ["Pool", "stacking_weights"]

Method = Literal["linear", "log_odds"]
EDGE = 1e-9
"""Probabilities closer than this to 0 or 1 are moved there before their log-odds are taken."""


@dataclass(frozen=True)
class Pool:
    """How the members' probabilities become one.

    Attributes
    ----------
    members : tuple of str
        Models, in the order of the last axis of what `p` is given.
    method : {"linear", "log_odds"}
        Which of the two means.
    weights : tuple of float
        One a member, adding up to one; empty for the plain average.
    """

    members: tuple[str, ...]
    method: Method = "linear"
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("a pool needs a member")
        if self.weights and len(self.weights) != len(self.members):
            raise ValueError(f"{len(self.weights)} weights for {len(self.members)} members")
        if self.weights and not (min(self.weights) >= 0 and np.isclose(sum(self.weights), 1)):
            raise ValueError(f"weights must be 0 or more and add up to 1, found {self.weights}")

    @property
    def is_learned(self) -> bool:
        """Whether it is anything but the plain average."""
        return bool(self.weights) or self.method != "linear"

    def p(self, members: Array) -> Array:
        """Pool probabilities.

        Parameters
        ----------
        members : array of shape (..., members)
            Probabilities in [0, 1].

        Returns
        -------
        array of shape (...)

        Raises
        ------
        ValueError
            The last axis is not as long as `members`.

        Examples
        --------
        >>> pair = np.array([0.1, 0.5])
        >>> float(Pool(("glm", "hazard")).p(pair))
        0.3
        >>> round(float(Pool(("glm", "hazard"), "log_odds").p(pair)), 6)
        0.25
        """
        given = np.asarray(members, dtype=float)
        if given.shape[-1:] != (len(self.members),):
            raise ValueError(f"{given.shape[-1:]} probabilities for {len(self.members)} members")
        equal = np.full(len(self.members), 1 / len(self.members))
        weights = np.array(self.weights) if self.weights else equal
        if self.method == "linear":
            return np.asarray(given @ weights)
        inside = np.clip(given, EDGE, 1 - EDGE)
        odds = np.log(inside) - np.log1p(-inside)
        return np.asarray(1 / (1 + np.exp(-(odds @ weights))))


def stacking_weights(p: Array, y: Array, *, concentration: float = 2.0) -> tuple[float, ...]:
    """Return weights of the linear pool that would have scored best, held by a prior.

    Parameters
    ----------
    p : array of shape (windows, members)
        What each member said.
    y : array of shape (windows,)
        1 where the event came, else 0.
    concentration : float, optional
        a of the Dirichlet prior, above 1: each member counts as a - 1 windows in which it alone
        was right.

    Returns
    -------
    tuple of float
        The mode; equal weights where there is no window.

    Raises
    ------
    ValueError
        `concentration` is not above 1, or an outcome or a probability is missing.
    """
    if not concentration > 1:
        raise ValueError(f"concentration must be above 1, found {concentration}")
    given, came = np.asarray(p, dtype=float), np.asarray(y, dtype=float)
    if np.isnan(given).any() or np.isnan(came).any():
        raise ValueError("a probability or an outcome is missing")
    windows, members = given.shape
    weights = np.full(members, 1 / members)
    if not windows:
        return tuple(weights)
    said = np.where(came[:, None] == 1, given, 1 - given).clip(min=EDGE)
    return tuple(float(w) for w in _mode(said, concentration))


def _mode(said: Array, concentration: float) -> Array:
    """Mode over the simplex: concave, so any local mode is it."""
    from scipy.optimize import minimize

    def loss(free: Array) -> tuple[float, Array]:
        w = np.exp(free - free.max())
        w /= w.sum()
        mixed = said @ w
        value = -np.log(mixed).sum() - (concentration - 1) * np.log(w).sum()
        slope = -(said / mixed[:, None]).sum(axis=0) - (concentration - 1) / w
        return float(value), w * (slope - w @ slope)

    found = minimize(loss, np.zeros(said.shape[1]), jac=True, method="L-BFGS-B",
                     options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 500})  # fmt: skip
    w = np.exp(found.x - found.x.max())
    return np.asarray(w / w.sum())
