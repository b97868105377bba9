"""A tiny synthetic package that follows its schema, and ways to write and poison packages."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import indicators
from indicators.tables import DataPackage, load

DAY = {"type": "date"}
FLAG = {"type": "integer", "constraints": {"minimum": 0, "maximum": 1}}
PRECISION = {"type": "string", "constraints": {"enum": ["day", "month", "year"]}}
TEXT = {"type": "string"}
MUST = {"type": "string", "constraints": {"required": True}}
NUMBER = {"type": "number"}

# table: (primary key, columns); a column without a type is text.
SCHEMAS: dict[str, tuple[list[str], dict[str, dict[str, Any]]]] = {
    "observations": (
        ["indicator", "state", "counterpart", "start", "end", "basis", "source", "published"],
        {
            "indicator": MUST,
            "state": MUST,
            "counterpart": TEXT,
            "start": {"type": "date", "constraints": {"required": True}},
            "end": {"type": "date", "constraints": {"required": True}},
            "frequency": {"type": "string", "constraints": {"enum": ["A", "Q", "M", "other"]}},
            "basis": TEXT,
            "value": {"type": "number", "constraints": {"minimum": 0, "maximum": 1e6}},
            "value_low": NUMBER,
            "value_high": NUMBER,
            "unit": MUST,
            "published": {"type": "date", "constraints": {"required": True}},
            "published_rule": {
                "type": "string",
                "constraints": {
                    "enum": ["edition", "dated", "lag", "lag_reconstructed", "event_date"]
                },
            },
            "source": MUST,
            "note": TEXT,
        },
    ),
    "sources": (["source"], {"source": MUST, "title": TEXT}),
    "indicators": (
        ["indicator"],
        {
            "indicator": MUST,
            "family": TEXT,
            "meaning": TEXT,
            "unit": MUST,
            "frequency": TEXT,
            "aggregation": {"type": "string", "constraints": {"enum": ["sum", "mean", "last"]}},
            "absent_is_zero": FLAG,
            "coverage_start": DAY,
            "coverage_end": DAY,
            "lag_days": {"type": "integer"},
            "strict_lag": TEXT,
            "known_breaks": TEXT,
            "source": TEXT,
        },
    ),
    "features": (
        ["feature"],
        {
            "feature": MUST,
            "indicators": MUST,
            "scope": MUST,
            "transform": MUST,
            "window_months": {"type": "integer"},
            "centre": NUMBER,
            "scale": NUMBER,
            "sign_neutrality": {"type": "integer"},
            "sign_base": {"type": "integer"},
            "sign_bloc": {"type": "integer"},
            "reason": TEXT,
            "family": TEXT,
        },
    ),
    "states": (["state"], {"state": MUST, "name": TEXT, "region": TEXT, "kind": TEXT}),
    "contiguity": (
        ["state", "neighbour", "start"],
        {"state": MUST, "neighbour": MUST, "start": DAY, "end": DAY},
    ),
    "neutrality_spells": (
        ["spell_id"],
        {
            "spell_id": MUST,
            "state": MUST,
            "category": TEXT,
            "start_date": DAY,
            "start_precision": PRECISION,
            "end_date": DAY,
            "end_precision": PRECISION,
            "end_mechanism": TEXT,
            "censor_date": DAY,
            "note": TEXT,
        },
    ),
    "neutrality_events": (
        ["event_id"],
        {
            "event_id": MUST,
            "spell_id": MUST,
            "state": MUST,
            "event_date": DAY,
            "event_precision": PRECISION,
            "broad_event": FLAG,
            "description": TEXT,
        },
    ),
    "base_episodes": (
        ["episode_id"],
        {
            "episode_id": MUST,
            "host": MUST,
            "user": MUST,
            "agreement_date": DAY,
            "open_date": DAY,
            "open_precision": PRECISION,
            "close_date": DAY,
            "close_precision": PRECISION,
            "close_type": TEXT,
            "is_base": FLAG,
            "became_public": DAY,
            "became_public_precision": PRECISION,
            "censor_date": DAY,
        },
    ),
    "memberships": (
        ["membership_id"],
        {
            "membership_id": MUST,
            "organisation": MUST,
            "state": MUST,
            "start_date": DAY,
            "start_precision": PRECISION,
            "end_date": DAY,
            "end_precision": PRECISION,
        },
    ),
    "reform_processes": (
        ["process_id"],
        {
            "process_id": MUST,
            "state": MUST,
            "kind": TEXT,
            "started": DAY,
            "started_precision": PRECISION,
            "became_public": DAY,
            "became_public_precision": PRECISION,
            "draft_public": DAY,
            "draft_precision": PRECISION,
            "ended": DAY,
            "ended_precision": PRECISION,
            "outcome": TEXT,
            "outcome_date": DAY,
            "agenda": TEXT,
        },
    ),
    "base_processes": (
        ["process_id"],
        {
            "process_id": MUST,
            "host": MUST,
            "user": MUST,
            "kind": TEXT,
            "became_public": DAY,
            "became_public_precision": PRECISION,
            "signed": DAY,
            "ended": DAY,
            "ended_precision": PRECISION,
            "outcome": TEXT,
            "peak_kind": TEXT,
            "end_imputed": FLAG,
        },
    ),
    "incidents": (
        ["incident_id"],
        {
            "incident_id": MUST,
            "date_start": DAY,
            "date_end": DAY,
            "deaths_low": {"type": "integer"},
            "published": DAY,
            "published_precision": TEXT,
            "toll_published": DAY,
            "note": TEXT,
        },
    ),
    "near_misses": (["id"], {"id": MUST, "why": TEXT}),
}

ROWS: dict[str, list[str]] = {
    "sources": ["gaz|Gazette", "ged|Deaths", "trips|Trips"],
    "indicators": [
        "deaths|border|Deaths|deaths|M|sum|1|2010-01-01|2020-12-31|31|edition:06-30|none|ged",
        "gas_production|gas|Output|bcm|A|last|0|2000-01-01|2025-12-31|180|edition:06-30|2018|gaz",
        "gas_exports|gas|Exports|bcm|A|last|0|2000-01-01|2025-12-31|180|edition:06-30||gaz",
        "trips_in|contacts|Visits|trips|A|sum|0|2000-01-01|2025-12-31|31|none||trips",
        "trips_out|contacts|Visits|trips|A|sum|0|2000-01-01|2025-12-31|31|none||trips",
    ],
    "features": [
        "violence_own|deaths|own|log1p|12|2|1.5|0|1|0|why|border",
        "violence_neighbours|deaths|neighbours|log1p|12|4|2|1|1|0|why|border",
        "gas|gas_production|own|identity|12|50|20|0|0|0|why|gas",
        "gas_share|gas_exports|counterparts|share_max|12|0.5|0.25|0|0|0|why|gas",
        "trips|trips_in+trips_out|own|log1p|12|2|1|0|0|0|why|contacts",
    ],
    "states": [
        "TKM|Turkmenistan|central_asia|state",
        "AFG|Afghanistan|asia|state",
        "UZB|Uzbekistan|central_asia|state",
        "RUS|Russia|eastern_europe|state",
        "CHN|China|asia|state",
        "ISL|Iceland|europe|state",
        "NATO|NATO||organisation",
    ],
    "contiguity": [
        "TKM|AFG|1991-10-27|",
        "TKM|UZB|1991-10-27|2015-03-10",
        "AFG|TKM|1991-10-27|",
        "AFG|UZB|1991-10-27|",
        "UZB|TKM|1991-10-27|2015-03-10",
        "UZB|AFG|1991-10-27|",
    ],
    "neutrality_spells": [
        "TKM-1995|TKM|legal|1995-12-12|day||||2020-12-31|n",
        "UZB-2012|UZB|policy|2012-06-15|month|2014-06-30|year|statute||n",
        "AFG-2015|AFG|policy|2015-07-01|year|2017-02-15|month|force||n",
    ],
    "neutrality_events": [
        "TKM-1995@2016-09-14|TKM-1995|TKM|2016-09-14|day|1|later",
        "TKM-1995@2003-08-15|TKM-1995|TKM|2003-08-15|month|0|text",
        "UZB-2012@2014-06-30|UZB-2012|UZB|2014-06-30|year|1|end",
    ],
    "base_episodes": [
        "UZB-USA|UZB|RUS||2001-10-07|day|2005-11-21|day|left|1|2001-10-07|day|",
        "AFG-RUS|AFG|RUS|2017-01-01|2013-06-15|month|2018-06-30|year|left|1|2013-01-01|day|",
        "TKM-CHN|TKM|CHN|2012-01-01|2014-01-01|day||||1|2019-02-18|month|2020-12-31",
        "TKM-RUS|TKM|RUS|||||||0|2013-01-01|day|",
    ],
    "memberships": [
        "NATO-UZB|NATO|UZB|2011-06-30|year|2016-06-15|month",
        "NATO-TKM|NATO|TKM|2018-01-01|day||",
    ],
    "reform_processes": [
        "TKM-2014|TKM|commission|2014-05-01|day|2014-05-15|month|2016-02-15|day|2016-09-14|day|"
        "revised|2016-09-14|neutrality",
        "UZB-2013|UZB|bill|2013-06-30|year|2013-06-30|year|||2014-01-05|day|rejected|2014-01-05|x",
    ],
    "base_processes": [
        "TKM-CHN-1|TKM|CHN|rumour|2012-06-30|year|2013-01-10|2014-01-01|day|opened|ratified|0",
        "AFG-RUS-1|AFG|RUS|offer|2012-03-10|day||2014-03-10|day|not_realised|offer|1",
    ],
    "incidents": [
        "I1|2014-02-27|2014-02-28|3|2014-02-28|exact|2015-05-20|n",
        "I2|2014-05-24|2014-05-24|3|2014-05-15|month||n",
        "I3|2013-01-01|2013-01-02|1|2018-01-01|exact||n",
    ],
    "near_misses": ["N1|because"],
}


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


def descriptor() -> dict[str, Any]:
    """Descriptor of the synthetic package."""
    resources = []
    for name, (key, columns) in SCHEMAS.items():
        fields = [{"name": column, **spec} for column, spec in columns.items()]
        schema = {"fields": fields, "primaryKey": key}
        resources.append({"name": name, "path": f"tables/{name}.csv", "schema": schema})
    return {"name": "synthetic", "resources": resources}


def observations() -> pd.DataFrame:
    """Figures with revisions, lags and editions; a fixed seed."""
    rng = np.random.default_rng(20160701)
    rows: list[tuple[object, ...]] = []

    def add(
        ind: str, state: str, other: str, start: str, end: str, freq: str, basis: str,
        value: object, unit: str, day: object, rule: str, source: str,
    ) -> None:  # fmt: skip
        when = pd.Timestamp(day).strftime("%Y-%m-%d")
        rows.append(
            (
                ind,
                state,
                other,
                start,
                end,
                freq,
                basis,
                value,
                "",
                "",
                unit,
                when,
                rule,
                source,
                "",
            )
        )

    for state in ("AFG", "UZB", "TKM"):
        for month in pd.date_range("2010-01-01", "2020-12-01", freq="MS"):
            dead = int(rng.poisson({"AFG": 500, "UZB": 0.7, "TKM": 0.2}[state]))
            if dead == 0:
                continue
            end = month + pd.offsets.MonthEnd(0)
            span = (month.strftime("%Y-%m-%d"), end.strftime("%Y-%m-%d"), "M", "best")
            known = end + pd.Timedelta(days=31)
            add("deaths", state, "", *span, dead, "deaths", known, "lag_reconstructed", "ged")
            edition = f"{month.year + 1}-06-30"
            add("deaths", state, "", *span, dead, "deaths", edition, "edition", "ged")
    for year in range(2002, 2022):
        for edition in range(year + 1, min(year + 4, 2023)):
            basis = "cubic" if edition < 2019 else "standard"
            value = round(50 + (year - 2002) * 1.5 + rng.normal(0, 2), 1)
            span = (f"{year}-01-01", f"{year}-12-31", "A", basis)
            day = f"{edition}-06-{8 if edition == 2016 else 30:02d}"
            add("gas_production", "TKM", "", *span, value, "bcm", day, "edition", "gaz")
            for other, amount in (("RUS", 2022 - year), ("CHN", max(year - 2008, 0))):
                add("gas_exports", "TKM", other, *span, amount, "bcm", day, "edition", "gaz")
        for ind in ("trips_in", "trips_out"):
            for state in ("TKM", "UZB"):
                if (year, ind, state) != (2010, "trips_out", "UZB"):
                    span = (f"{year}-01-01", f"{year}-12-31", "A", "count")
                    day = f"{year + 1}-01-31"
                    count = int(rng.poisson(6))
                    add(ind, state, "", *span, count, "trips", day, "lag_reconstructed", "trips")
    span = ("2030-01-01", "2030-12-31", "A", "plan")
    add("gas_production", "TKM", "", *span, 250, "bcm", "2012-05-05", "dated", "gaz")
    frame = pd.DataFrame(rows, columns=list(SCHEMAS["observations"][1]))
    return frame.astype(str)


@pytest.fixture(scope="session")
def synthetic() -> Draft:
    """Synthetic package as text; copy it before changing it."""
    tables = {
        name: pd.DataFrame(
            [row.split("|") for row in lines], columns=list(SCHEMAS[name][1]), dtype=str
        )
        for name, lines in ROWS.items()
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
            out.tables[name] = _poison_table(name, out.tables[name].copy(), facts, origin, rng)
    near = out.tables["near_misses"]
    out.tables["near_misses"] = near.iloc[: max(1, len(near) // 2)]
    registry = out.tables["indicators"]
    open_end = registry["coverage_end"] > origin
    registry.loc[open_end, "coverage_end"] = "2039-12-31"
    for table in out.tables.values():
        for column in FREE & set(table.columns):
            table[column] = table[column].map(lambda text: text and "contested")
    return out


def _poison_table(
    name: str, table: pd.DataFrame, facts: list[Any], origin: str, rng: np.random.Generator
) -> pd.DataFrame:
    known = pd.concat([_end(table[d], table.get(p)) for d, p in facts], axis=1).max(axis=1)
    first = table[facts[0][0]]
    hidden = (known > origin) | (first == "")
    for date, precision, others in LATER.get(name, []):
        told = (_end(table[date], table.get(precision)) <= origin) & (table[date] != "")
        if date == "toll_published":
            told |= table[date] == ""
        for column in others:
            # Any other value of the same column keeps the schema.
            if column == "censor_date":
                table.loc[~told & (table[column] > origin), column] = "2038-01-01"
            elif not table[column].str.fullmatch(r"[\d.-]*").all():
                pool = table.loc[table[column] != "", column].to_numpy()
                if len(pool):
                    table.loc[~told, column] = rng.choice(pool, (~told).sum())
            elif column == "deaths_low":
                table.loc[~told, column] = "99"
        later = ~told & ~hidden
        table.loc[later, date] = np.where(rng.uniform(size=later.sum()) < 0.5, "", "2037-05-05")
        if precision in table.columns:
            table.loc[later, precision] = np.where(table.loc[later, date] == "", "", "day")
    for column in ("outcome", "agenda", "peak_kind"):
        if column in table.columns:
            table[column] = rng.permutation(table[column].to_numpy())
    drop = hidden & (rng.uniform(size=len(table)) < 0.5)
    moved = hidden & ~drop & (first != "")
    table.loc[moved, facts[0][0]] = "2036-03-03"
    return table[~drop].sample(frac=1.0, random_state=3)
