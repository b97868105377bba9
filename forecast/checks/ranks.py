"""Ranks of true values among posterior draws, and whether they are as even as they should be.

References
----------
.. [1] Säilynoja, T., Bürkner, P.-C., Vehtari, A. (2022). Graphical test for discrete uniformity
   and its applications in goodness-of-fit evaluation and multiple sample comparison. Statistics
   and Computing 32:32. doi:10.1007/s11222-022-10090-6
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from forecast.models.design import Array

__all__ = ["COVERED", "DRAWS", "Calibration", "Envelope", "envelope", "uniformity"]

DRAWS = 199
"""Posterior draws that a true value is ranked among: 200 ranks, so that central intervals of 50%
and 90% are whole numbers of them, and thinned, so that they are close to independent."""
COVERED = (0.85, 0.95)
"""Shares of true values in their 90% interval that are taken for 90%."""
INSIDE = 0.95
"""Of samples of uniform ranks, the share that stays inside the envelope everywhere."""
LEAST = 3
"""Simulations from which recovery can be told."""
ENVELOPES = 2000
"""Uniform samples from which the envelope is made."""


@dataclass(frozen=True)
class Calibration:
    """Ranks of true values among posterior draws.

    Attributes
    ----------
    ranks : DataFrame
        One row a simulation, one column a quantity; whole numbers from 0 to `draws`.
    draws : int
    refused : int
        Simulations whose fit did not pass the gate; they are not among the ranks.
    too_many : int
        Draws of the prior with more events than the program has room for; drawn again. As that
        depends on the data alone, the ranks of the rest are uniform all the same.
    engine : str
        That was asked for.
    fallbacks : int
        Simulations in which the approximation refused itself and NUTS was used.
    khat : tuple of float
        Of each approximation, those that refused themselves included.
    """

    ranks: pd.DataFrame = field(repr=False)
    draws: int
    refused: int
    too_many: int
    engine: str = "exact"
    fallbacks: int = 0
    khat: tuple[float, ...] = field(default=(), repr=False)
    values: Mapping[str, Array] = field(default_factory=dict, repr=False)
    """Of each quantity (n, 3): true value, posterior mean and standard deviation."""

    def recovery(self) -> pd.DataFrame:
        """Return how well true values are found again, one row a quantity.

        Returns
        -------
        DataFrame
            ``quantity``; ``correlation`` of true values and posterior means; ``contraction``, one
            less the mean posterior variance over the variance of the true values: 0 where data
            say nothing, 1 where they say all; ``z``, the root mean square of (true value less
            posterior mean) over the posterior standard deviation: about 1.
        """
        rows = []
        for name, v in self.values.items():
            true, mean, sd = v.T
            moved = 1.0 - float(np.square(sd).mean() / true.var())
            z = float(np.sqrt(np.square((true - mean) / sd).mean()))
            rows.append((name, float(np.corrcoef(true, mean)[0, 1]), moved, z))
        return pd.DataFrame(rows, columns=["quantity", "correlation", "contraction", "z"])

    @property
    def forecasts(self) -> list[str]:
        """Quantities that are headlines: probabilities of events."""
        return [name for name in map(str, self.ranks) if name.startswith("forecast")]

    def scaled(self, name: str) -> Array:
        """Ranks of a quantity, scaled into (0, 1)."""
        return np.asarray((self.ranks[name].to_numpy(dtype=float) + 0.5) / (self.draws + 1))

    def table(self) -> pd.DataFrame:
        """Coverage of central intervals and uniformity of ranks, one row a quantity.

        Returns
        -------
        DataFrame
            ``quantity, simulations, cover50, cover90, mean_rank, p_uniform, inside``; the last
            tells whether the ranks stay inside the envelope of `envelope`.
        """
        rows = []
        for name in map(str, self.ranks):
            u = self.scaled(name)
            covers = [float((np.abs(u - 0.5) <= width / 2).mean()) for width in (0.5, 0.9)]
            inside = envelope(u).inside
            rows.append((name, len(u), *covers, float(u.mean()), uniformity(u, seed=1), inside))
        columns = ["quantity", "simulations", "cover50", "cover90", "mean_rank", "p_uniform",
                   "inside"]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class Envelope:
    """Distribution function of ranks less the uniform one, between bounds.

    Attributes
    ----------
    at, difference, low, high : (points,) arrays
    """

    at: Array
    difference: Array
    low: Array
    high: Array

    @property
    def inside(self) -> bool:
        """Whether it stays between the bounds everywhere."""
        close = 1e-9
        return bool(
            (self.difference >= self.low - close).all()
            and (self.difference <= self.high + close).all()
        )


def envelope(u: Array, *, seed: int = 1) -> Envelope:
    """Return the empirical distribution function of ranks between simultaneous bounds [1]_.

    Parameters
    ----------
    u : (n,) array
        Ranks scaled into (0, 1); n at least 2.
    seed : int, optional
        Of the uniform samples from which the bounds are made.

    Returns
    -------
    Envelope
        95% of samples of uniform ranks stay inside everywhere.
    """
    library: Any = import_module("arviz_stats.ecdf_utils")
    n = len(u)
    at = np.arange(1, n) / n
    low, high = library.get_pointwise_confidence_band(_pointwise(n, seed), n, at)
    values = library.compute_ecdf(u, at)
    ends = [[0.0], [0.0]]
    rows = [np.concatenate([ends[0], v - at, ends[1]]) for v in (values, low, high)]
    return Envelope(np.concatenate([[0.0], at, [1.0]]), *rows)


@lru_cache(maxsize=64)
def _pointwise(n: int, seed: int) -> float:
    """Probability of a pointwise band that makes the band hold everywhere with `INSIDE`."""
    library: Any = import_module("arviz_stats.ecdf_utils")
    rng = np.random.default_rng(seed)
    at = np.arange(1, n) / n
    return float(library.simulate_confidence_bands(n, 1, at, INSIDE, ENVELOPES, rng))


def uniformity(u: Array, *, seed: int, repeats: int = 2000) -> float:
    """Return the probability that uniform ranks would look as uneven as these.

    Parameters
    ----------
    u : (n,) array
        Ranks scaled into (0, 1).
    seed : int
        Of the uniform samples compared with.
    repeats : int, optional

    Returns
    -------
    float
        Share of uniform samples whose distribution function leaves the binomial envelope at
        least as far as that of `u`, anywhere.
    """
    from scipy.stats import binom

    n = len(u)
    grid = np.arange(1, 20) / 20

    def worst(samples: Array) -> Array:
        counts = (samples[:, :, None] <= grid).sum(axis=1)
        low, high = binom.cdf(counts, n, grid), binom.sf(counts - 1, n, grid)
        return np.asarray(np.minimum(low, high).min(axis=1))

    flat = np.random.default_rng(seed).uniform(size=(repeats, n))
    return float((worst(flat) <= worst(np.asarray(u)[None, :])[0]).mean())


def collected(rows: list[Mapping[str, Any]], engine: str) -> Calibration:
    """Gather what was kept of each simulation.

    Parameters
    ----------
    rows : list of mapping
        As `forecast.checks.simulated` keeps them.
    engine : str
    """
    outcome = [row["outcome"] for row in rows]
    fitted = [row for row in rows if row["outcome"] != "too many"]
    return Calibration(
        pd.DataFrame([row["ranks"] for row in fitted if row["outcome"] == "ranked"]),
        DRAWS,
        outcome.count("refused"),
        outcome.count("too many"),
        engine,
        sum(row["fallback"] for row in fitted),
        tuple(row["khat"] for row in fitted if row["khat"] is not None),
        _values([row["values"] for row in fitted if row.get("values")]),
    )


def _values(rows: list[Mapping[str, list[float]]]) -> dict[str, Array]:
    """Values of each quantity over simulations; none from fewer than three."""
    if len(rows) < LEAST:
        return {}
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
