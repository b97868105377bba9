"""The approximate engine beside long chains: what is compared, kept, judged and said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import agreement as module
from forecast.agreement import COLUMNS, ENOUGH, Long, agreement, at_origin, judged, summary
from forecast.backtest import Grid
from forecast.models.hazard import prior_draws, sizes
from forecast.sampling import Diagnostics, Fit, Settings
from indicators.tables import DataPackage, load

DAY = pd.Timestamp("2016-07-01")
QUESTIONS = ("neutrality_text_revision", "neutrality_weakening", "foreign_base")


def grid(*days: pd.Timestamp) -> Grid:
    return Grid(days or (DAY,), QUESTIONS, (6, 36), ("hazard",), 1)


def rows(**values: Any) -> pd.DataFrame:
    base = dict.fromkeys(COLUMNS, 0.0) | {
        "key": "", "question": "a", "state": "TKM", "origin": "2016-07-01", "horizon": 12,
        "p": 0.10, "spread": 0.001, "deviation": 0.1, "p_exact": 0.10, "error_exact": 0.0005,
        "draws_exact": 6000, "engine": "approximate", "khat": 0.5, "ess": 900.0, "cpu": 3.0,
        "cpu_exact": 30.0,
    }  # fmt: skip
    return pd.DataFrame([base | values])


@pytest.fixture(scope="module")
def package() -> DataPackage:
    return load()


def test_what_is_allowed() -> None:
    """0.005, or three errors of both engines together, the spread pooled over a question."""
    table = pd.concat([rows(p=0.1049), rows(p=0.1051), rows(p=0.12, spread=0.0141)])
    told = judged(table)
    assert told["agrees"].tolist() == [True, True, True]
    pooled = np.sqrt((2 * 0.001**2 + 0.0141**2) / 3)
    assert told["error"].tolist() == pytest.approx([np.hypot(pooled, 0.0005)] * 3)
    assert judged(rows(p=0.1051))["agrees"].tolist() == [False]
    assert judged(rows(p=0.0949))["agrees"].tolist() == [False]
    assert judged(rows(p=0.1051, error_exact=0.002))["agrees"].tolist() == [True]


def test_what_is_said() -> None:
    other = rows(origin="2017-07-01", p=0.107, engine="nuts", khat=0.9, cpu=33.0)
    said = summary(pd.concat([rows(), rows(question="b", p=0.101), other]))
    assert "3 probabilities at 2 origins, 2 fits: 2 within" in said
    assert "largest difference 0.0070 (`a`, 12 months, 2017-07-01: 0.1070 against 0.1000)" in said
    assert "mean difference +0.0027; ratio of the two 1.026 in the mean, within 1.06-fold" in said
    assert "1 refused themselves and were sampled, k-hat of the others 0.50 to 0.50" in said
    assert "36 s of CPU against 60 s, 1.7 times" in said


def test_a_stopped_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[pd.Timestamp] = []

    def one(_: Any, day: pd.Timestamp, *__: Any, **___: Any) -> pd.DataFrame:
        asked.append(day)
        return rows(origin=f"{day:%Y-%m-%d}")

    monkeypatch.setattr(module, "at_origin", one)
    out, days = tmp_path / "a.csv", tuple(pd.date_range("2016-07-01", periods=3, freq="YS-JUL"))
    next(iter(agreement(grid(*days), state="TKM", out=out)))
    assert len(list(agreement(grid(*days), state="TKM", out=out))) == 2
    assert asked == list(days)
    kept = out.read_text()
    assert pd.read_csv(out)["origin"].tolist() == [f"{day:%Y-%m-%d}" for day in days]
    assert not list(agreement(grid(*days), state="TKM", out=out))
    # other seeds or states are another comparison, and a line cut short is none
    other = replace(grid(*days), seed=2)
    assert len(list(agreement(other, state="TKM", out=out))) == 3
    assert len(list(agreement(other, state="UZB", out=out))) == 3
    out.write_text(kept[: kept.index("\n") + 8])
    assert len(list(agreement(grid(*days), state="TKM", out=out))) == 3
    assert out.read_text() == kept
    assert len(asked) == 12


def test_the_same_draws_give_the_same_probabilities(
    package: DataPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both engines replaced by draws of the prior: rounds go on until the error is small."""
    rounds: list[int] = []

    class Chains:
        def __init__(self, *_: Any) -> None:
            pass

        def __call__(self, model: Any, design: Any, *, seed: int) -> Fit:
            rounds.append(seed)
            size = module._room(design)
            raw = prior_draws(sizes(design.padded(size)), 80, 1)
            parts = {k: v.reshape(4, 20, *v.shape[1:]) for k, v in raw.items()}
            return Fit(parts, Diagnostics(1.0, 900.0, 0, 0.0, 1.0))

    def fake(jobs: list[Any], **_: Any) -> dict[str, Any]:
        (job,) = jobs
        padded = job.design.padded(module._room(job.design))
        raw = prior_draws(sizes(padded), 80, 1)
        told = Diagnostics(1.0, 900.0, 0, 0.0, 1.0, engine="approximate", khat=0.4)
        fit = SimpleNamespace(flat=lambda: raw, diagnostics=told)
        return {job.name: SimpleNamespace(fit=fit, design=padded)}

    monkeypatch.setattr(module, "_SAMPLERS", {})
    monkeypatch.setattr(module, "Sampler", Chains)
    monkeypatch.setattr(module, "fit_all", fake)
    monkeypatch.setattr(module, "HAZARD_PATHS", 3)
    found = at_origin(grid(), DAY, package, state="TKM", long=Long(Settings(rounds=1), most=2))
    assert list(found["question"].unique()) == list(QUESTIONS)
    assert len(found) == 6
    np.testing.assert_allclose(found["p"], found["p_exact"], rtol=1e-9)
    assert (found["error_exact"] > ENOUGH).any()
    assert len(rounds) == 4  # two a fit: 80 draws of the prior tell nothing to 0.001
    assert (found["draws_exact"] == 160).all()
    part = found.set_index(["question", "horizon"])["p"]
    assert part["neutrality_weakening", 36] < part["neutrality_text_revision", 36]


@pytest.mark.slow
def test_at_the_founding_origin(package: DataPackage) -> None:
    """Within max(0.005, 3 Monte Carlo errors) of long chains; `make agreement` does 24 origins."""
    found = judged(at_origin(grid(), DAY, package, state="TKM", long=Long()))
    assert (found["error_exact"] <= ENOUGH).all()
    assert found["agrees"].all(), found.loc[~found["agrees"]].to_string()
