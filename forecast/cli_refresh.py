"""``tocsin indicators refresh``: new figures from their providers into the store."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from forecast.cli_options import data_option, db_option, home_option, parse_date

__all__ = ["refresh_command"]

SCHEMA = "tocsin/refresh/1"


@click.command("refresh")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--dry-run", is_flag=True, help="Print the first requests, and ask nobody.")
@click.option("--since", metavar="DATE", help="First day of periods; two years ago by default.")
@click.option("--indicator", "indicators", multiple=True, help="This one only; may be repeated.")
@click.option("--state", "states", multiple=True, help="This one only; may be repeated.")
@data_option
@db_option
@home_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
@click.option("--quiet", is_flag=True, help="No progress.")
@click.pass_context
def refresh_command(
    ctx: click.Context,
    sources: tuple[str, ...],
    dry_run: bool,
    since: str | None,
    indicators: tuple[str, ...],
    states: tuple[str, ...],
    data_dir: Path | None,
    db: str | None,
    home: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Ask providers for new figures and keep them as vintages.

    Exit code 5 names the providers that failed; what the others gave is kept.
    """
    from indicators.catalog import Catalog
    from indicators.dates import as_date
    from indicators.refresh import plan, refresh, wanted
    from indicators.store.main import Store
    from indicators.tables import load

    package = load(data_dir)
    first = None if since is None else as_date(parse_date(since, name="--since"))
    ask = wanted(package, states=states or None, indicators=indicators or None, since=first)
    if dry_run:
        _show_plan(plan(sources, ask), as_json=as_json)
        return
    watched = sys.stderr.isatty() and not quiet
    with Store.open(db, home=home) as store:
        report = refresh(
            store,
            sources,
            ask,
            catalog=Catalog.from_package(package),
            progress=(lambda line: click.echo(line, err=True)) if watched else None,
        )
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "sources": report.rows()}, indent=1))
    else:
        _show(report.rows(), quiet=quiet)
    ctx.exit(report.exit_code)


def _show_plan(requests: Any, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "requests": dict(requests)}, indent=1))
        return
    for name, texts in requests.items():
        click.echo(f"{name}: {len(texts)} first requests")
        for text in texts:
            click.echo(f"  {text}")


def _show(rows: list[dict[str, Any]], *, quiet: bool) -> None:
    """One line a provider on stdout, failures on stderr; quiet tells failures alone."""
    for row in rows:
        if row["status"] == "failed":
            click.echo(f"tocsin: {row['source']} failed: {row['error']}", err=True)
        elif not quiet:
            told = f"{row['rows_new']} new, {row['rows_same']} unchanged figures"
            click.echo(f"{row['source']}: {told if row['status'] == 'done' else 'nothing to ask'}")
