"""A tiny synthetic package that follows its schema, and ways to write and poison packages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import indicators
from indicators.tables import DataPackage, load

# Table by table: primary key, fields of its Table Schema, rows with | between the cells.
SYNTHETIC: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("synthetic.json").read_text(encoding="utf-8")
)


@dataclass
class Draft:
    """A data package as text, before it is written: every cell a string."""

    descriptor: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    extra: Path | None = None

    def copy(self) -> Draft:
        """Return a copy that can be changed freely."""
        tables = {name: frame.copy() for name, frame in self.tables.items()}
        return Draft(deepcopy(self.descriptor), tables, self.extra)

    def write(self, folder: Path) -> Path:
        """Write descriptor and tables; returns the folder."""
        (folder / "tables").mkdir(parents=True, exist_ok=True)
        (folder / "datapackage.json").write_text(json.dumps(self.descriptor), encoding="utf-8")
        for name, frame in self.tables.items():
            text = frame.to_csv(index=False, lineterminator="\n")
            (folder / "tables" / f"{name}.csv").write_text(text, encoding="utf-8")
        return folder

    def load(self, folder: Path) -> DataPackage:
        """Write and load."""
        return load(self.write(folder))


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
def synthetic() -> Draft:
    """Synthetic package as text; copy it before changing it."""
    tables = {
        name: pd.DataFrame(
            [row.split("|") for row in table["rows"]], columns=columns(name), dtype=str
        )
        for name, table in SYNTHETIC.items()
        if table["rows"]
    }
    tables["observations"] = observations()
    return Draft(descriptor(), tables)


@pytest.fixture(scope="session")
def package(synthetic: Draft, tmp_path_factory: pytest.TempPathFactory) -> DataPackage:
    """Return the synthetic package, loaded."""
    return synthetic.load(tmp_path_factory.mktemp("synthetic"))


@pytest.fixture(scope="session")
def bundled() -> DataPackage:
    """Return the package that is shipped."""
    return indicators.load()


@pytest.fixture(scope="session")
def bundled_draft(bundled: DataPackage) -> Draft:
    """Return the shipped package as text; copy it before changing it."""
    listed = json.loads((bundled.path / "datapackage.json").read_text(encoding="utf-8"))
    tables = {
        item["name"]: pd.read_csv(bundled.path / item["path"], dtype=str, keep_default_na=False)
        for item in listed["resources"]
    }
    return Draft(listed, tables)


@pytest.fixture(scope="session")
def poisoned() -> Callable[[Draft, str], Draft]:
    """Return a function that changes whatever became known after a date."""
    return poison


def _end(dates: pd.Series, grains: pd.Series | None) -> pd.Series:
    """End of the interval a date stands for, worked out one by one."""
    out = []
    for number, text in enumerate(dates):
        grain = grains.iloc[number] if grains is not None else "day"
        if not text:
            out.append("")
        elif grain == "month":
            out.append((pd.Period(text[:7], "M").end_time).strftime("%Y-%m-%d"))
        elif grain == "year":
            out.append(text[:4] + "-12-31")
        else:
            out.append(text)
    return pd.Series(out, index=dates.index)


# When a row is public (the latest of these), and what becomes known later with which columns.
PUBLIC = {
    "neutrality_events": [("event_date", "event_precision")],
    "neutrality_spells": [("start_date", "start_precision")],
    "base_episodes": [
        ("open_date", "open_precision"),
        ("became_public", "became_public_precision"),
    ],
    "memberships": [("start_date", "start_precision")],
    "reform_processes": [("became_public", "became_public_precision")],
    "base_processes": [("became_public", "became_public_precision")],
    "process_statements": [("statement_date", "statement_precision")],
    "incidents": [("published", "published_precision"), ("date_start", None)],
    "contacts": [("published", "published_precision"), ("date_start", None)],
    "contiguity": [("start", None)],
}
LATER = {
    "neutrality_spells": [("end_date", "end_precision", ["end_mechanism", "censor_date"])],
    "base_episodes": [("close_date", "close_precision", ["close_type", "censor_date"])],
    "memberships": [("end_date", "end_precision", [])],
    "reform_processes": [
        ("draft_public", "draft_precision", []),
        ("ended", "ended_precision", ["outcome", "outcome_date"]),
    ],
    "base_processes": [("signed", None, []), ("ended", "ended_precision", ["outcome"])],
    "incidents": [("toll_published", None, ["deaths_low"])],
    "contiguity": [("end", None, [])],
}
FREE = {"note", "description", "urls", "title"}


def poison(draft: Draft, origin: str) -> Draft:
    """Change everything that became known after a date, within the schema."""
    out = draft.copy()
    rng = np.random.default_rng(7)
    rows = out.tables["observations"]
    after = rows["published"] > origin
    rows.loc[after, "value"] = [f"{value:.1f}" for value in rng.uniform(0, 999, after.sum())]
    gone = after & (rng.uniform(size=len(rows)) < 0.3)
    more = rows[after & ~gone].drop_duplicates(["indicator", "state"]).copy()
    more["published"] = "2040-01-01"
    out.tables["observations"] = pd.concat([rows[~gone], more]).sample(frac=1.0, random_state=7)
    for name, facts in PUBLIC.items():
        if name in out.tables:
            table = out.tables[name].copy()
            out.tables[name] = _poison_table(name, table, facts, origin, rng, _needed(draft, name))
    near = out.tables["near_misses"]
    out.tables["near_misses"] = near.iloc[: max(1, len(near) // 2)]
    registry = out.tables["indicators"]
    open_end = registry["coverage_end"] > origin
    registry.loc[open_end, "coverage_end"] = "2039-12-31"
    for table in out.tables.values():
        for column in FREE & set(table.columns):
            table[column] = table[column].map(lambda text: text and "contested")
    return out


def _needed(draft: Draft, name: str) -> set[str]:
    """Ids of a table that other tables point to: without them the package has no sense."""
    links = {
        "neutrality_spells": [
            ("neutrality_events", "spell_id"),
            ("reform_processes", "spell_at_risk"),
        ],
        "reform_processes": [("process_statements", "process_id")],
        "base_episodes": [("base_processes", "linked_episode")],
    }
    out: set[str] = set()
    for table, column in links.get(name, []):
        if table in draft.tables and column in draft.tables[table]:
            out |= set(draft.tables[table][column])
    return out


def _poison_table(
    name: str,
    table: pd.DataFrame,
    facts: list[Any],
    origin: str,
    rng: np.random.Generator,
    needed: set[str],
) -> pd.DataFrame:
    known = pd.concat([_end(table[d], table.get(p)) for d, p in facts], axis=1).max(axis=1)
    first = table[facts[0][0]]
    hidden = (known > origin) | (first == "")
    for date, precision, others in LATER.get(name, []):
        told = (_end(table[date], table.get(precision)) <= origin) & (table[date] != "")
        if date == "toll_published":
            told |= table[date] == ""
        for column in others:
            _poison_column(table, column, ~told, origin, rng)
        later = ~told & ~hidden
        table.loc[later, date] = np.where(rng.uniform(size=later.sum()) < 0.5, "", "2037-05-05")
        if precision in table.columns:
            table.loc[later, precision] = np.where(table.loc[later, date] == "", "", "day")
    for column in ("outcome", "agenda", "peak_kind"):
        if column in table.columns:
            table[column] = rng.permutation(table[column].to_numpy())
    drop = hidden & (rng.uniform(size=len(table)) < 0.5)
    drop &= ~table.iloc[:, 0].isin(needed)
    moved = hidden & ~drop & (first != "")
    table.loc[moved, facts[0][0]] = "2036-03-03"
    return table[~drop].sample(frac=1.0, random_state=3)


def _poison_column(
    table: pd.DataFrame, column: str, rows: pd.Series, origin: str, rng: np.random.Generator
) -> None:
    """Change what goes with a date that is not known yet."""
    texts = table[column]
    if column == "censor_date":
        table.loc[rows & (texts > origin), column] = "2038-01-01"
    elif column == "deaths_low":
        table.loc[rows, column] = "99"
    elif not texts.str.fullmatch(r"[\d.-]*").all():
        # Any other value of the same column keeps the schema.
        table.loc[rows, column] = rng.choice(texts[texts != ""].to_numpy(), rows.sum())
