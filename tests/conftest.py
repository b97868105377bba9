"""Shared fixtures.

The tests run in a checkout and, copied out of it, against an installed wheel: whatever needs a file
that only a checkout has asks for the ``checkout`` fixture, which skips elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# one repeatable search for everybody; a shared machine makes single deadlines meaningless
settings.register_profile("tocsin", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("tocsin")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Root of the repository, or skip where the tests run beside an installed wheel."""
    root = Path(__file__).resolve().parents[1]
    if not (root / "Makefile").is_file() or not (root / "forecast").is_dir():
        pytest.skip("needs a checkout")
    return root


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's own cache or clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOCSIN_HOME", str(tmp_path_factory.getbasetemp() / "tocsin-home"))
        patch.delenv("TOCSIN_TODAY", raising=False)
        yield
