"""Refits by ``pm.sample`` beside the compiled program."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from forecast.backtest import Grid
from forecast.naive import Comparison, compare
from forecast.sampling import Settings


def fits(**values: list[float]) -> pd.DataFrame:
    base = {"naive_s": [50.0, 150.0], "own_s": [4.0, 6.0], "difference": [0.004, 0.03],
            "floor": [0.001, 0.02],
            "origin": pd.to_datetime(["2003-01-01", "2012-07-01"])}  # fmt: skip
    return pd.DataFrame(base | values)


def test_what_is_told() -> None:
    found = Comparison(fits(), 12.0, "approximate")
    assert found.ratio == 20.0
    assert found.agrees  # 0.03 is below twice 0.02
    assert "20.0 times" in str(found)
    assert "(2003-01, 2012-07)" in str(found)
    assert "by the approximate engine" in str(found)
    assert "0.0300, between two seeds 0.0200: within" in str(found)
    far = Comparison(fits(floor=[0.001, 0.01]), 12.0, "nuts")
    assert not far.agrees
    assert "NOT within" in str(far)


def test_draws_of_pm_sample_are_read_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same draws from both samplers give the same probabilities; others do not."""
    from forecast import naive
    from forecast.models.hazard import prior_draws, sizes

    def fake_fit(jobs: list, **_: object) -> dict:
        (job,) = jobs
        raw = prior_draws(sizes(job.design), 80, 5)
        fit = SimpleNamespace(flat=lambda: raw)
        return {job.name: SimpleNamespace(fit=fit, design=job.design, model=job.model)}

    seeds: list[int] = []

    def fake_sample(model: object, design: object, settings: object, seed: int) -> dict:
        seeds.append(seed)
        return prior_draws(sizes(design), 80, 5 + len(seeds) - 1)

    monkeypatch.setattr(naive, "fit_all", fake_fit)
    monkeypatch.setattr(naive, "_sampled", fake_sample)
    monkeypatch.setattr(naive, "HAZARD_PATHS", 3)
    grid = Grid((pd.Timestamp("2016-07-01"),), ("foreign_base",), (6,), ("hazard",), 1)
    found = compare(grid, origins=1)
    assert found.fits["difference"].item() == 0.0
    assert found.fits["floor"].item() > 0.0
    assert seeds[1] == seeds[0] + 1


@pytest.mark.slow
def test_pm_sample_agrees_with_the_compiled_program() -> None:
    """At a real origin, within 0.01 or twice the difference between two seeds."""
    grid = Grid((pd.Timestamp("2016-07-01"),), ("foreign_base",), (6, 36), ("hazard",), 1)
    found = compare(grid, origins=1, settings=Settings(rounds=1), allow_poor_fit=True)
    assert found.agrees, str(found)
    assert np.isfinite(found.ratio)
