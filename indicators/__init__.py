"""What was known, when: tables, vintages, snapshots, and the panel a model sees.

>>> import indicators
>>> then = indicators.snapshot("2016-07-01")            # doctest: +SKIP
>>> then.series("gas_production", "TKM")                # doctest: +SKIP

Importing this package imports nothing else: each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indicators import catalog as catalog
    from indicators import errors as errors
    from indicators import masks as masks
    from indicators import tables as tables
    from indicators import transforms as transforms
    from indicators import vintages as vintages
    from indicators.catalog import Catalog as Catalog
    from indicators.catalog import Feature as Feature
    from indicators.catalog import Indicator as Indicator
    from indicators.dates import months as months
    from indicators.errors import DataError as DataError
    from indicators.errors import Failure as Failure
    from indicators.errors import FitError as FitError
    from indicators.errors import LookAheadError as LookAheadError
    from indicators.errors import TocsinError as TocsinError
    from indicators.errors import UnknownNameError as UnknownNameError
    from indicators.panel import Panel as Panel
    from indicators.panel import panel as panel
    from indicators.tables import DataPackage as DataPackage
    from indicators.tables import load as load
    from indicators.vintages import Snapshot as Snapshot
    from indicators.vintages import snapshot as snapshot

_HOME = {
    "Catalog": "catalog",
    "DataError": "errors",
    "DataPackage": "tables",
    "Failure": "errors",
    "Feature": "catalog",
    "FitError": "errors",
    "Indicator": "catalog",
    "LookAheadError": "errors",
    "Panel": "panel",
    "Snapshot": "vintages",
    "TocsinError": "errors",
    "UnknownNameError": "errors",
    "load": "tables",
    "months": "dates",
    "panel": "panel",
    "snapshot": "vintages",
}
_MODULES = ("catalog", "errors", "masks", "tables", "transforms", "vintages")

__all__ = [
    "Catalog",
    "DataError",
    "DataPackage",
    "Failure",
    "Feature",
    "FitError",
    "Indicator",
    "LookAheadError",
    "Panel",
    "Snapshot",
    "TocsinError",
    "UnknownNameError",
    "catalog",
    "errors",
    "load",
    "masks",
    "months",
    "panel",
    "snapshot",
    "tables",
    "transforms",
    "vintages",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        found = getattr(import_module(f"indicators.{_HOME[name]}"), name)
    elif name in _MODULES:
        found = import_module(f"indicators.{name}")
    else:
        raise AttributeError(f"module 'indicators' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_MODULES})
