"""Rolling origins: what each model would have said at a date, with only what was known then.

A grid of origins, questions, horizons and models. Every origin has its own snapshot; outcomes are
those known at the end. Each origin is written as it is done, so a run that was stopped goes on
where it was, and origins are worked on by several processes without changing a digit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.bounds import ALL, bound_of
from forecast.cache import code, digest, reach, versions
from forecast.files import write_whole
from forecast.links import pair_of
from forecast.questions import Question, load_questions
from forecast.risk import RiskSet
from forecast.standing import Origin, origin_seed, stand
from forecast.variants import ENGINES, HAZARD_DRAWS, HAZARD_PATHS, VARIANTS
from forecast.workers import work
from indicators.dates import as_date
from indicators.errors import TocsinError, UnknownNameError
from indicators.tables import DataPackage, load
from indicators.vintages import Snapshot, snapshot

__all__ = [
    "COLUMNS",
    "MODELS",
    "Grid",
    "GridError",
    "at_origin",
    "backtest",
    "keys_of",
    "roots_of",
    "software",
]

MODELS = tuple(VARIANTS)
COLUMNS = ["question", "state", "origin", "horizon", "model", "p", "prior_share"]
PARTS = "parts"
LONGEST = 600
"""Months ahead that may be asked about, as in a run."""
EXEMPT = ("forecast.cache", "forecast.files", "forecast.workers")
"""Imported, but no number depends on them: a change there leaves finished origins valid."""


class GridError(TocsinError, ValueError):
    """A grid that cannot be worked through."""

    exit_code = 2


@dataclass(frozen=True)
class Grid:
    """What is backtested.

    Parameters
    ----------
    origins : tuple of Timestamp
        First days of months, or their text. Whatever stands twice here or below counts once, and
        a single text is a tuple of one.
    questions : tuple of str
        Ids.
    horizons : tuple of int
        Months ahead, 600 at most.
    models : tuple of str
        Of `MODELS`.
    seed : int
        With the origin, it decides every random number.
    bound : str
        How the coded processes are read: one of `forecast.bounds.BOUNDS`. What came is judged by
        all rows under every bound.
    engine : str
        How hazards are fitted: one of `forecast.variants.ENGINES`. Exactly by default;
        ``tocsin backtest`` asks for the approximation, which takes a tenth of the time.
    """

    origins: tuple[pd.Timestamp, ...]
    questions: tuple[str, ...]
    horizons: tuple[int, ...]
    models: tuple[str, ...]
    seed: int
    bound: str = ALL.name
    engine: str = ENGINES[0]

    def __post_init__(self) -> None:
        for name in ("origins", "questions", "horizons", "models"):
            asked = getattr(self, name)
            once = tuple(dict.fromkeys([asked] if isinstance(asked, (str, Integral)) else asked))
            if not once:
                raise GridError("nothing to backtest", place=name, found="none", allowed="one",
                                remedy="name at least one; does the last origin come after the "
                                "first?")  # fmt: skip
            object.__setattr__(self, name, once)
        object.__setattr__(self, "origins", tuple(as_date(day, "origins") for day in self.origins))
        wrong = [f"{day:%Y-%m-%d}" for day in self.origins if day.day != 1]
        wrong += [repr(h) for h in self.horizons if not _whole(h)]
        if wrong:
            raise GridError(
                "a grid that no forecast has",
                place="origins and horizons",
                found=", ".join(wrong),
                allowed=f"first days of months, whole months ahead from 1 to {LONGEST}",
                remedy='such as Grid(("2010-01-01",), ..., horizons=(6, 12), ...).',
            )
        for model in self.models:
            if model not in MODELS:
                raise UnknownNameError("model", model, MODELS)
        if self.engine not in ENGINES:
            raise UnknownNameError("engine", self.engine, ENGINES)
        bound_of(self.bound)


def _whole(horizon: Any) -> bool:
    """Whether a horizon is a whole number of months that may be asked about; True is none."""
    number = isinstance(horizon, Integral) and not isinstance(horizon, bool)
    return number and 1 <= int(horizon) <= LONGEST


def backtest(
    grid: Grid,
    *,
    data_dir: str | Path | None = None,
    out: Path | None = None,
    home: Path | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Work through a grid.

    Parameters
    ----------
    grid : Grid
        What to ask.
    data_dir : str or Path, optional
        Data package; the bundled one by default.
    out : Path, optional
        Folder: what is finished is kept in ``parts`` there, and not done again.
    home : Path, optional
        Where fits are kept; None keeps none.
    workers : int, optional
        Processes. The result does not depend on their number.
    scheduler : str, optional
        ``local``, or the address of a Dask scheduler, see `forecast.workers.work`.
    progress : callable, optional
        Told how many origins are done, of how many.

    Returns
    -------
    DataFrame
        ``question, state, origin, horizon, model, p, prior_share``, sorted; one row a forecast. A
        fit that its gate refused has p missing. Of model ``linked`` there are rows for pairs of
        questions too (`forecast.links.Door.pair`): whether both come. ``prior_share`` as
        `forecast.predict` has it; of a model that is no hazard, the share of the half event that a
        base rate starts from.

    Raises
    ------
    UnknownNameError
        An unknown question or model.
    DataError
        The data package does not follow its schema.
    ClusterError
        See `forecast.workers.work`.
    OutputError
        The disk refused; what is finished is kept.
    """
    package = load(data_dir)
    known = load_questions(package)
    for name in grid.questions:
        if name not in known:
            raise UnknownNameError("question", name, known)
    store = _Finished(None if out is None else out / PARTS)
    parts: list[pd.DataFrame] = []
    waiting = []
    for origin in grid.origins:
        keys = keys_of(grid, snapshot(origin, package=package), known)
        there = {model: store.read(origin, model, key) for model, key in keys.items()}
        parts += [frame for frame in there.values() if frame is not None]
        left = tuple(model for model, frame in there.items() if frame is None)
        if left:
            waiting.append((replace(grid, models=left), origin, keys, data_dir, home))
    done = len(grid.origins) - len(waiting)
    if progress is not None:
        progress(done, len(grid.origins))
    asked = {origin: (one.models, keys) for one, origin, keys, *_ in waiting}
    with closing(work(_task, waiting, workers=workers, scheduler=scheduler)) as answers:
        for origin, frame in answers:
            models, keys = asked[origin]
            for model in models:
                store.write(origin, model, keys[model], frame[frame["model"] == model])
            parts.append(frame)
            done += 1
            if progress is not None:
                progress(done, len(grid.origins))
    frame = pd.concat(parts, ignore_index=True)
    return frame.sort_values(COLUMNS[:5], ignore_index=True)


def _task(
    grid: Grid,
    origin: pd.Timestamp,
    keys: Mapping[str, str],
    data_dir: str | Path | None,
    home: Path | None,
) -> tuple[pd.Timestamp, pd.DataFrame]:
    """Do one origin, wherever this runs; refuse where data or code are not those asked for."""
    package = load(data_dir)
    seen = snapshot(origin, package=package)
    if any(
        keys[model] != key for model, key in keys_of(grid, seen, load_questions(package)).items()
    ):
        raise GridError(
            "a worker that would answer something else",
            place=f"{origin:%Y-%m-%d}",
            found="other data or questions, or another version of tocsin or of what it is built on",
            allowed="the same on every worker",
            remedy="install the same packages, and give tocsin the same data package, everywhere.",
        )
    return origin, at_origin(grid, seen, package, home=home)


@dataclass
class _Finished:
    """Finished origins in a folder, a file an origin and model."""

    folder: Path | None

    def read(self, origin: pd.Timestamp, model: str, key: str) -> pd.DataFrame | None:
        """Return what was finished before; a file that cannot be read is done again."""
        path = self._path(origin, model, key)
        if path is None or not path.exists():
            return None
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError):
            return None

    def write(self, origin: pd.Timestamp, model: str, key: str, rows: pd.DataFrame) -> None:
        """Keep one, whole or not at all."""
        path = self._path(origin, model, key)
        if path is not None:
            write_whole(path, rows.to_parquet(index=False))

    def _path(self, origin: pd.Timestamp, model: str, key: str) -> Path | None:
        name = f"{origin:%Y-%m}-{model}-{key[:16]}.parquet"
        return None if self.folder is None else self.folder / name


def keys_of(grid: Grid, seen: Snapshot, known: Mapping[str, Question]) -> dict[str, str]:
    """Tell apart, model by model, everything that an origin's forecasts depend on.

    Parameters
    ----------
    grid : Grid
    seen : Snapshot
        Of the origin.
    known : mapping of str to Question

    Returns
    -------
    dict of str
        A digest of data, questions, settings, code and package versions.
    """
    ask = (grid.questions, grid.horizons, grid.seed, grid.engine, bound_of(grid.bound))
    shared = (seen.hash, ask, _asks(grid, known), software(), HAZARD_DRAWS, HAZARD_PATHS)
    return {model: digest(*shared, model) for model in grid.models}


def _asks(grid: Grid, known: Mapping[str, Question]) -> list[str]:
    """Wording, criteria and priors of the questions of a grid, and of those they are parts of."""
    asked = [known[name] for name in grid.questions if name in known]
    roots = [known[one.parent] for one in asked if one.parent]
    return sorted({repr(one) for one in (*asked, *roots)})


def software() -> tuple[str, dict[str, str]]:
    """Return the hash of all code that a forecast depends on, and the versions it stands on."""
    return code(*reach("forecast.backtest", stop=EXEMPT)), versions()


def at_origin(
    grid: Grid, seen: Snapshot, package: DataPackage, *, home: Path | None = None
) -> pd.DataFrame:
    """Forecast every state at risk from one snapshot.

    Parameters
    ----------
    grid : Grid
        Questions, horizons, models and seed.
    seen : Snapshot
        All that was known at the origin.
    package : DataPackage
        Only its questions are read.
    home : Path or None
        Where fits are kept.

    Returns
    -------
    DataFrame
        As `backtest`, of one origin.
    """
    pairs = roots_of(grid, package, seen.as_of)
    roots = {root.id: asked for root, asked in pairs}
    bound = bound_of(grid.bound)
    origin = Origin(
        seen,
        stand([root for root, _ in pairs], seen, bound=bound),
        max(grid.horizons),
        origin_seed(grid.seed, seen.as_of),
        grid.engine,
        home,
        grid.horizons,
    )
    risks = {here.part.question.id: here.part.risk for here in origin.standings}
    rows: list[tuple[Any, ...]] = []
    for model in grid.models:
        for root, state, said in VARIANTS[model].says(origin):
            for name, mark in _asked(roots, root):
                p = said.mean(mark)
                about = (name, state, seen.as_of)
                for h in grid.horizons:
                    share = said.prior_share(mark, h)
                    share = _plain_share(risks[root], mark) if share is None else share
                    rows.append((*about, h, model, np.nan if p is None else p[h - 1], share))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype({"p": float, "prior_share": float, "origin": "datetime64[us]"})


def _asked(roots: Mapping[str, list[Question]], root: str) -> list[tuple[str, str]]:
    """Questions of the grid that a root answers, each with its mark; a pair answers itself."""
    if pair_of(root):
        return [(root, "")]
    return [(q.id, q.marks.names[0] if q.parent else "") for q in roots[root]]


def roots_of(
    grid: Grid, package: DataPackage, as_of: pd.Timestamp
) -> list[tuple[Question, list[Question]]]:
    """Return the questions that are fitted, each with those of the grid that it answers."""
    known = load_questions(package, as_of=as_of)
    roots: dict[str, list[Question]] = {}
    for name in grid.questions:
        if name in known:
            roots.setdefault(known[name].parent or name, []).append(known[name])
    return [(known[name], asked) for name, asked in roots.items()]


def _plain_share(risk: RiskSet, mark: str) -> float:
    """Share of the half event of its prior in a rate's events."""
    events = risk.events if not mark else risk.events[risk.events["mark"] == mark]
    return 0.5 / (0.5 + len(events))
