"""PyMC's own sampler as an engine: by choice, and where JAX fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from jax.errors import JaxRuntimeError

from forecast import engine
from forecast.engine import EngineError, EngineWarning, Job, at_mode, fit_all
from forecast.models.hazard import Hazard, prior_draws, sizes
from forecast.plain import Plain, shaped
from forecast.predict import Target, monte_carlo_error, predict
from forecast.run import run
from forecast.sampling import Diagnostics, Fit, Settings
from indicators.errors import FitError, UnknownNameError

Array = Any
GOOD = Diagnostics(1.0, 1e3, 0, 0.0, 1.0)
FEW = Settings(chains=2, rounds=2, tune=5, draws=40)


class Fake:
    """Stands in for PyMC's engine: draws from the prior of the design it is given."""

    asked = 0

    def __init__(self, *_: Any) -> None:
        pass

    def __call__(self, model: Any, design: Any, *, seed: int) -> Fit:
        type(self).asked += 1
        raw = prior_draws(sizes(shaped(design)), 200, seed)
        return Fit({k: v[None] for k, v in raw.items()}, replace(GOOD, engine="pymc"))


def never(*_: Any) -> Any:
    raise AssertionError("built all the same")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    kind = type("Counted", (Fake,), {"asked": 0})
    monkeypatch.setattr(engine, "_PROGRAMS", {})
    monkeypatch.setattr(engine, "Plain", kind)
    return kind


@pytest.mark.parametrize("asked", ["nuts", "approximate"])
@pytest.mark.parametrize("error", [ImportError("no jax"), JaxRuntimeError("XLA: cannot compile")])
def test_where_jax_fails_pymc_takes_its_place(
    asked: str,
    error: Exception,
    fake: type[Fake],
    real_design: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """It is told, kept under a name of its own, and found again without sampling."""

    def broken(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(engine, "Sampler", broken)
    monkeypatch.setattr(engine, "Laplace", broken)
    told: list[str] = []
    jobs = [Job("a", *real_design)]
    with pytest.warns(EngineWarning, match=str(error)):
        first = fit_all(jobs, seed=1, home=tmp_path, engine=asked, progress=told.append)["a"]
    assert any(str(error) in line and "JAX failed" in line for line in told)
    assert first.fit.diagnostics.engine == "pymc"
    assert first.design.capacity == shaped(real_design[1]).capacity
    assert first.fit.raw["state_raw"].shape[-1] == len(first.design.states)
    with pytest.warns(EngineWarning):
        again = fit_all(jobs, seed=1, home=tmp_path, engine=asked)["a"]
    assert fake.asked == 1
    np.testing.assert_array_equal(again.fit.raw["alpha_raw"], first.fit.raw["alpha_raw"])
    assert again.design.capacity == first.design.capacity
    by_choice = fit_all(jobs, seed=1, home=tmp_path, engine="pymc")["a"]
    assert by_choice.key == first.key


def test_a_fault_of_our_own_is_no_failure_of_jax(
    real_design: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another engine would hide it, and a backtest would keep its silence as an answer."""

    def faulty(*_: Any) -> Any:
        raise AttributeError("no_such_method")

    monkeypatch.setattr(engine, "Sampler", faulty)
    monkeypatch.setattr(engine, "Laplace", faulty)
    with pytest.raises(AttributeError, match="no_such_method"):
        fit_all([Job("a", *real_design)], seed=1, home=None)
    with pytest.raises(AttributeError, match="no_such_method"):
        at_mode(Job("a", *real_design), seed=1, home=None)


def test_a_mode_that_could_not_be_compiled_is_no_verdict_on_the_data(
    real_design: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise JaxRuntimeError("RESOURCE_EXHAUSTED")

    monkeypatch.setattr(engine, "Laplace", full)
    with pytest.raises(EngineError, match="RESOURCE_EXHAUSTED") as error:
        at_mode(Job("a", *real_design), seed=1, home=None)
    assert not isinstance(error.value, FitError)  # which a backtest would keep as a refusal


def test_by_choice_nothing_is_compiled_for_jax(
    fake: type[Fake], real_design: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "Sampler", never)
    monkeypatch.setattr(engine, "Laplace", never)
    found = fit_all([Job("a", *real_design)], seed=1, home=None, engine="pymc")["a"]
    assert found.fit.diagnostics.engine == "pymc"
    assert fake.asked == 1


def test_a_fault_while_sampling_is_no_reason_to_change_the_engine(
    fake: type[Fake], real_design: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: Any) -> Any:
        def run(*_: Any, **__: Any) -> Any:
            raise RuntimeError("while sampling")

        return run

    monkeypatch.setattr(engine, "Sampler", faulty)
    with pytest.raises(RuntimeError, match="while sampling"):
        fit_all([Job("a", *real_design)], seed=1, home=None)
    assert fake.asked == 0


def test_no_dimension_is_empty(real_design: Any) -> None:
    _, design = real_design
    bare = replace(design, latent=(), group_latent=np.zeros((len(design.group_state), 0)),
                   latent_feature=np.zeros(0, int))  # fmt: skip
    assert shaped(bare).group_latent.shape[1] == 1
    assert shaped(design).capacity == design.capacity


def test_pm_sample_is_told_its_sampler_and_asked_again_until_the_gate_is_content(
    real_design: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unsaid, PyMC would take nutpie where that is installed."""
    model, design = real_design
    asked: list[dict[str, Any]] = []

    class Tree(dict[str, Any]):
        @property
        def data_vars(self) -> list[str]:
            return list(self)

    def sample(**options: Any) -> Any:
        asked.append(options)
        drawn = prior_draws(sizes(shaped(design)), 80, len(asked))
        energy = np.random.default_rng(len(asked)).normal(size=(2, 40))
        return {
            "posterior": Tree({k: v.reshape(2, 40, *v.shape[1:]) for k, v in drawn.items()}),
            "sample_stats": {"diverging": np.zeros((2, 40), bool), "energy": energy},
        }

    monkeypatch.setattr(pm, "sample", sample)
    fit = Plain(FEW)(model, design, seed=1)
    assert [options["nuts_sampler"] for options in asked] == ["pymc", "pymc"]
    assert asked[0]["random_seed"] != asked[1]["random_seed"]
    assert fit.raw["alpha_raw"].shape == (4, 40)  # 160 draws: the gate is not content
    assert fit.diagnostics.engine == "pymc"
    assert "ESS" in " ".join(fit.diagnostics.failures())
    with pytest.raises(FitError):
        fit_all([Job("a", model, design)], seed=1, home=None, engine="pymc", settings=FEW)


def test_a_run_says_what_sampled(cheap: Any, fake: type[Fake]) -> None:
    ask: dict[str, Any] = {"state": "TKM", "as_of": "2016-07-01", "questions": "bloc_accession"}
    said = run(**ask, engine="pymc", cache=False).payload["provenance"]["engine"]
    assert said == "PyMC's own NUTS"
    assert cheap.asked == []
    assert fake.asked > 0
    with pytest.raises(UnknownNameError, match="approximate"):
        run(**ask, engine="approximate")


@pytest.mark.slow
def test_probabilities_of_both_exact_engines(sampler: Any, lab: Any) -> None:
    """Within four Monte Carlo errors of each other, at every horizon."""
    model = Hazard(features=("x0", "x1", "x2"))
    _, design = lab.simulate(model, lab.empty_design(np.random.default_rng(3)), 7)
    padded, exact = lab.fitted(sampler, model, design, 11)
    own = Plain(Settings(rounds=1, target_accept=0.95))(model, design, seed=1)
    assert own.diagnostics.failures() == []
    units = pd.DataFrame([{"slot": "", "stage": 1, "stage_age": 3, "had_before": 0, "gap": 0.0,
                           "aim": ""}])  # fmt: skip
    target = Target("s0", "r0", units, np.zeros((36, 1, 3)), (0.0, 0.0))
    p = [
        predict(model, fit.flat(), where, target, seed=1).p
        for fit, where in ((exact, padded), (own, shaped(design)))
    ]
    for month in (5, 11, 35):
        errors = [monte_carlo_error(one[:, month], 4) for one in p]
        apart = abs(p[0][:, month].mean() - p[1][:, month].mean())
        assert apart <= 4 * np.hypot(*errors), (month, apart, errors)
