"""How long a record takes to tell forecasts from base rates, if the forecasts are right."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from indicators.errors import TocsinError

__all__ = ["POWER", "SIZE", "HonestyError", "first_telling", "rounds_to_tell", "windows_to_tell"]

POWER, SIZE = 0.8, 0.05
MOST_WINDOWS = 20_000
RECORDS = 4_000
_LAST = 9999
Floats = npt.NDArray[np.float64]


class HonestyError(TocsinError, ValueError):
    """A score told without what so few events can show."""

    exit_code = 3


def windows_to_tell(p: float, p0: float, *, most: int = MOST_WINDOWS) -> float:
    """Return how many separate windows it takes to tell a forecast from its base rate.

    Parameters
    ----------
    p, p0 : float
        Probability of the event in a window by the forecast, taken as true, and by the base rate.
    most : int, optional
        No longer records are looked at.

    Returns
    -------
    float
        Smallest number of independent windows in which the likelihood-ratio test of `p0` against
        `p`, exact at one-sided 5%, has 80% power; infinite beyond `most`, or where the two agree.

    Raises
    ------
    HonestyError
        A probability is not inside (0, 1).

    References
    ----------
    Neyman and Pearson (1933), https://doi.org/10.1098/rsta.1933.0009
    """
    from scipy.stats import binom

    if not (0 < p < 1 and 0 < p0 < 1):
        raise HonestyError("nothing to tell apart", place="p, p0", found=f"{p}, {p0}",
                           allowed="inside (0, 1)")  # fmt: skip
    n = np.unique(np.geomspace(1, most, 2000).astype(np.int64))
    if p > p0:
        least = binom.isf(SIZE, n, p0) + 1  # as many events reject the base rate
        enough = binom.sf(least - 1, n, p) >= POWER
    elif p < p0:
        few = binom.ppf(SIZE, n, p0)
        few = few - (binom.cdf(few, n, p0) > SIZE)  # so few events reject it
        enough = binom.cdf(few, n, p) >= POWER
    else:
        return math.inf
    return float(n[np.argmax(enough)]) if enough.any() else math.inf


def rounds_to_tell(p: Floats, p0: Floats, *, seed: int, most: int = MOST_WINDOWS) -> float:
    """Return how many rounds of forecasts it takes to tell them from their base rates.

    Parameters
    ----------
    p, p0 : (windows,) array
        Forecasts of one round, taken as true, and their base rates, inside (0, 1).
    seed : int
        Of the simulation.
    most : int, optional
        No more windows are looked at, all rounds together.

    Returns
    -------
    float
        Smallest number of rounds in which the likelihood-ratio test of the base rates against
        the forecasts, at one-sided 5%, has 80% power: exact where all windows are alike
        (`windows_to_tell`), else from 4,000 simulated records of either kind. Infinite beyond
        `most`, or where forecasts and base rates agree.
    """
    if np.ptp(p) == 0 and np.ptp(p0) == 0:
        alike = windows_to_tell(float(p[0]), float(p0[0]), most=most)
        return alike if math.isinf(alike) else float(math.ceil(alike / len(p)))
    hit, quiet = np.log(p / p0), np.log1p(-p) - np.log1p(-p0)

    def power(rounds: int) -> float:
        rng = np.random.default_rng([seed, 41])
        told = []
        for true in (p0, p):
            came = rng.binomial(rounds, true, (RECORDS, len(true)))
            told.append((came * hit + (rounds - came) * quiet).sum(axis=1))
        critical = np.quantile(told[0], 1 - SIZE, method="higher")
        return float((told[1] > critical).mean())

    high = max(1, most // len(p))
    if np.allclose(p, p0) or power(high) < POWER:
        return math.inf
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return float(high)


def first_telling(
    p: Floats, p0: Floats, *, horizon: int, start: pd.Timestamp, seed: int = 1
) -> str:
    """Return the month in which a record could first tell forecasts from base rates.

    Parameters
    ----------
    p, p0 : (windows,) array
        Forecasts issued at a time, taken as true, and their base rates.
    horizon : int
        Months of a window; windows follow each other without overlap.
    start : Timestamp
        First origin of the record.
    seed : int, optional
        See `rounds_to_tell`.

    Returns
    -------
    str
        Such as ``2031-07``, or ``never``.
    """
    rounds = rounds_to_tell(np.asarray(p, float), np.asarray(p0, float), seed=seed)
    if math.isinf(rounds):
        return "never"
    months = int(rounds) * horizon + start.year * 12 + start.month - 1
    year, month = divmod(months, 12)
    return f"{year:04}-{month + 1:02}" if year <= _LAST else "never"
