"""Shared fixtures.

The tests run in a checkout and, copied out of it, against an installed wheel: whatever needs a file
that only a checkout has asks for the ``checkout`` fixture, and is not collected elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

import indicators
from indicators.tables import DataPackage, load

# one repeatable search for everybody; a shared machine makes single deadlines meaningless
settings.register_profile("tocsin", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("tocsin")


ROOT = Path(__file__).resolve().parents[1]


# what one test compiled serves all the others, and their processes
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".pytest_cache" / "programs"))


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of tests that need a program of systemd."""
    config.addinivalue_line("markers", "systemd: needs systemd-analyze")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, beside an installed wheel, what only a checkout can be asked."""
    if (ROOT / "Makefile").is_file() and (ROOT / "forecast").is_dir():
        return
    needy = [item for item in items if "checkout" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=needy)
    items[:] = [item for item in items if item not in needy]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def ci_script(checkout: Path) -> Callable[[str], ModuleType]:
    """Return what loads a script of `.ci` by its name, anew each time."""

    def loaded(name: str) -> ModuleType:
        spec = spec_from_file_location(f"ci_{name}", checkout / ".ci" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return loaded


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's own cache or clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOCSIN_HOME", str(tmp_path_factory.getbasetemp() / "tocsin-home"))
        patch.delenv("TOCSIN_TODAY", raising=False)
        yield


class Cheap:
    """Stands in for the sampler: draws from the prior, seeded by every bit that would be fitted.

    Attributes
    ----------
    asked : list of str
        Digest of each design that was "fitted", in order.
    """

    asked: list[str]

    def __init__(self, model: Any, design: Any, settings: Any) -> None:
        self.capacity = design.capacity

    def __call__(self, model: Any, design: Any, *, seed: int) -> Any:
        from forecast.models.hazard import prior_draws, sizes
        from forecast.sampling import Diagnostics, Fit

        padded = design.padded(self.capacity)
        digest = hashlib.sha256(model.constants(padded).tobytes())
        for value in padded.arrays().values():
            digest.update(value.tobytes())
        self.asked.append(digest.hexdigest())
        number = int(digest.hexdigest()[:12], 16) + seed
        raw = prior_draws(sizes(padded), 200, number)
        return Fit({k: v[None] for k, v in raw.items()}, Diagnostics(1.0, 900.0, 0, 0.0, 1.0))


def _fewer(patch: pytest.MonkeyPatch) -> None:
    """Fewer draws and paths than a forecast needs, and no less code."""
    from forecast import answers, evidence, material

    for module, name in ((answers, "DRAWS"), (answers, "PRIOR_DRAWS"), (answers, "VARIANT_DRAWS")):
        assert getattr(module, name) > FEW
        patch.setattr(module, name, FEW)
    patch.setattr(evidence, "DRIVER_DRAWS", FEW)
    patch.setattr(material, "PATHS", 20)


FEW = 100


@contextmanager
def _cheaply() -> Iterator[type[Cheap]]:
    from forecast import engine

    with pytest.MonkeyPatch.context() as patch:
        _fewer(patch)
        kind = type("Cheap", (Cheap,), {"asked": []})
        patch.setattr(engine, "Sampler", kind)
        # a fit made again, without a contested event, is not one that a run asks for
        patch.setattr(engine, "Laplace", type("Cheap", (Cheap,), {"asked": []}))
        yield kind


@pytest.fixture
def cheap() -> Iterator[type[Cheap]]:
    """No sampling: what a run would fit decides its draws, so any change of it shows."""
    with _cheaply() as kind:
        yield kind


@pytest.fixture(scope="session")
def cheaply() -> Callable[[], Any]:
    """Return the context in which nothing is sampled, for fixtures that outlive a test."""
    return _cheaply


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real sampling, far too short to pass the gate; one program a capacity and session."""
    from forecast import engine, sampling

    def make(model: Any, design: Any, settings: Any) -> Any:
        key = (design.capacity, settings)
        if key not in COMPILED:
            COMPILED[key] = sampling.Sampler(model, design, settings)
        return COMPILED[key]

    _fewer(monkeypatch)
    monkeypatch.setattr(engine, "ROOM", replace(engine.ROOM, cells=512))
    monkeypatch.setattr(engine, "Settings", partial(sampling.Settings, **QUICK))
    monkeypatch.setattr(engine, "Sampler", make)
    short = sampling.Settings(**QUICK)
    monkeypatch.setattr(engine, "Laplace", lambda model, design, _: make(model, design, short))


QUICK = {"chains": 2, "rounds": 1, "tune": 40, "draws": 30}
COMPILED: dict[Any, Any] = {}


@dataclass
class Draft:
    """A data package as text, before it is written: every cell a string."""

    descriptor: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    questions: Path | None = None

    def copy(self) -> Draft:
        """Return a copy that can be changed freely."""
        tables = {name: frame.copy() for name, frame in self.tables.items()}
        return Draft(deepcopy(self.descriptor), tables, self.questions)

    def write(self, folder: Path) -> Path:
        """Write descriptor and tables; returns the folder."""
        (folder / "tables").mkdir(parents=True, exist_ok=True)
        (folder / "datapackage.json").write_text(json.dumps(self.descriptor), encoding="utf-8")
        for name, frame in self.tables.items():
            text = frame.to_csv(index=False, lineterminator="\n")
            (folder / "tables" / f"{name}.csv").write_text(text, encoding="utf-8")
        if self.questions is not None:
            shutil.copytree(self.questions, folder / "questions", dirs_exist_ok=True)
        return folder

    def load(self, folder: Path) -> DataPackage:
        """Write and load."""
        return load(self.write(folder))


@pytest.fixture(scope="session")
def draft_type() -> type[Draft]:
    """Return the class of packages as text."""
    return Draft


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
    return Draft(listed, tables, bundled.questions_dir)


@pytest.fixture(scope="session")
def poisoned() -> Callable[..., Draft]:
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
# What the rows of later events are made to say.
GARBAGE = {
    "neutrality_events": {"strict_event": "1", "broad_event": "1", "direction": "-1"},
    "base_episodes": {"opening_type": "new", "is_base": "1", "host_consent": "1"},
    "process_statements": {"aim": "strengthen"},
}
FREE = {"note", "description", "urls", "title"}


def poison(draft: Draft, origin: str, *, gone: float = 0.3) -> Draft:
    """Change everything that became known after a date, within the schema; delete a share of it."""
    out = draft.copy()
    rng = np.random.default_rng(7)
    rows = out.tables["observations"]
    after = rows["published"] > origin
    rows.loc[after, "value"] = [f"{value:.1f}" for value in rng.uniform(0, 999, after.sum())]
    lost = after & (rng.uniform(size=len(rows)) < gone)
    more = rows[after & ~lost].drop_duplicates(["indicator", "state"]).copy()
    more["published"] = "2040-01-01"
    out.tables["observations"] = pd.concat([rows[~lost], more]).sample(frac=1.0, random_state=7)
    for name, facts in PUBLIC.items():
        if name in out.tables:
            table = out.tables[name].copy()
            needed = _needed(draft, name)
            out.tables[name] = _poison_table(
                name, table, facts, origin, rng, needed=needed, gone=max(gone, 0.5)
            )
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
    *,
    needed: set[str],
    gone: float,
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
    for column, value in GARBAGE.get(name, {}).items():
        if column in table.columns:
            table.loc[hidden, column] = value
    drop = hidden & (rng.uniform(size=len(table)) < gone)
    drop &= ~table.iloc[:, 0].isin(needed)
    drop.iloc[0] &= not drop.all()  # the door refuses an empty table
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
