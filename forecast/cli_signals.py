"""``tocsin indicators signals``: which series of a state look unlike their own past."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from forecast.cli_options import SeenOptions, home_option, seen_options

__all__ = ["SCHEMA", "signals", "signals_command"]

SCHEMA = "tocsin/signals/1"


def signals(
    state: str,
    *,
    as_of: str,
    strict: bool = False,
    data_dir: Path | None = None,
    db: str | None = None,
    home: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Return the watch list of a state at a date.

    Parameters
    ----------
    state : str
        Alpha-3 code.
    as_of : str
        ISO day; nothing published later is used.
    strict : bool, optional
        Dated editions and reports only.
    data_dir, db, home : optional
        Data package, store and home folder, where not the usual ones.
    progress : callable, optional
        Told what is being done.

    Returns
    -------
    dict
        The JSON of ``tocsin indicators signals`` (schema ``signals-1.json``).

    Raises
    ------
    UnknownNameError
        The package has no such state.
    DataError
        The package does not follow its schema.
    """
    from forecast.questions import load_questions
    from forecast.watched import listed
    from indicators.dates import as_date
    from indicators.errors import UnknownNameError
    from indicators.home import home_dir
    from indicators.store.use import stored
    from indicators.tables import load
    from indicators.vintages import snapshot

    say = progress or (lambda _: None)
    day = as_date(as_of)
    say("reading the data package")
    package = load(data_dir)
    table = package.table("states")
    codes = set(table.loc[table["kind"] == "state", "state"].astype(str))
    if state not in codes:
        raise UnknownNameError("state", state, codes)
    with stored(db, home=home, usual=data_dir is None) as store:
        seen = snapshot(day, package=package, store=store, strict=strict)
    say("looking at every series")
    seed = int(f"{day:%Y%m%d}")
    known = load_questions(package, as_of=day)
    told = listed(seen, known, state, seed=seed, home=home_dir(home))
    return {
        "schema": SCHEMA,
        "state": state,
        "as_of": f"{day:%Y-%m-%d}",
        "strict": strict,
        "seed": seed,
        "data_hash": seen.hash,
        **told,
    }


@click.command("signals")
@seen_options
@home_option
@click.option("--top", type=click.IntRange(1), default=15, show_default=True, help="Rows shown.")
@click.option("--json", "as_json", is_flag=True, help="All rows as JSON (signals-1.json).")
@click.option("--quiet", is_flag=True, help="No progress.")
def signals_command(
    options: SeenOptions, home: Path | None, top: int, as_json: bool, quiet: bool
) -> None:
    """List what is unusual: levels, changes, silences, each with its record.

    Ranked by the chance of the like if nothing had changed. The record tells how often an alarm
    of the series was followed by an event of a question, in any state at risk, and how often not.
    """
    watched = not quiet and sys.stderr.isatty()
    told = signals(
        options.state,
        as_of=options.as_of,
        strict=options.strict_vintages,
        data_dir=options.data_dir,
        db=options.db,
        home=home,
        progress=(lambda line: click.echo(line, err=True)) if watched else None,
    )
    if as_json:
        click.echo(json.dumps(told, indent=1, sort_keys=True))
        return
    from forecast.cli_signals_view import show_signals

    show_signals(told, top=top)
