"""Proper scores of probabilities, counts and volumes; all losses, lower is better.

Plain arithmetic on named arrays: give `xarray.DataArray` (or anything NumPy takes) and get one
score an element; average with ``.mean(dim)``. Nothing here decides what counts as an outcome or
which windows have closed. Skill and its interval are made of paired losses, never of averages of
different forecasts.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import xarray as xr

from indicators.errors import TocsinError

__all__ = [
    "ScoreError",
    "brier",
    "crps_draws",
    "crps_negative_binomial",
    "interval_score",
    "log_score",
    "pair",
    "refuse",
    "rps",
    "skill",
    "two_way_bootstrap",
]

type Named = xr.DataArray
type Floats = npt.NDArray[np.float64]


class ScoreError(TocsinError, ValueError):
    """Something that cannot be scored: a probability outside [0, 1], an outcome that is none."""

    exit_code = 3


def brier(p: Any, y: Any) -> Named:
    r"""Return the Brier score.

    .. math:: S(p, y) = (p - y)^2 \in [0, 1]

    Parameters
    ----------
    p : array-like of float
        Probabilities.
    y : array-like of {0, 1}
        Outcomes; NaN where not resolved.

    Returns
    -------
    DataArray
        One score an element; NaN where `y` is.

    Raises
    ------
    ScoreError
        A probability is outside [0, 1], or an outcome neither 0 nor 1.

    References
    ----------
    Brier (1950), https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2

    Examples
    --------
    >>> float(brier(0.25, 1))
    0.5625
    """
    p, y = pair(p, y)
    loss: Named = (p - y) ** 2
    return loss


def log_score(p: Any, y: Any, *, floor: float = 0.0) -> Named:
    r"""Return the logarithmic score, in nats.

    .. math:: S(p, y) = -y \log p - (1 - y) \log (1 - p)

    Parameters
    ----------
    p : array-like of float
        Probabilities.
    y : array-like of {0, 1}
        Outcomes; NaN where not resolved.
    floor : float, optional
        Probabilities are moved into [floor, 1 - floor] first. With 0, the default, a certainty
        that was wrong scores infinity and one that was right scores 0: nothing is hidden.

    Returns
    -------
    DataArray
        One score an element, from 0 to infinity.

    Raises
    ------
    ScoreError
        As `brier`; or `floor` is outside [0, 0.5).

    References
    ----------
    Good (1952), https://doi.org/10.1111/j.2517-6161.1952.tb00104.x

    Examples
    --------
    >>> round(float(log_score(0.5, 1)), 6)
    0.693147
    >>> float(log_score(0.0, 1))
    inf
    """
    if not 0 <= floor < 0.5:
        refuse("floor", floor, "from 0 up to 0.5", "leave it out for the plain score.")
    p, y = pair(p, y)
    p = p.clip(floor, 1 - floor)
    hit = p.where(y == 1, 1 - p)
    with np.errstate(divide="ignore"):
        loss: Named = (-np.log(hit)).where(y.notnull())
    return loss


def rps(p: Any, y: Any, *, dim: str = "horizon") -> Named:
    r"""Return the ranked probability score over nested horizons.

    .. math:: S = \sum_h (P_h - 1\{T \le h\})^2

    Parameters
    ----------
    p : DataArray
        Probability that the event comes by each horizon; never falling along `dim`.
    y : DataArray of {0, 1}
        Whether it had come by then; never falling along `dim`.
    dim : str, optional
        The dimension of horizons.

    Returns
    -------
    DataArray
        Without `dim`; NaN where an outcome of a horizon is.

    Raises
    ------
    ScoreError
        As `brier`; or `p` or `y` falls from a horizon to the next.

    References
    ----------
    Epstein (1969), https://doi.org/10.1175/1520-0450(1969)008<0985:ASSFPF>2.0.CO;2
    """
    p, y = pair(p, y)
    for name, values in (("p", p), ("y", y)):
        fall = values.diff(dim)
        if fall.size and float(fall := fall.min()) < -1e-12:
            refuse(
                name,
                f"a fall of {-float(fall):.3g} along {dim}",
                "values that never fall with the horizon",
                "sort the horizons; nested windows cannot lose an event.",
            )
    total: Named = ((p - y) ** 2).sum(dim, skipna=False)
    return total


def crps_draws(draws: Any, y: Any, *, dim: str = "draw") -> Named:
    r"""Return the continuous ranked probability score of a sample of a forecast.

    .. math:: S = E|X - y| - \tfrac12 E|X - X'|

    Parameters
    ----------
    draws : DataArray
        Draws of the quantity, along `dim`.
    y : array-like
        What came, in the same unit.
    dim : str, optional
        The dimension of draws.

    Returns
    -------
    DataArray
        In the unit of `y`; the expectation under the empirical distribution of the draws.

    References
    ----------
    Gneiting and Raftery (2007), https://doi.org/10.1198/016214506000001437
    """
    import scoringrules

    draws, y = xr.DataArray(draws), xr.DataArray(y)

    def core(values: Floats, outcome: Floats) -> Any:
        return scoringrules.crps_ensemble(outcome, values, estimator="qd")

    made: Named = xr.apply_ufunc(core, draws, y, input_core_dims=[[dim], []])
    return made


def crps_negative_binomial(y: Any, *, mean: Any, dispersion: Any) -> Named:
    """Return the continuous ranked probability score of a negative binomial count, in closed form.

    Parameters
    ----------
    y : array-like of int
        Counts that came.
    mean : array-like of float
        Mean of the forecast, positive.
    dispersion : array-like of float
        Size k, positive: the variance is mean + mean² / k.

    Returns
    -------
    DataArray
        In counts.

    Raises
    ------
    ScoreError
        A mean or a dispersion is not positive.

    References
    ----------
    Wei and Held (2014), https://doi.org/10.1007/s11749-014-0380-8
    """
    import scoringrules

    mean, size, y = (xr.DataArray(value) for value in (mean, dispersion, y))
    for name, value in (("mean", mean), ("dispersion", size)):
        if not bool((value > 0).all()):
            refuse(name, float(value.min()), "a positive number", "drop forecasts without one.")

    def core(counts: Floats, k: Floats, mu: Floats) -> Any:
        return scoringrules.crps_negbinom(counts, k, k / (k + mu))

    made: Named = xr.apply_ufunc(core, y, size, mean)
    return made


def interval_score(lower: Any, upper: Any, y: Any, *, level: float) -> Named:
    r"""Return the interval score of a central interval.

    .. math:: S = (u - l) + \tfrac{2}{\alpha}(l - y)_+ + \tfrac{2}{\alpha}(y - u)_+

    Parameters
    ----------
    lower, upper : array-like
        Ends of the interval.
    y : array-like
        What came.
    level : float
        What it should cover, such as 0.9; alpha is one minus that.

    Returns
    -------
    DataArray
        In the unit of `y`.

    Raises
    ------
    ScoreError
        `level` is not inside (0, 1), or an upper end is below its lower one.

    References
    ----------
    Gneiting and Raftery (2007), https://doi.org/10.1198/016214506000001437

    Examples
    --------
    >>> round(float(interval_score(1.0, 3.0, 4.0, level=0.9)), 6)
    22.0
    """
    if not 0 < level < 1:
        refuse("level", level, "inside (0, 1)", "such as 0.9.")
    lower, upper, y = (xr.DataArray(value) for value in (lower, upper, y))
    if bool((upper < lower).any()):
        refuse("upper", "an end below the lower one", "upper >= lower", "swap the two.")
    below, above = (lower - y).clip(min=0), (y - upper).clip(min=0)
    made: Named = (upper - lower) + 2 / (1 - level) * (below + above)
    return made


def skill(loss: Any, reference: Any, *, dim: str | None = None) -> Named:
    r"""Return the skill of a forecast against a reference, from paired losses.

    .. math:: 1 - \bar S / \bar S_{ref}

    Parameters
    ----------
    loss, reference : DataArray
        Losses of the two on the same cases; a case that either lacks is left out of both.
    dim : str, optional
        Dimension of cases; all by default.

    Returns
    -------
    DataArray
        At most 1; 0 is no better than the reference; NaN where the reference lost nothing.

    References
    ----------
    Murphy (1988), https://doi.org/10.1175/1520-0493(1988)116<2417:SSBOTM>2.0.CO;2
    """
    ours, theirs = xr.align(xr.DataArray(loss), xr.DataArray(reference), join="exact")
    both = ours.notnull() & theirs.notnull()
    total = theirs.where(both).sum(dim)
    return (1 - ours.where(both).sum(dim) / total.where(total > 0)).astype(float)


def two_way_bootstrap(
    difference: Any, state: Any, campaign: Any, *, seed: int, repeats: int = 2000
) -> Floats:
    """Return bootstrap means of a paired difference when rows share states and campaigns.

    Rows of one state lean the same way, and so do rows of one campaign of openings. Both are drawn
    anew with replacement; a row counts as often as its state times as often as its campaign.

    Parameters
    ----------
    difference : array-like, shape (n_rows,)
        Loss of the reference minus loss of the forecast: positive is gain.
    state, campaign : array-like, shape (n_rows,)
        Labels; rows without a campaign get a label of their own.
    seed : int
        Of the resampling.
    repeats : int, optional
        Number of resamples.

    Returns
    -------
    array of float, shape (repeats,)
        Means; resamples in which no row was left are drawn again.

    Raises
    ------
    ScoreError
        Shapes differ, or there is no row.

    References
    ----------
    Owen (2007), https://doi.org/10.1214/07-AOAS122
    """
    values = np.asarray(difference, dtype=float)
    codes = [np.unique(np.asarray(labels), return_inverse=True) for labels in (state, campaign)]
    if values.ndim != 1 or not len(values) or any(len(c) != len(values) for _, c in codes):
        found = f"{values.shape}, {[len(c) for _, c in codes]} labels"
        refuse("difference", found, "one label of each kind a row, one row or more", "check rows.")
    rng = np.random.default_rng(seed)
    out: list[float] = []
    while len(out) < repeats:
        weight = np.ones(len(values))
        for names, where in codes:
            counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)))
            weight = weight * counts[where]
        if weight.sum() > 0:
            out.append(float(weight @ values / weight.sum()))
    return np.array(out)


def pair(p: Any, y: Any) -> tuple[Named, Named]:
    """Return probabilities and outcomes as arrays that go together.

    Parameters
    ----------
    p, y : array-like
        Probabilities; outcomes 0, 1, or NaN where not resolved.

    Returns
    -------
    tuple of DataArray
        Both as floats.

    Raises
    ------
    ScoreError
        A probability is outside [0, 1], or an outcome neither 0 nor 1.
    """
    forecasts, outcomes = xr.DataArray(p).astype(float), xr.DataArray(y).astype(float)
    if not bool(((forecasts >= 0) & (forecasts <= 1)).all()):
        wrong = forecasts.where(~((forecasts >= 0) & (forecasts <= 1)))
        found = "NaN" if bool(forecasts.isnull().any()) else float(wrong.max())
        refuse("p", found, "probabilities in [0, 1]", "never percent; drop missing forecasts.")
    if not bool(((outcomes == 0) | (outcomes == 1) | outcomes.isnull()).all()):
        refuse("y", "a value besides 0, 1 and NaN", "0, 1, or NaN if open", "code outcomes so.")
    both = xr.align(forecasts, outcomes, join="exact")
    return both[0], both[1]


def refuse(place: str, found: object, allowed: str, remedy: str) -> NoReturn:
    """Raise a ScoreError that names the place, what was found, what is allowed, the remedy."""
    raise ScoreError(
        "cannot be scored", place=place, found=str(found), allowed=allowed, remedy=remedy
    )
