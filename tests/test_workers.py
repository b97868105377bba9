"""The same grid on a Dask cluster, with a worker killed, and after the run itself was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from forecast.backtest import Grid, GridError, backtest
from forecast.workers import ClusterError, work

ORIGINS = ("1998-07-01", "2001-07-01", "2004-07-01", "2009-01-01", "2016-07-01")
GRID = Grid(
    tuple(map(pd.Timestamp, ORIGINS)), ("foreign_base", "bloc_accession"), (6, 36),
    ("base_rate", "climatology", "process_table"), 1,
)  # fmt: skip


pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def local() -> pd.DataFrame:
    return backtest(GRID)


def slowly(number: int, folder: str) -> tuple[int, int]:
    """Say who worked on a number, after a while long enough to be killed in."""
    (Path(folder) / f"{number}-{os.getpid()}").touch()
    time.sleep(0.4)
    return number, os.getpid()


def _die(_number: int) -> None:
    os._exit(9)


def test_a_process_that_died_is_told() -> None:
    with pytest.raises(ClusterError, match="what is finished is kept") as caught:
        list(work(_die, [(0,), (1,)], workers=2))
    assert caught.value.exit_code == 5


def test_what_has_not_begun_is_not_done_once_nobody_wants_it(tmp_path: Path) -> None:
    """Whoever takes the results stops at the first one, as on a full disk."""
    tasks = [(number, str(tmp_path)) for number in range(12)]
    with closing(work(slowly, tasks, workers=2)) as found:
        next(found)
    # two were being worked on, and some lay ready for the processes
    assert len(list(tmp_path.iterdir())) < 9


WAIT = """
import sys
from test_workers import slowly
from forecast.workers import work
if __name__ == "__main__":
    list(work(slowly, [(number, sys.argv[1]) for number in range(200)], workers=2))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_processes_go_with_the_run_that_was_killed(tmp_path: Path, how: signal.Signals) -> None:
    script, told = tmp_path / "script.py", tmp_path / "told"
    script.write_text(WAIT, encoding="utf-8")
    told.mkdir()
    here = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    with subprocess.Popen([sys.executable, script, told], env=here) as run:
        _until(lambda: len(set(_pids(told))) == 2)
        run.send_signal(how)
    pids = set(_pids(told))
    _until(lambda: not any(_alive(pid) for pid in pids))


def _pids(folder: Path) -> list[int]:
    return [int(path.name.split("-")[1]) for path in folder.iterdir()]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    # one that ended and that nobody has asked about is no longer at work
    return not (state.exists() and state.read_text(encoding="utf-8").split(") ")[1][0] == "Z")


def _until(done: Callable[[], bool]) -> None:
    late = time.monotonic() + 60
    while not done():
        assert time.monotonic() < late
        time.sleep(0.1)


@pytest.mark.filterwarnings("ignore")  # what distributed says about a worker that was killed
def test_a_killed_worker_costs_only_its_own_tasks(tmp_path: Path) -> None:
    done: dict[int, int] = {}
    killed = 0
    tasks = [(number, str(tmp_path)) for number in range(8)]
    for number, process in work(slowly, tasks, workers=2, scheduler="local"):
        done[number] = process
        if not killed:
            killed = process
            os.kill(killed, signal.SIGKILL)
    assert sorted(done) == list(range(8))
    begun = [path.name.split("-") for path in tmp_path.iterdir()]
    again = [number for number, _ in begun if sum(n == number for n, _ in begun) > 1]
    # what the dead worker had in hand, or had done and nobody had fetched, was done again
    assert all(str(killed) in {p for n, p in begun if n == number} for number in again)
    assert killed not in list(done.values())[3:]


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_bits_as_this_process(
    local: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two workers, one of them killed as soon as the first origin is done."""
    import distributed

    victims: list[int] = []

    def kill(done: int, of: int) -> None:
        if done and not victims:
            client = distributed.default_client()
            victims.extend(info["pid"] for info in client.run(_who).values())
            os.kill(victims[0], signal.SIGKILL)

    found = backtest(GRID, workers=2, scheduler="local", out=tmp_path, progress=kill)
    assert len(victims) == 2
    pd.testing.assert_frame_equal(found, local, check_exact=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_sampled_models_give_the_same_bits_on_a_cluster(tmp_path: Path) -> None:
    """The hierarchical model at full size from two origins, compiled anew in each worker."""
    ask = replace(GRID, origins=GRID.origins[-2:], models=("hazard",))
    here = backtest(ask)
    assert here["p"].notna().all()
    pd.testing.assert_frame_equal(
        backtest(ask, workers=2, scheduler="local"), here, check_exact=True
    )


def _who() -> dict[str, int]:
    return {"pid": os.getpid()}


def test_a_cluster_that_is_not_there() -> None:
    with pytest.raises(ClusterError, match="no Dask scheduler answers") as caught:
        list(work(len, [((),)], workers=1, scheduler="nonsense://nowhere"))
    assert caught.value.exit_code == 5


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"tocsin\[dask\]"):
        list(work(len, [((),)], workers=1, scheduler="local"))


def test_a_worker_with_other_data_is_refused() -> None:
    task = import_module("forecast.backtest")._task
    with pytest.raises(GridError, match="another version of tocsin"):
        task(GRID, GRID.origins[0], dict.fromkeys(GRID.models, "other"), None, None)


RUN = """
import sys
from pathlib import Path
from tests_grid import GRID
from forecast.backtest import backtest
if __name__ == "__main__":
    backtest(GRID, out=Path(sys.argv[1]), workers=int(sys.argv[2]))
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_run_goes_on_where_it_was(
    local: pd.DataFrame, tmp_path: Path, processes: int
) -> None:
    (tmp_path / "run.py").write_text(RUN)
    text = Path(__file__).read_text(encoding="utf-8")
    grid = text[text.index("ORIGINS =") : text.index("pytestmark")]
    head = "import pandas as pd\nfrom forecast.backtest import Grid\n"
    (tmp_path / "tests_grid.py").write_text(head + grid)
    out = tmp_path / "out"
    # its own group: the processes it started die with it
    run = subprocess.Popen(
        [sys.executable, "run.py", str(out), str(processes)], cwd=tmp_path, start_new_session=True
    )
    parts = out / "parts"
    until = time.monotonic() + 120
    while not (parts.exists() and len(list(parts.glob("*.parquet"))) >= len(GRID.models)):
        assert run.poll() is None, "over before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    kept = {path: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    assert 0 < len(kept) < len(ORIGINS) * len(GRID.models)
    pd.testing.assert_frame_equal(backtest(GRID, out=out), local, check_exact=True)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
