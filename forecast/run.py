"""One run: every question of one state at one origin, from snapshot to payload."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from forecast import cache as cached
from forecast.answers import Answer, recall
from forecast.asking import (
    HORIZONS,
    SAMPLED,
    AskError,
    asked_of,
    excluded,
    known_names,
    known_state,
    months_of,
    names_of,
    rows_of,
    seed_of,
)
from forecast.beside import beside
from forecast.engine import EXACT, Fitted, Job, fit_all
from forecast.forecasts import Forecast, html, rich_table, tidy
from forecast.learned import learned
from forecast.material import Material, first_month, gather, ground, month_start
from forecast.mixture import mixed
from forecast.models.hazard import Hazard
from forecast.models.pool import Pool
from forecast.payload import Context, entries, frame, informed, own_marks, part_mark, priors_of
from forecast.questions import Question, load_questions
from forecast.reference import reference_classes
from forecast.risk import risk_set
from forecast.toggled import by_question
from forecast.track import track_record
from forecast.watched import brief, listed
from forecast.words import DEFAULT_MODEL
from indicators.dates import DateLike, until_today
from indicators.home import home_dir
from indicators.store.use import stored
from indicators.tables import DataPackage, load
from indicators.vintages import Snapshot, snapshot


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
        return tidy(self.payload["forecasts"])

    def to_json(self) -> str:
        """The payload as text: sorted keys, the same bytes for the same run."""
        return json.dumps(self.payload, sort_keys=True, indent=1, ensure_ascii=False)

    def __rich__(self) -> Any:
        """Table for a terminal."""
        return rich_table(self.payload["forecasts"])

    def _repr_html_(self) -> str:
        return html(self.payload["forecasts"], self.payload["not_seen"])


def run(
    *,
    state: str,
    as_of: DateLike,
    questions: str | Sequence[str] = ("all",),
    horizons: Sequence[int] = HORIZONS,
    model: str = DEFAULT_MODEL,
    strict: bool = False,
    priors: str = "neutral",
    like: Hazard | None = None,
    engine: str = EXACT[0],
    backtest: str | Path | None = None,
    exclude: str | Sequence[str] = (),
    seed: int | None = None,
    data_dir: str | Path | None = None,
    home: str | Path | None = None,
    db: str | Path | None = None,
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
        Origin, not after today (``TOCSIN_TODAY`` moves the clock); a day inside a month
        stands for its first day.
    questions : str or sequence of str
        Question ids, or ``all``.
    horizons : sequence of int
        Months, 1 to 600.
    model : str
        Whose probability is the headline: hazard, base_rate, glm, process_table or pool (the
        other four together, see `backtest`).
    strict : bool
        Use dated editions and reports only, no rule for when a figure came out: every
        number of the payload then rests on true vintages.
    priors : {'neutral', 'informed'}
        Whether indicators are expected to act as the catalog says, or either way.
    like : Hazard, optional
        Structure of the hazard model: family of shrinkage, waves, late reports, scales. The
        priors that a question states stay its own.
    engine : {'nuts', 'pymc'}
        What samples: blackjax on JAX, or PyMC's own sampler, slower, which also takes over by
        itself where JAX cannot be loaded or does not compile.
    backtest : path, optional
        Folder of a backtest (``tocsin backtest --out``): the model's record on windows that
        had closed by the origin is put beside the forecast, see `forecast.track`. A pool learns
        its weights there, see `forecast.learned`; without one it is the plain average.
    exclude : str or sequence of str
        Contested events left out of fits, base rates, rivals and evidence: names of toggles, or
        ids of rows, with which all rows of their toggle go. Such a run cannot be put on record.
    seed : int, optional
        Derived from the origin (20160701) unless given; recorded in the payload.
    data_dir : path, optional
        A data package in place of the bundled one.
    home : path, optional
        Where the cache is; the user's data folder unless given.
    db : str or path, optional
        Store of refreshed figures, a file or a URL; ``none`` for bundled figures alone. Unless
        given, the home folder's own, where there is one and no other data package is.
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
    AskError
        For horizons, questions or a date that no run can have.
    UnknownNameError
        For a state, question, model, engine or contested event that does not exist.
    DataError
        For a package that does not hold.
    FitError
        If the gate refuses a fit.
    OSError
        If the cache cannot be written; nothing has been sampled then.
    """
    say = progress or (lambda _: None)
    known_names(model, priors, engine)
    names, horizons = names_of(questions), months_of(horizons)
    origin = month_start(until_today(as_of, AskError))
    say("reading the data package")
    known = load_questions(package := load(data_dir), as_of=origin)
    asked = asked_of(known, names, horizons, origin)
    known_state(package, state)
    without = excluded(asked, exclude)
    number = seed_of(origin, seed)
    seen, dated = _snapshots(origin, package, db, home, usual=data_dir is None, strict=strict)
    folder = _folder(home, model) if cache else None
    say("building risk sets and panels")
    ask: dict[str, Any] = {"horizon": max(horizons), "seed": number}
    said: dict[str, Any] = {"priors": priors, "like": like, "exclude": rows_of(without)}
    material = _materials(asked, known, seen, dated, state, **said, **ask)
    how: Any = {"allow_poor_fit": allow_poor_fit, "progress": progress, "engine": engine}
    fitted = _fits(material, model, seed=number, home=folder, **how)
    say("simulating futures")
    chosen = learned(model, backtest, package, origin=origin, seed=number)
    who = rows_of(without), chosen.pool
    answers = _answers(folder, material, fitted, ask | {"model": model}, seen, *who)
    doubts = by_question(material, fitted, answers, seen, model, number, folder, without, say=say)
    where = state, origin, horizons, model, number
    context = Context(*where, seen, dated, package.table("states"), without, doubts)
    extra = _signals(context, known, home=folder, say=say) | chosen.told
    extra |= {"priors_are": priors, "priors": priors_of(material, fitted, seen)}
    extra |= _skill(backtest, package, context, asked, say=say)
    return _result(context, asked, material, answers, fitted, extra)


def _folder(home: str | Path | None, model: str) -> Path:
    """Where the cache is, refused before anything is sampled if it cannot be written."""
    folder = home_dir(home)
    if model in SAMPLED:
        writable(folder)
    return folder


def _snapshots(
    origin: pd.Timestamp,
    package: DataPackage,
    db: str | Path | None,
    home: str | Path | None,
    *,
    usual: bool,
    strict: bool,
) -> tuple[Snapshot, Snapshot]:
    """What was known as the run reads it, and by documented publication dates only."""
    with stored(db, home=home, usual=usual) as store:
        dated = snapshot(origin, package=package, store=store, strict=True)
        return (dated if strict else snapshot(origin, package=package, store=store)), dated


def _signals(
    context: Context,
    known: Mapping[str, Question],
    *,
    home: Path | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """First of the watch list; its records leave out what the run does."""
    say("looking at signals")
    ask: dict[str, Any] = {"seed": int(f"{context.origin:%Y%m%d}"), "home": home}
    return brief(listed(context.seen, known, context.state, exclude=context.left_out, **ask))


def _skill(
    backtest: str | Path | None,
    package: DataPackage,
    context: Context,
    asked: Sequence[Question],
    *,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Record of the model in a backtest, on windows that had closed; none without a backtest."""
    if backtest is None:
        return {}
    say("scoring the backtest")
    ids = [question.id for question in asked]
    where: Any = {"origin": context.origin, "seed": context.seed, "horizons": context.horizons}
    return {"skill": track_record(backtest, package, questions=ids, model=context.model, **where)}


def _answers(
    folder: Path | None,
    material: Mapping[str, Mapping[str, Material]],
    fitted: Mapping[str, Fitted],
    ask: dict[str, Any],
    seen: Snapshot,
    exclude: Sequence[str],
    pool: Pool,
) -> dict[str, Answer]:
    """Answer by root question, two at a time: each has its own random numbers."""
    pools = ask["model"] == "pool"

    def one(name: str) -> Answer:
        parts = material[name]
        main = parts["default"]
        if not pools or main.target is None:
            return recall(folder, name, parts, fitted, **ask)
        found = recall(folder, name, parts, fitted, **ask | {"model": "hazard"})
        focal = main.target.state
        classes = reference_classes(main.question, seen, state=focal, exclude=exclude)
        return mixed(found, classes, informed(main), main, seed=ask["seed"], pool=pool)

    with ThreadPoolExecutor(2) as threads:
        answers = dict(zip(material, threads.map(one, material), strict=True))
    if seen.strict:  # the same question of the same snapshot: one answer, not two samples of it
        return {k: replace(a, strict=a.strict and a.own) for k, a in answers.items()}
    return answers


def writable(folder: Path) -> None:
    """Write and remove a file in a folder, or in the nearest above it that exists.

    Raises
    ------
    OSError
        Where that cannot be done, naming the path.
    """
    found = folder.expanduser().absolute()
    while not found.exists():
        found = found.parent
    try:
        with tempfile.TemporaryFile(dir=found) as handle:
            handle.write(bytes(4096))
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(folder)) from error


def _materials(
    asked: Sequence[Question],
    known: Mapping[str, Question],
    seen: Snapshot,
    strict: Snapshot,
    state: str,
    *,
    priors: str,
    like: Hazard | None,
    exclude: Sequence[str],
    horizon: int,
    seed: int,
) -> dict[str, dict[str, Material]]:
    """Material by root question and variant; a question that is part of another shares it."""
    roots = {q.parent or q.id: known[q.parent or q.id] for q in asked}
    states = sorted({s for q in roots.values() for s in risk_set(q, seen).rows["state"]})
    ask: dict[str, Any] = {"horizon": horizon, "seed": seed}
    start = first_month(roots.values())
    by = {kind: ground(kind, states, state, start=start, **ask) for kind in (seen, strict)}
    said = ask | {"priors": priors, "like": like, "exclude": exclude}
    return {
        name: {
            "default": gather(root, seen, state, on=by[seen], **said),
            "no_process": gather(root, seen, state, processes=False, on=by[seen], **said),
            "strict": gather(root, strict, state, on=by[strict], **said),
        }
        for name, root in roots.items()
    }


def _fits(
    material: Mapping[str, Mapping[str, Material]], model: str, **how: Any
) -> dict[str, Fitted]:
    """Every fit that the model needs."""
    jobs = [
        Job(f"{name} ({variant})", part.model, part.design)
        for name, parts in material.items()
        for variant, part in parts.items()
        if part.target is not None and model in SAMPLED
    ]
    return fit_all(jobs, **how) if jobs else {}


def _result(
    context: Context,
    asked: Sequence[Question],
    material: Mapping[str, Mapping[str, Material]],
    answers: Mapping[str, Answer],
    fitted: Mapping[str, Fitted],
    extra: Mapping[str, Any],
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
            marks = {} if mark else own_marks(material[root]["default"].question, found.default)
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
    together = beside(context, asked, material, answers)
    payload |= {"strict_vintages": context.seen.strict, **together, **extra}
    if (pool := extra.get("pool")) and pool["chosen"] != "pool_linear":
        # learned weights are part of what was asked for; the plain average needs no backtest
        made = payload["provenance"]
        made["config_hash"] = cached.digest(made["config_hash"], pool["chosen"], pool["weights"])
    return RunResult(payload, tuple(forecasts), context.seen)
