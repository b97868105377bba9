r"""An approximate engine that refuses itself: Laplace given the scales, corrected by importance.

Every variable of the models here is a standard normal or a half-normal. Half-normals are read
as :math:`h = \sqrt 2\, \mathrm{erf}^{-1}(\Phi(v))` with v standard normal, so that the prior of
everything is N(0, I) and few events move it little. With s the pooled scales (scalar
half-normals) and z all the rest,

.. math::

    s_k \sim p(s) \text{ (scrambled Sobol)}, \qquad
    z_{kj} \sim N(\hat z_k, \hat H_k^{-1}), \qquad
    w_{kj} \propto \frac{p(y, z_{kj} \mid s_k)}{N(z_{kj}; \hat z_k, \hat H_k^{-1})},

where :math:`\hat z_k` maximises :math:`p(y, z \mid s_k)` and :math:`\hat H_k` is its negative
Hessian there. The weights are smoothed (PSIS) and the draws resampled by them: what comes out is
the posterior up to Monte Carlo error, not its Gaussian approximation, as long as the shape k-hat
of the weights' tail is at most 0.7. Above that the approximation is refused. A second mode far
from the first would not be seen; given the scales these posteriors have none in practice, and a
slow test holds every effect against the exact engine.

References
----------
.. [1] Rue, H., Martino, S., Chopin, N. (2009). Approximate Bayesian inference for latent Gaussian
   models by using integrated nested Laplace approximations. Journal of the Royal Statistical
   Society B 71(2). doi:10.1111/j.1467-9868.2008.00700.x
.. [2] Vehtari, A., Simpson, D., Gelman, A., Yao, Y., Gabry, J. (2024). Pareto smoothed importance
   sampling. Journal of Machine Learning Research 25(72).
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from forecast.models.design import Array, Capacity, Design
from forecast.sampling import Diagnostics, Fit, Model, log_density
from indicators.errors import FitError

__all__ = ["Approximation", "Laplace"]

FAR = 6.0
"""Standard normals behind half-normals are cut here (1e-9 beyond)."""
FLOOR = 0.3
"""Smallest eigenvalue of a Hessian that is not positive definite: its Gaussian stays proper."""
FLAT = 0.01
"""Largest slope of the log density at what counts as its maximum."""
LOG = "_log__"
TOGETHER = 8
"""Densities evaluated at once: matrix products instead of as many vector ones."""


@dataclass(frozen=True)
class Approximation:
    """Settings; all enter the content hash of a fit.

    Attributes
    ----------
    points : int
        Draws of the scales, a power of two.
    each : int
        Draws of the rest at each of them.
    kept : int
        Draws resampled by weight.
    """

    points: int = 32
    each: int = 384
    kept: int = 2000


class Laplace:
    """A model compiled for one capacity; call it with data and a seed.

    Parameters
    ----------
    model : Model
        Builds the PyMC model: standard normals and half-normals, all else data.
    design : Design
        Any design of the wanted capacity; only its shapes matter.
    settings : Approximation, optional
    """

    def __init__(self, model: Model, design: Design, settings: Approximation | None = None) -> None:
        import jax

        self.settings = settings or Approximation()
        self.capacity: Capacity = design.capacity
        with jax.enable_x64(True):
            self._names, self._logp, start, self._constrain = log_density(model, design)
            self._shapes = {name: tuple(start[name].shape) for name in self._names}
            place, at = {}, 0
            for name in self._names:
                size = int(np.prod(self._shapes[name], dtype=int))
                place[name] = np.arange(at, at + size)
                at += size
            self._place, self._size = place, at
            scalar = [n for n in self._names if n.endswith(LOG) and not self._shapes[n]]
            self._scales = np.array([place[n][0] for n in scalar], int)
            self._rest = np.setdiff1d(np.arange(at), self._scales)
            data = {k: jax.numpy.asarray(v) for k, v in model.data(design).items()}
            z, s = np.zeros(len(self._rest)), np.zeros(len(self._scales))
            lower = jax.jit(jax.value_and_grad(self._density)).lower(z, s, data)
            self._slope = lower.compile()
            self._hessian = jax.jit(jax.hessian(self._density)).lower(z, s, data).compile()
            many = np.zeros((self.settings.each, len(z)))
            self._many = jax.jit(self._densities).lower(many, s, data).compile()

    def _density(self, z: Any, s: Any, data: Mapping[str, Any]) -> Any:
        """Log joint density of data and z given s, up to a constant: priors are N(0, I)."""
        import jax.numpy as jnp
        from jax.scipy.special import erfinv, ndtr

        v = jnp.zeros(self._size).at[self._rest].set(z).at[self._scales].set(s)
        position: dict[str, Any] = {}
        correction: Any = 0.0
        for name in self._names:
            here = v[self._place[name]].reshape(self._shapes[name])
            if name.endswith(LOG):
                half = jnp.sqrt(2.0) * erfinv(ndtr(jnp.clip(here, -FAR, FAR)))
                log = jnp.log(half)
                # the model's own density of the logarithm out, that of a standard normal in
                correction = correction + jnp.sum(half**2 / 2 - log - here**2 / 2)
                position[name] = log
            else:
                position[name] = here
        return self._logp(position, data) + correction + (s**2).sum() / 2

    def _densities(self, z: Any, s: Any, data: Mapping[str, Any]) -> Any:
        import jax

        return jax.lax.map(lambda one: self._density(one, s, data), z, batch_size=TOGETHER)

    def __call__(self, model: Model, design: Design, *, seed: int) -> Fit:
        """Approximate the posterior; the same seed, the same bits.

        Parameters
        ----------
        model : Model
            Same structure as the one compiled; its constants are data.
        design : Design
            Unpadded; must fit the compiled capacity.
        seed : int

        Returns
        -------
        Fit
            Draws in four chains of equal length, independent but for those that were drawn
            twice; its diagnostics fail where k-hat is above 0.7 or too few draws carry weight.
        """
        import jax

        with jax.enable_x64(True):
            padded = model.data(design.padded(self.capacity))
            data = {k: jax.numpy.asarray(v) for k, v in padded.items()}
            scales = self._sobol(seed)
            seeds = np.random.SeedSequence([seed, 17]).spawn(len(scales))
            # matrices this small: a library's own threads would do nothing but wait for each other
            with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(2) as pool:
                halves = np.array_split(np.arange(len(scales)), 2)
                found = list(pool.map(lambda part: self._walk(scales, seeds, part, data), halves))
        v = np.concatenate([part[0] for part in found])
        log_weights = np.concatenate([part[1] for part in found])
        weights, khat = _smoothed(log_weights)
        rng = np.random.default_rng([seed, 19])
        kept = v[_systematic(weights, self.settings.kept, rng)]
        ess = float(1.0 / np.square(weights).sum())
        told = Diagnostics(1.0, ess, 0, 0.0, 1.0, engine="approximate", khat=khat)
        return Fit(self._raw(kept), told)

    def mode(self, model: Model, design: Design, *, seed: int, draws: int = 400) -> tuple[Fit, Fit]:
        """Penalised maximum, every scale at the median of its prior: a ridge and no more.

        Parameters
        ----------
        model : Model
        design : Design
            Unpadded; must fit the compiled capacity.
        seed : int
            Of the draws around it.
        draws : int, optional
            Rounded down to a multiple of four.

        Returns
        -------
        (Fit, Fit)
            The mode, as often as there are draws; and Gaussian draws around it, which are
            neither corrected nor checked.

        Raises
        ------
        FitError
            The slope at the end of the search is not zero.
        """
        import jax

        n, draws = len(self._rest), draws - draws % 4
        with jax.enable_x64(True), threadpool_limits(1, user_api="blas"):
            padded = model.data(design.padded(self.capacity))
            data = {k: jax.numpy.asarray(v) for k, v in padded.items()}
            s = np.zeros(len(self._scales))
            z = self._mode(np.zeros(n), s, data)
            steepest = float(np.abs(np.asarray(self._slope(z, s, data)[1])).max())
            if not steepest <= FLAT:
                raise FitError(
                    "the penalised maximum was not found",
                    place="slope at the end of the search",
                    found=f"{steepest:.2g}",
                    allowed=f"at most {FLAT:g}",
                    remedy="use the hazard itself, which averages over the posterior.",
                )
            root, _ = _root(-np.asarray(self._hessian(z, s, data)))
        noise = np.random.default_rng([seed, 41]).standard_normal((draws, n))
        told = Diagnostics(1.0, 4.0, 0, 0.0, 1.0, engine="approximate", khat=np.nan)
        out = []
        for rest in (np.repeat(z[None], draws, axis=0), z + noise @ root):
            v = np.zeros((len(rest), self._size))
            v[:, self._rest] = rest
            out.append(Fit(self._raw(v), told))
        return out[0], out[1]

    def _sobol(self, seed: int) -> Array:
        """Scales from their prior, in an order in which neighbours are alike."""
        from scipy.special import ndtri
        from scipy.stats import qmc

        unit = qmc.Sobol(max(len(self._scales), 1), seed=seed).random(self.settings.points)
        points = ndtri(np.clip(unit, 1e-6, 1 - 1e-6))[:, : len(self._scales)]
        order: Array = np.argsort(points.sum(axis=1), kind="stable")
        return np.asarray(points[order])

    def _walk(
        self, scales: Array, seeds: Any, part: Array, data: Mapping[str, Any]
    ) -> tuple[Array, Array]:
        """Mode after mode, each from the last; draws and log weights around each."""
        import jax

        n = len(self._rest)
        z, drawn, weights = np.zeros(n), [], []
        with jax.enable_x64(True):
            for k in part:
                s = scales[k]
                z = self._mode(z, s, data)
                root, log_det = _root(-np.asarray(self._hessian(z, s, data)))
                noise = np.random.default_rng(seeds[k]).standard_normal((self.settings.each, n))
                here = z + noise @ root
                log_q = log_det - np.square(noise).sum(axis=1) / 2
                weights.append(np.asarray(self._many(here, s, data)) - log_q)
                whole = np.empty((len(here), self._size))
                whole[:, self._rest], whole[:, self._scales] = here, s
                drawn.append(whole)
        return np.concatenate(drawn), np.concatenate(weights)

    def _mode(self, start: Array, s: Array, data: Mapping[str, Any]) -> Array:
        from scipy.optimize import minimize

        def loss(z: Array) -> tuple[float, Array]:
            value, slope = self._slope(z, s, data)
            return -float(value), -np.asarray(slope)

        options = {"maxiter": 300, "ftol": 1e-10, "gtol": 1e-3}
        return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x)

    def _raw(self, v: Array) -> dict[str, Array]:
        """Variables by name, (4, draws, ...), from rows of standard normals."""
        from scipy.special import erfinv, ndtr

        out = {}
        for name in self._names:
            here = v[:, self._place[name]].reshape(4, len(v) // 4, *self._shapes[name])
            half = name.endswith(LOG)
            clipped = np.clip(here, -FAR, FAR)
            out[name.removesuffix(LOG)] = np.sqrt(2.0) * erfinv(ndtr(clipped)) if half else here
        return out


def _root(hessian: Array) -> tuple[Array, float]:
    """Matrix R with R'R the inverse of a negative Hessian, and half its log determinant."""
    from scipy.linalg import cholesky, solve_triangular

    try:
        lower = cholesky(hessian, lower=True)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(hessian)
        values = np.maximum(values, FLOOR)
        return (vectors / np.sqrt(values)).T, float(np.log(values).sum() / 2)
    root = solve_triangular(lower, np.eye(len(lower)), lower=True)
    return np.asarray(root), float(np.log(np.diag(lower)).sum())


def _smoothed(log_weights: Array) -> tuple[Array, float]:
    """Normalised weights with a Pareto-smoothed tail, and its shape k-hat."""
    array_stats: Any = import_module("arviz_stats.base").array_stats
    finite = np.where(np.isfinite(log_weights), log_weights, -np.inf)
    shifted = np.maximum(finite - finite.max(), -700.0)
    smooth, khat = array_stats.psislw(-shifted)  # takes the negative, as for leaving one out
    weights = np.exp(np.asarray(smooth) - np.max(smooth))
    return weights / weights.sum(), float(khat)


def _systematic(weights: Array, size: int, rng: np.random.Generator) -> Array:
    """Indices drawn in proportion to weights with the least noise, in random order."""
    places = (rng.random() + np.arange(size)) / size
    index = np.searchsorted(np.cumsum(weights), places, side="right")
    return rng.permutation(np.minimum(index, len(weights) - 1))
