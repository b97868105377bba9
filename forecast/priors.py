"""Priors stated on human scales.

An analyst says "between 1 in 500 and 1 in 30 a year" or "a live process multiplies
the rate by 1 to 30"; both are read as central 90% intervals of a log-normal quantity,
whose logarithm is the normal distribution that the models use.
"""

from dataclasses import dataclass
from math import exp, log

Z90 = 1.6448536269514722
"""95th percentile of the standard normal: half-width of a central 90% interval."""


@dataclass(frozen=True)
class Normal:
    """Normal distribution of a log-rate or a log-multiplier.

    Parameters
    ----------
    mu : float
        Mean, on the log scale.
    sigma : float
        Standard deviation, on the log scale, positive.
    """

    mu: float
    sigma: float

    def interval(self) -> tuple[float, float]:
        """Central 90% interval on the natural scale.

        Examples
        --------
        >>> low, high = multiplier(1.0, 30.0).interval()
        >>> round(low, 6), round(high, 6)
        (1.0, 30.0)
        """
        return exp(self.mu - Z90 * self.sigma), exp(self.mu + Z90 * self.sigma)


def multiplier(low: float, high: float) -> Normal:
    """Prior of the logarithm of a factor that lies in [low, high] with 90% probability.

    Parameters
    ----------
    low, high : float
        Ends of the central 90% interval; ``0 < low < high``.

    Raises
    ------
    ValueError
        If the ends are not positive and in order.

    Examples
    --------
    >>> round(multiplier(0.5, 2.0).mu, 12)
    0.0
    """
    if not 0 < low < high:
        raise ValueError(f"a 90% range needs 0 < low < high, found low={low}, high={high}")
    return Normal((log(low) + log(high)) / 2, (log(high) - log(low)) / (2 * Z90))


def yearly_rate(low: float, high: float) -> Normal:
    """Prior of the log of a *monthly* hazard from a 90% range of the *yearly* rate.

    Parameters
    ----------
    low, high : float
        Events per unit and year, ``0 < low < high``; "1 in 500" is ``1 / 500``.

    Notes
    -----
    Under the complementary log-log link, months add up: a yearly rate r is twelve
    monthly rates of r / 12, whatever its size.
    """
    yearly = multiplier(low, high)
    return Normal(yearly.mu - log(12.0), yearly.sigma)
