"""Rebuild every table of the package: ``python data/raw/build.py /path/to/source/data [out]``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import chronology
import outcomes
import places
import processes
from common import HERE, Row, write

RECIPES: dict[str, Callable[[Path], list[Row]]] = {
    "states": places.states,
    "contiguity": places.contiguity,
    "neutrality_spells": outcomes.spells,
    "neutrality_events": outcomes.events,
    "base_episodes": outcomes.bases,
    "memberships": outcomes.memberships,
    "near_misses": outcomes.near_misses,
    "reform_processes": processes.reforms,
    "base_processes": processes.bases,
    "process_statements": processes.statements,
    "incidents": chronology.incidents,
    "contacts": chronology.contacts,
    "search_effort": chronology.search_effort,
}


def main(source: Path, out: Path) -> None:
    """Write all tables to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for table, recipe in RECIPES.items():
        print(f"{table:20} {write(out, table, recipe(source)):7}")


if __name__ == "__main__":
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE.parent / "tables"
    main(Path(sys.argv[1]), folder)
