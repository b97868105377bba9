"""What people see on the terminal: tables and short lines, from the same payload as the JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from forecast.words import day, label, number, percent, record_head, record_line, signed

if TYPE_CHECKING:
    import pandas as pd

    from forecast.doctor import Check

__all__ = [
    "run_view",
    "show_checks",
    "show_run",
    "show_scores",
]

Row = Mapping[str, Any]
DASH = "–"
# width where the output is no terminal
PAGE = 100
COLUMNS = (
    ("months", 6),
    ("p", 6),
    ("90%\ninterval", 11),
    ("base\nrate", 6),
    ("90%\ninterval", 11),
    ("ratio", 5),
    ("prior\nshare", 5),
    ("no\nprocess", 7),
    ("strict\nvint.", 6),
)
MOST_DRIVERS = 5
MOST_CASES = 4


def console() -> Console:
    """Return a console on stdout: colour only on a terminal, a fixed width elsewhere.

    Returns
    -------
    Console
        Where the tables go.
    """
    plain = Console()
    return plain if plain.is_terminal else Console(width=PAGE, no_color=True, highlight=False)


def _percent(p: float | None) -> str:
    return DASH if p is None else percent(p)


def _interval(row: Row | None, low: str = "lo90", high: str = "hi90") -> str:
    if row is None or row.get(low) is None or row.get(high) is None:
        return DASH
    return f"{percent(row[low]).removesuffix('%')}–{percent(row[high])}"


def _table(columns: Sequence[str], *, left: int = 1, folded: int = 0) -> Table:
    """Make a table whose first columns are left-aligned and of which one may fold."""
    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(columns):
        side: Literal["left", "right"] = "left" if index < left else "right"
        table.add_column(name, justify=side, overflow="fold", no_wrap=index != folded)
    return table


def _point(row: Row, key: str) -> str:
    part = row.get(key)
    return DASH if part is None else _percent(part.get("p"))


def _forecast_table() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _, width in COLUMNS:
        table.add_column(justify="right", width=width, no_wrap=True)
    return table


def _cells(row: Row) -> list[RenderableType]:
    base, p = row["base_rate"], row["p"]
    return [
        str(row["horizon"]),
        Text(_percent(p), style="bold"),
        _interval(row),
        _percent(base),
        _interval(row, "base_rate_lo90", "base_rate_hi90"),
        DASH if not base or p is None else f"{p / base:.2f}",
        DASH if row["prior_share"] is None else f"{row['prior_share']:.2f}",
        _point(row, "no_process"),
        _point(row, "strict"),
    ]


def founding_table(forecasts: Sequence[Row]) -> RenderableType:
    """Build the founding table: a line for each horizon under each question.

    Parameters
    ----------
    forecasts : sequence of mappings
        ``forecasts`` of the payload.

    Returns
    -------
    RenderableType
        p, its interval, the base rate with its interval, ratio, prior share, p without
        processes, p from true vintages alone; 80 columns wide.
    """
    header = _forecast_table()
    header.add_row(*(Text(title, style="bold") for title, _ in COLUMNS))
    parts: list[RenderableType] = [header]
    for question, rows in groupby(forecasts, key=lambda row: row["question"]):
        table = _forecast_table()
        for row in rows:
            table.add_row(*_cells(row))
        parts += [Text(question, style="bold"), table]
    return Group(*parts)


def _classes(row: Row) -> RenderableType:
    table = _table(["reference class (* the base rate above)", "events", "years", "p", "90%"])
    for entry in row["reference_classes"] or ():
        chosen = " *" if entry["class"] == row["base_rate_class"] else ""
        table.add_row(
            entry["label"] + chosen,
            number(entry["events"]),
            DASH if entry["exposure_years"] is None else f"{entry['exposure_years']:.0f}",
            _percent(entry["p"]),
            _interval(entry),
        )
    return table


def _marks(row: Row) -> str:
    """Say who or which way, and where a share is its prior."""
    parts = []
    details = {entry["mark"]: entry for entry in row["marks_detail"] or ()}
    for mark, p in sorted((row["marks"] or {}).items(), key=lambda item: -(item[1] or 0)):
        prior = " (prior: no event informs it)" if details.get(mark, {}).get("from_prior") else ""
        parts.append(f"{label(mark)} {_percent(p)}{prior}")
    return ", ".join(parts)


def _driver(entry: Row) -> str:
    value = entry["value"] if isinstance(entry["value"], str) else number(entry["value"])
    unit = f" {entry['unit']}" if entry["unit"] and entry["unit"] != "1" else ""
    when = f" ({entry['period']}, public {entry['published']})" if entry["published"] else ""
    push = "" if entry["log_odds"] is None else f"{signed(entry['log_odds'])} log-odds  "
    return f"{push}{entry['label'] or entry['indicator']}: {value}{unit}{when}"


def _case(entry: Row) -> str:
    parts = [entry["state"], str(entry["month"] or ""), str(entry["what"] or entry["id"])]
    return ", ".join(part for part in parts if part)


def _lines(name: str, lines: Sequence[str]) -> RenderableType:
    if not lines:
        return Text(f"{name}: none", style="dim")
    if len(lines) == 1:
        return Text(f"{name}: {lines[0]}")
    return Group(
        Text(f"{name}:"), *(Padding(Text(line), (0, 0, 0, 2), expand=False) for line in lines)
    )


def _by_size(drivers: Iterable[Row] | None) -> list[Row]:
    return sorted(drivers or (), key=lambda entry: -abs(entry["log_odds"] or 0))


def _details(row: Row) -> RenderableType:
    """Build what stands behind one question, at its longest horizon."""
    head = Text(f"{row['question']}: {row['title']}", style="bold")
    asked = Text(f"within {row['horizon']} months, by {day(row['closes'])}", style="dim")
    marks = _marks(row)
    return Group(
        Text(),
        head,
        asked,
        *([Text(f"by mark (more than one can happen): {marks}")] if marks else []),
        *([_lines("hindsight", told["words"])] if (told := row.get("hindsight")) else []),
        *([_lines("contested events", told["words"])] if (told := row.get("contested")) else []),
        _lines("drivers", [_driver(entry) for entry in _by_size(row["drivers"])[:MOST_DRIVERS]]),
        _classes(row),
        _lines("nearest cases", [_case(entry) for entry in (row["cases"] or ())[:MOST_CASES]]),
    )


def _together(payload: Row) -> list[RenderableType]:
    """Build what the questions say together, and by which rule the power of a base is told."""
    out: list[RenderableType] = []
    if joint := payload.get("joint"):
        out += [Text(), _lines("together", joint["words"])]
    if pool := payload.get("pool"):
        out.append(Text(f"pool: {pool['words']}"))
        out.append(Text("prior share, no process, strict and drivers: of its hazard member"))
    if powers := payload.get("powers"):
        out.append(Text(f"powers: {powers['words']}"))
    return out


def _process(entry: Row) -> str:
    who = f" with {label(entry['counterpart'])}" if entry["counterpart"] else ""
    aim = f", aim: {label(entry['aim'])}" if entry["aim"] else ""
    last = f", last sign {entry['last_sign']}" if entry["last_sign"] else ""
    return (
        f"{entry['id']}: {label(entry['kind'])}{who}, {label(entry['stage'])}, "
        f"public since {entry['public_since'] or 'an unknown date'}{last}{aim}"
    )


def _stale(forecasts: Sequence[Row]) -> list[str]:
    """List ended and aged sources once, the oldest first."""
    found = {entry["indicator"]: entry for row in forecasts for entry in row["stale"] or ()}
    ordered = sorted(found.values(), key=lambda entry: -(entry["age_months"] or 0))
    return [
        f"{entry['indicator']}: last period {entry['last_period'] or 'none'}, "
        f"{number(entry['age_months'])} months old" + (", source ended" if entry["ended"] else "")
        for entry in ordered
    ]


def _record(skill: Row | None) -> list[RenderableType]:
    """Build the record of the model in a backtest, where one was given."""
    if skill is None:
        return []
    lines = [f"{row['question']}: {record_line(row)}" for row in skill["rows"]]
    lines += [f"{name}: no window had closed" for name in skill["unjudged"]]
    return [_lines(record_head(skill), lines)]


def _provenance(payload: Row) -> Text:
    made = payload["provenance"]
    checks = [
        f"{name} {number(made.get(key))}"
        for name, key in (
            ("R-hat max", "rhat_max"),
            ("ESS min", "ess_min"),
            ("divergences", "divergences"),
            ("E-BFMI min", "bfmi_min"),
        )
        if made.get(key) is not None
    ]
    lines = [
        f"seed {made['seed']}, {made['engine']}, code {made['code_version']}",
        f"figures {made['data_hash'][:16]}, configuration {made['config_hash'][:16]}",
        ", ".join(checks),
    ]
    return Text("\n".join(line for line in lines if line), style="dim")


def run_view(payload: Row, *, brief: bool = False) -> RenderableType:
    """Build what ``tocsin run`` shows: the answer first, then what stands behind it.

    Parameters
    ----------
    payload : mapping
        The JSON of a run.
    brief : bool, optional
        The answers, and what they could not see, alone.

    Returns
    -------
    RenderableType
        For a rich console.
    """
    forecasts = payload["forecasts"]
    strict = payload.get("strict_vintages", False)
    vintages = "true vintages only" if strict else "all publication rules"
    head = f"{payload['state_name']} as of {day(payload['as_of'])}"
    gap = payload["gap"] or {}
    return Group(
        Text(head, style="bold"),
        Text(f"from what was public by then ({vintages})", style="dim"),
        Text(),
        founding_table(forecasts),
        *([] if brief else _behind(payload)),
        *([Text(f"gap: {gap['text']}", style="bold")] if gap.get("text") else []),
        *([_lines("not seen", payload["not_seen"])] if payload["not_seen"] else []),
        *_record(payload.get("skill")),
        Text(),
        _provenance(payload),
    )


def _behind(payload: Row) -> list[RenderableType]:
    """What stands behind the answers: details at the longest horizon, processes, old figures."""
    forecasts = payload["forecasts"]
    longest = {row["question"]: row for row in sorted(forecasts, key=lambda row: row["horizon"])}
    return [
        *(_details(row) for row in longest.values()),
        *_together(payload),
        Text(),
        _lines("processes under way", [_process(entry) for entry in payload["processes"]]),
        _lines("stale or ended sources", _stale(forecasts)),
    ]


def show_run(payload: Row, *, brief: bool = False) -> None:
    """Print a run for people, on stdout.

    Parameters
    ----------
    payload : mapping
        The JSON of a run.
    brief : bool, optional
        See `run_view`.
    """
    console().print(run_view(payload, brief=brief))


def show_checks(checks: Sequence[Check]) -> None:
    """Print what ``tocsin doctor`` found, on stdout.

    Parameters
    ----------
    checks : sequence of Check
        The findings.
    """
    table = _table(["check", "", "found"], left=3, folded=2)
    styles = {"ok": "green", "note": "dim", "warn": "yellow", "fail": "bold red"}
    for check in checks:
        text = check.found + (f"\n{check.remedy}" if check.remedy else "")
        table.add_row(check.name, Text(check.status, style=styles[check.status]), Text(text))
    console().print(table)


def _score(row: Mapping[Any, Any]) -> tuple[str, str]:
    """Brier skill and log gain; a resample of windows without an event says nothing of either."""
    if not row["campaigns"]:
        return "no event yet", DASH
    low, high = row["brier_skill_lo90"], row["brier_skill_hi90"]
    least, most = row["log_gain_lo90"], row["log_gain_hi90"]
    return (
        f"{row['brier_skill']:+.3f} [{low:+.3f}, {high:+.3f}]",
        f"{row['log_gain']:+.1f} [{least:+.1f}, {most:+.1f}]",
    )


def show_scores(table: pd.DataFrame, against: str, *, headline: bool = True) -> None:
    """Print a skill table, each score beside its events, interval and detectable gain.

    Parameters
    ----------
    table : DataFrame
        As `forecast.skill.skill_table` returns it.
    against : str
        The reference.
    headline : bool, optional
        Whether the rows the design was drawn around are left out, as of a backtest they are.
    """
    names = ("question", "months", "model", "windows", "with\nevent", "events",
             "Brier skill\n[90%]", "log gain, nats\n[90%]", "detectable\nnats",
             "obs/exp\n[90%]", "prior\nshare", "could\ntell", "AUC")  # fmt: skip
    out = _table(names, left=1, folded=0)
    for r in table.to_dict("records"):
        out.add_row(
            str(r["question"]),
            str(r["horizon"]),
            str(r["model"]),
            str(r["n"]),
            str(r["events"]),
            str(r["campaigns"]),
            *_score(r),
            f"{r['detectable']:.1f}" if isfinite(r["detectable"]) else "none",
            f"{r['observed_expected']:.2f} [{r['oe_lo90']:.2f}, {r['oe_hi90']:.2f}]",
            f"{r['prior_share']:.0%}",
            str(r["tells"]),
            "–" if r["auc"] is None or r["auc"] != r["auc"] else f"{r['auc']:.2f}",
        )
    wide = Console() if Console().is_terminal else Console(width=175, no_color=True)
    left = " Turkmenistan from July 2016 on left out." if headline else ""
    wide.print(f"Against {against}, known at each origin.{left}")
    wide.print(out)
    wide.print(
        "events: separate campaigns or single events behind the windows. detectable: the smallest\n"
        "true gain that would have shown with 80% power, by simulation; a gain below it proves\n"
        "nothing. could tell: when a record of such forecasts could first be told from the\n"
        "reference, were the newest right. AUC tells order alone, no calibration."
    )
