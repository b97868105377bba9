"""The command line: what goes where, exit codes, defaults. Forecasts come from a fake run."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

import forecast
from forecast import cli
from forecast.cli_indicators import period_name
from forecast.run import writable
from indicators.errors import DataError, Failure, FitError, UnknownNameError

SCHEMAS = Path(forecast.__file__).parent / "schemas"
ESTIMATE = {"p": 0.04, "lo90": 0.01, "hi90": 0.09}
EVIDENCE: dict[str, Any] = {
    "reference_classes": [
        {"class": "core", "label": "Core", "events": 8, "exposure_years": 310.5, **ESTIMATE},
        {"class": "wide", "label": "Wide", "events": 12, "exposure_years": 500.0, **ESTIMATE},
    ],
    "baselines": [{"model": "glm", **ESTIMATE}],
    "marks": {"RUS": 0.02, "CHN": None},
    "marks_detail": [
        {"mark": "RUS", "events": 5, "from_prior": False, **ESTIMATE},
        {"mark": "CHN", "events": 0, "from_prior": True, "p": None, "lo90": None, "hi90": None},
    ],
    "drivers": [
        {
            "indicator": "violence_own",
            "label": "Deaths at home",
            "value": 3.0,
            "unit": "deaths",
            "published": "2016-06-20",
            "period": "2016-05",
            "log_odds": -0.21,
            "lo90": -0.5,
            "hi90": 0.1,
        }
    ],
    "cases": [
        {
            "id": "MDA-1994",
            "state": "MDA",
            "month": "1994-07",
            "outcome": 1,
            "what": "constitution adopted",
            "distance": 0.4,
            "influence": 0.02,
        }
    ],
    "stale": [{"indicator": "icews", "last_period": "2014-12", "age_months": 18, "ended": True}],
}


def row(question: str, horizon: int, p: float) -> dict[str, Any]:
    return {
        "question": question,
        "title": "A question",
        "state": "TKM",
        "origin": "2016-07-01",
        "horizon": horizon,
        "closes": "2019-07-01",
        "model": "hazard",
        "p": p,
        "lo90": p / 2,
        "hi90": min(1.0, p * 2),
        "base_rate": 0.05,
        "base_rate_lo90": 0.02,
        "base_rate_hi90": 0.11,
        "base_rate_events": 8,
        "base_rate_exposure_years": 310.5,
        "base_rate_class": "core",
        "ratio": p / 0.05,
        "prior_share": 0.31,
        "no_process": ESTIMATE,
        "strict": {"p": 0.123, "lo90": 0.05, "hi90": 0.2},
        "prior": ESTIMATE,
        **EVIDENCE,
    }


def payload() -> dict[str, Any]:
    return {
        "schema": "tocsin/forecast/1",
        "state": "TKM",
        "state_name": "Turkmenistan",
        "as_of": "2016-07-01",
        "origin": "2016-07-01",
        "forecasts": [row("foreign_base", 12, 0.02), row("foreign_base", 36, 0.06)],
        "processes": [
            {
                "id": "TKM-constitution-2014",
                "question": "foreign_base",
                "counterpart": None,
                "kind": "revision",
                "stage": "late",
                "public_since": "2014-08",
                "last_sign": "2016-02",
                "aim": "open",
            }
        ],
        "indicators": [],
        "gap": {"feed_ends": "2024-12-31", "months_unobserved": 3, "text": "three months unseen"},
        "not_seen": ["contacts after 2014"],
        "provenance": {
            "data_hash": "ab" * 32,
            "config_hash": "cd" * 32,
            "code_version": "0.1.0",
            "seed": 20160701,
            "engine": "nutpie-jax",
            "rhat_max": 1.004,
            "ess_min": 812.0,
            "divergences": 0.0,
            "bfmi_min": 0.8,
            "strict_hash": "ef" * 32,
            "draws": 4000,
            "python": "3.13.0",
            "packages": {"pymc": "6.4.0"},
        },
    }


Asked = dict[str, Any]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Put a fake in the place of `forecast.run.run`; what it is asked for lands here."""
    calls: Asked = {}

    def run(**options: Any) -> SimpleNamespace:
        calls.update(options)
        error = calls.get("raises")
        if error is not None:
            raise error
        made = payload() | {"strict_vintages": options["strict"]}
        return SimpleNamespace(payload=made, to_json=lambda: json.dumps(made, sort_keys=True))

    fake = ModuleType("forecast.run")
    fake.run = run  # type: ignore[attr-defined]
    fake.writable = writable  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "forecast.run", fake)
    monkeypatch.setenv("TOCSIN_TODAY", "2026-11-22")
    return calls


@pytest.fixture
def tocsin() -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(cli.main, list(words))


def test_version_is_the_package_s(tocsin: Callable[..., Result]) -> None:
    assert tocsin("--version").stdout == f"tocsin, version {forecast.__version__}\n"


def test_defaults(asked: Asked, tocsin: Callable[..., Result]) -> None:
    assert tocsin("run").exit_code == 0
    wanted = {
        "state": "TKM",
        "as_of": "2026-11-01",  # the first of the month that TOCSIN_TODAY is in
        "questions": ("all",),
        "horizons": (6, 12, 24, 36),
        "model": "hazard",
        "strict": False,
        "seed": None,  # the run derives it from the origin
        "data_dir": None,
        "cache": True,
        "allow_poor_fit": False,
        "progress": None,  # nobody watches a pipe
    }
    assert {key: asked[key] for key in wanted} == wanted


def test_options_reach_the_run(asked: Asked, tocsin: Callable[..., Result], tmp_path: Path) -> None:
    words = "run --state uzb --as-of 2016-07 --question a,b --horizon 36,6 --model glm --seed 7"
    flags = ["--no-cache", "--allow-poor-fit", "--data", str(tmp_path), "--home", str(tmp_path)]
    assert tocsin(*words.split(), *flags).exit_code == 0
    assert asked["state"] == "UZB"
    assert asked["as_of"] == "2016-07-01"
    assert asked["questions"] == ("a", "b")
    assert asked["horizons"] == (6, 36)
    assert (asked["model"], asked["seed"]) == ("glm", 7)
    assert asked["cache"] is False
    assert asked["allow_poor_fit"] is True
    assert asked["data_dir"] == asked["home"] == tmp_path


def test_json_alone_on_stdout_follows_its_schema(
    asked: Asked, tocsin: Callable[..., Result]
) -> None:
    done = tocsin("run", "--as-of", "2016-07-01", "--json")
    assert done.exit_code == 0
    assert done.stderr == ""
    schema = json.loads((SCHEMAS / "forecast-1.json").read_text())
    jsonschema.validate(json.loads(done.stdout), schema)


def test_table_holds_the_founding_columns(asked: Asked, tocsin: Callable[..., Result]) -> None:
    done = tocsin("run", "--as-of", "2016-07-01")
    assert "\x1b" not in done.stdout  # no colour where it is no terminal
    line = next(text for text in done.stdout.splitlines() if " 36 " in text)
    wanted = ["36", "6.0%", "3.0–12%", "5.0%", "2.0–11%", "1.20", "0.31", "4.0%", "12%"]
    assert line.split() == wanted
    assert len(line) <= 80
    for text in (
        "Turkmenistan as of 1 July 2016",
        "China – (prior: no event informs it)",
        "−0.21 log-odds  Deaths at home: 3 deaths (2016-05, public 2016-06-20)",
        "Core *",
        "MDA, 1994-07, constitution adopted",
        "TKM-constitution-2014",
        "icews: last period 2014-12, 18 months old, source ended",
        "gap: three months unseen",
        "not seen: contacts after 2014",
        "seed 20160701",
    ):
        assert text in done.stdout


def test_brief_is_the_start_of_the_whole(asked: Asked, tocsin: Callable[..., Result]) -> None:
    whole, brief = (tocsin("run", "--as-of", "2016-07-01", *more) for more in ((), ("--brief",)))
    assert brief.exit_code == whole.exit_code == 0
    told, lines = brief.stdout.splitlines(), whole.stdout.splitlines()
    assert asked
    assert 0 < len(told) < len(lines)
    assert told[:5] == lines[:5]
    assert "reference class" in whole.stdout
    assert "reference class" not in brief.stdout
    assert told[-1] == lines[-1]  # seed, figures, diagnostics stay


def test_strict_vintages_are_the_run_s_and_the_table_prints_its_payload(
    asked: Asked, tocsin: Callable[..., Result]
) -> None:
    strict = tocsin("run", "--as-of", "2016-07-01", "--strict-vintages").stdout
    assert asked["strict"] is True
    assert "true vintages only" in strict
    usual = tocsin("run", "--as-of", "2016-07-01").stdout
    assert asked["strict"] is False
    assert "all publication rules" in usual
    assert strict.replace("true vintages only", "all publication rules") == usual


def test_the_report_is_strict_where_asked(
    asked: Asked, tocsin: Callable[..., Result], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    assert tocsin("report", "--strict-vintages", "--out", str(page)).exit_code == 0
    assert asked["strict"] is True
    assert "recorded publication dates alone" in page.read_text()


@pytest.mark.parametrize("command", ["run --report", "report --out"])
def test_a_page_that_cannot_be_written_is_told_before_the_run(
    asked: Asked, tocsin: Callable[..., Result], tmp_path: Path, command: str
) -> None:
    (tmp_path / "file").write_text("")
    done = tocsin(*command.split(), str(tmp_path / "file" / "deeper" / "page.html"))
    assert done.exit_code == 3
    assert str(tmp_path / "file" / "deeper") in done.stderr
    assert "choose another place with --out" in done.stderr
    assert done.stdout == ""
    assert asked == {}


def test_a_full_disk_is_named_with_its_path(
    asked: Asked, tocsin: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("forecast.report.page.os.fsync", full)
    page = tmp_path / "page.html"
    done = tocsin("report", "--out", str(page))
    assert done.exit_code == 3
    assert done.stderr.startswith(f"tocsin: {page}: No space left on device. Make room")
    asked["raises"] = OSError(errno.ENOSPC, "No space left on device")
    done = tocsin("run", "--home", str(tmp_path))
    assert done.exit_code == 3
    assert done.stderr.startswith(f"tocsin: {tmp_path}: No space left on device. Make room")


def test_indicators_list_takes_no_option_that_it_does_not_use(
    tocsin: Callable[..., Result],
) -> None:
    assert tocsin("indicators", "list", "--home", "/tmp").exit_code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run --as-of tomorrow", "allowed: a date such as"),
        ("run --as-of 2026-11-23", "allowed: up to today, 2026-11-22"),
        ("run --horizon 0", "whole months from 1 to 600"),
        ("run --horizon six", "whole months from 1 to 600"),
        ("run --state Turkmenistan", "alpha-3"),
        ("run --question a,,b", "separated by commas"),
        ("run --seed -1", "--seed"),
        ("run --data /no/such/folder", "does not exist"),
        ("runn", "No such command"),
    ],
)
def test_usage_errors_end_with_2(
    asked: Asked, tocsin: Callable[..., Result], words: str, said: str
) -> None:
    done = tocsin(*words.split())
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", "").split())
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownNameError("question", "bases", ["foreign_base"]), 2),
        (DataError([Failure("a.csv", 3, "unit", "'km'", "bcm", "Correct it.")]), 3),
        (FitError("the fit did not pass", {"rhat_max": 1.2}), 4),
    ],
)
def test_our_errors_are_messages_with_their_code(
    asked: Asked, tocsin: Callable[..., Result], error: Exception, code: int
) -> None:
    asked["raises"] = error
    done = tocsin("run")
    assert done.exit_code == code
    assert done.stderr == f"tocsin: {error}\n"
    assert done.stdout == ""


def test_other_errors_are_not_hidden(asked: Asked, tocsin: Callable[..., Result]) -> None:
    asked["raises"] = ZeroDivisionError("a mistake of ours")
    assert isinstance(tocsin("run").exception, ZeroDivisionError)


def test_a_day_inside_a_month_stands_for_its_first(
    asked: Asked, tocsin: Callable[..., Result]
) -> None:
    done = tocsin("run", "--as-of", "2016-07-20")
    assert asked["as_of"] == "2016-07-01"
    assert "first of a month: as of 2016-07-01" in done.stderr


def test_report_is_written_where_asked(
    asked: Asked, tocsin: Callable[..., Result], tmp_path: Path
) -> None:
    one, two = tmp_path / "new" / "one.html", tmp_path / "two.html"
    assert tocsin("run", "--report", str(one)).exit_code == 0
    done = tocsin("report", "--out", str(two))
    assert done.stderr == f"tocsin: report written to {two}\n"
    assert done.stdout == ""
    assert one.read_bytes() == two.read_bytes()
    assert b"Turkmenistan" in one.read_bytes()


def test_home_comes_from_the_environment(
    asked: Asked, tocsin: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_HOME", "/somewhere/else")
    tocsin("run")
    assert asked["home"] == Path("/somewhere/else")


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        ("2015-01-01", "2015-12-31", "2015"),
        ("2016-04-01", "2016-06-30", "2016-Q2"),
        ("2016-02-01", "2016-02-29", "2016-02"),
        ("2016-05-31", "2016-05-31", "2016-05-31"),
        ("2016-05-01", "2016-06-30", "2016-05-01/2016-06-30"),
        ("2015-02-01", "2016-01-31", "2015-02-01/2016-01-31"),
    ],
)
def test_periods_are_written_shortly(start: str, end: str, name: str) -> None:
    import pandas as pd

    assert period_name(pd.Timestamp(start), pd.Timestamp(end)) == name
