"""The pool of a run: learned from what had closed at its origin, the average unless shown worse."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.learned import DELAY, MEMBERS, Learned, PoolError, learned
from forecast.models.pool import Pool
from forecast.outcomes import outcomes
from forecast.pooling import KEY, POOLS, chosen_at, pooled
from forecast.questions import load_questions
from forecast.risk import risk_set
from forecast.run import RunResult, run
from forecast.schema import failures
from indicators.dates import months
from indicators.tables import DataPackage
from indicators.vintages import snapshot

ORIGIN = pd.Timestamp("2016-07-01")
Frame = pd.DataFrame


def members(package: DataPackage, *, first: str, last: str, question: str) -> Frame:
    """What members say: random, but the hazard knows."""
    rng = np.random.default_rng(3)
    risk = risk_set(load_questions(package)[question], snapshot("2024-07-01", package=package))
    states = sorted(set(risk.rows["state"]))
    where = [
        (question, state, origin, 6, model)
        for origin in months(first, last, step=6)
        for state in states
        for model in MEMBERS
    ]
    columns = ["question", "state", "origin", "horizon", "model"]
    frame = pd.DataFrame(where, columns=columns).astype({"origin": "datetime64[us]"})
    frame["p"] = rng.uniform(0.005, 0.02, len(frame))
    frame["prior_share"] = 0.3
    return frame


@pytest.fixture(scope="module")
def guessed(bundled: DataPackage) -> Frame:
    """Members that know nothing, with pools as a backtest makes them."""
    made = members(bundled, first="2003-01", last="2008-01", question="bloc_accession")
    return pd.concat([made, pooled(made, members=MEMBERS, seed=1).forecasts], ignore_index=True)


def test_a_run_chooses_as_a_backtest_does_at_the_same_origin(
    guessed: Frame, bundled: DataPackage
) -> None:
    made = guessed[guessed["model"].isin(MEMBERS)]
    rows = pooled(made, members=MEMBERS, seed=7).choices.set_index("origin")
    for origin in (pd.Timestamp("2006-01-01"), pd.Timestamp("2008-01-01")):
        _, choice = chosen_at(guessed, bundled, origin=origin, members=MEMBERS, seed=7)
        expected = rows.loc[origin].to_dict()
        assert choice["windows"] == expected["windows"] > 0
        for name, value in expected.items():
            assert choice[name] == (value if isinstance(value, str) else pytest.approx(value))


def test_nothing_from_the_origin_on_and_nothing_unreported_enters(
    guessed: Frame, bundled: DataPackage
) -> None:
    origin = pd.Timestamp("2006-01-01")
    how: dict[str, Any] = {"origin": origin, "members": MEMBERS, "seed": 1}
    right = chosen_at(guessed, bundled, **how)
    closes = (guessed["origin"].dt.to_period("M") + 6).dt.to_timestamp()
    late = closes + pd.DateOffset(months=DELAY) > origin
    assert (late & (guessed["origin"] < origin)).any()
    changed = guessed.assign(p=guessed["p"].where(~late, 0.9))
    assert chosen_at(changed, bundled, **how) == right
    assert chosen_at(guessed[~late], bundled, **how) == right
    # what had closed does count
    moved = (guessed["model"] == "hazard") & ~late
    other = chosen_at(guessed.assign(p=guessed["p"].where(~moved, 0.3)), bundled, **how)
    assert other[0]["pool_stacked"] != right[0]["pool_stacked"]


def test_before_anything_had_closed_it_is_the_average(guessed: Frame, bundled: DataPackage) -> None:
    for origin in ("1999-01-01", "2003-07-01"):
        how: dict[str, Any] = {"origin": pd.Timestamp(origin), "members": MEMBERS, "seed": 1}
        pools, choice = chosen_at(guessed, bundled, **how)
        assert (choice["chosen"], choice["windows"]) == ("pool_linear", 0)
        assert pools["pool_stacked"].weights == pytest.approx([0.25] * 4)


def test_a_pool_that_is_better_for_sure_takes_the_place_of_the_average(
    bundled: DataPackage,
) -> None:
    made = members(bundled, first="1998-07", last="2014-07", question="bloc_accession")
    came = outcomes(made, package=bundled)["y"].to_numpy() == 1
    knows = (made["model"] == "hazard").to_numpy()
    made["p"] = np.where(knows, np.where(came, 0.8, 0.001), made["p"])
    wide = made.pivot_table(index=KEY, columns="model", values="p").reset_index()
    said = {
        "pool_linear": wide[list(MEMBERS)].mean(axis=1),
        "pool_log_odds": wide["glm"],
        "pool_stacked": wide["hazard"],
    }
    pools = [wide[KEY].assign(model=name, p=p, prior_share=0.3) for name, p in said.items()]
    every = pd.concat([made, *pools], ignore_index=True)
    found, choice = chosen_at(every, bundled, origin=ORIGIN, members=MEMBERS, seed=1)
    assert choice["chosen"] == "pool_stacked"
    assert choice["pool_stacked_lo90"] > 0
    weights = dict(zip(MEMBERS, found["pool_stacked"].weights, strict=True))
    assert weights["hazard"] == max(weights.values()) > 0.4


@pytest.fixture
def folder(guessed: Frame, tmp_path: Path) -> Path:
    """A backtest as it lies in its folder; its outcomes, known at the end, must not be read."""
    lies = guessed.assign(closes=pd.Timestamp("1990-01-01"), y=1.0, campaign="x")
    lies.to_parquet(tmp_path / "forecasts.parquet")
    return tmp_path


def test_what_a_run_says_of_its_pool(folder: Path, bundled: DataPackage) -> None:
    origin = pd.Timestamp("2006-01-01")
    found = learned("pool", folder, bundled, origin=origin, seed=1)
    told = found.told["pool"]
    assert told["chosen"] == "pool_linear"
    assert set(told["weights"].values()) == {0.25}
    assert sum(told["learned"].values()) == pytest.approx(1, abs=1e-4)
    assert told["windows"] > 0
    assert told["later_origins"] == 5  # of eleven, the sixth is the last before the origin
    assert [rival["pool"] for rival in told["rivals"]] == list(POOLS[1:])
    assert str(told["events"]) in told["words"]
    assert learned("hazard", folder, bundled, origin=origin, seed=1).told == {}


def test_a_backtest_without_pools_is_refused(folder: Path, bundled: DataPackage) -> None:
    path = folder / "forecasts.parquet"
    frame = pd.read_parquet(path)
    frame[frame["model"] != "pool_stacked"].to_parquet(path)
    with pytest.raises(PoolError, match="pool_stacked"):
        learned("pool", folder, bundled, origin=ORIGIN, seed=1)


@pytest.mark.usefixtures("cheap")
def test_a_learned_pool_is_another_configuration_and_its_weights_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = importlib.import_module("forecast.run")
    ask: dict[str, Any] = {"questions": "bloc_accession", "horizons": (12,), "cache": False}
    hashes = set()
    for method, name in (("linear", "pool_stacked"), ("log_odds", "pool_log_odds")):
        pool = Pool(MEMBERS, method, (0.0, 0.5, 0.5, 0.0))
        weights = dict(zip(MEMBERS, pool.weights, strict=True))
        told = {"pool": {"chosen": name, "weights": weights, "words": "learned"}}
        monkeypatch.setattr(module, "learned", lambda *_, p=pool, t=told, **__: Learned(p, t))
        found = module.run(state="TKM", as_of=ORIGIN, model="pool", **ask)
        row = found.payload["forecasts"][0]
        listed = {b["model"]: b["p"] for b in row["baselines"]}
        expected = pool.p(np.array([0.0, listed["hazard"], listed["glm"], 0.0]))
        assert row["p"] == pytest.approx(float(expected), rel=0.05)
        hashes.add(found.payload["provenance"]["config_hash"])
    assert len(hashes) == 2


@pytest.fixture(scope="module")
def founding(cheaply: Any) -> RunResult:
    ask: dict[str, Any] = {"questions": ("foreign_base", "neutrality_weakening")}
    with cheaply():
        return run(state="TKM", as_of=ORIGIN, model="pool", horizons=(12,), cache=False, **ask)


def test_a_run_averages_the_models_that_stand_beside_it(founding: RunResult) -> None:
    assert failures(founding.payload) == []
    assert founding.payload["pool"]["chosen"] == "pool_linear"
    assert founding.payload["pool"]["learned"] is None
    for row in founding.payload["forecasts"]:
        assert row["model"] == "pool"
        listed = {b["model"]: b["p"] for b in row["baselines"]}
        assert set(listed) == {"hazard", "glm", "process_table"}
        if row["question"] == "foreign_base":  # the other's base rate is that of its own class
            expected = (sum(listed.values()) + row["base_rate"]) / 4
            assert row["p"] == pytest.approx(expected, rel=0.02)
        every = (*listed.values(), row["base_rate"])
        assert min(every) * 0.8 <= row["p"] <= max(every) * 1.2
        assert row["lo90"] < row["p"] < row["hi90"]


def test_what_belongs_to_the_hazard_stands_beside_and_says_so(founding: RunResult) -> None:
    for row in founding.payload["forecasts"]:
        assert row["beside"] == "hazard"
        assert 0 < row["prior_share"] <= 1
        assert row["drivers"]
        assert row["strict"]["p"] > 0
        assert row["prior"]["p"] > 0
        assert row["hindsight"] is None
        assert row["cases"] == []
