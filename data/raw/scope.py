"""Which states are covered: those of the risk sets, and their land neighbours for violence."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import outcomes
import places
import processes
from common import sheet


@cache
def panel(source: Path) -> frozenset[str]:
    """States with a spell, a presence, a process or a membership, and the post-Soviet states."""
    found = {row["state"] for row in outcomes.spells(source)}
    found |= {row["host"] for row in outcomes.bases(source)}
    found |= {row["host"] for row in processes.bases(source)}
    found |= {row["state"] for row in processes.reforms(source)}
    found |= {row["state"] for row in outcomes.memberships(source)}
    found |= {row["state"] for row in sheet("states") if row["post_soviet"] == "1"}
    return frozenset(found & {row["state"] for row in sheet("states") if row["kind"] == "state"})


@cache
def with_neighbours(source: Path) -> frozenset[str]:
    """Panel states and every state with a land border to one of them."""
    core = panel(source)
    rows = places.contiguity(source)
    return core | {row["neighbour"] for row in rows if row["state"] in core}
