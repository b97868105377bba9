"""What may happen, how likely, how sure: questions, risk sets, models, forecasts.

The names below are imported when they are first used (PEP 562), so that ``import forecast`` costs
nothing. ``forecast.run`` is always the function; what else its module holds is reached with
``from forecast.run import ...``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast import calibration, ledger, plots, report, scores
    from forecast.backtest import Grid, backtest
    from forecast.definitions import Question
    from forecast.forecasts import Forecast
    from forecast.futures import futures
    from forecast.ledger import Ledger
    from forecast.models.base_rate import BaseRate
    from forecast.models.glm import Glm
    from forecast.models.hazard import Hazard
    from forecast.models.process_table import ProcessTable
    from forecast.outcomes import outcomes
    from forecast.questions import load_questions, question
    from forecast.reference import reference_classes
    from forecast.risk import RiskSet, risk_set
    from forecast.run import RunResult, run
    from forecast.scenarios import Given
    from forecast.skill import skill_table

__version__ = "0.1.0"

__all__ = [
    "BaseRate",
    "Forecast",
    "Given",
    "Glm",
    "Grid",
    "Hazard",
    "Ledger",
    "ProcessTable",
    "Question",
    "RiskSet",
    "RunResult",
    "backtest",
    "calibration",
    "futures",
    "ledger",
    "load_questions",
    "outcomes",
    "plots",
    "question",
    "reference_classes",
    "report",
    "risk_set",
    "run",
    "scores",
    "skill_table",
]

_HOLDERS = {
    "BaseRate": "forecast.models.base_rate",
    "Forecast": "forecast.forecasts",
    "Given": "forecast.scenarios",
    "Glm": "forecast.models.glm",
    "Grid": "forecast.backtest",
    "Hazard": "forecast.models.hazard",
    "Ledger": "forecast.ledger",
    "ProcessTable": "forecast.models.process_table",
    "Question": "forecast.definitions",
    "RiskSet": "forecast.risk",
    "RunResult": "forecast.run",
    "backtest": "forecast.backtest",
    "futures": "forecast.futures",
    "load_questions": "forecast.questions",
    "outcomes": "forecast.outcomes",
    "question": "forecast.questions",
    "reference_classes": "forecast.reference",
    "risk_set": "forecast.risk",
    "run": "forecast.run",
    "skill_table": "forecast.skill",
}
_MODULES = frozenset({"calibration", "ledger", "plots", "report", "scores"})


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"forecast.{name}")
    if name not in _HOLDERS:
        message = f"module 'forecast' has no attribute {name!r}; it has {', '.join(__all__)}"
        raise AttributeError(message)
    value = getattr(import_module(_HOLDERS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Facade(ModuleType):
    """A module where importing ``forecast.run`` leaves the function of that name in its place."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _HOLDERS and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Facade
