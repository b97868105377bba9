r"""One monthly factor behind monthly and yearly series, some of them short, some of them ended.

.. math:: f_t = \phi f_{t-1} + \sqrt{1 - \phi^2}\, \eta_t, \qquad
          y_{it} = d_{i b(t)} + \lambda_i f_t + \sigma_i e_{it}, \qquad
          Y_{jt} = d_{j b(t)} + \lambda_j \tfrac{1}{12} \sum_{s \in year} f_s + \sigma_j e_{jt},

with y monthly, Y yearly and set down in the December of its year, all noises standard normal and
b(t) the block of coverage: figures of different blocks (another definition, another archive) have
an intercept each, so only contrasts within a block inform the factor. The variance of f is 1.

The likelihood is that of the Kalman filter with whatever is missing left out. Noise has a floor and
persistence a ceiling (`FLOOR`, `PERSISTENCE`): a factor that is one series and nothing else would
otherwise fit best (a Heywood case). Parameters that end there are named.

References
----------
.. [1] Harvey, A. C. (1989). Forecasting, structural time series models and the Kalman filter.
   doi:10.1017/CBO9781107049994
.. [2] Mariano, R. S. and Murasawa, Y. (2003). A new coincident index of business cycles based on
   monthly and quarterly series. doi:10.1002/jae.695
.. [3] Hamilton, J. D. (1986). A standard error for the estimated state vector of a state-space
   model. doi:10.1016/0304-4076(86)90004-7
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.optimize import minimize

from indicators.errors import FitError
from indicators.indices.kalman import Pieces, filtered

__all__ = ["FLOOR", "PERSISTENCE", "Fitted", "OneFactor", "band_of_inverse", "fit"]

type Floats = npt.NDArray[np.float64]
type Ints = npt.NDArray[np.int64]

FLOOR = 0.1
"""Least standard deviation of the noise of a series, in its fixed scale."""
PERSISTENCE = 0.995
"""Largest correlation of the factor from month to month: half of a shock is left after 11.5 years.

Fewer years than that are on record for most series, so more cannot be told from a trend."""
STEEP = 0.01
"""Largest gradient, in log-likelihood a unit of parameter, at which a fit counts as converged."""
FLAT = 1e-6
"""Least eigenvalue of the information, scaled to a diagonal of one, that counts as curved."""
_STARTS = (0.9, 0.98)
# What one unit of information on the mean of a year adds to the lower bands of its precision,
# and how the bands of a covariance add up to the variance of that mean.
_YEAR = np.array([[float(i + j < 12) / 144.0 for j in range(12)] for i in range(12)])
_OF_YEAR = np.where(np.arange(12)[:, None] == 0, 1.0, 2.0) * _YEAR


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted factor.

    Attributes
    ----------
    loglike : float
        Log-likelihood at the optimum.
    phi : float
        Persistence from month to month.
    loading, loading_se, noise : array, shape (k,)
        In the fixed scale of each series.
    filtered, filtered_sd, smoothed, smoothed_sd : array, shape (n,)
        The factor by month, given the figures up to the month or all of them. The standard
        deviation of the smoothed one counts the uncertainty of the parameters (Hamilton 1986),
        that of the filtered one takes them as known.
    bounded : tuple of str
        Parameters at a bound.
    iterations : int
        Steps of the optimiser.
    gradient : float
        Largest component of the gradient among parameters not at a bound.
    params : array
        Persistence, loadings, log noises and intercepts, in the order of `OneFactor.param_names`.
    """

    loglike: float
    phi: float
    loading: Floats
    loading_se: Floats
    noise: Floats
    filtered: Floats = field(repr=False)
    filtered_sd: Floats = field(repr=False)
    smoothed: Floats = field(repr=False)
    smoothed_sd: Floats = field(repr=False)
    bounded: tuple[str, ...]
    iterations: int
    gradient: float
    params: Floats = field(repr=False)


class OneFactor:
    """The likelihood of the module's equations.

    Given the parameters the path of the factor is Gaussian with a banded precision, that of the
    autoregression plus what each month and year of figures adds: one Cholesky factor of eleven
    bands gives the likelihood of the Kalman filter, and Fisher's identity its gradient. It needs
    the covariances within eleven months only (`band_of_inverse`).

    Parameters
    ----------
    values : array, shape (n, k)
        By month, whole years from a January on; yearly figures in Decembers; NaN where none.
    yearly : array of bool, shape (k,)
        Which series are yearly.
    blocks : array of int, shape (n, k), optional
        Block of coverage of each figure, numbered from 0; one block by default.
    """

    def __init__(
        self, values: Floats, yearly: npt.NDArray[np.bool_], blocks: Ints | None = None
    ) -> None:
        self.values, self.yearly = values, np.asarray(yearly, dtype=bool)
        self.n, self.k = values.shape
        given = np.zeros(values.shape, dtype=np.int64) if blocks is None else blocks
        sizes = given.max(axis=0) + 1
        self.intercepts = int(sizes.sum())
        self.block: Ints = given + np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self.known = ~np.isnan(values)

    @property
    def param_names(self) -> list[str]:
        """Names: ``phi``, loadings, log noises, intercepts."""
        series = [f"{kind}.{i}" for kind in ("loading", "log_noise") for i in range(self.k)]
        return ["phi", *series, *(f"intercept.{i}" for i in range(self.intercepts))]

    @property
    def start_params(self) -> Floats:
        """Half of each series common; intercepts at the means of the blocks."""
        spread = np.maximum(np.nanstd(self.values, axis=0), 2 * FLOOR)
        flat, where = self.values[self.known], self.block[self.known]
        count = np.maximum(np.bincount(where, minlength=self.intercepts), 1)
        means = np.bincount(where, weights=flat, minlength=self.intercepts) / count
        return np.concatenate([[_STARTS[0]], 0.6 * spread, np.log(0.7 * spread), means])

    def split(self, params: Floats) -> tuple[float, Floats, Floats, Floats]:
        """Persistence, loadings, noises and intercepts in a vector of parameters."""
        k = self.k
        noise = np.exp(params[1 + k : 1 + 2 * k])
        return float(params[0]), params[1 : 1 + k], noise, params[1 + 2 * k :]

    def path(self, params: Floats) -> tuple[float, Floats, Floats]:
        """Log-likelihood, and mean and covariances of the factor given all figures.

        Parameters
        ----------
        params : array
            Persistence, loadings, log noises, intercepts.

        Returns
        -------
        float, array of shape (n,), array of shape (12, n)
            In the last, row i and column t: the covariance of months t and t + i.
        """
        phi, loading, noise, intercept = self.split(params)
        rest = np.where(self.known, self.values - intercept[self.block], 0.0)
        told = self.known * (loading / noise) ** 2
        heard = rest * (loading / noise**2)
        year = self.yearly
        by_year = told[11::12, year].sum(axis=1)
        score = heard[:, ~year].sum(axis=1)
        score += np.repeat(heard[11::12, year].sum(axis=1) / 12.0, 12)
        q = 1.0 - phi**2
        bands = np.zeros((12, self.n))
        bands[0] = (1.0 + phi**2) / q
        bands[0, [0, -1]] = 1.0 / q
        bands[1, :-1] = -phi / q
        bands[0] += told[:, ~year].sum(axis=1)
        bands += np.einsum("ij,y->iyj", _YEAR, by_year).reshape(12, self.n)
        lower = cholesky_banded(bands, lower=True)
        mean = cho_solve_banded((lower, True), score)
        logs = (self.known * (np.log(2 * np.pi) + 2 * np.log(noise))).sum()
        squares = ((rest / noise) ** 2).sum() - score @ mean
        inside = 2 * np.log(lower[0]).sum() + (self.n - 1) * np.log(q)
        return float(-0.5 * (logs + squares + inside)), mean, band_of_inverse(lower)

    def value_and_score(self, params: Floats) -> tuple[float, Floats]:
        """Log-likelihood and its exact gradient.

        Parameters
        ----------
        params : array
            Persistence, loadings, log noises, intercepts.

        Returns
        -------
        float, array
        """
        value, f, band = self.path(params)
        phi, loading, noise, intercept = self.split(params)
        var = band[0]
        years = np.arange(self.n).reshape(-1, 12)
        of_year = np.einsum("im,iym->y", _OF_YEAR, band.reshape(12, -1, 12))
        mean = np.where(self.yearly, np.repeat(f[years].mean(axis=1), 12)[:, None], f[:, None])
        var_g = np.where(self.yearly, np.repeat(of_year, 12)[:, None], var[:, None])
        rest = np.where(self.known, self.values - intercept[self.block] - loading * mean, 0.0)
        var_g = np.where(self.known, var_g, 0.0)
        by_loading = (rest * mean - loading * var_g).sum(axis=0) / noise**2
        squares = (rest**2 + loading**2 * var_g).sum(axis=0)
        by_noise = squares / noise**2 - self.known.sum(axis=0)
        weights = (rest / noise**2).ravel()
        by_intercept = np.bincount(self.block.ravel(), weights, minlength=self.intercepts)
        by_phi = _by_phi(phi, f**2 + var, f[1:] * f[:-1] + band[1, :-1])
        return value, np.concatenate([[by_phi], by_loading, by_noise, by_intercept])


def band_of_inverse(lower: Floats) -> Floats:
    """Diagonal bands of an inverse, from the bands of a Cholesky factor.

    Parameters
    ----------
    lower : array, shape (b, n)
        Lower bands of L in the order of `scipy.linalg.cholesky_banded`.

    Returns
    -------
    array, shape (b, n)
        Lower bands of (L L')^-1 in the same order; beyond the end, zero.

    References
    ----------
    .. [1] Erisman, A. M. and Tinney, W. F. (1975). On computing certain elements of the inverse
       of a sparse matrix. doi:10.1145/360680.360704
    """
    width, n = lower.shape
    ratio, out = lower[1:] / lower[0], np.zeros((width, n))
    block = np.zeros((width, width))  # of the inverse, at month t and those after it
    for t in range(n - 1, -1, -1):
        block[1:, 1:] = block[:-1, :-1].copy()
        block[1:, 0] = block[0, 1:] = -(block[1:, 1:] @ ratio[:, t])
        block[0, 0] = 1.0 / lower[0, t] ** 2 - ratio[:, t] @ block[1:, 0]
        out[:, t] = block[:, 0]
    return out


def _by_phi(phi: float, square: Floats, lagged: Floats) -> float:
    """Expected derivative of the density of the factor's path."""
    now, before, cross = square[1:].sum(), square[:-1].sum(), lagged.sum()
    q = 1.0 - phi**2
    left = now - 2 * phi * cross + phi**2 * before
    return float(len(lagged) * phi / q + (cross - phi * before) / q - phi * left / q**2)


def fit(model: OneFactor, *, anchor: int = 0) -> Fitted:
    """Maximise the likelihood and read the factor.

    Parameters
    ----------
    model : OneFactor
        The model with its data.
    anchor : int, optional
        Series whose loading is made positive.

    Returns
    -------
    Fitted

    Raises
    ------
    FitError
        No start of the optimiser converged, or the likelihood is not curved at the optimum.
    """
    low = np.full(len(model.start_params), -np.inf)
    high = np.full(len(low), np.inf)
    low[0], high[0] = 0.0, PERSISTENCE
    noises = slice(1 + model.k, 1 + 2 * model.k)
    low[noises], high[noises] = np.log(FLOOR), 5.0

    def loss(params: Floats) -> tuple[float, Floats]:
        value, score = model.value_and_score(params)
        return -value, -score

    tried = []
    for phi, start in _starts(model, anchor):
        start[0] = phi
        start = np.clip(start, low, high)
        bounds = list(zip(low, high, strict=True))
        options = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-13, "gtol": 1e-5}
        tried.append(
            minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        )
    best = min(tried, key=lambda found: float(found.fun))
    params = np.asarray(best.x)
    at_bound = np.isclose(params, low, atol=1e-6) | np.isclose(params, high, atol=1e-6)
    score = model.value_and_score(params)[1]
    steep = float(np.abs(score[~at_bound]).max(initial=0.0))
    if not (np.isfinite(best.fun) and steep < STEEP):
        raise FitError(
            "the factor did not converge", {"gradient": steep, "iterations": int(best.nit)},
            found=f"a gradient of {steep:.3g}", allowed=f"below {STEEP}",
            remedy="Leave this index out at this date.",
        )  # fmt: skip
    if params[1 + anchor] < 0:
        params[1 : 1 + model.k] *= -1.0
    return _read(model, params, at_bound, int(best.nit), steep)


def _starts(model: OneFactor, anchor: int) -> Sequence[tuple[float, Floats]]:
    """Starting points: loadings of the sign that yearly means have with those of the anchor."""
    start = model.start_params
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # years without a figure have no mean
        means = np.nanmean(model.values.reshape(-1, 12, model.k), axis=1)
    for i in range(model.k):
        both = ~np.isnan(means[:, [i, anchor]]).any(axis=1)
        a, b = means[both, i], means[both, anchor]
        if both.sum() > 2 and ((a - a.mean()) * (b - b.mean())).sum() < 0:
            start[1 + i] *= -1.0
    return [(phi, start.copy()) for phi in _STARTS]


def _is_flat(information: Floats) -> bool:
    """Whether some mixture of parameters does not change the likelihood."""
    own = np.diag(information)
    if own.min() < 10 * FLAT:  # a standard error of 300 fixed scales, or no peak at all
        return True
    scale = np.sqrt(own)
    return bool(np.linalg.eigvalsh(information / np.outer(scale, scale)).min() < FLAT)


def _read(
    model: OneFactor, params: Floats, at_bound: npt.NDArray[np.bool_], steps: int, steep: float
) -> Fitted:
    """Standard errors from the curvature of the free parameters; the factor and its spread."""
    free, width = np.flatnonzero(~at_bound), 1e-4
    curve, moves = [], []
    for number in free:
        step = np.zeros(len(params))
        step[number] = width
        ends = [params + step, params - step]
        up, down = (model.value_and_score(end)[1][free] for end in ends)
        curve.append((up - down) / (2 * width))
        up, down = (model.path(end)[1] for end in ends)
        moves.append((up - down) / (2 * width))
    information = -(np.array(curve) + np.array(curve).T) / 2
    if _is_flat(information):
        raise FitError(
            "the likelihood of the factor is flat at its optimum",
            found="a curvature that is not positive", allowed="a positive one",
            remedy="Leave this index out at this date.",
        )  # fmt: skip
    cov = np.linalg.inv(information)
    errors = np.full(len(params), np.nan)
    errors[free] = np.sqrt(np.diag(cov))
    value, smoothed, spread = model.path(params)
    shift = np.array(moves)
    phi, loading, noise, intercept = model.split(params)
    seen = filtered(
        model.values, model.yearly, model.block, pieces=Pieces(phi, loading, noise, intercept)
    )
    return Fitted(
        loglike=value, phi=phi, loading=loading.copy(),
        loading_se=errors[1 : 1 + model.k], noise=noise,
        filtered=seen.mean, filtered_sd=seen.sd, smoothed=smoothed,
        smoothed_sd=np.sqrt(spread[0] + np.einsum("it,ij,jt->t", shift, cov, shift)),
        bounded=tuple(np.array(model.param_names)[at_bound].tolist()), iterations=steps,
        gradient=steep, params=params.copy(),
    )  # fmt: skip
