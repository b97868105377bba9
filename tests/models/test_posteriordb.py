"""Four posteriors through our sampler, gate and summaries, against published reference values.

``tests/oracles/posteriordb.csv`` holds the means and Monte Carlo errors of posteriordb: files of
the same names among its reference posteriors' means (commit 7e52000fa80c; eight schools from
e3545336e0de). The models are those of its Stan files (ae1dce9c1796, a6ed8c8f393e), each written
so that its parameters are less correlated, with a Jacobian of one. Data: Rubin (1981),
doi:10.3102/10769986006004377; mesquite bushes of Gelman and Hill (2006); summer temperatures of
Kilpisjarvi, 1952 to 2013, Finnish Meteorological Institute; a simulated series (905f984b1ed8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest

from forecast.predict import monte_carlo_error, summary
from forecast.sampling import Sampler, Settings, gate

Array = Any
ORACLES = Path(__file__).parent.parent / "oracles"
SETTINGS = Settings(chains=4, rounds=1, tune=500, draws=2500, target_accept=0.95)


@dataclass(frozen=True)
class Published:
    """A posterior: its data, its free variables and log density, the quantities it reports."""

    arrays: Mapping[str, Array]
    free: Callable[[Mapping[str, Any]], None]
    quantities: Callable[[Mapping[str, Array]], dict[str, Array]]

    @property
    def capacity(self) -> Any:
        return SimpleNamespace(size=1)

    def padded(self, size: Any) -> Published:
        return self

    def build(self, design: Any) -> Any:
        with pm.Model() as model:
            self.free({name: pm.Data(name, value) for name, value in self.arrays.items()})
        return model

    def data(self, design: Any) -> dict[str, Array]:
        return dict(self.arrays)

    def reported(self, raw: Mapping[str, Array], design: Any) -> dict[str, Array]:
        return {name: value[..., None] for name, value in self.quantities(raw).items()}


def observed(mean: Any, scale: Any, y: Any) -> None:
    """Add independent normal observations."""
    pm.Potential("likelihood", pm.logp(pm.Normal.dist(mean, scale), y).sum())


def eight_schools() -> Published:
    """Non-centred: mu ~ N(0, 5), tau ~ half-Cauchy(5), theta = mu + tau z."""
    effect = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    error = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])

    def free(data: Mapping[str, Any]) -> None:
        mu, tau = pm.Normal("mu", 0.0, 5.0), pm.HalfCauchy("tau", 5.0)
        z = pm.Normal("z", shape=8)
        observed(mu + tau * z, data["error"], data["effect"])

    def quantities(raw: Mapping[str, Array]) -> dict[str, Array]:
        mu, tau, z = raw["mu"], raw["tau"], raw["z"]
        schools = {f"theta{i + 1}": mu + tau * z[..., i] for i in range(8)}
        return {**schools, "mu": mu, "tau": tau}

    return Published({"effect": effect, "error": error}, free, quantities)


def mesquite() -> Published:
    """Log weight on log canopy volume, flat priors; the intercept is at the mean volume."""
    table = pd.read_csv(ORACLES / "mesquite.csv")
    x = np.log(table["diam1"] * table["diam2"] * table["canopy_height"]).to_numpy()
    middle = x.mean()

    def free(data: Mapping[str, Any]) -> None:
        level, slope, sigma = pm.Flat("level"), pm.Flat("slope"), pm.HalfFlat("sigma")
        observed(level + slope * data["x"], sigma, data["y"])

    def quantities(raw: Mapping[str, Array]) -> dict[str, Array]:
        slope = raw["slope"]
        return {"beta1": raw["level"] - slope * middle, "beta2": slope, "sigma": raw["sigma"]}

    y = np.log(table["weight"]).to_numpy()
    return Published({"x": x - middle, "y": y}, free, quantities)


def kilpisjarvi() -> Published:
    """Temperature on time, which posteriordb counts as year + 2000; intercept at the mean year."""
    table = pd.read_csv(ORACLES / "kilpisjarvi.csv")
    y, x = table["temperature"].to_numpy(), table["year"].to_numpy() + 2000.0
    middle = x.mean()

    def free(data: Mapping[str, Any]) -> None:
        level, slope = pm.Flat("level"), pm.Normal("slope", 0.0, 1 / 30)
        sigma = pm.HalfFlat("sigma")
        alpha = level - slope * middle
        pm.Potential("alpha", pm.logp(pm.Normal.dist(y.mean(), 100.0), alpha))
        observed(level + slope * data["x"], sigma, data["y"])

    def quantities(raw: Mapping[str, Array]) -> dict[str, Array]:
        alpha = raw["level"] - raw["slope"] * middle
        return {"alpha": alpha, "beta": raw["slope"], "sigma": raw["sigma"]}

    return Published({"x": x - middle, "y": y}, free, quantities)


def arma() -> Published:
    """ARMA(1, 1): errors solve a bidiagonal system, the first as if none had come before."""
    y = pd.read_csv(ORACLES / "arma.csv")["y"].to_numpy()

    def free(data: Mapping[str, Any]) -> None:
        mu, phi = pm.Normal("mu", 0.0, 10.0), pm.Normal("phi", 0.0, 2.0)
        theta, sigma = pm.Normal("theta", 0.0, 2.0), pm.HalfCauchy("sigma", 2.5)
        before = pt.concatenate([mu[None], data["y"][:-1]])
        system = pt.eye(len(y)) + theta * pt.eye(len(y), k=-1)
        solve: Any = pt.linalg.solve_triangular
        error = solve(system, data["y"] - mu - phi * before, lower=True)
        observed(error, sigma, np.zeros(len(y)))

    def quantities(raw: Mapping[str, Array]) -> dict[str, Array]:
        return {name: raw[name] for name in ("mu", "phi", "theta", "sigma")}

    return Published({"y": y}, free, quantities)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("eight_schools-eight_schools_noncentered", eight_schools),
        pytest.param("mesquite-logmesquite_logvolume", mesquite, marks=pytest.mark.slow),
        pytest.param("kilpisjarvi_mod-kilpisjarvi", kilpisjarvi, marks=pytest.mark.slow),
        pytest.param("arma-arma11", arma, marks=pytest.mark.slow),
    ],
)
def test_published_means(name: str, made: Callable[[], Published]) -> None:
    """Within three Monte Carlo errors, ours and theirs together, of every reference mean."""
    posterior: Any = made()
    fit = Sampler(posterior, posterior, SETTINGS)(posterior, posterior, seed=1)
    gate(fit.diagnostics, what=name)
    found = posterior.quantities(fit.raw)
    known = pd.read_csv(ORACLES / "posteriordb.csv").query("posterior == @name")
    assert set(known["quantity"]) == set(found)
    for row in known.itertuples():
        drawn = found[row.quantity].reshape(-1)
        error = np.hypot(monte_carlo_error(drawn, SETTINGS.chains), row.mcse)
        apart = abs(summary(drawn)["p"] - row.mean)
        assert apart <= 3 * error, (row.quantity, apart, error)
