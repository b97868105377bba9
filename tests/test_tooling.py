"""The set-up: a lock that pins everything and names no host; a Python found, or its lack told."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def lock(checkout: Path) -> str:
    return (checkout / "requirements.lock").read_text()


@pytest.fixture(scope="module")
def project(checkout: Path) -> dict[str, dict[str, object]]:
    return tomllib.loads((checkout / "pyproject.toml").read_text())


def test_lock_names_no_host(lock: str) -> None:
    assert "://" not in lock
    assert not re.search(r"^\s*--(?!hash=)", lock, re.MULTILINE)


def test_every_pin_has_a_hash(lock: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE))
    pins = [entry for entry in entries if "==" in entry]
    assert len(pins) > 100
    assert [pin.split("\n")[0] for pin in pins if "--hash=sha256:" not in pin] == []


def test_lock_holds_all_that_is_asked_for(lock: str, project: dict[str, dict[str, object]]) -> None:
    asked = [
        *project["project"]["dependencies"],  # type: ignore[misc]
        *project["dependency-groups"]["dev"],  # type: ignore[misc]
        *project["build-system"]["requires"],  # type: ignore[misc]
    ]
    wanted = {normalised(re.split(r"[<>=!~\[; ]", text)[0]) for text in asked}
    assert wanted - set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)) == set()


def stand_in(folder: Path, name: str, code: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(0o755)


def find_python(checkout: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(checkout / ".ci" / "find-python")],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_old_python_is_refused_with_what_to_install(checkout: Path, tmp_path: Path) -> None:
    for name in ("python3", "python3.13", "python3.12", "python3.14", "python"):
        answer = 'case "$1" in --version) echo Python 3.9.2 ;; *) exit 1 ;; esac'
        stand_in(tmp_path, name, answer)
    done = find_python(checkout, str(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "needs Python 3.12 or newer; found Python 3.9.2" in done.stderr
    assert "apt-get install python3.13 python3.13-venv" in done.stderr


def test_a_newer_python_beside_an_old_python3_is_taken(checkout: Path, tmp_path: Path) -> None:
    stand_in(tmp_path, "python3", "exit 1")
    stand_in(tmp_path, "python3.12", f'exec "{sys.executable}" "$@"')
    done = find_python(checkout, str(tmp_path))
    assert done.stderr == ""
    assert Path(done.stdout.strip()).samefile(sys.executable)


def test_notebooks_are_stored_without_execution_counts_of_a_stale_run(checkout: Path) -> None:
    for path in (checkout / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
        assert counts in ([None] * len(counts), list(range(1, len(counts) + 1))), path.name
