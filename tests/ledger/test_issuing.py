"""From a run to the ledger: ``tocsin run --issue``, and the commands that look at the record."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from hubdata import connect_hub

import forecast
from forecast.asking import AskError
from forecast.cli import main
from forecast.forecasts import Forecast
from forecast.hub import HUB
from forecast.ledger import ForecastRecord, Ledger, records_of
from forecast.run import writable
from indicators.errors import FitError

ORIGIN = "2016-07-01"


SAMPLE = Path(__file__).parents[1] / "fixtures" / "forecast-sample.json"


@pytest.fixture(scope="module")
def found() -> Any:
    """Result of a run of one question at two horizons, as the sample payload tells it."""
    payload = json.loads(SAMPLE.read_text(encoding="utf-8")) | {"strict_vintages": False}
    payload["provenance"] = {"poor_fit": False} | payload["provenance"]
    entries = [e for e in payload["forecasts"]
               if e["question"] == "foreign_base" and e["horizon"] in (12, 36)]  # fmt: skip
    payload["forecasts"] = entries
    rng = np.random.default_rng(1)
    p = np.array([e["p"] for e in entries]) * rng.uniform(0.5, 1.5, size=(200, 2))
    marks = {name: p * share for name, share in (("RUS", 0.6), ("USA", 0.2))}
    one = Forecast("foreign_base", "TKM", pd.Timestamp(ORIGIN), (12, 36), p, marks, tuple(entries))
    return SimpleNamespace(payload=payload, forecasts=(one,), to_json=lambda: json.dumps(payload))


@pytest.fixture
def tocsin(found: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return the command line; what it would run has been run."""
    fake = ModuleType("forecast.run")
    asked: list[dict[str, Any]] = []

    def answer(**options: Any) -> Any:
        asked.append(options)
        if "error" in state:
            raise state["error"]
        return state.get("result", found)

    state: dict[str, Any] = {}
    fake.run = answer  # type: ignore[attr-defined]
    fake.writable = writable  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "forecast.run", fake)

    def call(*args: str, **change: Any) -> Result:
        state.clear()
        state.update(change)
        return CliRunner().invoke(main, [*args, "--home", str(home)])

    return call


ASK = ("run", "--as-of", ORIGIN, "--question", "foreign_base", "--horizon", "12,36")


def test_records_say_what_the_payload_says(found: Any, home: Path) -> None:
    with Ledger.open(home=home) as ledger:
        made = records_of(found, ledger)
        ledger.issue(made)
        frame = ledger.forecasts()
        told = found.payload["provenance"]
        assert len(frame) == len(found.payload["forecasts"]) == 2
        for row, entry in zip(frame.to_dict("records"), found.payload["forecasts"], strict=True):
            for name in ("question", "state", "horizon", "model", "p", "lo90", "hi90", "base_rate",
                         "base_rate_lo90", "base_rate_hi90", "prior_share"):  # fmt: skip
                assert row[name] == entry[name], name
            assert row["closes"] == pd.Timestamp(entry["closes"])
            for name in ("data_hash", "config_hash", "code_version", "seed", "engine"):
                assert row[name] == told[name]
            assert json.loads(row["versions"])["pymc"] == told["packages"]["pymc"]
            assert ledger.detail(row["id"]) == json.loads(json.dumps(entry))
        draws = ledger.draws(frame["draws"][0])
        np.testing.assert_array_equal(draws["p"], found.forecasts[0].p)
        assert draws["horizons"].tolist() == [12, 36]
        assert set(draws) == {"horizons", "p", "p_RUS", "p_USA"}
        assert frame["draws"][1] == frame["draws"][0]
        assert ledger.verify() == []


@pytest.mark.slow
def test_a_run_from_the_figures_to_the_ledger(cheaply: Any, home: Path) -> None:
    """Twice the same run: the second finds everything issued, draws and numbers included."""
    ask = (*ASK, "--home", str(home), "--json")
    with cheaply():
        one, two = (CliRunner().invoke(main, [*ask, "--issue"]) for _ in range(2))
    assert "2 issued (1–2)" in one.stderr
    assert two.stderr == "tocsin: 2 already issued\n"
    payload = json.loads(one.stdout)
    with Ledger.open(home=home) as ledger:
        frame = ledger.forecasts()
        assert frame["p"].tolist() == [entry["p"] for entry in payload["forecasts"]]
        draws = ledger.draws(frame["draws"][0])
        np.testing.assert_allclose(draws["p"].mean(axis=0), frame["p"], rtol=1e-5)
        assert len(list((home / "draws").rglob("*.npz"))) == 1
        assert ledger.verify() == []


def test_the_same_code_gives_the_same_hash_and_draws(found: Any, home: Path) -> None:
    with Ledger.open(home=home) as ledger:
        assert records_of(found, ledger) == records_of(found, ledger)
        assert len(list((home / "draws").rglob("*.npz"))) == 1


def test_run_issues_only_when_asked(tocsin: Callable[..., Result], home: Path) -> None:
    assert tocsin(*ASK).exit_code == 0
    assert not home.exists()
    first = tocsin(*ASK, "--issue")
    assert (first.exit_code, "2 issued (1–2)" in first.stderr) == (0, True)
    assert "after the fact" in first.stderr
    again = tocsin(*ASK, "--issue", "--json")
    assert (again.exit_code, again.stderr) == (0, "tocsin: 2 already issued\n")
    assert json.loads(again.stdout)["forecasts"]
    assert tocsin(*ASK, "--issue", "--quiet").stderr == ""
    with Ledger.open(home=home) as ledger:
        assert len(ledger.forecasts()) == 2


@pytest.mark.parametrize(
    ("asked", "place"),
    [(("--seed", "7"), "seed"), (("--priors", "informed"), "priors"),
     (("--seed", "7", "--priors", "informed"), "priors, seed")],
)  # fmt: skip
def test_only_the_registered_forecast_goes_on_record(
    tocsin: Callable[..., Result], home: Path, asked: tuple[str, ...], place: str
) -> None:
    """The first on record is scored: nobody may put another there first."""
    done = tocsin(*ASK, *asked, "--issue", error=AssertionError("was run"))
    assert done.exit_code == 2
    assert place in done.stderr
    assert "issue without these options" in done.stderr
    assert not home.exists()
    usual = tocsin(*ASK, "--seed", ORIGIN.replace("-", ""), "--issue")
    assert usual.exit_code == 0


@pytest.mark.parametrize(
    "change", [{"priors_are": "informed"}, {"seed": 7}, {"exclude": [{"name": "austria"}]}]
)
def test_records_of_another_run_are_refused(found: Any, home: Path, change: Any) -> None:
    payload = found.payload | {k: v for k, v in change.items() if k != "seed"}
    payload = payload | {"provenance": found.payload["provenance"] | {
        k: v for k, v in change.items() if k == "seed"}}  # fmt: skip
    other = SimpleNamespace(payload=payload, forecasts=found.forecasts)
    with Ledger.open(home=home) as ledger, pytest.raises(AskError, match="registered"):
        records_of(other, ledger)


def test_a_refused_fit_writes_nothing(tocsin: Callable[..., Result], home: Path) -> None:
    done = tocsin(*ASK, "--issue", error=FitError("R-hat is 1.2"))
    assert (done.exit_code, done.stdout) == (4, "")
    with Ledger.open(home=home) as ledger:
        assert ledger.forecasts().empty
        assert ledger.counts()["last"] == 0
    assert not (home / "draws").exists()


def test_a_poor_fit_that_was_allowed_carries_its_flag(
    tocsin: Callable[..., Result], found: Any
) -> None:
    payload = {**found.payload, "provenance": {**found.payload["provenance"], "poor_fit": True}}
    poor = SimpleNamespace(payload=payload, forecasts=found.forecasts)
    poor.to_json = lambda: json.dumps(payload)
    assert tocsin(*ASK, "--issue", "--json", "--allow-poor-fit", result=poor).exit_code == 0
    rows = json.loads(tocsin("ledger", "list", "--json").stdout)["forecasts"]
    assert [row["poor_fit"] for row in rows] == [True, True]
    assert "poor fit" in tocsin("ledger", "list").stdout


def test_a_held_ledger_refuses_the_run_before_anything_is_sampled(
    tocsin: Callable[..., Result], home: Path
) -> None:
    with Ledger.open(home=home) as ledger, ledger.lock("tocsin run"):
        done = tocsin(*ASK, "--issue", error=AssertionError("was run"))
    assert done.exit_code == 6
    assert "another run holds the ledger" in done.stderr
    assert "tocsin run, process" in done.stderr


def test_a_state_that_nothing_is_asked_of(
    tocsin: Callable[..., Result], found: Any, home: Path
) -> None:
    payload = {**found.payload, "forecasts": []}
    none = SimpleNamespace(payload=payload, forecasts=(), to_json=lambda: json.dumps(payload))
    done = tocsin(*ASK, "--issue", "--json", result=none)
    assert (done.exit_code, done.stderr) == (0, "tocsin: nothing issued\n")


@pytest.fixture
def kept(home: Path, records: Any) -> Path:
    """Ledger of seven forecasts by two models, one of them issued again, one resolved."""
    with Ledger.open(home=home) as ledger:
        made: list[ForecastRecord] = [
            records.forecast(n, model=model) for n in range(3) for model in ("hazard", "glm")
        ]
        ledger.issue([*made, records.forecast(0, p=0.75, code_version="0.2.0")])
        ledger.resolve([records.resolution(made[0])])
        ledger.score([records.score(1, 8)])
    return home


def test_list(tocsin: Callable[..., Result], kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_TODAY", "1993-01-15")
    rows = json.loads(tocsin("ledger", "list", "--json").stdout)["forecasts"]
    assert [row["id"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [row["status"] for row in rows] == ["no", "no", "open", "open", "open", "open", "no"]
    assert [row["first"] for row in rows] == [True] * 6 + [False]
    assert rows[0]["origin"] == "1990-01-01"
    shown = tocsin("ledger", "list").stdout
    assert shown.count("1990-0") == 7
    assert "no, again" in shown
    monkeypatch.setenv("TOCSIN_TODAY", "2000-01-01")
    shown = tocsin("ledger", "list").stdout
    assert shown.count("due, late") == 4
    assert "issued when its window had closed" in shown
    for ask, number in (
        (("--model", "glm"), 3), (("--state", "UZB"), 0), (("--origin", "1990-02-01"), 2),
        (("--question", "foreign_base"), 7),
    ):  # fmt: skip
        found = json.loads(tocsin("ledger", "list", *ask, "--json").stdout)["forecasts"]
        assert len(found) == number
    assert "no forecast" in tocsin("ledger", "list", "--state", "UZB").stdout


def test_a_day_set_by_hand_is_shown(
    tocsin: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_TODAY", "2016-07-03")
    tocsin(*ASK, "--issue")
    shown = tocsin("ledger", "list").stdout
    assert shown.count("open, clock") == 2
    assert "set by hand" in shown


def test_what_the_head_does_not_cover_is_said(
    tocsin: Callable[..., Result], home: Path, records: Any, tmp_path: Path
) -> None:
    with Ledger.open(home=home) as ledger:
        ledger.issue([records.forecast(0)])
        old = ledger.guard.head_path.read_bytes()
        ledger.issue([records.forecast(1)])
        assert tocsin("ledger", "verify").stderr == ""
        ledger.guard.head_path.write_bytes(old)
        done = tocsin("ledger", "verify")
    assert (done.exit_code, "records 2 to 2 came after" in done.stderr) == (0, True)
    shared = str(tmp_path / "shared.db")
    with Ledger.open(shared, home=tmp_path / "other") as ledger:
        ledger.issue([records.forecast(0)])
    done = tocsin("ledger", "verify", "--db", shared)
    assert (done.exit_code, "no head is kept in this home" in done.stderr) == (0, True)
    assert tocsin("ledger", "verify", "--db", shared, "--anchor").stderr == ""


def test_show(tocsin: Callable[..., Result], kept: Path) -> None:
    found = json.loads(tocsin("ledger", "show", "1", "--json").stdout)["record"]
    assert (found["table"], found["p"], found["detail"]) == (
        "forecasts", "0.125", {"title": "Türkmenistan"},
    )  # fmt: skip
    rests = [(entry["id"], entry["table"]) for entry in found["rests_on_it"]]
    assert rests == [(8, "resolutions"), (9, "scores")]
    by_hash = tocsin("ledger", "show", found["hash"][:10], "--json").stdout
    assert json.loads(by_hash)["record"] == found
    shown = tocsin("ledger", "show", "1").stdout
    assert "record 1 of forecasts" in shown
    assert "then: record 8, resolutions, no" in shown
    for number in ("8", "9"):
        assert tocsin("ledger", "show", number).exit_code == 0
    missing = tocsin("ledger", "show", "77")
    assert missing.exit_code == 6
    assert "tocsin ledger list" in missing.stderr


def test_verify(tocsin: Callable[..., Result], kept: Path) -> None:
    whole = tocsin("ledger", "verify")
    assert whole.exit_code == 0
    assert whole.stdout.startswith("whole: 7 forecasts, 1 resolutions, 1 scores; the last is 9, ")
    head = kept / "ledger.head"
    content = head.read_text()
    head.write_text(content.replace('"seq": 9', '"seq": 12'))
    cut = tocsin("ledger", "verify")
    assert cut.exit_code == 6
    assert "records 10 to 12 are gone" in cut.stdout
    assert "is damaged" in cut.stderr
    told = json.loads(tocsin("ledger", "verify", "--json").stdout)
    assert told["damages"] == [{"table": "head", "record": 12, "column": "ledger.head",
                                "what": "records 10 to 12 are gone: cut off"}]  # fmt: skip
    assert tocsin("ledger", "verify", "--anchor").exit_code == 6
    head.unlink()
    assert tocsin("ledger", "verify").exit_code == 6
    assert tocsin("ledger", "verify", "--anchor").exit_code == 0
    assert json.loads(head.read_text()) == json.loads(content)


def test_json_follows_the_shipped_schema(tocsin: Callable[..., Result], kept: Path) -> None:
    folder = Path(str(forecast.__file__)).parent / "schemas"
    schema = json.loads((folder / "ledger-1.json").read_text(encoding="utf-8"))
    check = jsonschema.Draft202012Validator(schema)
    check.check_schema(schema)
    found = {}
    for command in (("list",), ("show", "1"), ("show", "8"), ("show", "9"), ("verify",)):
        found[command] = json.loads(tocsin("ledger", *command, "--json").stdout)
        check.validate(found[command])
    (kept / "ledger.head").unlink()
    check.validate(json.loads(tocsin("ledger", "verify", "--json").stdout))
    broken = found[("list",)]
    broken["forecasts"][0]["p"] = 1.5
    assert not check.is_valid(broken)
    del found[("verify",)]["hash"]
    assert not check.is_valid(found[("verify",)])


def test_no_ledger_yet(tocsin: Callable[..., Result], home: Path) -> None:
    for command in (("list",), ("show", "1"), ("verify",), ("export",)):
        done = tocsin("ledger", *command)
        assert done.exit_code == 6
        assert "tocsin run --issue makes one" in done.stderr
    assert not home.exists()


def test_export_as_a_hub_reads_it(
    tocsin: Callable[..., Result], kept: Path, tmp_path: Path
) -> None:
    done = tocsin("ledger", "export", "--format", "hub")
    assert done.exit_code == 2
    assert "glm, hazard" in done.stderr
    done = tocsin("ledger", "export", "--format", "hub", "--model", "hazard")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert tuple(rows[0]) == HUB
    assert len(rows) == 6
    sums: dict[tuple[str, ...], float] = {}
    for row in rows:
        task = (row["origin_date"], row["target"], row["horizon"], row["location"])
        sums[task] = sums.get(task, 0.0) + float(row["value"])
        assert row["output_type"] == "pmf"
    assert all(abs(total - 1) < 1e-12 for total in sums.values())
    assert [row["value"] for row in rows if row["output_type_id"] == "yes"] == ["0.125"] * 3
    folder = tmp_path / "hub"
    assert tocsin("ledger", "export", "--format", "hub", "--out", str(folder)).exit_code == 0
    paths = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet"))
    assert paths[0] == "model-output/tocsin-glm/1990-01-01-tocsin-glm.parquet"
    assert len(paths) == 6
    found = connect_hub(folder).to_table().to_pandas()
    own = found[found["model_id"] == "tocsin-hazard"].drop(columns="model_id")[list(HUB)]
    wanted = pd.DataFrame(rows).astype({"value": float})
    own = own.astype({"origin_date": str, "horizon": str}).astype(wanted.dtypes)
    order = ["origin_date", "target", "horizon", "location", "output_type_id"]
    pd.testing.assert_frame_equal(
        own.sort_values(order, ignore_index=True), wanted.sort_values(order, ignore_index=True)
    )
    bad = tocsin("ledger", "export", "--format", "hub", "--model", "none")
    assert (bad.exit_code, "glm, hazard" in bad.stderr) == (2, True)


def test_export_as_tables(tocsin: Callable[..., Result], kept: Path, tmp_path: Path) -> None:
    for table, number in (("forecasts", 7), ("resolutions", 1), ("scores", 1)):
        done = tocsin("ledger", "export", "--table", table)
        rows = list(csv.DictReader(done.stdout.splitlines()))
        assert len(rows) == number
        path = tmp_path / f"{table}.csv"
        assert tocsin("ledger", "export", "--table", table, "--out", str(path)).exit_code == 0
        assert path.read_text() == done.stdout
    bad = tocsin("ledger", "export", "--out", str(tmp_path / "no" / "such" / "folder.csv"))
    assert bad.exit_code == 6
    assert "folder.csv" in bad.stderr or "such" in bad.stderr
