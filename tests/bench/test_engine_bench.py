"""One hazard at one origin by every way of fitting it, timed in one run.

The two engines of this package use a program that is compiled once for all origins; its seconds
stand beside them. The others are what would be done without it, compiling included, with Numba's
cache on disk as it was found: PyMC's own sampler, nutpie, and a penalised regression of
statsmodels, which answers less. Run by ``make bench``; each is printed as it is done.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from forecast.engine import Job, fit_all
from forecast.plain import sampled, shaped
from forecast.questions import load_questions
from forecast.rivals import GlmRival
from forecast.sampling import Settings
from forecast.standing import Standing, stand
from indicators.tables import load
from indicators.vintages import snapshot

pytestmark = pytest.mark.bench

ORIGIN, QUESTION = "2016-07-01", "foreign_base"
ONE_ROUND = Settings(rounds=1)


@pytest.fixture(scope="module")
def here() -> Standing:
    """What every way of fitting is given."""
    package = load()
    (found,) = stand([load_questions(package)[QUESTION]], snapshot(ORIGIN, package=package))
    return found


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and of CPU, child processes included."""

    def cpu() -> float:
        return time.process_time() + sum(os.times()[2:4])

    before, begun = cpu(), time.perf_counter()
    work()
    return time.perf_counter() - begun, cpu() - before


def test_ratios(here: Standing, capsys: pytest.CaptureFixture[str]) -> None:
    part = here.part
    job = Job(QUESTION, part.model, part.design)

    def ours(engine: str) -> Callable[[], object]:
        how: Any = {"settings": ONE_ROUND, "allow_poor_fit": True}
        return lambda: fit_all([job], seed=1, home=None, engine=engine, **how)

    def anew(sampler: str) -> Callable[[], object]:
        seeds = np.arange(1, ONE_ROUND.chains + 1)
        return lambda: sampled(part.model, shaped(part.design), ONE_ROUND, seeds, sampler=sampler)

    told: dict[str, tuple[float, float]] = {}

    def tell(name: str, work: Callable[[], object]) -> None:
        """Print a row as it is done: the slow ones come last."""
        wall, cpu = told[name] = timed(work)
        ratios = [f"{cpu / told[e][1]:.3g} x {e}" for e in ("approximate", "nuts") if e in told]
        with capsys.disabled():
            print(f"{name}: {wall:.3g} s, {cpu:.3g} s of CPU", *ratios, sep="; ")  # noqa: T201

    for engine in ("approximate", "nuts"):
        tell(f"{engine}, with compiling", ours(engine))
        tell(engine, ours(engine))
    GlmRival.of(part, seed=1)  # loads statsmodels
    tell("penalised GLM", lambda: GlmRival.of(part, seed=1))
    for sampler in ("pymc", "nutpie"):
        tell(f"pm.sample, {sampler}", anew(sampler))
    assert told["approximate"][1] < told["nuts"][1] < told["pm.sample, pymc"][1]
