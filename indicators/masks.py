"""What each table looked like at a date: later rows gone, later columns blank.

Every dated column is masked on its own. A date known only to the month or year counts from the
end of that month or year. Columns that carry hindsight without a date (how a process ended, what
its highest stage became) and free text, which may tell any of it, are dropped at every date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from indicators.errors import DataError, Failure, UnknownNameError

__all__ = ["Rule", "declared", "hide_links", "known_date", "mask", "maskable"]

_FREE_TEXT = frozenset(
    {"note", "notes", "description", "meaning", "reason", "why", "known_breaks", "citation"}
    | {"source", "source_name", "source_url", "extra_urls", "url", "urls"}
    | {"second_check_source", "second_check_note"}
)
_PROCESS_HINDSIGHT = frozenset(
    {"outcome", "outcome_date", "outcome_precision", "linked_event", "linked_episode"}
    | {"text_changed", "agenda", "neutrality_mentioned"}
    | {"peak_kind", "opened_as_base", "end_imputed"}
)
_TOLL = ("deaths_low", "deaths_high", "turkmen_deaths_low", "turkmen_deaths_high")


@dataclass(frozen=True, slots=True)
class _Dated:
    """A dated fact: its date, how precise it is, and the columns that are known with it."""

    date: str
    precision: str | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """How a table is masked.

    `key`: what names a row; rows are ordered by it. `visible`: a row is there from the latest of
    these dates on; the first must be given unless `always` (a blank means "from the beginning").
    `later`: facts blanked until they are known. `dropped`: hindsight without a date. `unless`: a
    column of 1 where the date a process ended is a convention of the coder's, known to nobody.
    `without`: a column and the value of it that hides a row at every date.
    """

    key: tuple[str, ...]
    visible: tuple[_Dated, ...] = ()
    later: tuple[_Dated, ...] = ()
    dropped: frozenset[str] = frozenset()
    always: bool = False
    unless: str | None = None
    without: tuple[str, str] | None = None


_STARTED = _Dated("started", "started_precision")
_RULES: dict[str, Rule] = {
    "neutrality_events": Rule(
        key=("event_id",), visible=(_Dated("event_date", "event_precision"),)
    ),
    "neutrality_spells": Rule(
        key=("spell_id",),
        visible=(_Dated("start_date", "start_precision"),),
        later=(_Dated("end_date", "end_precision", ("end_mechanism",)),),
        dropped=frozenset({"outcome", "censored"}),
    ),
    "base_episodes": Rule(
        key=("episode_id",),
        visible=(
            _Dated("open_date", "open_precision"),
            _Dated("became_public", "became_public_precision"),
        ),
        later=(_Dated("close_date", "close_precision", ("close_type",)),),
        dropped=frozenset({"ongoing_at_censor"}),
    ),
    "memberships": Rule(
        key=("membership_id",),
        visible=(_Dated("start_date", "start_precision"),),
        later=(_Dated("end_date", "end_precision"),),
    ),
    "reform_processes": Rule(
        key=("process_id",),
        visible=(_Dated("became_public", "became_public_precision"),),
        later=(
            _STARTED,
            _Dated("draft_public", "draft_precision"),
            _Dated("ended", "ended_precision"),
        ),
        dropped=_PROCESS_HINDSIGHT,
        unless="end_imputed",
    ),
    "base_processes": Rule(
        key=("process_id",),
        visible=(_Dated("became_public", "became_public_precision"),),
        later=(
            _STARTED,
            _Dated("signed", "signed_precision"),
            _Dated("ended", "ended_precision"),
        ),
        dropped=_PROCESS_HINDSIGHT,
        unless="end_imputed",
    ),
    "process_statements": Rule(
        key=("statement_id",), visible=(_Dated("statement_date", "statement_precision"),)
    ),
    "incidents": Rule(
        key=("incident_id",),
        visible=(_Dated("published", "published_precision"), _Dated("date_start")),
        later=(_Dated("toll_published", None, _TOLL),),
        dropped=frozenset({"claim_status"}),
    ),
    "contacts": Rule(
        key=("contact_id",),
        visible=(_Dated("published", "published_precision"), _Dated("date_start")),
    ),
    "contiguity": Rule(
        key=("state", "neighbour", "start"), visible=(_Dated("start"),), always=True
    ),
    "search_effort": Rule(
        key=("chronology", "counterpart", "start"), visible=(_Dated("start"),), always=True
    ),
    "states": Rule(key=("state",)),
    # an entry without bundled figures says nothing by itself; what feeds one is no fact about a day
    "indicators": Rule(
        key=("indicator",), dropped=frozenset({"fed_by"}), without=("fed_by", "refresh")
    ),
    "features": Rule(key=("feature",)),
    # no rule, so neither reachable nor hashed: indicator_signs, indicator_breaks, indicator_sources
    # and publication_rules. They are words about the series for readers, masked in the catalog
    # (`indicators.entries`); no model reads them, and a reworded reason must not change a forecast
}


def maskable() -> tuple[str, ...]:
    """Names of the tables that can be seen at a date; the others cannot be reached from one."""
    return tuple(_RULES)


def declared(descriptor: Mapping[str, Any]) -> dict[str, Rule]:
    """Rules that a data package states for tables of its own.

    A resource of ``datapackage.json`` may say under ``known`` from when a row and its later facts
    are known: ``{"visible": [["opened", "opened_precision"]], "later": [["closed"]], "hidden":
    ["outcome"]}``. Each fact is a column of dates, its column of precisions where there is one
    (blank otherwise), and columns that are known with it; hidden columns are never seen.

    Parameters
    ----------
    descriptor : mapping
        Content of ``datapackage.json``.

    Returns
    -------
    dict of str to Rule
        By table; tables with a rule here already keep it.

    Raises
    ------
    DataError
        For a fact that names no column of its table, or a table without a primary key.
    """
    out: dict[str, Rule] = {}
    failures: list[Failure] = []
    for resource in descriptor.get("resources", []):
        name, said = str(resource.get("name")), resource.get("known")
        if not isinstance(said, dict) or name in _RULES:
            continue
        schema = resource.get("schema", {})
        key = schema.get("primaryKey", [])
        columns = {str(item.get("name")) for item in schema.get("fields", [])}
        facts = {
            kind: [_fact(item) for item in said.get(kind, [])] for kind in ("visible", "later")
        }
        hidden = [str(column) for column in said.get("hidden", [])]
        named = {c for fact in (*facts["visible"], *facts["later"])
                 for c in (fact.date, fact.precision, *fact.also) if c}  # fmt: skip
        wrong = sorted({*named, *hidden} - columns)
        if wrong or not key or not facts["visible"]:
            failures.append(
                Failure("datapackage.json", None, f"{name}.known",
                        ", ".join(wrong) or ("no fact 'visible'" if key else "no primary key"),
                        "columns of the table, at least one fact 'visible', and a primaryKey",
                        "Name the date from which a row counts as known."
                        if key else "Add the primaryKey to the schema of the table.")
            )  # fmt: skip
            continue
        out[name] = Rule(
            key=(key,) if isinstance(key, str) else tuple(key),
            visible=tuple(facts["visible"]),
            later=tuple(facts["later"]),
            dropped=frozenset(hidden),
        )
    if failures:
        raise DataError(failures)
    return out


def _fact(item: Any) -> _Dated:
    """Read one dated fact: a column, or a list of column, precision and what is known with it."""
    date, *rest = [item] if isinstance(item, str) else [str(part) for part in item]
    return _Dated(date, (rest[0] or None) if rest else None, tuple(rest[1:]))


def known_date(frame: pd.DataFrame, date: str, precision: str | None = None) -> pd.Series[Any]:
    """Day from which a dated fact counts as known.

    Parameters
    ----------
    frame : DataFrame
        A table.
    date : str
        Its column of dates.
    precision : str, optional
        Its column of precisions: ``day``, ``month``, ``year``. A blank is a day; ``unknown`` is
        read as a year.

    Returns
    -------
    Series of datetime64, shape (n_rows,)
        The end of the interval the date stands for; missing where the date is.
    """
    dates = frame[date]
    if precision is None or precision not in frame.columns:
        return dates
    grain = frame[precision]
    month_end = dates + pd.offsets.MonthEnd(0)
    year_end = dates + pd.offsets.YearEnd(0)
    known = dates.mask(grain == "month", month_end)
    return known.mask(grain.isin(["year", "unknown"]), year_end)


def mask(
    name: str,
    frame: pd.DataFrame,
    as_of: pd.Timestamp,
    *,
    strict: bool = False,  # noqa: ARG001
    rules: Mapping[str, Rule] = MappingProxyType({}),
) -> pd.DataFrame:
    """Return a table as it could be read at the end of a day.

    Masking what is already masked at a later date gives the same as masking the whole.

    Parameters
    ----------
    name : str
        Name of the table.
    frame : DataFrame
        The table, whole or masked at a later date.
    as_of : Timestamp
        The day.
    strict : bool, optional
        Accepted for symmetry with `vintages.snapshot`: outcomes and processes are public acts,
        dated as such, and are the same under strict vintages.
    rules : mapping of str to Rule, optional
        Of a package's own tables, as `declared` reads them.

    Returns
    -------
    DataFrame
        Rows in the order of their key, numbered from 0.

    Raises
    ------
    UnknownNameError
        There is no rule for this table, so nothing of it may be seen at a date.
    """
    if name not in _RULES and name not in rules:
        raise UnknownNameError("table seen at a date", name, {**_RULES, **rules})
    rule = _RULES[name] if name in _RULES else rules[name]
    out = frame.loc[_visible(rule, frame, as_of)].copy()
    _hide_later(rule, out, as_of)
    gone = _FREE_TEXT | rule.dropped
    out = out[[column for column in out.columns if column not in gone]]
    return out.sort_values(list(rule.key), ignore_index=True)


def _hide_later(rule: Rule, out: pd.DataFrame, as_of: pd.Timestamp) -> None:
    """Blank, in place, what was not known yet of the rows that were there."""
    for fact in rule.later:
        if fact.date not in out.columns:
            continue
        known = known_date(out, fact.date, fact.precision) <= as_of
        if rule.unless in out.columns and fact.date == "ended":
            known &= out[rule.unless].fillna(0) != 1
        if fact.date == "toll_published":
            known |= out[fact.date].isna()  # no date of its own: printed with the report
        _blank(out, ~known, (fact.date, fact.precision, *fact.also))
    for column in out.columns:
        if out[column].dtype.kind == "M" and column != "censor_date":
            out[column] = out[column].where(out[column] <= as_of)
    if "censor_date" in out.columns:
        out["censor_date"] = _censor(out, as_of)
    if "not_covered" in out.columns:
        out["not_covered"] = out["not_covered"].map(
            lambda text: _exceptions(text, as_of), na_action="ignore"
        )


def hide_links(tables: dict[str, pd.DataFrame]) -> None:
    """Blank references, among masked tables, to what is not known yet.

    A reform may be under way before the spell it is coded against begins: until then the
    reference would tell that it will.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Masked tables by name; changed in place.
    """
    reforms, spells = tables.get("reform_processes"), tables.get("neutrality_spells")
    if reforms is None or spells is None or "spell_at_risk" not in reforms.columns:
        return
    known = reforms["spell_at_risk"].isin(spells["spell_id"])
    tables["reform_processes"] = reforms.assign(spell_at_risk=reforms["spell_at_risk"].where(known))


def _exceptions(text: str, as_of: pd.Timestamp) -> str | None:
    """Drop from ``CODE CODE@YYYY-MM-DD`` the ends of coverage that lie ahead."""
    day = f"{as_of:%Y-%m-%d}"
    parts = [part for part in text.split() if part.partition("@")[2] <= day]
    return " ".join(parts) or None


def _visible(rule: Rule, frame: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series[bool]:
    seen = pd.Series(True, index=frame.index)
    if rule.without is not None and rule.without[0] in frame.columns:
        seen &= frame[rule.without[0]] != rule.without[1]
    for position, fact in enumerate(rule.visible):
        if fact.date not in frame.columns:
            continue
        known = known_date(frame, fact.date, fact.precision)
        blank_is_seen = rule.always or position > 0
        seen &= (known <= as_of) | (known.isna() & blank_is_seen)
    return seen


def _blank(frame: pd.DataFrame, rows: pd.Series[bool], columns: tuple[str | None, ...]) -> None:
    for column in columns:
        if column is not None and column in frame.columns:
            frame[column] = frame[column].mask(rows)


def _censor(frame: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series[Any]:
    """Day on which coding stopped, without telling which open rows end later.

    The table has it only for rows open at the end of coding: a row with neither an end nor this
    date would be one that is known, here, to end later.
    """
    censor = frame["censor_date"].where(frame["censor_date"] <= as_of)
    end = "close_date" if "close_date" in frame.columns else "end_date"
    if end not in frame.columns:
        return censor
    return censor.mask(frame[end].isna() & censor.isna(), censor.max())
