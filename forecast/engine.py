"""Fit many designs with one compiled program, reusing fits already in the cache."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from forecast import cache, programs
from forecast.approximate import Approximation, Laplace
from forecast.models.design import Array, Capacity, Design
from forecast.models.hazard import Hazard
from forecast.plain import NAME, Plain, shaped
from forecast.sampling import Diagnostics, Fit, Sampler, Settings, gate
from indicators.errors import TocsinError

ROOM = Capacity(
    cells=2048, states=44, regions=10, slots=4, features=8, latents=80, groups=104, columns=28,
    events=32, signs=112,
)  # fmt: skip
"""Usual room of a compiled program, enough for every question on the bundled data. What needs more
grows by the same steps, for itself alone: a forecast does not depend on what else is asked."""
DATED = 160
"""Latent values that NUTS has room for: dated editions alone, which only a run asks for, leave many
figures unknown."""
WAVES = 128
"""Steps in which the room for waves grows, where there are any."""

ENGINES = ("nuts", "approximate", NAME)
"""How a hazard may be fitted: exactly on JAX, approximately where that holds, by PyMC itself."""
EXACT = ("nuts", NAME)
"""Those that a forecast on record may be made by."""
WAYS = {"nuts": ("nuts", NAME), "approximate": ("approximate", "nuts", NAME), NAME: (NAME,)}
"""What is tried, in order: an approximation may refuse itself, and JAX may fail to compile."""
WORDS = {"nuts": "blackjax NUTS on JAX", "approximate": "Laplace with importance sampling",
         NAME: "PyMC's own NUTS"}  # fmt: skip
CODE = (
    "forecast.approximate", "forecast.engine", "forecast.models.design", "forecast.models.hazard",
    "forecast.models.shrinkage", "forecast.models.waves", "forecast.plain", "forecast.sampling",
)  # fmt: skip
"""Modules that decide the draws of given data."""

Progress = Callable[[str], None]


class EngineError(TocsinError, RuntimeError):
    """What samples cannot be loaded or compiled: says nothing of the model or its data."""

    exit_code = 4


class EngineWarning(UserWarning):
    """Another engine was used than the one that was asked for."""


@dataclass(frozen=True)
class Job:
    """One fit to make: what it is called, its model and its unpadded design."""

    name: str
    model: Hazard
    design: Design


@dataclass(frozen=True)
class Fitted:
    """A fit with the model and padded design that it belongs to."""

    model: Hazard
    design: Design
    fit: Fit
    key: str


def room(design: Design, way: str = "nuts") -> Capacity:
    """Capacity of a design's program: multiples of the usual room that hold it."""
    need = design.capacity
    usual = replace(ROOM, latents=DATED) if way == "nuts" else ROOM
    sizes = {f.name: (getattr(need, f.name), getattr(usual, f.name)) for f in fields(Capacity)}
    sizes["waves"] = (need.waves, WAVES if need.waves > ROOM.waves else ROOM.waves)
    return Capacity(**{name: -(-size // unit) * unit for name, (size, unit) in sizes.items()})


def fit_all(
    jobs: list[Job],
    *,
    seed: int,
    home: Path | None,
    engine: str = "nuts",
    settings: Settings | None = None,
    allow_poor_fit: bool = False,
    progress: Progress | None = None,
) -> dict[str, Fitted]:
    """Fit every job, from the cache where it holds the same content.

    Parameters
    ----------
    jobs : list of Job
    seed : int
    home : Path or None
        Where the cache is; None for none.
    engine : {"nuts", "approximate", "pymc"}, optional
        An approximation that refuses itself is made again by NUTS; where JAX cannot be loaded or
        does not compile, PyMC's own sampler takes its place with an `EngineWarning`.
    settings : Settings, optional
        Of NUTS, on JAX or PyMC's own.
    allow_poor_fit : bool
    progress : callable, optional
        Told in a line what is being done.

    Raises
    ------
    FitError
        If a fit does not pass the gate; nothing of it is stored.
    """
    say = progress or (lambda _: None)
    settings = settings or Settings()
    out: dict[str, Fitted] = {}
    for job in jobs:
        for way in WAYS[engine]:
            padded = job.design.padded(room(job.design, way))
            content = _content(job.model.data(padded))
            how = Approximation() if way == "approximate" else settings
            key = cache.digest(content, way, how, seed, cache.versions(), cache.code(*CODE))
            same = next((f for f in out.values() if f.key == key), None)
            fit = same.fit if same else _recall(home, key)
            kept = fit is not None
            if fit is None:
                fit = _made(job, padded, way, how, seed=seed, home=home, say=say)
            if fit is not None:
                break
        assert fit is not None  # noqa: S101 (the last way raises or returns one)
        gate(fit.diagnostics, what=job.name, allow_poor_fit=allow_poor_fit)
        if home is not None and not kept:
            _store(home, key, fit)
        shape = shaped(job.design) if way == NAME else padded
        out[job.name] = Fitted(job.model, shape, fit, key)
    return out


def at_mode(job: Job, *, seed: int, home: Path | None) -> tuple[Fitted, Fitted]:
    """Fit a job by its penalised maximum alone.

    Parameters
    ----------
    job : Job
    seed : int
    home : Path or None
        Where compiled programs are kept.

    Returns
    -------
    (Fitted, Fitted)
        As `forecast.approximate.Laplace.mode`; never cached.

    Raises
    ------
    FitError
        It was not found.
    EngineError
        JAX cannot be loaded or does not compile.
    """
    padded = job.design.padded(room(job.design, "approximate"))
    try:
        program: Any = _program("approximate", job.model, padded, Approximation(), home=home)
    except broken() as error:
        raise EngineError(
            "the penalised maximum needs JAX",
            place=job.name,
            found=f"{type(error).__name__}: {error}",
            remedy="install JAX, or use a model that PyMC can fit.",
        ) from error
    found = program.mode(job.model, job.design, seed=seed)
    one, around = (Fitted(job.model, padded, fit, "") for fit in found)
    return one, around


def broken() -> tuple[type[Exception], ...]:
    """Return what is raised where JAX is not there or cannot compile; no error of our own code."""
    try:
        from jax.errors import JaxRuntimeError
    except (ImportError, AttributeError, RuntimeError):  # it does not fit the other packages
        return (ImportError, AttributeError, RuntimeError)
    return (ImportError, JaxRuntimeError)


def _made(
    job: Job,
    padded: Design,
    way: str,
    settings: Any,
    *,
    seed: int,
    home: Path | None,
    say: Progress,
) -> Fit | None:
    """Fit one job in one way; None where the next way has to be tried."""
    try:
        program = _program(way, job.model, padded, settings, home=home, say=say)
    except broken() as error:
        if way == NAME:
            raise
        told = f"{job.name}: {type(error).__name__}: {error}; JAX failed, another engine is used"
        say(told)
        warnings.warn(told, EngineWarning, stacklevel=3)
        return None
    say(
        f"{'approximating' if way == 'approximate' else 'sampling'} {job.name}: "
        f"{job.design.months:,.0f} unit-months, {int(job.design.event_weight.sum())} events"
    )
    fit = program(job.model, job.design, seed=seed)
    failures = fit.diagnostics.failures()
    if way == "approximate" and failures:
        say(f"{job.name}: {'; '.join(failures)}; sampled instead")
        return None
    return fit


type _Program = Sampler | Laplace | Plain
_PROGRAMS: dict[tuple[Any, Capacity, Any], _Program] = {}
"""Programs compiled in this process: a backtest compiles once for all its origins."""
_MOST_PROGRAMS = 3


def _program(
    way: str,
    model: Hazard,
    padded: Design,
    settings: Any,
    *,
    home: Path | None = None,
    say: Progress = lambda _: None,
) -> _Program:
    """Return the compiled program of a capacity; everything else is data."""
    if way == NAME:
        return Plain(settings)
    kind: Any = Sampler if way == "nuts" else Laplace
    key = (kind, padded.capacity, settings)
    if key not in _PROGRAMS:
        say(f"compiling the {'sampler' if way == 'nuts' else 'approximation'}")
        while len(_PROGRAMS) >= _MOST_PROGRAMS:
            del _PROGRAMS[next(iter(_PROGRAMS))]
        with programs.kept(home):
            _PROGRAMS[key] = kind(model, padded, settings)
    return _PROGRAMS[key]


def _content(data: Mapping[str, Array]) -> str:
    import hashlib

    h = hashlib.sha256()
    for name, value in sorted(data.items()):
        h.update(f"{name}{value.dtype}{value.shape}".encode())
        h.update(np.ascontiguousarray(value).tobytes())
    return h.hexdigest()


def _recall(home: Path | None, key: str) -> Fit | None:
    stored = cache.load(home, key) if home is not None else None
    if stored is None:
        return None
    values: dict[str, Any] = {f.name: stored.pop(f"_{f.name}").item() for f in fields(Diagnostics)}
    return Fit(stored, Diagnostics(**values))


def _store(home: Path, key: str, fit: Fit) -> None:
    diagnostics = {f"_{k}": np.array(v) for k, v in asdict(fit.diagnostics).items()}
    cache.save(home, key, {**fit.raw, **diagnostics})
