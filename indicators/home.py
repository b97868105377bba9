"""Where tocsin keeps what it makes."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["DATABASE", "home_dir"]

DATABASE = "tocsin.db"


def home_dir(home: str | Path | None = None) -> Path:
    """Folder of everything tocsin keeps: argument, ``TOCSIN_HOME``, or the user's data folder."""
    if home is not None:
        return Path(home)
    if chosen := os.environ.get("TOCSIN_HOME"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("tocsin", appauthor=False)
