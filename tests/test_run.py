"""One run, from files to payload: its schema, its bits, any state and month, what it cannot say."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from rich.console import Console

import forecast
from forecast import answers, engine, evidence, material
from forecast.cli import main
from forecast.cli_format import run_view
from forecast.forecasts import Forecast
from forecast.report.page import page
from forecast.run import RunResult, run
from forecast.schema import failures, validate
from indicators.errors import UnknownNameError

ORIGIN = "2016-07-01"
QUESTIONS = {"bloc_accession", "foreign_base", "neutrality_text_revision", "neutrality_weakening"}


def rows(found: RunResult, question: str) -> list[dict[str, Any]]:
    return [row for row in found.payload["forecasts"] if row["question"] == question]


@pytest.fixture(scope="module")
def founding(cheaply: Any) -> RunResult:
    """Every question of the founding forecast, with draws that cost nothing."""
    with cheaply():
        return run(state="TKM", as_of=ORIGIN, cache=False)


def test_the_payload_follows_the_shipped_schema_and_is_complete(founding: RunResult) -> None:
    payload = founding.payload
    validate(payload)
    assert json.loads(founding.to_json()) == payload
    assert {row["question"] for row in payload["forecasts"]} == QUESTIONS
    assert len(payload["forecasts"]) == 16
    for row in payload["forecasts"]:
        assert 0 <= row["lo90"] <= row["p"] <= row["hi90"] <= 1
        assert row["ratio"] == pytest.approx(row["p"] / row["base_rate"], rel=1e-4)
        assert 0 <= row["prior_share"] <= 1
        assert all(row[k] for k in ("no_process", "strict", "prior", "reference_classes"))
        assert [b["model"] for b in row["baselines"]] == ["glm", "process_table"]
        assert row["drivers"]
        assert row["cases"]
        closes = pd.Timestamp(ORIGIN) + pd.DateOffset(months=row["horizon"])
        assert pd.Timestamp(row["closes"]) in (closes, closes - pd.Timedelta(days=1))
    assert payload["provenance"]["poor_fit"] is False
    assert payload["provenance"]["seed"] == 20160701
    assert payload["processes"]
    assert payload["indicators"]


def test_weakening_is_never_likelier_than_revision(founding: RunResult) -> None:
    """In every number printed, and draw by draw."""
    pairs = zip(
        rows(founding, "neutrality_weakening"),
        rows(founding, "neutrality_text_revision"),
        strict=True,
    )
    for weaken, revise in pairs:
        assert weaken["horizon"] == revise["horizon"]
        assert weaken["p"] <= revise["p"]
        for part in ("no_process", "strict", "prior"):
            assert weaken[part]["p"] <= revise[part]["p"]
    draws = {f.question: f.p for f in founding.forecasts}
    assert (draws["neutrality_weakening"] <= draws["neutrality_text_revision"]).all()


def test_probability_rises_with_the_horizon(founding: RunResult) -> None:
    for question in QUESTIONS:
        found = [row["p"] for row in rows(founding, question)]
        assert found == sorted(found)
        assert [row["horizon"] for row in rows(founding, question)] == [6, 12, 24, 36]


def test_marks_without_events_say_they_are_prior(founding: RunResult) -> None:
    for row in rows(founding, "foreign_base"):
        detail = {d["mark"]: d for d in row["marks_detail"]}
        assert {m: d["p"] for m, d in detail.items()} == row["marks"]
        assert any(d["from_prior"] for d in detail.values())
        for found in detail.values():
            assert found["from_prior"] == (found["events"] == 0)
            assert found["p"] <= row["p"] + 1e-9
        assert sum(row["marks"].values()) >= row["p"] - 1e-6
    for row in rows(founding, "neutrality_weakening"):
        assert row["marks"] is None


def test_questions_are_told_together_beside_the_product_of_their_answers(
    founding: RunResult,
) -> None:
    joint = founding.payload["joint"]
    roots = [name for name in QUESTIONS if name != "neutrality_weakening"]
    assert sorted(joint["questions"]) == sorted(roots)
    assert [link["second"] for link in joint["links"]] == ["foreign_base", "bloc_accession"]
    for row in joint["horizons"]:
        p = {n: r["p"] for n in roots for r in rows(founding, n) if r["horizon"] == row["horizon"]}
        product = 1 - np.prod([1 - v for v in p.values()])
        assert row["any"]["independent"] == pytest.approx(product, rel=1e-4)
        assert max(p.values()) < row["any"]["p"] < sum(p.values())
        for pair in row["pairs"]:
            a, b = (p[name] for name in pair["questions"])
            assert pair["independent"] == pytest.approx(a * b, rel=1e-4)
            assert 0 < pair["p"] < min(a, b)
    some = [row["any"]["p"] for row in joint["horizons"]]
    assert some == sorted(some)
    alone = run(state="TKM", as_of=ORIGIN, questions="foreign_base", model="glm", cache=False)
    assert alone.payload["joint"] is None


def test_the_rule_for_the_power_stands_beside_its_record(founding: RunResult) -> None:
    told = founding.payload["powers"]
    assert told["question"] == "foreign_base"
    assert told["openings"] > 10
    assert told["lo90"] <= told["gain"] <= told["hi90"]
    console = Console(width=200, file=StringIO())
    console.print(run_view(founding.payload))
    shown = console.file.getvalue()
    assert told["words"][:60] in shown
    assert founding.payload["joint"]["words"][0] in shown
    html = page(founding.payload)
    assert 'id="together"' in html
    assert "not on its ties to the host" in html


def test_what_a_result_offers(founding: RunResult) -> None:
    assert len(founding.table) == 16
    assert founding.table.duplicated(["question", "horizon"]).sum() == 0
    found = founding.forecasts[0]
    assert isinstance(found, Forecast)
    tree = found.draws
    assert tree["posterior"]["p"].dims == ("draw", "horizon")
    np.testing.assert_array_equal(tree["posterior"]["p"].values, found.p)
    means = [row["p"] for row in rows(founding, found.question)]
    np.testing.assert_allclose(found.p.mean(axis=0), means, rtol=1e-5)


def test_seed_and_horizons_do_what_they_say(cheap: Any) -> None:
    ask: dict[str, Any] = {"state": "TKM", "as_of": ORIGIN, "questions": ("neutrality_weakening",)}
    one, again, other = (
        run(**ask, horizons=(6,), cache=False, seed=seed) for seed in (None, 20160701, 7)
    )
    assert one.to_json() == again.to_json()
    assert one.payload["forecasts"] != other.payload["forecasts"]
    assert one.payload["provenance"]["data_hash"] == other.payload["provenance"]["data_hash"]
    day = run(**{**ask, "as_of": "2016-07-19"}, horizons=(6,), cache=False)
    assert day.to_json() == one.to_json()  # a day inside a month stands for its first


# --- the same bits ---------------------------------------------------------------------------

ASK: dict[str, Any] = {
    "state": "TKM", "as_of": ORIGIN, "questions": ("neutrality_weakening",), "horizons": (12, 36),
    "allow_poor_fit": True, "cache": False,
}  # fmt: skip
AGAIN = """
import importlib, pickle, sys
from forecast.run import run
patches, ask = pickle.loads(bytes.fromhex(sys.argv[1]))
for module, values in patches.items():
    vars(importlib.import_module(module)).update(values)
sys.stdout.write(run(**ask).to_json())
"""


def elsewhere(home: Path, *command: str) -> str:
    """Output of a new process in an empty home."""
    home.mkdir()
    settings = {k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN", "XDG"))}
    env = {**settings, "HOME": str(home), "PYTHONHASHSEED": str(len(home.name))}
    done = subprocess.run(
        [sys.executable, *command], env=env, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.mark.slow
def test_a_new_process_in_an_empty_home_gives_the_same_bits(quick: None, tmp_path: Path) -> None:
    """One question with a short sampler, compiled and run here and there."""
    here = run(**ASK).to_json()
    validate(json.loads(here))
    patches = {
        "forecast.engine": {name: vars(engine)[name] for name in ("ROOM", "Settings")},
        "forecast.answers": {k: v for k, v in vars(answers).items() if k.endswith("DRAWS")},
        "forecast.evidence": {"DRIVER_DRAWS": evidence.DRIVER_DRAWS},
        "forecast.material": {"PATHS": material.PATHS},
    }
    sent = pickle.dumps((patches, ASK)).hex()
    assert elsewhere(tmp_path / "empty", "-c", AGAIN, sent) == here


@pytest.mark.slow
def test_the_founding_forecast_is_the_same_to_the_bit_in_a_new_process(tmp_path: Path) -> None:
    """All questions, full settings, the gate passed, no cache."""
    words = ("-m", "forecast.cli", "run", "--state", "TKM", "--as-of", ORIGIN, "--question", "all",
             "--horizon", "6,12,24,36", "--json", "--no-cache")  # fmt: skip
    one, two = (elsewhere(tmp_path / name, *words) for name in ("a", "bb"))
    assert one == two
    payload = json.loads(one)
    validate(payload)
    assert len(payload["forecasts"]) == 16
    assert payload["provenance"]["poor_fit"] is False
    kept = list(tmp_path.rglob("*.npz"))
    assert kept == []


def test_the_cache_changes_no_bit(quick: None, tmp_path: Path) -> None:
    ask = {**ASK, "cache": True}
    fresh = run(**ASK)
    assert list(tmp_path.iterdir()) == []
    kept = run(**ask, home=tmp_path)
    stored = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert stored
    said: list[str] = []
    again = run(**ask, home=tmp_path, progress=said.append)
    assert not [line for line in said if "sampling" in line or "compiling" in line]
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == stored
    assert fresh.to_json() == kept.to_json() == again.to_json()


# --- any state, any month ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "as_of", "model", "questions"),
    [
        ("KGZ", "2003-06-01", "base_rate", {"foreign_base"}),
        ("MDA", "2020-01-01", "process_table", QUESTIONS),
        ("TKM", "2026-11-01", "process_table", QUESTIONS),
        ("CHE", "1993-02-01", "glm", QUESTIONS - {"foreign_base"}),
        ("UKR", "1992-02-01", "base_rate", QUESTIONS),
    ],
)
def test_other_states_and_months(state: str, as_of: str, model: str, questions: set[str]) -> None:
    found = run(state=state, as_of=as_of, model=model, horizons=(12, 36))
    assert failures(found.payload) == []
    asked = {row["question"] for row in found.payload["forecasts"]}
    assert asked <= questions
    assert asked
    for question in QUESTIONS - asked:  # no silence about what is not answered
        assert any(line.startswith(f"{question}: ") for line in found.payload["not_seen"])
    gap = found.payload["gap"]
    assert gap["feed_ends"] == "2024-12-31"
    if as_of > "2024-12-31":
        assert gap["months_unobserved"] == 22
        assert "2024-12-31" in gap["text"]
        assert "22 months" in gap["text"]
    else:
        assert gap["months_unobserved"] == 0
        assert gap["text"] is None


def test_today_is_the_first_of_this_month(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_TODAY", "2026-11-22")
    words = ["run", "--state", "TKM", "--question", "foreign_base", "--model", "base_rate"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0
    assert "as of 1 November 2026" in done.stdout
    assert "22 months" in " ".join(done.stdout.split())


def test_a_state_at_risk_of_nothing_is_told_so(tmp_path: Path) -> None:
    found = run(state="DJI", as_of=ORIGIN, model="base_rate")
    assert failures(found.payload) == []
    assert found.payload["forecasts"] == []
    assert found.table.empty
    assert "p" in found.table
    for question in QUESTIONS:
        assert any(
            line.startswith(f"{question}: DJI is not at risk") for line in found.payload["not_seen"]
        )
    page = tmp_path / "page.html"
    words = ["run", "--state", "DJI", "--as-of", ORIGIN, "--report", str(page)]
    done = CliRunner().invoke(main, words)  # the hazard model: nothing to fit
    assert done.exit_code == 0
    assert "DJI is not at risk" in " ".join(done.stdout.split())
    text = page.read_text(encoding="utf-8")
    assert "none of the questions can be put to this state" in text
    assert "DJI is not at risk" in text


def test_an_origin_before_anything_was_at_risk_is_told_so() -> None:
    found = run(state="GEO", as_of="1991-07-01", questions=("foreign_base",), model="base_rate")
    assert failures(found.payload) == []
    assert found.payload["forecasts"] == []
    assert "no month at risk was over" in found.payload["not_seen"][0]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        ({"state": "XYZ"}, "no state is called 'XYZ'"),
        ({"state": "NATO"}, "no state is called"),
        ({"questions": ("foreign_bases",)}, "did you mean foreign_base"),
        ({"model": "oracle"}, "base_rate, glm, hazard, pool, process_table"),
    ],
)
def test_unknown_names(ask: dict[str, Any], said: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        run(**{"state": "TKM", "as_of": ORIGIN, "model": "base_rate", **ask})
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_facade_runs() -> None:
    assert forecast.run is run
