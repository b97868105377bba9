"""What stands beside the forecasts of a run: the questions together, and whose base it would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from forecast.answers import Answer
from forecast.joined import joined
from forecast.material import Material
from forecast.models.base_rate import BaseRate
from forecast.payload import Context
from forecast.powers import power_told
from forecast.questions import Question
from forecast.reference import reference_classes

__all__ = ["beside"]


def beside(
    context: Context,
    asked: Sequence[Question],
    material: Mapping[str, Mapping[str, Material]],
    answers: Mapping[str, Answer],
) -> dict[str, Any]:
    """Return what the questions say together, and by which rule the power of a base is told.

    Parameters
    ----------
    context : Context
    asked : sequence of Question
    material : mapping of str to mapping of str to Material
        By root question and variant.
    answers : mapping of str to Answer
        By root question.

    Returns
    -------
    dict
        ``joint`` and ``powers`` of the JSON of a run.
    """
    rates = {}
    for name in (name for name, found in answers.items() if found.default is not None):
        question = material[name]["default"].question
        classes = reference_classes(
            question, context.seen, state=context.state, exclude=context.left_out
        )
        rates[name] = BaseRate.of_class(classes.iloc[0])
    where: dict[str, Any] = {"state": context.state, "horizons": context.horizons}
    return {
        "joint": joined(material, answers, rates=rates, seed=context.seed, **where),
        "powers": power_told(asked, context.seen, seed=context.seed, exclude=context.left_out),
    }
