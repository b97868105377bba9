"""Lay the page out, and put it in its place in one move."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from forecast import words
from forecast.report.laying import environment
from forecast.report.view import view

__all__ = ["page", "replace_file"]


@cache
def _environment() -> Environment:
    made = environment()
    made.filters.update(
        pct=lambda p: "–" if p is None else words.percent(p),
        span=lambda e: f"{words.percent(e['lo90']).rstrip('%')}–{words.percent(e['hi90'])}",
        onein=lambda p: "" if p is None else words.one_in(p),
        day=lambda text: "–" if not text else words.day(text),
        num=words.number,
        label=words.label,
        plain=lambda text: "–" if not text else words.plain_id(text),
        signed=words.signed,
        plural=words.plural,
    )
    return made


def page(payload: Mapping[str, Any]) -> str:
    """Return the HTML of a payload that follows the schema.

    Parameters
    ----------
    payload
        Output of a run.
    """
    return _environment().get_template("page.html.j2").render(view(payload))


def replace_file(path: Path, text: str) -> Path:
    """Write a text file so that a reader finds the old one or the new one, never a part.

    Parameters
    ----------
    path
        File to write.
    text
        What it shall hold.
    """
    path = path.expanduser().absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(0o644)  # mkstemp makes it readable by its owner only
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
