"""Scheduled runs: units that schedulers accept, months made up for, failures passed over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from forecast import scheduled as module
from forecast.cli import main
from forecast.ledger import ForecastRecord, Ledger
from forecast.schedule import ScheduleError, Timing, console_script, cron, github, systemd
from forecast.scheduled import Schedule, missed, scheduled
from indicators.errors import FitError

HASH = "ab" * 32
BASE = "--model base_rate --question bloc_accession --horizon 1,3 --no-refresh".split()


# units


def test_the_console_script_is_absolute(tmp_path: Path) -> None:
    script = tmp_path / "tocsin"
    script.touch()
    assert console_script([str(script)]) == (str(script),)
    assert console_script(["pytest"], scripts=tmp_path) == (str(script),)
    fallback = console_script(["-c"], scripts=tmp_path / "none")
    assert fallback == (sys.executable, "-I", "-m", "forecast.cli")
    (called,) = console_script()
    assert Path(called).is_absolute()


@pytest.mark.parametrize(
    ("given", "said"),
    [({"day": 29}, "day"), ({"hour": 24}, "hour"), ({"minute": -1}, "minute"),
     ({"zone": "Mars/Base"}, "time zone")],
)  # fmt: skip
def test_times_that_not_every_month_has_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        Timing(**given)


def test_lines_that_schedulers_cannot_hold_are_refused(tmp_path: Path) -> None:
    for words in (["tocsin", "a\nb"], ["tocsin", "x" * 1000]):
        with pytest.raises(ScheduleError, match="cron cannot hold"):
            cron(words, Timing(), log=tmp_path)
    with pytest.raises(ScheduleError, match="line break"):
        systemd(["tocsin", "a\nb"], Timing())
    with pytest.raises(ScheduleError, match="UTC"):
        github([], Timing(zone="Asia/Ashgabat"), secrets=[])


def test_a_password_is_kept_out_of_units() -> None:
    given = ["schedule", "cron", "--db", "postgresql://me:secret@server/tocsin"]
    shown = CliRunner().invoke(main, given)
    assert shown.exit_code == 2
    assert "secret" not in shown.output


@pytest.mark.systemd
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    home = tmp_path / """a b%c'd"e$f\\g"""
    given = ["schedule", "systemd", "--home", str(home), "--tz", "Asia/Ashgabat", "--out"]
    made = CliRunner().invoke(main, [*given, str(tmp_path / "units")])
    assert made.exit_code == 0, made.output
    files = sorted((tmp_path / "units").iterdir())
    assert [path.name for path in files] == ["tocsin.service", "tocsin.timer"]
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, files)], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if "tocsin" in line]
    assert (done.returncode, said) == (0, [])
    when = next(x for x in files[1].read_text().splitlines() if x.startswith("OnCalendar="))
    spec = when.removeprefix("OnCalendar=")
    subprocess.run(["systemd-analyze", "calendar", spec], check=True, capture_output=True)


def test_systemd_words_come_out_as_they_went_in(tmp_path: Path) -> None:
    """ExecStart read by the rules of systemd.service(5): quotes, escapes, %% and $$."""
    words = ["/bin/echo", "a b", "50%", "$HOME", 'quo"te', "back\\slash", "it's"]
    line = next(
        x for x in systemd(words, Timing())["tocsin.service"].splitlines() if "ExecStart" in x
    )
    import re

    found = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    plain = [re.sub(r"\\(.)", r"\1", x).replace("%%", "%").replace("$$", "$") for x in found]
    assert plain == [*words, "--log-format", "json"]


def workflow() -> dict[Any, Any]:
    made = CliRunner().invoke(main, ["schedule", "github", "--state", "UZB", "--day", "3"])
    assert made.exit_code == 0, made.output
    read: dict[Any, Any] = yaml.safe_load(made.stdout)
    return read


def test_the_workflow_is_yaml_with_its_time_and_secrets() -> None:
    made = workflow()
    assert made[True]["schedule"] == [{"cron": "17 6 3 * *"}]  # YAML 1.1 reads "on" as true
    step = next(s for s in made["jobs"]["forecast"]["steps"] if s.get("name") == "forecast")
    assert "--state UZB" in step["run"]
    keys = {name: value for name, value in step["env"].items() if name != "TZ"}
    assert keys
    assert all(value == f"${{{{ secrets.{name} }}}}" for name, value in keys.items())


@pytest.mark.parametrize(("code", "wanted"), [(0, 0), (5, 0), (4, 1), (6, 1)])
def test_the_workflow_goes_on_without_a_provider(tmp_path: Path, code: int, wanted: int) -> None:
    stub = tmp_path / "tocsin"
    stub.write_text(f"#!/bin/sh\nexit {code}\n")
    stub.chmod(0o755)
    steps = workflow()["jobs"]["forecast"]["steps"]
    text = next(s["run"] for s in steps if s.get("name") == "forecast")
    done = subprocess.run(
        ["bash", "-e", "-c", text], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False
    )
    assert done.returncode == wanted


def test_the_cron_line_runs_from_nothing(tmp_path: Path) -> None:
    """As cron does it: no environment, /bin/sh, folder /; % and quotes in the path."""
    home = tmp_path / "a b%'c"
    made = CliRunner().invoke(
        main, ["schedule", "cron", "--home", str(home), "--tz", "Asia/Ashgabat", *BASE]
    )
    assert made.exit_code == 0, made.output
    line = made.stdout.splitlines()[-1]
    assert line.startswith("17 6 2 * * ")
    command = line.split(" ", 5)[5].replace(r"\%", "%")  # what cron hands to the shell
    done = subprocess.run(
        ["/usr/bin/env", "-i", "TOCSIN_TODAY=2020-03-02", "/bin/sh", "-c", command],
        cwd="/", capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    told = [json.loads(text) for text in (home / "scheduled.log").read_text().splitlines()]
    assert [entry["event"] for entry in told] == ["issued", "resolved", "reported", "end"]
    assert (home / "reports" / "tocsin-TKM.html").read_text().startswith("<!doctype html>")


# what a scheduled run does


class World:
    """A run that costs nothing: forecasts made of their origin."""

    def __init__(self, patch: pytest.MonkeyPatch, home: Path) -> None:
        self.home, self.patch = home, patch
        self.asked: list[str] = []
        self.told: list[tuple[str, str, Mapping[str, Any]]] = []
        self.fails: set[str] = set()
        self.given: dict[str, Any] = {}
        patch.setattr(module, "run", self._run)
        patch.setattr(module, "records_of", self._records)
        patch.setattr(module, "write", self._write)

    def _run(self, *, as_of: pd.Timestamp, **other: Any) -> Any:
        day = f"{as_of:%Y-%m-%d}"
        self.given = other
        self.asked.append(day)
        if day in self.fails:
            raise FitError("R-hat too high")
        return SimpleNamespace(payload={"as_of": day})

    @staticmethod
    def _records(result: Any, ledger: Ledger) -> list[ForecastRecord]:
        origin = pd.Timestamp(result.payload["as_of"])
        closes = origin + pd.DateOffset(months=1) - pd.Timedelta(days=1)
        return [
            ForecastRecord(
                question="bloc_accession", state="TKM", origin=f"{origin:%Y-%m-%d}",
                closes=f"{closes:%Y-%m-%d}", horizon=1, model="hazard", p=0.1, lo90=0.0, hi90=0.2,
                base_rate=0.05, base_rate_lo90=0.0, base_rate_hi90=0.1, base_rate_events=1,
                data_hash=HASH, config_hash=HASH, seed=1,
            )
        ]  # fmt: skip

    @staticmethod
    def _write(payload: Mapping[str, str], path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(payload["as_of"])

    def on(self, day: str, **other: Any) -> int:
        self.asked.clear()
        self.told.clear()
        self.patch.setenv("TOCSIN_TODAY", day)
        given = {"questions": ("bloc_accession",), "horizons": (1,), "sources": ()} | other
        return scheduled(Schedule(home=self.home, **given), lambda *told: self.told.append(told))

    def origins(self) -> list[str]:
        with Ledger.open(home=self.home) as ledger:
            return [f"{day:%Y-%m}" for day in ledger.forecasts()["origin"]]

    @property
    def events(self) -> list[str]:
        return [event for _, event, _ in self.told]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch, tmp_path / "home")


def test_a_backtest_comes_with_every_report(world: World, tmp_path: Path) -> None:
    assert world.on("2020-01-02", backtest=tmp_path) == 0
    assert world.given["backtest"] == tmp_path
    made = CliRunner().invoke(main, ["schedule", "cron", "--backtest", str(tmp_path)])
    assert f"--backtest {tmp_path}" in made.stdout.splitlines()[-1]
    refused = CliRunner().invoke(main, ["schedule", "github", "--backtest", str(tmp_path)])
    assert refused.exit_code == 2


def test_missed_months_are_made_up_for_in_order_and_once(world: World) -> None:
    assert world.on("2020-01-02") == 0
    assert world.events == ["issued", "resolved", "reported", "end"]
    assert world.on("2020-04-17") == 0
    assert world.asked == ["2020-02-01", "2020-03-01", "2020-04-01"]
    assert world.origins() == ["2020-01", "2020-02", "2020-03", "2020-04"]
    assert world.on("2020-04-18") == 0
    assert world.asked == []
    with Ledger.open(home=world.home) as ledger:
        assert list(ledger.resolutions()["outcome"]) == ["no", "no", "no"]
        assert len(ledger.scores()) == 6
        assert ledger.verify() == []
    assert (world.home / "reports" / "tocsin-TKM.html").read_text() == "2020-04-01"


def test_a_first_month_can_be_named(world: World) -> None:
    assert world.on("2020-03-05", since="2020-01-01") == 0
    assert world.origins() == ["2020-01", "2020-02", "2020-03"]


def test_a_month_that_fails_is_told_passed_over_and_tried_again(world: World) -> None:
    world.on("2020-01-02")
    world.fails = {"2020-02-01"}
    assert world.on("2020-03-02") == 4
    assert world.origins() == ["2020-01", "2020-03"]
    level, event, about = world.told[0]
    assert (level, event, about["origin"]) == ("error", "run failed", "2020-02-01")
    assert "R-hat too high" in about["error"]
    world.fails = set()
    assert world.on("2020-03-03") == 0
    assert world.origins() == ["2020-01", "2020-03", "2020-02"]


def test_a_provider_that_fails_costs_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from indicators.refresh import Refreshed, Report

    def fails(_store: Any, names: Sequence[str], *_: Any, **__: Any) -> Report:
        assert list(names) == ["worldbank", "ucdp"]
        return Report((Refreshed("worldbank", "done", rows_new=3),
                       Refreshed("ucdp", "failed", error="timed out")))  # fmt: skip

    monkeypatch.setattr(module, "refresh", fails)
    assert world.on("2020-01-02", sources=("worldbank", "ucdp")) == 5
    assert world.events == ["refreshed", "refresh failed", "issued", "resolved", "reported", "end"]


def test_providers_without_keys_are_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from indicators.refresh import Report
    from indicators.sources.registry import SOURCES

    for item in SOURCES.values():
        for name in item.credentials:
            monkeypatch.delenv(name, raising=False)
    asked: list[str] = []

    def nothing(_store: Any, names: Sequence[str], *_: Any, **__: Any) -> Report:
        asked.extend(names)
        return Report(())

    monkeypatch.setattr(module, "refresh", nothing)
    assert world.on("2020-01-02", sources=None) == 0
    free = [name for name, item in SOURCES.items() if not item.credentials]
    assert asked == free
    assert set(world.told[0][2]["without_credentials"]) == set(SOURCES) - set(free)


def test_two_at_once_are_refused(world: World) -> None:
    world.on("2020-01-02")
    with Ledger.open(home=world.home) as ledger, ledger.lock("somebody else"):
        assert world.on("2020-02-02") == 6
    assert "another run holds the ledger" in world.told[0][2]["error"]
    assert world.origins() == ["2020-01"]


def test_a_damaged_ledger_ends_it(world: World) -> None:
    world.on("2020-01-02")
    (world.home / "ledger.head").write_text('{"seq": 9, "hash": "' + HASH + '"}')
    assert world.on("2020-02-02") == 6
    assert world.events == ["run failed", "end"]


def test_a_report_that_failed_is_made_the_next_time(world: World) -> None:
    page = world.home / "reports" / "tocsin-TKM.html"
    page.parent.mkdir(parents=True)
    (page.parent / "tocsin-TKM-2020-01-01.html").mkdir()
    assert world.on("2020-01-02") == 3
    assert world.events[-2:] == ["report failed", "end"]
    (page.parent / "tocsin-TKM-2020-01-01.html").rmdir()
    page.unlink()
    assert world.on("2020-01-03") == 0
    assert page.read_text() == "2020-01-01"


def test_what_is_missing_is_counted_by_question_and_horizon() -> None:
    row = {"state": "TKM", "model": "hazard", "strict_vintages": False}
    frame = pd.DataFrame(
        [
            {**row, "origin": pd.Timestamp("2020-01-01"), "question": "a", "horizon": 6},
            {**row, "origin": pd.Timestamp("2020-01-01"), "question": "a", "horizon": 12},
            {**row, "origin": pd.Timestamp("2020-02-01"), "question": "a", "horizon": 6},
            {**row, "origin": pd.Timestamp("2019-01-01"), "question": "a", "horizon": 6}
            | {"state": "UZB"},
        ]
    )
    plan = Schedule(horizons=(6, 12))
    found = missed(frame, plan, names=["a"], day="2020-03-31")
    assert [f"{day:%Y-%m-%d}" for day in found] == ["2020-02-01", "2020-03-01"]
    # an old month issued by hand calls for those after it, unless a later start is named
    old = {**row, "origin": pd.Timestamp("2016-07-01"), "question": "a", "horizon": 6}
    both = pd.concat([frame, pd.DataFrame([old])], ignore_index=True)
    assert len(missed(both, plan, names=["a"], day="2020-03-31")) == 44
    late = replace(plan, since="2020-02-01")
    assert missed(both, late, names=["a"], day="2020-03-31") == found
    none = replace(plan, since="2020-05-01")
    assert missed(both, none, names=["a"], day="2020-03-31") == []
    assert missed(frame.iloc[:0], plan, names=["a"], day="2020-03-31") == [
        pd.Timestamp("2020-03-01")
    ]


def test_logs_are_lines_of_json_and_failures_reach_stderr(world: World) -> None:
    world.fails = {"2020-01-01"}
    world.patch.setenv("TOCSIN_TODAY", "2020-01-05")
    given = ["scheduled", "--home", str(world.home), "--question", "bloc_accession",
             "--horizon", "1", "--no-refresh"]  # fmt: skip
    log = world.home / "log.jsonl"
    shown = CliRunner().invoke(main, [*given, "--log", str(log), "--log-format", "json"])
    assert shown.exit_code == 4
    assert shown.stdout == ""
    assert shown.stderr.startswith("tocsin: run failed origin 2020-01-01: R-hat too high")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"time", "level", "event"} <= set(lines[0])
    assert lines[-1]["exit_code"] == 4
    world.fails = set()
    quiet = CliRunner().invoke(main, given)
    assert (quiet.exit_code, quiet.output) == (0, "")
    loud = CliRunner().invoke(main, [*given, "--log-format", "text"])
    assert "info end exit_code=0" in loud.stderr


@pytest.mark.slow
def test_twelve_months_from_an_empty_home(tmp_path: Path) -> None:
    """Real runs, a process each, two months skipped: every origin once, what is due scored."""
    home = tmp_path / "home"
    (script,) = console_script()
    for month in (1, 2, 3, 4, 7, 8, 9, 10, 11, 12):
        done = subprocess.run(
            [script, "scheduled", "--home", str(home), *BASE],
            env={"TOCSIN_TODAY": f"2020-{month:02}-02", "PATH": os.environ["PATH"]},
            cwd="/", capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with Ledger.open(home=home) as ledger:
        issued = ledger.forecasts()
        months = [f"2020-{month:02}" for month in range(1, 13)]
        for horizon in (1, 3):
            own = issued[issued["horizon"] == horizon]["origin"]
            assert list(own.dt.strftime("%Y-%m")) == months
        late = issued.loc[issued["days_late"] > 1, "origin"].dt.month
        assert set(late) == {5, 6}
        resolved = ledger.resolutions()
        assert list(resolved["horizon"].value_counts().sort_index()) == [11, 9]
        assert set(resolved["outcome"]) == {"no"}
        assert len(ledger.scores()) == 40
        assert ledger.verify() == []
    page = (home / "reports" / "tocsin-TKM.html").read_text()
    assert page == (home / "reports" / "tocsin-TKM-2020-12-01.html").read_text()
    assert "1 December 2020" in page
