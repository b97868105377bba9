"""What people see of the registry: the list of indicators, and one of them with its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from forecast.cli_format import DASH, console
from forecast.words import label, number

__all__ = ["delay_words", "grain", "rule_words", "show_figures", "show_indicators", "sign_word"]

Row = Mapping[str, Any]
GRAIN = {
    "A": "by year",
    "Q": "by quarter",
    "M": "by month",
    "D": "by day",
    "other": "periods of any length",
}
FEW = 12
"""Other states named at most."""
PUT = {"sum": "summed", "mean": "averaged", "last": "the last one counts"}
MONTHS = "January February March April May June July August September October November December"
KINDS = {
    "dated": "on the report's own date, not before the end of its period",
    "event_date": "on the day of the public act",
    "retrieved": "refreshed figures: the provider's day of release, or the day they were read",
}


def sign_word(sign: int) -> str:
    """Write a sign: ``+``, ``−`` or ``0``.

    Parameters
    ----------
    sign : int
        1, -1 or 0.
    """
    return {1: "+", -1: "−"}.get(sign, "0")


def grain(row: Row) -> str:
    """Say how fine an indicator is, and how its periods are put together.

    Parameters
    ----------
    row : mapping
        Of `forecast.cli_indicators.about`.
    """
    return f"{_every(row)}, {PUT.get(row['aggregation'], row['aggregation'])}"


def _every(row: Row) -> str:
    return GRAIN.get(row["frequency"], GRAIN["other"])


def rule_words(rule: Row) -> str:
    """Say when figures count as known under one rule.

    Parameters
    ----------
    rule : mapping
        One of ``rules`` of `forecast.cli_indicators.about`.

    Returns
    -------
    str
        A sentence without its full stop.
    """
    if rule["edition_day"]:
        month, day = (int(part) for part in rule["edition_day"].split("-"))
        said = f"with the yearly edition, {day} {MONTHS.split()[month - 1]} of the next year"
    elif rule["lag_days"] is not None:
        said = f"{rule['lag_days']} days after the period (assumed)"
        if rule["rule"] == "lag_reconstructed":
            said += ", from what was public then: the data set came later"
    else:
        said = KINDS.get(rule["rule"]) or str(rule["rule"])
    start, end = rule["period_from"], rule["period_to"]
    if end:
        said += f"; periods to {end}"
    elif start and rule["rule"] != "edition":
        said += f"; periods from {start}"
    return said


def delay_words(row: Row) -> str:
    """Say how late the figures of an indicator come, as measured.

    Parameters
    ----------
    row : mapping
        Of `forecast.cli_indicators.about`.

    Returns
    -------
    str
        The median over publications, and whether their days are on record or assumed.
    """
    found = row["delay"]
    if found is None:
        rule = f"; the registry expects {row['lag_days']} days" if row["lag_days"] else ""
        return f"not measured: no figure{rule}"
    count, share = found["publications"], found["assumed_share"]
    days = f"{number(found['median_days'])} days from the end of the newest period"
    printed = f"{count:,} publication{'s' * (count != 1)}"
    if share == 1:
        return f"{days} (median of {printed}, all dated by the assumed rule)"
    if share == 0:
        return f"{days} (median of {printed}, dates on record or by edition)"
    return f"{days} (median of {printed}, {share:.0%} dated by the assumed rule)"


def _feeds(row: Row) -> str:
    """Sources in a few words, the most trusted first."""
    bundled = [feed["source"] for feed in row["sources"] if feed["how"] == "bundled"]
    asked = [f"refresh {feed['provider']}" for feed in row["sources"] if feed["how"] == "refresh"]
    return ", ".join(bundled + asked) or row["source"]


def show_indicators(rows: Sequence[Row]) -> None:
    """Print the list of indicators by family, on stdout.

    Parameters
    ----------
    rows : sequence of mappings
        ``indicators`` of the listing.
    """
    out = console()
    for family, members in groupby(rows, key=lambda row: str(row["family"])):
        out.print(Text(label(family), style="bold"))
        for row in members:
            head = Text.assemble((row["indicator"], "bold"), f"  {row['meaning']}, {row['unit']}")
            out.print(Padding(head, (0, 0, 0, 2), expand=False))
            out.print(Padding(Text(_facts_line(row), style="dim"), (0, 0, 0, 6), expand=False))
        out.print()
    out.print(
        Text(
            "delay: median days from the end of the newest period to publication, measured; "
            "~ where an assumed rule dates all or most of them. "
            "`tocsin indicators show ID` tells the rest.",
            style="dim",
        )
    )


def _facts_line(row: Row) -> str:
    """Grain, delay, newest period and sources."""
    delay = row["delay"]
    if delay is None:
        late, last = f"delay {DASH}", "no figure yet"
    else:
        assumed = "~" if delay["assumed_share"] > 0.5 else ""
        late = f"delay {assumed}{number(delay['median_days'])} d"
        last = f"newest {row['newest']['period']}"
    return " | ".join([_every(row), late, last, _feeds(row)])


def show_figures(record: Row, *, last: int) -> None:
    """Print one indicator of one state as known on a day, on stdout.

    Parameters
    ----------
    record : mapping
        What `forecast.cli_indicators.figures` returns.
    last : int
        How many of the newest rows.
    """
    kind = "true vintages only" if record["strict"] else "all publication rules"
    out = console()
    out.print(Text(f"{record['indicator']}, {record['state']}, {record['unit']}", style="bold"))
    out.print(Text(f"{record['meaning']}\nas of {record['as_of']}, {kind}", style="dim"))
    out.print()
    out.print(_facts(record))
    out.print(_signs(record))
    out.print(_breaks(record))
    out.print(_observations(record, last))


def _facts(record: Row) -> RenderableType:
    """What it is made of, and how late it comes."""
    newest = record["newest"]
    lines = [
        ("family", f"{label(record['family'])}, {grain(record)}"),
        *(("counts as known", rule_words(rule)) for rule in record["rules"]),
        ("delay", delay_words(record)),
        ("newest", f"{newest['period']}, public {newest['published']}" if newest else "none"),
        ("sources", _feeds(record)),
        ("in models", ", ".join(record["features"]) or "in none"),
    ]
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    names = [name for name, _ in lines]
    for index, (name, said) in enumerate(lines):
        table.add_row("" if name in names[:index] else name, said)
    return Group(table, Text())


def _signs(record: Row) -> RenderableType:
    """Signs expected, with reasons and references."""
    if not record["signs"]:
        return Group(Text("expected signs: none given"), Text())
    table = Table(box=None, pad_edge=False, show_header=False)
    for style in ("", "bold", ""):
        table.add_column(no_wrap=style == "bold", style=style, overflow="fold")
    for question, sign in record["signs"].items():
        told = Text(sign["reason"] or "what supports it was published later", style="")
        told.append(f" ({sign['reference']})" if sign["reference"] else "", style="dim")
        table.add_row(question, sign_word(sign["sign"]), told)
    return Group(Text("expected sign of a higher figure", style="bold"), table, Text())


def _breaks(record: Row) -> RenderableType:
    """Breaks that were known by then."""
    head = Text(f"breaks known by {record['as_of']}", style="bold")
    if not record["breaks"]:
        return Group(head, Text("none"), Text())
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for item in record["breaks"]:
        told = Text(f"{item['kind']}: {item['change']}. {item['effect']}.")
        told.append(f" ({item['reference']})", style="dim")
        table.add_row(item["date"], told)
    return Group(head, table, Text())


def _observations(record: Row, last: int) -> RenderableType:
    """The newest figures."""
    shown = record["observations"][-last:]
    head = Text("figures", style="bold")
    if not shown:
        others = record["elsewhere"]
        some = ", ".join(others[:FEW]) + (", …" if len(others) > FEW else "")
        there = f"; figures of others were: --state {some}" if others else ""
        return Group(head, Text(f"nothing of {record['state']} was public by then{there}"))
    table = Table(box=None, pad_edge=False)
    for name in ("period", "counterpart", "value", "basis", "published", "rule", "source"):
        side: Literal["left", "right"] = "right" if name == "value" else "left"
        table.add_column(name, justify=side, no_wrap=name != "source", overflow="fold")
    for row in shown:
        dated = (row["basis"], row["published"], row["published_rule"], row["source"])
        table.add_row(row["period"], row["counterpart"] or DASH, number(row["value"]), *dated)
    hidden = len(record["observations"]) - len(shown)
    note = [Text(f"{hidden} earlier rows not shown (--last)", style="dim")] if hidden else []
    return Group(head, table, *note)
