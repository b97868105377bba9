"""Timings of the steps a user waits for, as ratios to one reading of the data package.

Run by ``make bench``; not part of ``make test``.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import indicators
from forecast.questions import load_questions
from forecast.risk import risk_set
from indicators.tables import DataPackage, load

pytestmark = pytest.mark.bench

Benchmark = Callable[..., object]


@pytest.fixture(scope="module")
def package() -> DataPackage:
    return load()


def test_load(benchmark: Benchmark) -> None:
    benchmark(load)


def test_snapshot(benchmark: Benchmark, package: DataPackage) -> None:
    benchmark(lambda: indicators.snapshot("2016-07-01", package=package))


def test_snapshot_hash(benchmark: Benchmark, package: DataPackage) -> None:
    benchmark(lambda: indicators.snapshot("2016-07-01", package=package).hash)


def test_panel_of_every_state(benchmark: Benchmark, package: DataPackage) -> None:
    states = package.table("states")
    codes = list(states.loc[states["kind"] == "state", "state"])
    seen = indicators.snapshot("2016-07-01", package=package)
    benchmark(lambda: indicators.panel(seen, codes))


@pytest.mark.parametrize("name", ["neutrality_text_revision", "foreign_base", "bloc_accession"])
def test_risk_set(benchmark: Benchmark, package: DataPackage, name: str) -> None:
    question = load_questions(package)[name]
    seen = indicators.snapshot("2016-07-01", package=package)
    benchmark(lambda: risk_set(question, seen))
