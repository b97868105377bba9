"""What `tocsin doctor` finds, and what it never shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from forecast import cli, doctor


@pytest.fixture
def tocsin() -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(cli.main, list(words))


def test_doctor_finds_a_hidden_module(tmp_path: Path) -> None:
    (tmp_path / "forecast.py").write_text("")
    found = doctor.examine(data_dir=None, home=tmp_path / "home", cwd=tmp_path)
    clash = [check for check in found if check.name == "clash"]
    assert [check.status for check in clash] == ["warn"]
    assert "hides the module forecast" in clash[0].found


def test_doctor_finds_another_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owners = {"forecast": ["forecast", "tocsin"], "indicators": ["tocsin"]}
    monkeypatch.setattr(doctor.metadata, "packages_distributions", lambda: owners)
    found = doctor.examine(data_dir=None, home=tmp_path, cwd=tmp_path)
    assert [check.status for check in found if check.name == "clash"] == ["fail"]


def test_doctor_never_shows_a_secret(
    tocsin: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACLED_PASSWORD", "hunter2")
    done = tocsin("doctor")
    assert "ACLED_PASSWORD set" in done.stdout
    assert "hunter2" not in done.output


def test_doctor_refuses_a_broken_package(tocsin: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "datapackage.json").write_text("{")
    done = tocsin("doctor", "--data", str(tmp_path), "--json")
    assert done.exit_code == 3
    checks = {check["name"]: check["status"] for check in json.loads(done.stdout)["checks"]}
    assert checks["data package"] == "fail"


def test_doctor_looks_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path / "kept"))
    found = doctor.examine(data_dir=None, home=None, cwd=tmp_path)
    assert f"{tmp_path / 'kept'}: not made yet" in [check.found for check in found]
