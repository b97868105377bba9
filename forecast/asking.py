"""What a run is asked for: names, horizons and a date that a run can have, or a refusal."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import pandas as pd

from forecast.engine import EXACT
from forecast.prior_table import PRIORS
from forecast.questions import Question
from indicators.errors import TocsinError, UnknownNameError
from indicators.tables import DataPackage

__all__ = [
    "HORIZONS",
    "MAX_HORIZON",
    "MODELS",
    "SAMPLED",
    "AskError",
    "as_registered",
    "asked_of",
    "excluded",
    "known_names",
    "known_state",
    "months_of",
    "names_of",
    "rows_of",
    "seed_of",
]

HORIZONS = (6, 12, 24, 36)
FAMILIES = ("neutrality", "base", "bloc")
MODELS = ("hazard", "base_rate", "glm", "process_table", "pool")
SAMPLED = ("hazard", "pool")
"""Models that need the hazard model fitted."""
MAX_HORIZON = 600


class AskError(TocsinError, ValueError):
    """Something asked for that no run can give: a horizon, a list of questions, a date."""

    exit_code = 2


def known_names(model: str, priors: str, engine: str) -> None:
    """Refuse a model, a kind of priors or an exact engine that does not exist."""
    if model not in MODELS:
        raise UnknownNameError("model", model, MODELS)
    if priors not in PRIORS:
        raise UnknownNameError("kind of priors", priors, PRIORS)
    if engine not in EXACT:
        raise UnknownNameError("exact engine", engine, EXACT)


def names_of(questions: str | Sequence[str]) -> tuple[str, ...]:
    """Question ids as asked, at least one."""
    names = (questions,) if isinstance(questions, str) else tuple(questions)
    if not names:
        allowed = "question ids, or all"
        raise AskError("no question is asked", place="questions", found="none", allowed=allowed)
    return names


def months_of(asked: int | Sequence[Any]) -> tuple[int, ...]:
    """Horizons as plain numbers, each once; True and 6.0 are none."""
    horizons: tuple[Any, ...] = (asked,) if isinstance(asked, int) else tuple(asked)
    wrong = [
        h
        for h in horizons
        if isinstance(h, bool) or not isinstance(h, Integral) or not 1 <= int(h) <= MAX_HORIZON
    ]
    if wrong or not len(horizons):
        raise AskError(
            "a horizon that no run can have",
            place="horizons",
            found=", ".join(map(repr, wrong)) or "none",
            allowed=f"whole months from 1 to {MAX_HORIZON}",
            remedy="such as (6, 12, 24, 36).",
        )
    return tuple(dict.fromkeys(int(h) for h in horizons))


def asked_of(
    known: Mapping[str, Question],
    names: Sequence[str],
    horizons: Sequence[int],
    origin: pd.Timestamp,
) -> list[Question]:
    """Questions by family, each refused where a horizon reaches past what it allows."""
    ordered = sorted(known, key=lambda name: (_place(known[name].family), name))
    chosen = ordered if "all" in names else list(dict.fromkeys(names))
    for name in chosen:
        if name not in known:
            raise UnknownNameError("question", name, known)
    asked = [known[name] for name in chosen]
    first = min(question.window_start for question in known.values())
    if origin < first:
        raise AskError(
            "the as-of date lies before the record",
            place="as_of",
            found=f"{origin:%Y-%m-%d}",
            allowed=f"from {first:%Y-%m-%d} on",
            remedy="nothing was coded for these questions before that day.",
        )
    for question in asked:
        for horizon in horizons:
            question.closes(origin, horizon)
    return asked


def excluded(asked: Sequence[Question], names: str | Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Contested events to leave out, by toggle: a row brings all that stand or fall with it.

    Parameters
    ----------
    asked : sequence of Question
    names : str or sequence of str
        Toggles, or ids of contested rows.

    Raises
    ------
    UnknownNameError
        For what is no contested event of the questions asked.
    """
    toggles = {name: rows for question in asked for name, rows in question.toggles.items()}
    of = {row: name for name, rows in toggles.items() for row in rows}
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in toggles and name not in of:
            raise UnknownNameError("contested event of the questions asked", name, toggles)
    chosen = {of.get(name, name) for name in wanted}
    return {name: toggles[name] for name in sorted(chosen)}


def rows_of(toggles: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Ids of all rows of some toggles.

    Parameters
    ----------
    toggles : mapping of str to sequence of str
        Rows by name.
    """
    return tuple(row for rows in toggles.values() for row in rows)


def seed_of(origin: pd.Timestamp, seed: Any = None) -> int:
    """Return a seed, or of a forecast for which none is asked the one of its day.

    Raises
    ------
    AskError
        It is no whole number from 0 on.
    """
    if seed is None:
        return int(f"{origin:%Y%m%d}")
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise AskError("a seed that no run can have", place="seed", found=repr(seed),
                       allowed="a whole number from 0 on", remedy="leave it out: the origin "
                       "gives one.")  # fmt: skip
    return int(seed)


def as_registered(
    names: Sequence[str], *, priors: str, seed: int | None, origin: pd.Timestamp
) -> None:
    """Refuse to put on record any forecast but the registered one: the first on record counts.

    Parameters
    ----------
    names : sequence of str
        Toggles left out.
    priors : str
    seed : int or None
        None for the usual one.
    origin : Timestamp

    Raises
    ------
    AskError
        Events are left out, or priors or seed are not the usual ones; all that is wrong at once.
    """
    usual = seed_of(origin)
    wrong = [("exclude", ", ".join(names), "nothing left out")] if names else []
    wrong += [("priors", priors, "neutral")] if priors != "neutral" else []
    wrong += [("seed", str(seed), str(usual))] if seed not in (None, usual) else []
    if wrong:
        places, found, allowed = (", ".join(said) for said in zip(*wrong, strict=True))
        raise AskError(
            "a recorded forecast is the registered one: the first on record counts",
            place=places,
            found=found,
            allowed=allowed,
            remedy="issue without these options; such a run need not be on record.",
        )


def _place(family: str) -> int:
    """Families of the bundled questions in their order, then any others."""
    return FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)


def known_state(package: DataPackage, state: str) -> None:
    """Refuse a code that no state of the package has."""
    states = package.table("states")
    codes = states.loc[states["kind"] == "state", "state"]
    if state not in set(codes):
        raise UnknownNameError("state", state, sorted(codes))
