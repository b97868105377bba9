"""The names that `import forecast` and `import indicators` offer."""

from __future__ import annotations

import subprocess
import sys

import pytest

import forecast
import indicators


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package in (forecast, indicators) for name in package.__all__],
)
def test_every_name_is_there(package: object, name: str) -> None:
    assert getattr(package, name) is not None
    assert name in dir(package)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(AttributeError, match="it has BaseRate, Forecast"):
        forecast.Hazzard  # noqa: B018


@pytest.mark.parametrize(
    "first",
    [
        "import forecast.run",
        "from forecast.run import RunResult",
        "import forecast as fc; fc.run",
        "from forecast import run",
    ],
)
def test_run_is_the_function_whatever_was_imported_before(first: str) -> None:
    code = f"{first}\nimport forecast\nassert callable(forecast.run), forecast.run"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
