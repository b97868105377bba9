"""The record of a ledger: scores with what must stand beside them, and who is left out."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from forecast.cli import main
from forecast.ledger import ForecastRecord, Ledger, ResolutionRecord
from forecast.record import record_of
from forecast.telling import windows_to_tell

HASH = "cd" * 32


def forecast(month: int, p: float, model: str = "hazard", **other: Any) -> ForecastRecord:
    origin = pd.Timestamp("2020-01-01") + pd.DateOffset(months=month)
    closes = origin + pd.DateOffset(months=1) - pd.Timedelta(days=1)
    given: dict[str, Any] = {"prior_share": 0.4, "base_rate_events": 2} | other
    return ForecastRecord(
        question="foreign_base", state="TKM", origin=f"{origin:%Y-%m-%d}",
        closes=f"{closes:%Y-%m-%d}", horizon=1, model=model, p=p, lo90=0.0, hi90=1.0,
        base_rate=0.1, base_rate_lo90=0.0, base_rate_hi90=0.3, data_hash=HASH, config_hash=HASH,
        seed=1, **given,
    )  # fmt: skip


def resolution(of: ForecastRecord, outcome: str) -> ResolutionRecord:
    return ResolutionRecord(
        question=of.question, state=of.state, origin=of.origin, closes=of.closes,
        horizon=of.horizon, outcome=outcome, as_of="2021-01-01",
        happened=of.closes if outcome == "yes" else "", reason=outcome,
        evidence=json.dumps({"campaign": "wave" if outcome == "yes" else ""}),
    )  # fmt: skip


def fill(ledger: Ledger, patch: pytest.MonkeyPatch) -> None:
    made = [forecast(0, 0.4), forecast(1, 0.05), forecast(2, 0.2), forecast(3, 0.1)]
    patch.setenv("TOCSIN_TODAY", "2020-01-02")
    ledger.issue([*made, forecast(0, 0.1, "base_rate"), forecast(1, 0.3, "glm", prior_share=None)])
    ledger.issue([forecast(9, 0.3)])
    patch.setenv("TOCSIN_TODAY", "2021-01-02")
    after = forecast(5, 0.99)
    ledger.issue([after])
    told = zip([*made, after], ("yes", "no", "void", "no", "yes"), strict=True)
    ledger.resolve([resolution(of, outcome) for of, outcome in told])


def test_a_record_by_hand(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger, monkeypatch)
    found = record_of(ledger, seed=1, repeats=100)
    assert (found.forecasts, found.waiting, found.void, found.late) == (8, 1, 1, 1)
    assert list(found.skills["model"]) == ["glm", "hazard"]
    row = found.skills.set_index("model").loc["hazard"]
    assert (row["n"], row["events"], row["campaigns"]) == (3, 1, 1)
    ours, theirs = 0.6**2 + 0.05**2 + 0.1**2, 0.9**2 + 0.1**2 + 0.1**2
    assert row["brier_skill"] == pytest.approx(1 - ours / theirs)
    gain = math.log(0.4 / 0.1) + math.log(0.95 / 0.9)
    assert row["log_gain"] == pytest.approx(gain)
    assert row["detectable"] == math.inf
    glm, hazard = found.headlines
    assert (hazard.prior_share, glm.prior_share) == (pytest.approx(0.4), pytest.approx(0.2))
    # the newest says 0.3 against 0.1, in windows of a month
    assert windows_to_tell(0.3, 0.1) == 25
    assert hazard.tells == "2022-02"
    assert hazard.events == 1


def test_nothing_resolved_is_said(ledger: Ledger) -> None:
    ledger.issue([forecast(0, 0.4)])
    found = record_of(ledger, seed=1)
    assert (len(found.skills), found.headlines, found.waiting) == (0, (), 1)


def test_the_command(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger.open(home=home) as ledger:
        fill(ledger, monkeypatch)
    ask = CliRunner()
    shown = ask.invoke(main, ["score", "--home", str(home), "--json"])
    assert shown.exit_code == 0, shown.output
    made = json.loads(shown.stdout)
    text = files("forecast.schemas").joinpath("score-1.json").read_text(encoding="utf-8")
    Draft202012Validator(json.loads(text)).validate(made)
    assert made["scores"][1]["detectable"] is None
    assert made["late"] == 1
    people = ask.invoke(main, ["score", "--home", str(home)])
    assert "which could show no gain" in people.stdout
    assert "8 forecasts issued, 1 wait for their outcome, 1 void, 1 left out" in people.stdout
    assert "Turkmenistan" not in people.stdout
    assert ask.invoke(main, ["score", "--home", str(home), "--against", "glm"]).exit_code == 2
