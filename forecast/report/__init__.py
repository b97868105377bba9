"""The page an analyst opens: one self-contained HTML file made from the payload of a run.

Nothing heavy is imported until a page is rendered.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["render", "write"]


def render(payload: Mapping[str, Any]) -> str:
    """Return the page of a run as one HTML document.

    The page asks nothing of the network, runs no script and holds its pictures and styles; the
    same payload gives the same text, byte for byte.

    Parameters
    ----------
    payload
        Output of a run (``tocsin run --json``), as plain types.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    DataError
        If the payload departs from the schema, with every departure.
    """
    from forecast.report.page import page
    from forecast.schema import validate

    validate(payload)
    return page(payload)


def write(payload: Mapping[str, Any], path: str | Path) -> Path:
    """Write the page of a run; the file is either the whole page or what it was before.

    Parameters
    ----------
    payload
        Output of a run.
    path
        File to write; its folder is made where missing.

    Returns
    -------
    pathlib.Path
        The file written, absolute.

    Raises
    ------
    DataError
        If the payload departs from the schema; nothing is written then.
    """
    from forecast.report.page import replace_file

    return replace_file(Path(path), render(payload))
