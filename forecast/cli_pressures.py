"""``tocsin indicators pressures``: what indicators of a state have in common, as known on a day."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecast.cli_options import SeenOptions, home_option, seen_options

if TYPE_CHECKING:
    from indicators.indices import Pressure

__all__ = ["SCHEMA", "pressures", "pressures_command"]

SCHEMA = "tocsin/pressures/1"


def pressures(
    state: str,
    *,
    as_of: str,
    names: Sequence[str] = (),
    strict: bool = False,
    data_dir: Path | None = None,
    db: str | None = None,
    home: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Return the pressures of a state at a date.

    Parameters
    ----------
    state : str
        Alpha-3 code.
    as_of : str
        ISO day; nothing published later is used.
    names : sequence of str, optional
        Which pressures; all by default.
    strict : bool, optional
        Dated editions and reports only.
    data_dir, db, home : optional
        Data package, store and home folder, where not the usual ones.
    progress : callable, optional
        Told what is being done.

    Returns
    -------
    dict
        The JSON of ``tocsin indicators pressures`` (schema ``pressures-1.json``).

    Raises
    ------
    UnknownNameError
        No such state or pressure.
    DataError
        The package does not follow its schema.
    """
    from indicators import indices
    from indicators.dates import as_date
    from indicators.store.use import stored
    from indicators.tables import load
    from indicators.vintages import snapshot

    say = progress or (lambda _: None)
    day = as_date(as_of)
    say("reading the data package")
    package = load(data_dir)
    with stored(db, home=home, usual=data_dir is None) as store:
        seen = snapshot(day, package=package, store=store, strict=strict)
    say("fitting one factor a pressure")
    found = indices.pressures(seen, state=state, names=names or None)
    return {
        "schema": SCHEMA,
        "state": state,
        "as_of": f"{day:%Y-%m-%d}",
        "strict": strict,
        "data_hash": seen.hash,
        "pressures": [_told(one) for one in found],
        "not_made": dict(found.failed),
    }


def _told(one: Pressure) -> dict[str, Any]:
    """Return one pressure as JSON: its last month, what it rests on, what was left out."""
    table = one.table
    last, month = table.iloc[-1], table.index[-1]
    covered = table.index[table["n_series"] > 0]
    return {
        "name": one.name,
        "meaning": one.meaning,
        "month": f"{month:%Y-%m}",
        "factor": float(last["mean"]),
        "lo90": float(last["lo90"]),
        "hi90": float(last["hi90"]),
        "series_with_figure": int(last["n_series"]),
        "figures_through": f"{covered[-1]:%Y-%m}",
        "explained": one.explained,
        "persistence": one.phi,
        "anchor": one.anchor,
        "remarks": list(one.remarks),
        "loadings": [
            {"series": str(series), **{key: _plain(row[key]) for key in row.index}}
            for series, row in one.loadings.iterrows()
        ],
        "left_out": dict(one.left_out),
    }


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it: a number that is none (noise at its floor) as null."""
    plain = value.item() if hasattr(value, "item") else value
    return None if plain != plain else plain


@click.command("pressures")
@seen_options
@home_option
@click.option("--pressure", "names", multiple=True, metavar="NAME", help="Only this; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout (pressures-1.json).")
@click.option("--quiet", is_flag=True, help="No progress.")
def pressures_command(
    options: SeenOptions, home: Path | None, names: tuple[str, ...], as_json: bool, quiet: bool
) -> None:
    """Show security, gas dependence and alignment, each as one factor of several indicators.

    In standard deviations from what is usual for the state; not a probability, and no forecast
    uses them. Fitted again to what was known on the day.
    """
    watched = not quiet and sys.stderr.isatty()
    told = pressures(
        options.state,
        as_of=options.as_of,
        names=names,
        strict=options.strict_vintages,
        data_dir=options.data_dir,
        db=options.db,
        home=home,
        progress=(lambda line: click.echo(line, err=True)) if watched else None,
    )
    if as_json:
        click.echo(json.dumps(told, indent=1, sort_keys=True))
        return
    from forecast.cli_pressures_view import show_pressures

    show_pressures(told)
