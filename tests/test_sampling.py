"""The sampler: a known posterior, seeds, rounds; the gate, criterion by criterion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pymc as pm
import pytest

from forecast.sampling import Diagnostics, Fit, Sampler, Settings, diagnose, gate
from indicators.errors import FitError

Array = Any
GOOD = Diagnostics(rhat_max=1.002, ess_min=900.0, divergences=0, divergent_fraction=0.0,
                   bfmi_min=0.9)  # fmt: skip
SHORT = Settings(chains=2, rounds=3, tune=300, draws=600)


@dataclass(frozen=True)
class Data:
    """The least that the sampler asks of a design: arrays of a fixed capacity."""

    y: Array

    @property
    def capacity(self) -> Any:
        return SimpleNamespace(size=len(self.y))

    def padded(self, size: Any) -> Data:
        return self


@dataclass(frozen=True)
class Simple:
    """Normal mean and scale."""

    def build(self, design: Data) -> Any:
        with pm.Model() as model:
            y = pm.Data("y", design.y)
            mean = pm.Normal("mean", 0.0, 10.0)
            scale = pm.HalfNormal("scale", 5.0)
            pm.Potential("data", pm.logp(pm.Normal.dist(mean, scale), y).sum())
        return model

    def data(self, design: Data) -> dict[str, Array]:
        return {"y": design.y}

    def reported(self, raw: Any, design: Data) -> dict[str, Array]:
        return {k: v[..., None] for k, v in raw.items()}


class TwoPeaks(Simple):
    """Two modes no chain can cross: each finds its own."""

    def build(self, design: Data) -> Any:
        import pytensor.tensor as pt

        with pm.Model() as model:
            y = pm.Data("y", design.y)
            x = pm.Normal("mean", 0.0, 30.0)
            pm.HalfNormal("scale", 5.0)
            peaks = pt.logaddexp(-((x - 40.0) ** 2) * 50, -((x + 40.0) ** 2) * 50)
            pm.Potential("data", peaks + 0.0 * y.sum())
        return model


class Funnel(Simple):
    """Neal's funnel: its neck is narrower than any step."""

    def build(self, design: Data) -> Any:
        with pm.Model() as model:
            y = pm.Data("y", design.y)
            scale = pm.HalfNormal("scale", 5.0)
            mean = pm.Normal("mean", 0.0, 9.0)
            inner = pm.Normal.dist(0.0, pm.math.exp(mean / 2))
            pm.Potential("data", pm.logp(inner, scale).sum() + 0.0 * y.sum())
            pm.Normal("inner", 0.0, pm.math.exp(mean / 2), shape=9)
        return model


@pytest.fixture(scope="module")
def y() -> Data:
    return Data(np.random.default_rng(1).normal(3.0, 2.0, 400))


@pytest.fixture(scope="module")
def simple(y: Data) -> Sampler:
    return Sampler(Simple(), y, SHORT)


def test_a_known_posterior(simple: Sampler, y: Data) -> None:
    """Mean and scale of many normal figures, in closed form; half-normals on their own scale."""
    fit = simple(Simple(), y, seed=1)
    assert fit.diagnostics.failures() == []
    flat = fit.flat()
    assert set(flat) == {"mean", "scale"}
    n, s = len(y.y), y.y.std(ddof=1)
    assert flat["mean"].mean() == pytest.approx(y.y.mean(), abs=0.15 * s / np.sqrt(n))
    assert flat["mean"].std() == pytest.approx(s / np.sqrt(n), rel=0.12)
    assert flat["scale"].mean() == pytest.approx(s, rel=0.01)
    assert flat["scale"].std() == pytest.approx(s / np.sqrt(2 * n), rel=0.12)


def test_data_are_arguments_of_the_compiled_program(simple: Sampler, y: Data) -> None:
    moved = simple(Simple(), Data(y.y + 10.0), seed=1)
    assert moved.flat()["mean"].mean() == pytest.approx(y.y.mean() + 10.0, abs=0.05)


def test_chains_and_seeds_differ_and_repeat(simple: Sampler, y: Data) -> None:
    one, again, other = (simple(Simple(), y, seed=s) for s in (5, 5, 6))
    assert one.raw["mean"].shape == (2, 600)
    for name, value in one.raw.items():
        np.testing.assert_array_equal(value, again.raw[name])
    assert one.diagnostics == again.diagnostics
    assert (one.raw["mean"] != other.raw["mean"]).any()
    assert (one.raw["mean"][0] != one.raw["mean"][1]).any()


def test_a_fit_that_does_not_pass_gets_more_rounds(simple: Sampler, y: Data) -> None:
    assert simple(Simple(), y, seed=1).raw["mean"].shape[0] == SHORT.chains  # passed at once
    tiny = Settings(chains=2, rounds=3, tune=100, draws=60)
    fit = Sampler(Simple(), y, tiny)(Simple(), y, seed=2)
    assert fit.raw["mean"].shape[1] == 60
    assert fit.raw["mean"].shape[0] > 2  # sixty draws a chain cannot give an ESS of 400


@pytest.mark.parametrize("model", [TwoPeaks(), Funnel()], ids=["two peaks", "funnel"])
def test_a_pathological_model_is_refused_at_full_length(model: Simple, y: Data) -> None:
    fit = Sampler(model, y, Settings(chains=8, rounds=1))(model, y, seed=3)
    with pytest.raises(FitError, match="did not pass the gate") as caught:
        gate(fit.diagnostics, what="broken")
    assert caught.value.exit_code == 4
    gate(fit.diagnostics, what="broken", allow_poor_fit=True)


@pytest.mark.parametrize(
    ("field", "allowed", "refused", "said"),
    [
        ("rhat_max", 1.0099, 1.01, "R-hat"),
        ("ess_min", 400.0, 399.9, "ESS"),
        ("divergent_fraction", 0.005, 0.0051, "divergent"),
        ("bfmi_min", 0.3, 0.299, "E-BFMI"),
    ],
)
def test_each_criterion_has_its_limit(
    field: str, allowed: float, refused: float, said: str
) -> None:
    assert replace(GOOD, **{field: allowed}).failures() == []
    (only,) = replace(GOOD, **{field: refused}).failures()
    assert said in only
    with pytest.raises(FitError, match=said):
        gate(replace(GOOD, **{field: refused}), what="a fit")
    # what cannot be computed has not converged
    assert len(replace(GOOD, **{field: float("nan")}).failures()) == 1


def test_all_that_failed_is_said_at_once() -> None:
    bad = Diagnostics(2.0, 10.0, 99, 0.1, 0.01)
    with pytest.raises(FitError) as caught:
        gate(bad, what="neutrality (default)")
    text = str(caught.value)
    for part in ("neutrality (default)", "2.0000", "ESS 10", "10.00%", "0.01", "--allow-poor-fit"):
        assert part in text


def test_diagnose_independent_chains() -> None:
    rng = np.random.default_rng(4)
    raw = {"a": rng.normal(size=(4, 500, 3)), "b": rng.normal(size=(4, 500, 1))}
    found = diagnose(raw, np.zeros((4, 500), bool), rng.normal(size=(4, 500)))
    assert found.failures() == []
    assert 1.0 <= found.rhat_max < 1.01
    assert 1200 < found.ess_min < 2200
    assert found.bfmi_min == pytest.approx(2.0, abs=0.3)


def test_diagnose_sees_one_bad_value_among_many() -> None:
    rng = np.random.default_rng(5)
    calm, energy = np.zeros((4, 500), bool), rng.normal(size=(4, 500))
    raw = {"a": rng.normal(size=(4, 500, 5))}
    raw["a"][0, :, 3] += 1.0  # one chain elsewhere
    assert diagnose(raw, calm, energy).rhat_max > 1.05
    slow = np.cumsum(rng.normal(size=(4, 500)), axis=1)[..., None]
    assert diagnose({"a": slow}, calm, energy).ess_min < 100
    lost = calm.copy()
    lost[2, :11] = True
    found = diagnose({"b": raw["a"][..., :3]}, lost, energy)
    assert found.divergences == 11
    assert found.divergent_fraction == pytest.approx(11 / 2000)
    assert len(found.failures()) == 1
    stuck = np.cumsum(rng.normal(size=(4, 500)), axis=1)
    assert diagnose({"b": raw["a"][..., :3]}, calm, stuck).bfmi_min < 0.3


def test_a_fit_joins_its_chains_and_becomes_a_tree() -> None:
    raw = {"x": np.arange(24.0).reshape(2, 4, 3), "y": np.arange(8.0).reshape(2, 4)}
    fit = Fit(raw, GOOD)
    np.testing.assert_array_equal(fit.flat()["x"], np.arange(24.0).reshape(8, 3))
    np.testing.assert_array_equal(fit.flat()["y"], np.arange(8.0))
    tree = fit.datatree({"state": ["TKM", "UZB", "KAZ"]}, {"x": ["state"]})
    assert tree["posterior"]["x"].dims == ("chain", "draw", "state")
    assert list(tree["posterior"]["state"].values) == ["TKM", "UZB", "KAZ"]
