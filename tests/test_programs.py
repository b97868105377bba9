"""Compiled programs are kept whole beside the fits, read again, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUN = """
import sys
from pathlib import Path
import jax, jax.numpy as jnp
from forecast import programs
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name.endswith("cache_hits")))
with programs.kept(Path(sys.argv[1])):
    made = jax.jit(lambda x: jnp.sin(x).sum()).lower(jnp.arange(3.0)).compile()
print(float(made(jnp.arange(3.0))), sum(hits), jax.config.jax_compilation_cache_dir)
"""


def compiled(home: Path, said: str = "") -> list[str]:
    """Compile in a process of its own: the value, entries read, the folder JAX has afterwards."""
    here = {**os.environ, "JAX_COMPILATION_CACHE_DIR": said, "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", RUN, str(home)]
    done = subprocess.run(command, env=here, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def entries(home: Path) -> list[Path]:
    return sorted((home / "programs").glob("*/*"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_another_process_reads_what_one_compiled(home: Path) -> None:
    first = compiled(home)
    kept = [path.read_bytes() for path in entries(home)]
    assert kept
    again = compiled(home)
    assert (first[1], int(again[1]) > 0) == ("0", True)
    assert first[0] == again[0]
    assert [path.read_bytes() for path in entries(home)] == kept  # and no folder of a process
    assert first[2] == again[2] == "None"


def test_an_entry_that_was_cut_off_is_compiled_again_in_silence(home: Path) -> None:
    value, *_ = compiled(home)
    whole = {path.name: path.read_bytes() for path in entries(home)}
    for path in entries(home):
        path.write_bytes(path.read_bytes()[:50])
    assert compiled(home)[0] == value
    assert compiled(home)[0] == value
    assert {path.name for path in entries(home)} == set(whole)
    assert all(path.stat().st_size > 50 for path in entries(home))


def test_a_folder_that_somebody_chose_is_theirs(home: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    assert compiled(home, str(mine))[2] == str(mine)
    assert list(mine.glob("jit_*"))
    assert not home.exists()


def test_what_a_killed_process_left_is_removed_after_a_day(home: Path) -> None:
    compiled(home)
    (folder,) = (home / "programs").iterdir()
    for name, age in ((".old", 90_000), (".new", 0)):
        (folder / name).mkdir()
        (folder / name / "x-cache").write_bytes(b"half")
        when = time.time() - age
        os.utime(folder / name, (when, when))
    compiled(home)
    left = {path.name for path in folder.iterdir() if path.name.startswith(".")}
    assert left == {".new"}


def test_where_nothing_can_be_written_it_compiles_all_the_same(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file, not a folder", encoding="utf-8")
    assert compiled(home)[1:] == ["0"]  # and JAX was told no folder
