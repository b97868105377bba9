"""One run: every question of one state at one origin, from snapshot to payload."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from forecast import cache as store
from forecast.answers import Answer, recall
from forecast.engine import Fitted, Job, fit_all
from forecast.forecasts import TABLE, Forecast, rich_table
from forecast.material import Material, gather, ground, month_start
from forecast.payload import Context, entries, frame, part_mark
from forecast.questions import Question, load_questions
from forecast.risk import risk_set
from indicators.errors import UnknownNameError
from indicators.tables import DataPackage, load
from indicators.vintages import DateLike, Snapshot, as_date, snapshot

HORIZONS = (6, 12, 24, 36)
FAMILIES = ("neutrality", "base", "bloc")
MODELS = ("hazard", "base_rate", "glm", "process_table")


@dataclass(frozen=True)
class RunResult:
    """What one run found.

    Attributes
    ----------
    payload : dict
        The JSON document, see ``forecast/schemas/forecast-1.json``.
    forecasts : tuple of Forecast
        With draws, one a question.
    snapshot : Snapshot
        All that was known.
    """

    payload: dict[str, Any] = field(repr=False)
    forecasts: tuple[Forecast, ...]
    snapshot: Snapshot = field(repr=False)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a question and horizon."""
        tables = [f.table for f in self.forecasts]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=TABLE)

    def to_json(self) -> str:
        """The payload as text: sorted keys, the same bytes for the same run."""
        return json.dumps(self.payload, sort_keys=True, indent=1, ensure_ascii=False)

    def __rich__(self) -> Any:
        """Table for a terminal."""
        return rich_table(self.payload["forecasts"])

    def _repr_html_(self) -> str:
        return "".join(f._repr_html_() for f in self.forecasts)


def run(
    *,
    state: str,
    as_of: DateLike,
    questions: Sequence[str] = ("all",),
    horizons: Sequence[int] = HORIZONS,
    model: str = "hazard",
    seed: int | None = None,
    data_dir: str | Path | None = None,
    home: str | Path | None = None,
    cache: bool = True,
    allow_poor_fit: bool = False,
    progress: Callable[[str], None] | None = None,
) -> RunResult:
    """Forecast every question of a state from what was known at a date.

    Parameters
    ----------
    state : str
        ISO 3166 alpha-3 code.
    as_of : date
        Origin; a day inside a month stands for its first day.
    questions : sequence of str
        Question ids, or ``all``.
    horizons : sequence of int
        Months.
    model : str
        Whose probability is the headline: hazard, base_rate, glm or process_table.
    seed : int, optional
        Derived from the origin (20160701) unless given; recorded in the payload.
    data_dir : path, optional
        A data package in place of the bundled one.
    home : path, optional
        Where the cache is; the user's data folder unless given.
    cache : bool
        Whether fits are looked up and kept.
    allow_poor_fit : bool
        Keep a fit that does not pass the gate, flagged.
    progress : callable, optional
        Told in a line what is being done.

    Returns
    -------
    RunResult

    Raises
    ------
    UnknownNameError
        For a state, question or model that does not exist.
    DataError
        For a package that does not hold.
    FitError
        If the gate refuses a fit.
    """
    say = progress or (lambda _: None)
    if model not in MODELS:
        raise UnknownNameError("model", model, MODELS)
    say("reading the data package")
    package = load(data_dir)
    origin = month_start(as_date(as_of))
    known = load_questions(package, as_of=origin)
    asked = _asked(known, questions, horizons, origin)
    _known_state(package, state)
    number = int(f"{origin:%Y%m%d}") if seed is None else seed
    seen = snapshot(origin, package=package)
    strict = snapshot(origin, package=package, strict=True)
    say("building risk sets and panels")
    material = _materials(asked, known, seen, strict, state, horizon=max(horizons), seed=number)
    folder = _home(home) if cache else None
    fitted: dict[str, Fitted] = {}
    if model == "hazard" and (jobs := _jobs(material)):
        fitted = fit_all(
            jobs, seed=number, home=folder, allow_poor_fit=allow_poor_fit, progress=progress
        )
    say("simulating futures")
    ask: dict[str, Any] = {"horizon": max(horizons), "seed": number, "model": model}
    answers = _answers(folder, material, fitted, ask)
    states = package.table("states")
    context = Context(state, origin, tuple(horizons), model, number, seen, strict, states)
    return _result(context, asked, material, answers, fitted)


def _answers(
    folder: Path | None,
    material: Mapping[str, Mapping[str, Material]],
    fitted: Mapping[str, Fitted],
    ask: dict[str, Any],
) -> dict[str, Answer]:
    """Answer by root question, two at a time: each has its own random numbers."""

    def one(name: str) -> Answer:
        return recall(folder, name, material[name], fitted, **ask)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(material, pool.map(one, material), strict=True))


def _home(home: str | Path | None) -> Path:
    return store.home_dir(home)


def _asked(
    known: Mapping[str, Question],
    names: Sequence[str],
    horizons: Sequence[int],
    origin: pd.Timestamp,
) -> list[Question]:
    ordered = sorted(known, key=lambda name: (FAMILIES.index(known[name].family), name))
    chosen = ordered if "all" in names else list(dict.fromkeys(names))
    for name in chosen:
        if name not in known:
            raise UnknownNameError("question", name, known)
    asked = [known[name] for name in chosen]
    for question in asked:
        for horizon in horizons:
            question.closes(origin, horizon)
    return asked


def _known_state(package: DataPackage, state: str) -> None:
    states = package.table("states")
    codes = states.loc[states["kind"] == "state", "state"]
    if state not in set(codes):
        raise UnknownNameError("state", state, sorted(codes))


def _materials(
    asked: Sequence[Question],
    known: Mapping[str, Question],
    seen: Snapshot,
    strict: Snapshot,
    state: str,
    *,
    horizon: int,
    seed: int,
) -> dict[str, dict[str, Material]]:
    """Material by root question and variant; a question that is part of another shares it."""
    roots = {q.parent or q.id: known[q.parent or q.id] for q in asked}
    states = sorted({s for q in roots.values() for s in risk_set(q, seen).rows["state"]})
    ask: dict[str, Any] = {"horizon": horizon, "seed": seed}
    by = {kind: ground(kind, states, state, **ask) for kind in (seen, strict)}
    return {
        name: {
            "default": gather(root, seen, state, on=by[seen], **ask),
            "no_process": gather(root, seen, state, processes=False, on=by[seen], **ask),
            "strict": gather(root, strict, state, on=by[strict], **ask),
        }
        for name, root in roots.items()
    }


def _jobs(material: Mapping[str, Mapping[str, Material]]) -> list[Job]:
    return [
        Job(f"{name} ({variant})", part.model, part.design)
        for name, parts in material.items()
        for variant, part in parts.items()
        if part.target is not None
    ]


def _result(
    context: Context,
    asked: Sequence[Question],
    material: Mapping[str, Mapping[str, Material]],
    answers: Mapping[str, Answer],
    fitted: Mapping[str, Fitted],
) -> RunResult:
    forecasts, rows = [], []
    for question in asked:
        root = question.parent or question.id
        found = answers[root]
        listed = entries(context, question, material[root], found)
        rows += listed
        if found.default is not None:
            index = [h - 1 for h in context.horizons]
            mark = part_mark(question)
            part = found.default.marks[mark] if mark else found.default.p
            marks = {} if mark else found.default.marks
            forecasts.append(
                Forecast(
                    question.id,
                    context.state,
                    context.origin,
                    context.horizons,
                    part[:, index],
                    {k: v[:, index] for k, v in marks.items()},
                    tuple(listed),
                )
            )
    payload = frame(context, asked, material, rows, fitted)
    return RunResult(payload, tuple(forecasts), context.seen)
