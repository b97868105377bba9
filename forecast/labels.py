"""What a file of forecasts says of itself: the grid, the data and the code behind it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from forecast.backtest import Grid

__all__ = ["SCHEMA", "label", "labelled", "origin_of"]

SCHEMA = "tocsin/backtest/1"
_KEY = b"tocsin"


def label(
    grid: Grid, *, models: Iterable[str], data_hash: str, code_hash: str, judged: str
) -> dict[str, Any]:
    """Say what a backtest is.

    Parameters
    ----------
    grid : Grid
        What was asked.
    models : iterable of str
        What there are forecasts of: those of the grid, and pools of them.
    data_hash : str
        Of all that the data package knows.
    code_hash : str
        Of the modules that the forecasts depend on.
    judged : str
        ``end`` or ``then``: when what came was looked up.

    Returns
    -------
    dict
        ``schema, origins, questions, horizons, models, seed, bound, engine, outcomes, data_hash,
        code_hash``.
    """
    return {
        "schema": SCHEMA,
        "origins": [f"{origin:%Y-%m-%d}" for origin in grid.origins],
        "questions": list(grid.questions),
        "horizons": list(grid.horizons),
        "models": sorted(models),
        "seed": grid.seed,
        "bound": grid.bound,
        "engine": grid.engine,
        "outcomes": judged,
        "data_hash": data_hash,
        "code_hash": code_hash,
    }


def labelled(frame: pd.DataFrame, about: dict[str, Any]) -> bytes:
    """Return a table as a Parquet file that carries a label.

    Parameters
    ----------
    frame : DataFrame
        The table; its index is left out.
    about : dict
        As `label` returns it.
    """
    pa: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    kept = {**(table.schema.metadata or {}), _KEY: json.dumps(about).encode()}
    sink = pa.BufferOutputStream()
    parquet.write_table(table.replace_schema_metadata(kept), sink)
    return bytes(sink.getvalue())


def origin_of(path: Path) -> dict[str, Any] | None:
    """Return the label of a Parquet file, None where it carries none.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    OSError, ValueError
        It is no Parquet file, or its label is none of ours.
    """
    parquet: Any = import_module("pyarrow.parquet")
    found = (parquet.read_schema(path).metadata or {}).get(_KEY)
    if found is None:
        return None
    about = json.loads(found)
    if not isinstance(about, dict) or about.get("schema") != SCHEMA or "bound" not in about:
        raise ValueError(f"a label of another kind: {found[:80]!r}")
    return dict(about)
