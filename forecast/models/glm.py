r"""Penalised complementary log-log regression: the baseline a careful analyst would run.

.. math:: h = 1 - \exp(-\exp(\alpha_0 + z'\gamma))

with :math:`\alpha_0` the elicited rate as an offset and a ridge on :math:`\gamma`, fitted
by statsmodels. The penalty is the logarithm of a normal prior, so the estimate is a
posterior mode and the interval comes from the curvature there. No stages, no pooling;
covariates are carried forward at their last known value.
"""

from dataclasses import dataclass, field

import numpy as np

from forecast.models.design import GAPS, STAGES, Array, Design
from forecast.priors import Normal, yearly_rate

MAX_STEPS = 100
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Glm:
    """Ridge-penalised cloglog GLM on the cells of a design.

    Attributes
    ----------
    rate : Normal
        Prior of the log monthly hazard; the intercept is shrunk towards its mean.
    effect_scale : float
        Standard deviation of the prior of each coefficient, per catalog scale.
    slot_scale : float
        Standard deviation of the prior of each slot's effect.
    """

    rate: Normal = field(default_factory=lambda: yearly_rate(1 / 500, 1 / 30))
    effect_scale: float = 0.3
    slot_scale: float = 0.7


@dataclass(frozen=True)
class GlmFit:
    """Mode and curvature of a fitted GLM.

    Attributes
    ----------
    mode : (terms,) array
        Intercept (as deviation from the elicited rate), slots, covariates.
    covariance : (terms, terms) array
        Inverse of the penalised information at the mode.
    prior_sigma : (terms,) array
    offset : float
    """

    mode: Array
    covariance: Array
    prior_sigma: Array
    offset: float
    slots: tuple[str, ...]

    def draws(self, size: int, seed: int) -> Array:
        """Normal approximation around the mode, shape (size, terms)."""
        rng = np.random.default_rng([seed, 11])
        return rng.multivariate_normal(self.mode, self.covariance, size=size, method="cholesky")

    def prior_draws(self, size: int, seed: int) -> Array:
        """Draws of the terms before any data, shape (size, terms)."""
        rng = np.random.default_rng([seed, 17])
        return rng.standard_normal((size, len(self.mode))) * self.prior_sigma

    def probability(self, terms: Array, slots: tuple[str, ...], x: Array, months: Array) -> Array:
        """P(at least one event) over any of the slots, shape (draws, horizons).

        Parameters
        ----------
        terms : (draws, terms) array
        slots : tuple of str
            Units of the state at risk.
        x : (features,) array
            Carried covariates, 0 where unknown.
        months : (horizons,) array
        """
        k = len(self.slots)
        common = self.offset + terms[:, 0] + terms[:, 1 + k :] @ x
        rates = [np.exp(common + terms[:, 1 + self.slots.index(s)]) for s in slots]
        return -np.expm1(-np.sum(rates, axis=0)[:, None] * months)


def fit(model: Glm, design: Design) -> GlmFit:
    """Fit to the months of a design.

    Parameters
    ----------
    model : Glm
    design : Design
        Unpadded.

    Returns
    -------
    GlmFit
    """
    matrix, events, trials = stacked(design)
    sigma = np.concatenate(
        [
            [model.rate.sigma],
            np.full(len(design.slots), model.slot_scale if len(design.slots) > 1 else 1e-3),
            np.full(len(design.features), model.effect_scale),
        ]
    )
    mode, covariance = penalised(matrix, events, trials, offset=model.rate.mu, sigma=sigma)
    return GlmFit(mode, covariance, sigma, model.rate.mu, design.slots)


def penalised(
    matrix: Array, events: Array, trials: Array, *, offset: float, sigma: Array
) -> tuple[Array, Array]:
    """Mode and curvature of a cloglog GLM with independent normal priors on its coefficients.

    Newton's method on the log-likelihood of statsmodels' ``GLM``, its score and observed
    information, plus the prior's. (Its own ``fit_regularized`` stops at a distance of
    about a hundredth of a standard error from the optimum.)

    Parameters
    ----------
    matrix : (rows, terms) array
    events, trials : (rows,) arrays
    offset : float
        Added to the linear predictor of every row.
    sigma : (terms,) array
        Prior standard deviations; ``inf`` for no penalty.

    Returns
    -------
    mode : (terms,) array
    covariance : (terms, terms) array
        Inverse of the penalised information at the mode.
    """
    import statsmodels.api as sm

    glm = sm.GLM(
        np.column_stack([events, trials - events]),
        matrix,
        family=sm.families.Binomial(link=sm.families.links.CLogLog()),
        offset=np.full(len(matrix), offset),
    )
    precision = sigma**-2.0
    mode = np.zeros(matrix.shape[1])

    def value(b: Array) -> float:
        return float(glm.loglike(b) - 0.5 * np.sum(precision * b**2))

    for _ in range(MAX_STEPS):
        information = np.diag(precision) - glm.hessian(mode, observed=True)
        step = np.linalg.solve(information, glm.score(mode) - precision * mode)
        while not value(mode + step) >= value(mode) - 1e-10 and np.abs(step).max() > TOLERANCE:
            step = step / 2
        mode = mode + step
        if np.abs(step).max() < TOLERANCE:
            break
    information = np.diag(precision) - glm.hessian(mode, observed=True)
    return mode, np.linalg.inv(information)


def stacked(design: Design) -> tuple[Array, Array, Array]:
    """One row a (cell, slot): terms, months with the event, months at risk."""
    per = len(STAGES) * len(GAPS)
    shape = (len(design.x), len(design.slots))
    quiet, events = np.zeros(shape), np.zeros(shape)
    for j, combination in enumerate(design.column):
        quiet[:, combination // per] += design.exposure[:, j]
    np.add.at(events, (design.event_cell, design.event_column // per), design.event_weight)
    cell, which = np.nonzero(quiet + events)
    matrix = np.column_stack([np.ones(len(cell)), np.eye(len(design.slots))[which], design.x[cell]])
    seen = events[cell, which]
    return matrix, seen, seen + quiet[cell, which]
