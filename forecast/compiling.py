"""From the text of a TOML file to a compiled question."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from forecast.criteria import Criteria, TableShape
from forecast.definitions import (
    EventSpec,
    Feed,
    MarkSpec,
    Priors,
    ProcessSpec,
    Question,
    ReferenceClass,
    RiskSpec,
    StateSet,
)
from forecast.priors import SIZES
from forecast.reader import Reader
from indicators.errors import Failure
from indicators.tables import DataPackage

__all__ = ["SIGNS", "compile_question"]

SPREAD = ("slot", "region", "state", "birth")
UNUSED = (0.5, 2.0)
"""Stands for a factor of process stages where a question has none."""
SIGNS = ("none>live", "none>late", "live>live", "live>late", "late>late")


def compile_question(
    name: str, data: Mapping[str, Any], package: DataPackage, *, failures: list[Failure]
) -> Question | None:
    """Compile one file.

    Parameters
    ----------
    name : str
        Name of the file without its ending, which is the id of the question.
    data : mapping
        Its content.
    package : DataPackage
        Tables and schemas the file speaks of.
    failures : list of Failure
        Grows by one for each thing wrong; what is returned then must not be used.

    Returns
    -------
    Question or None
        None where the file could not be read at all.
    """
    if not data:
        return None
    root = Reader(data, f"{name}.toml", failures=failures)
    if root.text("id") != name:
        root.fail("id", found=repr(data.get("id")), allowed=name, remedy="Name it as its file.")
    event = _event(root, package)
    risk = _risk(root, package)
    feed = root.section("feed")
    contested = root.texts("contested")
    near = root.section("near_misses")
    made = Question(
        id=name,
        title=root.text("title"),
        definition=root.text("definition"),
        family=_family(root),
        file=root.file,
        event=event,
        marks=_marks(root, package, event),
        risk=risk,
        process=_process(root, package),
        cleared_by=event,
        feed=Feed(feed.choice("status", ("open", "closed")) == "open", _day(feed, "censor")),
        window_start=_day(root, "window_start"),
        horizons=root.numbers("horizons"),
        priors=_priors(root),
        reference_classes=_classes(root, package, risk=risk, event=event),
        near_misses=near.texts("kinds"),
        contested=contested,
        toggles=_toggles(root, contested),
        void=root.texts("void", required=True),
        sources=root.texts("sources", required=True),
        parent=root.text("parent", default=""),
    )
    for part in (feed, near, root):
        part.done()
    return made


def _family(root: Reader) -> str:
    """Read the family: one word, by which columns ``sign_…`` of the features are named."""
    family = root.text("family")
    if "family" in root.data and not re.fullmatch("[a-z][a-z0-9_]*", family):
        allowed = "neutrality, base, bloc or a word of your own, in small letters"
        root.fail("family", found=repr(family), allowed=allowed, remedy="Use one word.")
    return family


def _toggles(root: Reader, contested: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Read which contested rows stand or fall together; a row in no group is one of its own."""
    part = root.table("toggles", required=False)
    groups = {name: part.texts(name) for name in part.names()} if part is not None else {}
    rows = [row for group in groups.values() for row in group]
    if part is not None and (
        not all(groups.values()) or len({*rows}) < len(rows) or not {*rows} <= {*contested}
    ):
        allowed = f"rows listed as contested, each in one group: {', '.join(contested) or 'none'}"
        remedy = "List the row as contested, or take it out of the group."
        part.fail("", found=groups, allowed=allowed, remedy=remedy)
    alone = {row: (row,) for row in contested if row not in rows}
    return MappingProxyType(dict(sorted({**groups, **alone}.items())))


def _day(reader: Reader, key: str) -> pd.Timestamp:
    return reader.date(key) or pd.Timestamp("1990-01-01")


def _shape(reader: Reader, key: str, package: DataPackage) -> TableShape | None:
    """Read the name of a table and find its schema."""
    name = reader.text(key)
    if name in package.tables:
        return TableShape.of(package, name)
    if name:
        allowed = ", ".join(sorted(package.tables))
        reader.fail(key, found=repr(name), allowed=allowed, remedy="Name a table of the package.")
    return None


def _column(reader: Reader, key: str, shape: TableShape | None, *, required: bool = False) -> str:
    """Read the name of a column that must exist."""
    name = reader.text(key, default=None if required else "")
    if name and shape is not None and name not in shape.kinds:
        allowed = ", ".join(shape.kinds)
        reader.fail(key, found=repr(name), allowed=allowed, remedy=f"Use one of {shape.name}.")
    return name


def _event(root: Reader, package: DataPackage) -> EventSpec:
    part = root.section("event")
    shape = _shape(part, "table", package)
    part.choice("counts", ("onset", "incidence"))
    needed: dict[str, Any] = {
        k: _column(part, k, shape, required=True) for k in ("id", "state", "date")
    }
    free = ("precision", "slot", "public", "public_precision", "instrument", "campaign")
    named: dict[str, Any] = {k: _column(part, k, shape) for k in free}
    spec = EventSpec(
        table=part.text("table"),
        where=Criteria.read(part, "where", shape=shape),
        **needed,
        **named,
        merge_days=part.number("merge_days", default=30),
        no_campaign=part.texts("no_campaign"),
    )
    part.done()
    return spec


def _risk(root: Reader, package: DataPackage) -> RiskSpec:
    part = root.section("risk")
    shape = _shape(part, "table", package)
    since = part.table("since", required=False)
    sets = part.section("sets")
    columns = ("id", "state", "start", "start_precision", "end", "end_precision", "slot")
    spec = RiskSpec(
        table=part.text("table"),
        while_in_force=part.choice("at_risk", ("while", "unless")) == "while",
        where=Criteria.read(part, "where", shape=shape),
        **{k: _column(part, k, shape, required=k in columns[:3]) for k in columns},
        slots=part.texts("slots") or ("",),
        other=part.text("other", default=""),
        free=part.texts("free"),
        since=MappingProxyType(
            {k: _day(since, k) for k in since.names()} if since is not None else {}
        ),
        sets=MappingProxyType({k: _set(sets.table(k), package) for k in sets.names()}),
    )
    if "primary" not in spec.sets:
        sets.fail("", found=list(spec.sets), allowed="a set 'primary'", remedy="Add it.")
    part.done()
    return spec


def _set(part: Reader | None, package: DataPackage) -> StateSet:
    """Read one set of states, each of which must be listed in the table of states."""
    if part is None:
        return StateSet("", {}, complete=False)
    known = set(package.tables["states"]["state"]) if "states" in package.tables else set()
    eligible = part.table("eligible", required=False)
    lists = {k: eligible.texts(k) for k in eligible.names()} if eligible is not None else {}
    if eligible is None and (states := part.texts("states")):
        lists = {"": states}
    unknown = sorted({s for states in lists.values() for s in states} - known)
    if unknown and known:
        part.fail("states", found=unknown, allowed="codes of states.csv", remedy="Correct them.")
    part.texts("reasons")
    made = StateSet(part.text("label"), MappingProxyType(lists), part.flag("complete"))
    part.done()
    return made


def _marks(root: Reader, package: DataPackage, event: EventSpec) -> MarkSpec:
    part = root.section("marks")
    shape = TableShape.of(package, event.table) if event.table in package.tables else None
    names = part.texts("names", required=True)
    rules = tuple(
        (item.choice("mark", names or ("",)), Criteria.read(item, "where", shape=shape))
        for item in part.tables("rules")
    )
    aside = tuple(
        (item.text("mark"), Criteria.read(item, "where", shape=shape))
        for item in part.tables("aside")
    )
    default = part.choice("default", names or ("",), default=names[0] if names else "")
    part.done()
    return MarkSpec(names, rules, default, aside)


def _process(root: Reader, package: DataPackage) -> ProcessSpec | None:
    part = root.table("process", required=False)
    if part is None:
        return None
    shape = _shape(part, "table", package)
    statements = _shape(part, "statements", package) if "statements" in part.data else None
    spec = ProcessSpec(
        table=part.text("table"),
        id=_column(part, "id", shape, required=True),
        state=_column(part, "state", shape, required=True),
        slot=_column(part, "slot", shape),
        late=_column(part, "late", shape, required=True),
        late_precision=part.text("late_precision", default=""),
        late_kinds=part.texts("late_kinds"),
        required=_column(part, "required", shape),
        statements=statements.name if statements is not None else "",
        skip_aims=part.texts("skip_aims"),
        expiry_months=part.number("expiry_months", default=24),
        searched=part.texts("searched"),
    )
    part.done()
    return spec


def _priors(root: Reader) -> Priors:
    part = root.section("priors")
    staged = "process" in root.data
    signs = part.table("signs", required=False)
    if signs is not None:
        for key in sorted(set(signs.names()) - set(SIGNS)):
            signs.fail(key, found=repr(key), allowed=" | ".join(SIGNS), remedy="Use one of these.")
    made = Priors(
        part.interval("rate"),
        _multiplier(part, "live_multiplier", staged),
        _multiplier(part, "late_multiplier", staged),
        MappingProxyType(
            {k: signs.interval(k) for k in SIGNS if k in signs.data} if signs is not None else {}
        ),
        MappingProxyType(_spread(part)),
        _texts(part, "sizes", SIZES),
        _texts(part, "reasons"),
    )
    part.done()
    return made


def _multiplier(part: Reader, key: str, needed: bool) -> tuple[float, float]:
    """Read the factor of a stage, which a question without processes need not state."""
    return part.interval(key) if needed or key in part.data else UNUSED


def _spread(part: Reader) -> dict[str, float]:
    """Read by what factor units differ at most."""
    spread = part.table("spread", required=False)
    out = {}
    for key in spread.names() if spread is not None else ():
        if spread is not None and key not in SPREAD:
            spread.fail(
                key, found=repr(key), allowed=" | ".join(SPREAD), remedy="Use one of these."
            )
        elif spread is not None:
            out[key] = spread.factor(key)
    return out


def _texts(part: Reader, key: str, options: Collection[str] = ()) -> Mapping[str, str]:
    """Read a table of texts, each one of some options where there are any."""
    table = part.table(key, required=key == "reasons")
    if table is None:
        return MappingProxyType({})
    read = {k: table.choice(k, tuple(options)) if options else table.text(k) for k in table.names()}
    return MappingProxyType(read)


def _classes(
    root: Reader, package: DataPackage, *, risk: RiskSpec, event: EventSpec
) -> tuple[ReferenceClass, ...]:
    spells = TableShape.of(package, risk.table) if risk.table in package.tables else None
    events = TableShape.of(package, event.table) if event.table in package.tables else None
    out = []
    for part in root.tables("reference_classes", required=True):
        own = "events" in part.data
        out.append(
            ReferenceClass(
                id=part.text("id"),
                label=part.text("label"),
                where=Criteria.read(part, "where", shape=spells),
                states=part.texts("states"),
                start=part.date("start", required=False),
                end=part.date("end", required=False),
                events=Criteria.read(part, "events", shape=events) if own else None,
                sites=part.flag("sites"),
                drop_focal=part.flag("drop_focal"),
                same_slots=part.flag("same_slots"),
                slots=part.texts("slots"),
            )
        )
        part.done()
    if len({c.id for c in out}) < max(len(out), 1):
        found = [c.id for c in out]
        root.fail("reference_classes", found=found, allowed="each id once", remedy="Rename one.")
    return tuple(out)
