"""Processes that die at any moment of issuing, resolving and scoring; writers at one time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from forecast.ledger import Ledger, LedgerError, writing

RECORDS = """
from forecast.ledger import ForecastRecord, Ledger, ResolutionRecord, ScoreRecord
H = "ab" * 32
def window(number):
    year, month = divmod(number, 12)
    return dict(question="foreign_base", state="TKM", origin=f"{1000 + year}-{month + 1:02}-01",
                closes=f"{1003 + year}-{month + 1:02}-01", horizon=36)
def forecast(number, model, draws=""):
    return ForecastRecord(**window(number), model=model, p=0.125, lo90=0.06, hi90=0.25,
        base_rate=0.05, base_rate_lo90=0.02, base_rate_hi90=0.1, base_rate_events=8,
        data_hash=H, config_hash=H, seed=1, draws=draws)
"""

# A process that has imported everything forks one after the other, and kills it: a start costs
# nothing, so that most of what is killed is writing.
NURSERY = (
    RECORDS
    + """
import json, os, random, signal, sys, time
import numpy as np
where, home, times, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
where = None if where == "-" else where
MODELS = ("hazard", "glm", "pool")
STEPS = ("issue", "resolve", "score")

def work(first, tell):
    ledger = Ledger.open(where, home=home)
    tell("ready")
    for number in range(first, first + 900):
        draws = ledger.keep({"p": np.full((50, 3), float(number))})
        made = ledger.issue([forecast(number, model, draws) for model in MODELS])
        tell(number, "issue")
        resolved = ledger.resolve([ResolutionRecord(**window(number), outcome="no",
                                                    as_of="2024-12-31")])
        tell(number, "resolve")
        ledger.score([ScoreRecord(forecast=n, resolution=(resolved.new + resolved.already)[0],
                                  rule="brier", value=0.015625)
                      for n in made.new + made.already])
        tell(number, "score")

def check(told):
    with Ledger.open(where, home=home) as ledger:
        damages = ledger.verify()
        assert damages == [], [str(d) for d in damages]
        tables = {"issue": ledger.forecasts(), "resolve": ledger.resolutions(),
                  "score": ledger.scores()}
    per = tables["issue"].groupby("origin").size()
    assert (per == 3).all(), per
    scores = tables["score"].merge(tables["issue"], left_on="forecast", right_on="id")
    assert (scores.groupby("origin").size() == 3).all()
    counts = [len(per), len(tables["resolve"]), scores["origin"].nunique()]
    for step, found in zip(STEPS, counts):
        want = sum(1 for _, s in told if s == step)
        # what was told is there; at most the one in hand was kept without being told
        assert want <= found <= want + 1, (step, want, found)
    return counts

rng, told, moments = random.Random(seed), set(), {}
Ledger.open(where, home=home).close()
since = time.perf_counter()
with Ledger.open(where, home=home) as ledger:
    ledger.issue([forecast(0, model, "") for model in MODELS])
step_takes = time.perf_counter() - since
begin = 0
told.add((0, "issue"))
for kill in range(times):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        work(begin, lambda *what: os.write(writing, (json.dumps(what) + "\\n").encode()))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        assert json.loads(lines.readline()) == ["ready"]
        # counted in steps, then a part of a step, so that a slow machine kills as far in
        heard = [lines.readline() for _ in range(rng.randrange(4))]
        time.sleep(rng.uniform(0.0, 1.5) * step_takes)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said = [tuple(json.loads(line)) for line in [*heard, *lines] if line.endswith("\\n")]
    told |= set(said)
    at = said[-1][1] if said else "nothing"
    moments[at] = moments.get(at, 0) + 1
    # the next goes on where this one was: what it had done is done already
    begin = max((n for n, _ in told), default=0)
    counts = check(told)
    # the one in hand may have been kept: tell it, so that the next check counts it
    for step, found in zip(STEPS, counts):
        have = sum(1 for _, s in told if s == step)
        if found > have:
            told.add((max((n for n, s in told if s == step), default=-1) + 1, step))
print(json.dumps({"counts": counts, "moments": moments}))
"""
)


def killed(where: str, home: Path, times: int, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-c", NURSERY, where, str(home), str(times), str(seed)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def place(where: str) -> str:
    return where if "://" in where else "-"


def test_killed_at_twenty_moments(where: str, home: Path) -> None:
    found = killed(place(where), home, 20, seed=1)
    assert min(found["counts"]) > 0


@pytest.mark.slow
def test_killed_at_two_hundred_moments(where: str, home: Path) -> None:
    found = killed(place(where), home, 200, seed=2)
    assert min(found["counts"]) > 20
    assert set(found["moments"]) >= {"issue", "resolve", "score"}


WRITER = (
    RECORDS
    + """
import json, sys, time
where, home, at = sys.argv[1], sys.argv[2], float(sys.argv[3])
where = None if where == "-" else where
ledger = Ledger.open(where, home=home)
while time.time() < at:
    pass
new, already = 0, 0
for number in range(25):
    report = ledger.issue([forecast(number, "hazard"), forecast(number, "glm")])
    new, already = new + len(report.new), already + len(report.already)
print(json.dumps([new, already]))
"""
)


def start(code: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)], stdout=-1, stderr=-1, text=True
    )


def test_two_writers_never_both_issue_one_forecast(where: str, home: Path) -> None:
    Ledger.open(None if "://" not in where else where, home=home).close()
    at = time.time() + 3
    # PostgreSQL may be asked from two homes
    homes = [home, home.parent / "other"] if "://" in where else [home, home]
    writers = [start(WRITER, place(where), folder, at) for folder in homes]
    place_of = None if "://" not in where else where
    looks = 0
    with Ledger.open(place_of, home=home) as ledger:
        # whoever looks meanwhile sees a whole chain
        while any(writer.poll() is None for writer in writers):
            assert ledger.verify() == []
            looks += len(ledger.forecasts()) > 0
    assert looks > 0
    found = []
    for writer in writers:
        out, err = writer.communicate(timeout=120)
        assert writer.returncode == 0, err
        found.append(json.loads(out))
    assert [sum(part) for part in found] == [50, 50]
    assert sum(new for new, _ in found) == 50
    for folder in set(homes):
        with Ledger.open(place_of, home=folder) as ledger:
            assert len(ledger.forecasts()) == 50
            assert ledger.verify() == []


HOLDER = """
import sys, time
from forecast.ledger import Ledger
where = None if sys.argv[1] == "-" else sys.argv[1]
with Ledger.open(where, home=sys.argv[2]) as ledger, ledger.lock("tocsin run"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_run_is_refused_and_told_who_holds_the_ledger(
    where: str, home: Path, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "WAIT", 0.1)
    holder = start(HOLDER, place(where), home)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        with Ledger.open(None if "://" not in where else where, home=home) as ledger:
            told = f"process {holder.pid} on"
            with pytest.raises(LedgerError, match=told) as caught, ledger.lock("tocsin run"):
                pass
            assert caught.value.exit_code == 6
            assert "tocsin run" in str(caught.value)
            with pytest.raises(LedgerError, match=f"process {holder.pid} on"):
                ledger.issue([records.forecast(0)])
            assert ledger.forecasts().empty  # reading needs no lock
            holder.kill()
            holder.wait()
            # the dead hold nothing; a server may need a moment to see it
            monkeypatch.setattr(writing, "WAIT", 20.0)
            assert ledger.issue([records.forecast(0)]).new == (1,)
            with ledger.lock("tocsin run"), ledger.lock("inside it"):
                assert ledger.issue([records.forecast(1)]).new == (2,)
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.parametrize(
    "where", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_another_home_is_refused_too_where_the_database_is_shared(
    where: str, home: Path, tmp_path: Path
) -> None:
    with Ledger.open(where, home=home) as one, Ledger.open(where, home=tmp_path / "b") as two:
        told = "tocsin run, process"
        with one.lock("tocsin run"), pytest.raises(LedgerError, match=told), two.lock("another"):
            pass
        with two.lock("tocsin run"):
            pass


def test_a_head_left_behind_is_caught_up(home: Path, records: Any) -> None:
    """As a process leaves it that dies between the commit and the move of the head."""
    with Ledger.open(home=home) as ledger:
        ledger.issue([records.forecast(0)])
        old = ledger.guard.head_path.read_bytes()
        ledger.issue([records.forecast(1)])
        new = ledger.guard.head_path.read_bytes()
        ledger.guard.head_path.write_bytes(old)
        (home / "ledger.head.abc.part").write_bytes(new)
        assert ledger.verify() == []
        assert ledger.issue([records.forecast(1)]).already == (2,)
        assert ledger.guard.head_path.read_bytes() == new
        assert not list(home.glob("*.part"))


def test_two_homes_of_one_database_each_know_their_own_head(tmp_path: Path, records: Any) -> None:
    shared = tmp_path / "shared.db"
    with (
        Ledger.open(shared, home=tmp_path / "one") as one,
        Ledger.open(shared, home=tmp_path / "two") as two,
    ):
        one.issue([records.forecast(0)])
        assert two.verify() == []
        two.issue([records.forecast(1)])
        assert [one.guard.head(), two.guard.head()] == [(1, one.record(1)["hash"]),
                                                        (2, one.record(2)["hash"])]  # fmt: skip
        assert one.verify() == []
        one.issue([records.forecast(2)])
        assert one.verify() == two.verify() == []
