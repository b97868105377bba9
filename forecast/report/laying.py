"""How templates become pages: one environment for all of them."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["environment"]


def environment() -> Environment:
    """Return an environment that escapes what it is given and refuses what it was not given."""
    return Environment(
        loader=PackageLoader("forecast.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
