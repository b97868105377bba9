"""Several processes at one store, and processes that die in the middle of a refresh."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from indicators.store import Store

WRITER = """
import sys, pandas as pd
from indicators.store import Store
where, first, stop, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
days = pd.date_range("1990-01-01", periods=size, freq="D")
store = Store.open(where)
print("ready", flush=True)
for refresh in range(first, stop):
    rows = pd.DataFrame({
        "indicator": f"i{refresh % 7}", "state": "TKM", "counterpart": "", "start": days,
        "end": days, "frequency": "D", "basis": f"p{first}", "value": float(refresh), "unit": "u",
        "published": pd.Timestamp("2000-01-01") + pd.Timedelta(days=refresh),
        "published_rule": "retrieved", "source": "s",
    })
    store.append(rows, provider=f"writer {first}", retrieved="2060-01-01")
    print(refresh, flush=True)
"""

READER = """
import sys, time
from indicators.store import Store
where, stop = sys.argv[1], time.monotonic() + float(sys.argv[2])
store, seen, reads = Store.open(where), 0, 0
while time.monotonic() < stop:
    frame = store.history()
    assert len(frame) >= seen, (len(frame), seen)
    # a refresh is visible whole or not at all
    counts = frame.groupby(["basis", "published"], observed=True).size()
    assert (counts == 40).all(), counts
    seen, reads = len(frame), reads + 1
print(reads)
"""


def start(code: str, *args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True)


def together(where: str, seconds: float) -> None:
    """Two processes refresh while one reads; every row that was told is there at the end."""
    Store.open(where).close()
    reader = start(READER, where, seconds)
    writers = [start(WRITER, where, first, first + 9000, 40) for first in (0, 10_000)]
    time.sleep(seconds)
    with Store.open(where) as store:  # longer on a machine that is busy with other work
        late = time.monotonic() + 60
        while len(store.log()) < 15 and time.monotonic() < late:
            time.sleep(0.5)
    told = 0
    for writer in writers:
        writer.send_signal(signal.SIGTERM)
        out, err = writer.communicate(timeout=120)
        assert err == ""
        told += len(out.split()) - 1
    out, err = reader.communicate(timeout=120)
    assert (reader.returncode, err) == (0, "")
    assert int(out) > 1
    with Store.open(where) as store:
        log = store.log()
        assert len(store.history()) == 40 * len(log)
        # at most the one refresh in hand of each was kept without being told
        assert told > 10
        assert 0 <= len(log) - told <= 2


def test_two_refresh_and_one_reads(where: str) -> None:
    together(where, 5)


@pytest.mark.slow
def test_two_refresh_and_one_reads_for_a_minute(where: str) -> None:
    together(where, 60)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


def killed(where: str, times: int, seed: int) -> None:
    """Kill a refreshing process at random moments: each refresh is there whole or not at all."""
    rng, size, done = random.Random(seed), 400, 0
    Store.open(where).close()
    for kill in range(times):
        first = kill * 1000
        writer = start(WRITER, where, first, first + 900, size)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.8))
        writer.kill()
        told = len(writer.communicate(timeout=60)[0].split())
        with Store.open(where) as store:
            log = store.log()
            kept = int((log["provider"] == f"writer {first}").sum())
            history = store.history()
        assert told <= kept <= told + 1
        assert len(history) == size * len(log)
        assert (log["rows_new"] == size).all()
        done += kept
    assert done > 0


def test_killed_in_the_middle(place: str) -> None:
    killed(place, 3, seed=1)


@pytest.mark.slow
def test_killed_at_fifty_moments(place: str) -> None:
    killed(place, 50, seed=2)
