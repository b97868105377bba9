"""What ``tocsin indicators list`` and ``show`` tell, as plain records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from indicators.catalog import Catalog, Indicator
    from indicators.entries import Entry

__all__ = ["FAMILIES", "about", "figures", "listing", "period_name"]

FAMILIES = ("border", "gas", "contacts", "context")
"""Families in the order in which they are told."""


def _text(value: Any) -> str | None:
    """Return a cell as text, a date as its ISO day, a missing one as None."""
    import pandas as pd

    if pd.isna(value):
        return None
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else str(value)


def period_name(start: pd.Timestamp, end: pd.Timestamp) -> str:
    """Write a period in its shortest exact form.

    Parameters
    ----------
    start, end : Timestamp
        First and last day.

    Returns
    -------
    str
        ``2015``, ``2016-Q1``, ``2016-05``, ``2016-05-31``, or both days with a slash between.
    """
    day = f"{start:%Y-%m-%d}"
    if start == end:
        return day
    if start.is_month_start and end.is_month_end and start.year == end.year:
        if (start.month, end.month) == (1, 12):
            return f"{start:%Y}"
        if start.month == end.month:
            return f"{start:%Y-%m}"
        if start.is_quarter_start and start.quarter == end.quarter and end.is_quarter_end:
            return f"{start.year}-Q{start.quarter}"
    return f"{day}/{end:%Y-%m-%d}"


def about(catalog: Catalog, name: str, measured: pd.DataFrame) -> dict[str, Any]:
    """Return all that the registry says of one indicator, and what its rows show.

    Parameters
    ----------
    catalog : Catalog
        The registry, of a package or of a snapshot.
    name : str
        The indicator.
    measured : DataFrame
        As `indicators.timeliness.timeliness` returns it, from the same package or snapshot.

    Returns
    -------
    dict
        Plain types. ``delay`` and ``newest`` are None where there is no figure.

    Raises
    ------
    UnknownNameError
        There is no such indicator.
    """
    item = catalog.indicator(name)
    return {
        "indicator": item.indicator,
        "family": item.family,
        "meaning": item.meaning,
        "unit": item.unit,
        "frequency": item.frequency,
        "aggregation": item.aggregation,
        "absent_is_zero": item.absent_is_zero,
        "coverage_start": _text(item.coverage_start),
        "coverage_end": _text(item.coverage_end),
        "known_breaks": item.known_breaks or None,
        "source": item.source,
        "fed_by": item.fed_by,
        "lag_days": item.lag_days,
        **_measured(item, measured),
        **_said(item.entry),
        "features": sorted(n for n, f in catalog.features.items() if name in f.indicators),
    }


def _measured(item: Indicator, measured: pd.DataFrame) -> dict[str, Any]:
    if item.indicator not in measured.index:
        return {"figures": 0, "states": 0, "delay": None, "newest": None}
    row: dict[Any, Any] = measured.loc[[item.indicator]].to_dict("records")[0]
    return {
        "figures": int(row["figures"]),
        "states": int(row["states"]),
        "delay": {
            "median_days": float(row["delay_days"]),
            "publications": int(row["publications"]),
            "assumed_share": round(float(row["rule_made"]), 3),
        },
        "newest": {
            "period": period_name(row["start"], row["end"]),
            "published": _text(row["published"]),
        },
    }


def _said(entry: Entry) -> dict[str, Any]:
    """Return signs, breaks, sources and rules of an entry."""
    return {
        "signs": {
            question: {"sign": sign.sign, "reason": sign.reason, "reference": sign.reference}
            for question, sign in entry.signs.items()
        },
        "breaks": [
            {
                "date": item.when,
                "kind": item.kind,
                "change": item.change,
                "effect": item.effect,
                "known_from": _text(item.known_from),
                "reference": item.reference,
            }
            for item in entry.breaks
        ],
        "sources": [
            {
                "rank": feed.rank,
                "source": feed.source,
                "how": feed.how,
                "provider": feed.provider or None,
                "note": feed.note,
            }
            for feed in entry.sources
        ],
        "rules": [
            {
                "rule": rule.rule,
                "lag_days": rule.lag_days,
                "edition_day": rule.edition_day or None,
                "period_from": _text(rule.period_from),
                "period_to": _text(rule.period_to),
                "basis": rule.basis,
            }
            for rule in entry.rules
        ],
    }


def listing(
    data_dir: Path | None = None, *, family: str | None = None, db: str | None = None
) -> list[dict[str, Any]]:
    """List the indicators of a data package, with the figures that are public today.

    Parameters
    ----------
    data_dir : Path or None
        Data package, where not the bundled one.
    family : str or None
        One family only.
    db : str or None
        Store of refreshed figures, where not the usual one.

    Returns
    -------
    list of dict
        One record an indicator (schema ``indicators-1.json``), in the order of family and name.

    Raises
    ------
    UnknownNameError
        For a family that no indicator has.
    DataError
        For a data package that does not follow its schema.
    """
    from indicators.catalog import Catalog
    from indicators.dates import today
    from indicators.errors import UnknownNameError
    from indicators.store.use import stored
    from indicators.tables import load
    from indicators.timeliness import timeliness
    from indicators.vintages import snapshot

    package = load(data_dir)
    catalog = Catalog.from_package(package)
    families = {item.family for item in catalog.indicators.values()}
    if family is not None and family not in families:
        raise UnknownNameError("family", family, families)
    with stored(db, usual=data_dir is None) as store:
        seen = snapshot(today(), package=package, store=store)
    measured = timeliness(seen.history)
    chosen = [
        item for item in catalog.indicators.values() if family is None or item.family == family
    ]
    chosen.sort(key=lambda item: (_place(item.family), item.indicator))
    return [about(catalog, item.indicator, measured) for item in chosen]


def _place(family: str) -> tuple[int, str]:
    return (FAMILIES.index(family) if family in FAMILIES else len(FAMILIES), family)


def figures(
    indicator: str,
    state: str,
    *,
    as_of: str,
    strict: bool = False,
    data_dir: Path | None = None,
    db: str | None = None,
) -> dict[str, Any]:
    """Look up one indicator of one state as it was known on a day.

    Parameters
    ----------
    indicator, state : str
        Id of the indicator and code of the state.
    as_of : str
        ISO day; nothing published later is told.
    strict : bool, default False
        Dated editions and reports only.
    data_dir : Path or None
        Data package, where not the bundled one.
    db : str or None
        Store of refreshed figures, where not the usual one.

    Returns
    -------
    dict
        The JSON of ``tocsin indicators show`` (schema ``indicator-1.json``).

    Raises
    ------
    UnknownNameError
        For an unknown indicator, or a state of which the package holds no figure at all.
    DataError
        For a data package that does not follow its schema.
    """
    from indicators.errors import UnknownNameError
    from indicators.store.use import stored
    from indicators.tables import load
    from indicators.timeliness import timeliness
    from indicators.vintages import snapshot

    package = load(data_dir)
    with stored(db, usual=data_dir is None) as store:
        seen = snapshot(as_of, package=package, store=store, strict=strict)
    history = seen.history
    history = history[history["indicator"] == indicator]
    told = about(seen.catalog, indicator, timeliness(history))
    states = set(package.table("states")["state"].astype(str))
    if state not in states:
        raise UnknownNameError("state", state, states)
    table = seen.observations
    table = table[table["indicator"] == indicator]
    elsewhere = sorted(set(table["state"].astype(str)) - {state})
    table = table[table["state"] == state]
    table = table.sort_values(["start", "end", "counterpart", "basis", "source"])
    return {
        **told,
        "schema": "tocsin/indicator/1",
        "state": state,
        "as_of": as_of,
        "strict": strict,
        "elsewhere": elsewhere,
        "observations": [_observation(row) for row in table.to_dict("records")],
    }


def _observation(row: Mapping[Any, Any]) -> dict[str, Any]:
    import pandas as pd

    return {
        "period": period_name(row["start"], row["end"]),
        "counterpart": _text(row["counterpart"]) or "",
        "basis": _text(row["basis"]) or "",
        "value": None if pd.isna(row["value"]) else float(row["value"]),
        "published": _text(row["published"]),
        "published_rule": _text(row["published_rule"]),
        "source": _text(row["source"]),
    }
