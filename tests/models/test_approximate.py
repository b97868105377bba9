"""The approximate engine: an integral by quadrature, the exact engine, and its refusals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pymc as pm
import pytest

from forecast import approximate, engine
from forecast.approximate import Approximation, Laplace
from forecast.engine import Job, fit_all
from forecast.models.hazard import Hazard, effects
from forecast.sampling import KHAT_MAX, Diagnostics, Fit

Array = Any
SMALL = Approximation(points=32, each=64, kept=1600)


@dataclass(frozen=True)
class Counts:
    """Events of groups and their exposure."""

    y: Array

    @property
    def capacity(self) -> Any:
        return SimpleNamespace(size=len(self.y))

    def padded(self, size: Any) -> Counts:
        return self


@dataclass(frozen=True)
class Pooled:
    """Poisson counts of groups around a common level: the least that has a pooled scale."""

    tails: bool = False

    def build(self, design: Counts) -> Any:
        import pytensor.tensor as pt

        with pm.Model() as model:
            y = pm.Data("y", design.y)
            level, spread = pm.Normal("level"), pm.HalfNormal("spread")
            z = pm.Normal("z", shape=len(design.y))
            eta = level + spread * z
            found = (y * eta - pt.exp(eta)).sum()
            if self.tails:  # a narrow peak on a broad base: no Gaussian at the mode reaches it
                found = -pt.log1p((20 * level) ** 2) + 0.0 * found
            pm.Potential("data", found)
        return model

    def data(self, design: Counts) -> dict[str, Array]:
        return {"y": design.y}

    def reported(self, raw: Any, design: Counts) -> dict[str, Array]:
        return {k: v[..., None] if v.ndim == 2 else v for k, v in raw.items()}


@pytest.fixture(scope="module")
def y() -> Counts:
    return Counts(np.array([0.0, 1.0, 4.0]))


@pytest.fixture(scope="module")
def program(y: Counts) -> Laplace:
    return Laplace(Pooled(), y, SMALL)


def by_quadrature(y: Array) -> dict[str, float]:
    """Posterior means and deviations of level and spread, groups integrated out."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    level, spread = np.meshgrid(np.linspace(-3, 3, 241), np.linspace(1e-3, 5, 300), indexing="ij")
    eta = level[..., None] + spread[..., None] * nodes
    log_joint = -(level**2) / 2 - spread**2 / 2
    for count in y:
        log_joint = log_joint + np.log((np.exp(count * eta - np.exp(eta)) * weights).sum(-1))
    p = np.exp(log_joint - log_joint.max())
    p /= p.sum()
    out = {}
    for name, value in (("level", level), ("spread", spread)):
        mean = (p * value).sum()
        out[name], out[f"sd {name}"] = mean, np.sqrt((p * (value - mean) ** 2).sum())
    return out


def test_an_integral_known_by_quadrature(program: Laplace, y: Counts) -> None:
    fit = program(Pooled(), y, seed=1)
    assert fit.diagnostics.failures() == []
    assert fit.diagnostics.engine == "approximate"
    flat, known = fit.flat(), by_quadrature(y.y)
    error = 4 / np.sqrt(fit.diagnostics.ess_min)
    for name in ("level", "spread"):
        deviation = known[f"sd {name}"]
        assert flat[name].mean() == pytest.approx(known[name], abs=error * deviation)
        assert flat[name].std() == pytest.approx(deviation, rel=error)


def test_the_same_seed_the_same_bits_and_data_are_arguments(program: Laplace, y: Counts) -> None:
    first, again = program(Pooled(), y, seed=5), program(Pooled(), y, seed=5)
    assert all((first.raw[k] == again.raw[k]).all() for k in first.raw)
    assert (program(Pooled(), y, seed=6).raw["level"] != first.raw["level"]).any()
    many = Counts(np.array([40.0, 50.0, 60.0]))
    assert program(Pooled(), many, seed=5).raw["level"].mean() > 2.0


def test_it_refuses_itself_where_the_mode_is_not_the_posterior(y: Counts) -> None:
    broad = Pooled(tails=True)
    fit = Laplace(broad, y, SMALL)(broad, y, seed=1)
    assert fit.diagnostics.khat > KHAT_MAX
    assert "k-hat" in fit.diagnostics.failures()[-1]


def test_root_of_an_inverse_and_of_what_is_not_positive_definite() -> None:
    a = np.array([[2.0, 0.5], [0.5, 1.0]])
    root, log_det = approximate._root(a)
    assert root.T @ root == pytest.approx(np.linalg.inv(a))
    assert log_det == pytest.approx(np.log(np.linalg.det(a)) / 2)
    root, log_det = approximate._root(np.diag([4.0, -1.0]))
    assert root.T @ root == pytest.approx(np.diag([0.25, 1 / approximate.FLOOR]))
    assert log_det == pytest.approx(np.log(4.0 * approximate.FLOOR) / 2)


def test_draws_in_proportion_to_their_weights() -> None:
    index = approximate._systematic(np.array([0.5, 0.0, 0.25, 0.25]), 400, np.random.default_rng(1))
    assert np.bincount(index, minlength=4).tolist() == [200, 0, 100, 100]
    weights, khat = approximate._smoothed(np.log(np.random.default_rng(2).exponential(size=4000)))
    assert weights.sum() == pytest.approx(1.0)
    assert khat < 0.3


def test_what_refuses_itself_is_sampled(monkeypatch: pytest.MonkeyPatch, real_design: Any) -> None:
    """Programs are made once a process, and the fallback is told."""
    model, design = real_design
    made, told = [], []

    def program(engine_name: str, khat: float) -> Any:
        def build(*args: Any) -> Any:
            made.append(engine_name)
            raw = {"alpha_raw": np.zeros((4, 2))}
            found = Diagnostics(1.0, 1e3, 0, 0.0, 1.0, engine=engine_name, khat=khat)
            return lambda *args, **options: Fit(raw, found)

        return build

    monkeypatch.setattr(engine, "_PROGRAMS", {})
    monkeypatch.setattr(engine, "Sampler", program("nuts", 0.0))
    monkeypatch.setattr(engine, "Laplace", program("approximate", 0.9))
    jobs = [Job("a", model, design), Job("b", replace(model, state_scale=0.1), design)]
    found = fit_all(jobs, seed=1, home=None, engine="approximate", progress=told.append)
    assert {f.fit.diagnostics.engine for f in found.values()} == {"nuts"}
    assert made == ["approximate", "nuts"]
    assert "a: k-hat 0.90, allowed to 0.7; sampled instead" in told


@pytest.mark.slow
def test_agrees_with_the_exact_engine_on_simulated_data(sampler: Any, lab: Any) -> None:
    """Means within 5 Monte Carlo errors of the difference, for every effect reported."""
    model = Hazard(features=("x0", "x1", "x2"))
    _, design = lab.simulate(model, lab.empty_design(np.random.default_rng(3)), 7)
    padded, exact = lab.fitted(sampler, model, design, 11)
    laplace = Laplace(model, design.padded(sampler.capacity))
    near = laplace(model, design, seed=1)
    assert near.diagnostics.failures() == []
    e, a = (effects(f.flat(), model.constants(padded), np) for f in (exact, near))
    for name in ("alpha", "beta", "stage", "gap", "sign", "mark"):
        spread = e[name].std(axis=0)
        error = spread * np.sqrt(1 / exact.diagnostics.ess_min + 1 / near.diagnostics.ess_min)
        apart = np.abs(e[name].mean(axis=0) - a[name].mean(axis=0))
        assert (apart <= 5 * error + 1e-12).all(), (name, apart, error)


def test_the_mode_is_that_of_a_ridge_with_a_fixed_scale(program: Laplace, y: Counts) -> None:
    from scipy import optimize, stats

    spread, one = stats.halfnorm.ppf(0.5), np.ones(3)

    def loss(v: Array) -> float:
        eta = v[0] + spread * v[1:]
        return float(v @ v / 2 - y.y @ eta + np.exp(eta).sum())

    best = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    mode, around = program.mode(Pooled(), y, seed=1, draws=4000)
    raw = mode.flat()
    assert np.ptp(raw["level"]) == 0
    assert raw["spread"][0] == pytest.approx(spread)
    found = np.concatenate([raw["level"][:1], raw["z"][0]])
    np.testing.assert_allclose(found, best, atol=2e-3)
    rate = np.exp(best[0] + spread * best[1:])
    slope = np.column_stack([one, spread * np.eye(3)])
    wanted = np.linalg.inv(np.eye(4) + slope.T @ np.diag(rate) @ slope)
    drawn = np.column_stack([around.flat()["level"], around.flat()["z"]])
    np.testing.assert_allclose(np.cov(drawn.T), wanted, atol=0.06)
