"""The base rate: what the events of a reference class alone say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from indicators.errors import DataError, Failure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BaseRate"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BaseRate:
    """Conjugate Gamma–Poisson model of a constant rate, after k events in T unit-years.

    λ ~ Gamma(a, b) with a = ½ + k and b = T: Jeffreys' prior of a Poisson rate and the data, so
    a class without events still has a rate above 0. The point is the posterior predictive
    1 − (b / (b + h))^a and never k/T.

    Parameters
    ----------
    events : int
        Events k of the reference class, known at the origin.
    exposure_years : float
        Unit-years T at risk, known at the origin; positive.
    shape : float
        Prior shape; ½ is Jeffreys' prior.

    Raises
    ------
    DataError
        A count below 0, or no exposure: nothing can be said from nothing.

    Examples
    --------
    >>> rate = BaseRate.posterior(5, 480.0)
    >>> round(rate.p(3.0), 4)
    0.0337
    """

    events: int
    exposure_years: float
    shape: float = 0.5

    def __post_init__(self) -> None:
        known = self.events >= 0 and self.shape > 0 and np.isfinite(self.exposure_years)
        if not known or self.exposure_years <= 0:
            found = f"{self.events} events in {self.exposure_years} unit-years"
            allowed = "a count of at least 0 and an exposure above 0"
            remedy = "Choose a reference class that was at risk before the origin."
            raise DataError([Failure("base rate", None, None, found, allowed, remedy)])

    @classmethod
    def posterior(cls, k: int, T: float) -> BaseRate:
        """Return the model after k events in T unit-years.

        Parameters
        ----------
        k : int
            Events.
        T : float
            Exposure in unit-years.
        """
        return cls(int(k), float(T))

    @classmethod
    def of_class(cls, row: Mapping[str, Any] | pd.Series[Any]) -> BaseRate:
        """Return the model of one reference class.

        Parameters
        ----------
        row : mapping
            Of `forecast.reference.reference_classes`: its ``events`` and ``exposure_years``.
        """
        return cls(int(row["events"]), float(row["exposure_years"]))

    @property
    def a(self) -> float:
        """Shape of the distribution of the rate: ½ + k."""
        return self.shape + self.events

    @property
    def b(self) -> float:
        """Rate parameter of the distribution of the rate, in unit-years: T."""
        return self.exposure_years

    @property
    def mean(self) -> float:
        """Mean rate, events a unit and year."""
        return self.a / self.b

    @property
    def prior_share(self) -> float:
        """Share of the variance of log λ that the prior alone leaves, about a₀ / (a₀ + k)."""
        return self.shape / self.a

    def p(self, h_years: float) -> float:
        """Return the posterior predictive probability of at least one event.

        Parameters
        ----------
        h_years : float
            Length of the window in years, not negative.

        Returns
        -------
        float
            1 − (b / (b + h))^a, the mean of 1 − exp(−λh) over λ ~ Gamma(a, b).
        """
        return float(-np.expm1(-self.a * np.log1p(h_years / self.b)))

    def interval(self, h_years: float, *, level: float = 0.90) -> tuple[float, float]:
        """Return the interval of the probability that comes from not knowing the rate.

        Parameters
        ----------
        h_years : float
            Length of the window in years.
        level : float
            Mass of the central interval.

        Returns
        -------
        low : float
            1 − exp(−λh) at the lower quantile of λ.
        high : float
            The same at the upper quantile.
        """
        low, high = self.rates(((1 - level) / 2, (1 + level) / 2))
        return float(-np.expm1(-low * h_years)), float(-np.expm1(-high * h_years))

    def rates(self, quantiles: tuple[float, ...] = (0.05, 0.95)) -> Floats:
        """Return quantiles of the yearly rate.

        Parameters
        ----------
        quantiles : tuple of float
            Each between 0 and 1.

        Returns
        -------
        array, shape (len(quantiles),)
            Events a unit and year.
        """
        from scipy.special import gammaincinv

        return np.asarray(gammaincinv(self.a, np.asarray(quantiles)) / self.b, np.float64)

    def draws(self, rng: np.random.Generator, n: int) -> Floats:
        """Draw yearly rates.

        Parameters
        ----------
        rng : Generator
            Source of randomness.
        n : int
            Number of draws.

        Returns
        -------
        array, shape (n,)
            Events a unit and year.
        """
        return rng.gamma(self.a, 1.0 / self.b, n)
