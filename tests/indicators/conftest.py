"""A tiny synthetic package that follows its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from indicators.tables import DataPackage

# Table by table: primary key, fields of its Table Schema, rows with | between the cells.
SYNTHETIC: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("synthetic.json").read_text(encoding="utf-8")
)


def columns(name: str) -> list[str]:
    """Columns of a synthetic table."""
    return [spec["name"] for spec in SYNTHETIC[name]["fields"]]


def descriptor() -> dict[str, Any]:
    """Descriptor of the synthetic package."""
    resources = [
        {
            "name": name,
            "path": f"tables/{name}.csv",
            "schema": {"fields": table["fields"], "primaryKey": table["primaryKey"]},
        }
        for name, table in SYNTHETIC.items()
    ]
    return {"name": "synthetic", "resources": resources}


def observations() -> pd.DataFrame:
    """Figures with revisions, lags and editions; a fixed seed."""
    rng = np.random.default_rng(20160701)
    rows = [*_deaths(rng), *_gas(rng), *_trips(rng)]
    frame = pd.DataFrame(rows, columns=columns("observations"))
    return frame.astype(str)


def _row(what: str, start: str, end: str, value: float, published: str) -> tuple[object, ...]:
    """One figure; `what` is indicator|state|counterpart|frequency|basis|unit|rule|source."""
    name, state, other, grain, basis, unit, rule, source = what.split("|")
    span = (name, state, other, start, end, grain, basis)
    return (*span, value, "", "", unit, published, rule, source, "")


def _deaths(rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Months with deaths: known a month later, printed in the edition of the next year."""
    for state, mean in {"AFG": 500, "UZB": 0.7, "TKM": 0.2}.items():
        for month in pd.period_range("2010-01", "2020-12", freq="M"):
            dead = int(rng.poisson(mean))
            end = month.end_time.normalize()
            span = (f"{month.start_time:%Y-%m-%d}", f"{end:%Y-%m-%d}", dead)
            what = f"deaths|{state}||M|best|deaths"
            known = f"{end + pd.Timedelta(days=31):%Y-%m-%d}"
            if dead:
                yield _row(f"{what}|lag_reconstructed|ged", *span, known)
                yield _row(f"{what}|edition|ged", *span, f"{month.year + 1}-06-30")


def _gas(rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Output and exports of a year, printed in the next three editions; one plan."""
    for year, later in product(range(2002, 2022), (1, 2, 3)):
        edition = year + later
        if edition > 2022:
            continue
        tail = f"{'cubic' if edition < 2019 else 'standard'}|bcm|edition|gaz"
        day = f"{edition}-06-{8 if edition == 2016 else 30:02d}"
        span = (f"{year}-01-01", f"{year}-12-31")
        output = round(50 + (year - 2002) * 1.5 + rng.normal(0, 2), 1)
        yield _row(f"gas_production|TKM||A|{tail}", *span, output, day)
        yield _row(f"gas_exports|TKM|RUS|A|{tail}", *span, 2022 - year, day)
        yield _row(f"gas_exports|TKM|CHN|A|{tail}", *span, max(year - 2008, 0), day)
    plan = "gas_production|TKM||A|plan|bcm|dated|gaz"
    yield _row(plan, "2030-01-01", "2030-12-31", 250, "2012-05-05")


def _trips(rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """Trips of a year, known a month later; one year of one state was not counted."""
    for year, name, state in product(range(2002, 2022), ("trips_in", "trips_out"), ("TKM", "UZB")):
        if (year, name, state) != (2010, "trips_out", "UZB"):
            what = f"{name}|{state}||A|count|trips|lag_reconstructed|trips"
            count = int(rng.poisson(6))
            yield _row(what, f"{year}-01-01", f"{year}-12-31", count, f"{year + 1}-01-31")


@pytest.fixture(scope="session")
def synthetic(draft_type: Any) -> Any:
    """Synthetic package as text; copy it before changing it."""
    tables = {
        name: pd.DataFrame(
            [row.split("|") for row in table["rows"]], columns=columns(name), dtype=str
        )
        for name, table in SYNTHETIC.items()
        if table["rows"]
    }
    tables["observations"] = observations()
    return draft_type(descriptor(), tables)


@pytest.fixture(scope="session")
def package(synthetic: Any, tmp_path_factory: pytest.TempPathFactory) -> DataPackage:
    """Return the synthetic package, loaded."""
    return synthetic.load(tmp_path_factory.mktemp("synthetic"))
