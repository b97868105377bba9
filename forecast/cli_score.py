"""``tocsin score``: how the ledger's forecasts did, or those of a backtest."""

from __future__ import annotations

import json
from pathlib import Path

import click

from forecast.cli_backtest import FORECASTS
from forecast.cli_ledger import opened
from forecast.cli_options import MAX_SEED, db_option, home_option

__all__ = ["score_command"]


@click.command("score")
@click.option("--backtest", "folder",
              type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
              help="Folder that `tocsin backtest` wrote; the ledger unless given.")  # fmt: skip
@click.option("--against", default="base_rate", show_default=True, help="The reference model.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, MAX_SEED),
              help="Of bootstrap and simulation.")  # fmt: skip
@db_option
@home_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout (score-1.json).")
def score_command(
    folder: Path | None, against: str, seed: int, db: str | None, home: Path | None, as_json: bool
) -> None:
    """Score resolved forecasts: skill, its interval, and what so few events can show.

    Without --backtest, the forecasts of the ledger that `tocsin resolve` has resolved, each
    against the base rate issued with it.
    """
    if folder is not None:
        _backtest(folder, against, seed=seed, as_json=as_json)
        return
    if against != "base_rate":
        found = "the ledger's forecasts are scored against the base rate issued with each"
        raise click.BadParameter(found, param_hint="--against")
    from forecast.record import record_of

    with opened(db, home) as ledger:
        record = record_of(ledger, seed=seed)
    if as_json:
        click.echo(json.dumps(record.document(), indent=1))
        return
    from forecast.cli_format import show_scores

    if len(record.skills):
        show_scores(record.skills, against, headline=False)
        click.echo()
    for headline in record.headlines:
        click.echo(str(headline))
    click.echo(
        f"{record.forecasts} forecasts issued, {record.waiting} wait for their outcome, "
        f"{record.void} void, {record.late} left out: recorded after their window had closed"
    )


def _backtest(folder: Path, against: str, *, seed: int, as_json: bool) -> None:
    from forecast.outcomes import read_outcomes
    from forecast.record import SCHEMA, rows
    from forecast.skill import headline_rows, skill_table

    resolved = read_outcomes(folder / FORECASTS)
    models = sorted(set(resolved["model"]))
    if against not in models:
        raise click.BadParameter(f"one of {', '.join(models)}", param_hint="--against")
    closed = (headline_rows(resolved)["model"] == against).any()
    table = skill_table(resolved, seed=seed, against=against) if closed else None
    if as_json:
        scores = [] if table is None else rows(table)
        made = {"schema": SCHEMA, "source": "backtest", "against": against, "scores": scores}
        click.echo(json.dumps(made, indent=1))
        return
    if table is None:
        click.echo("No window that counts has closed in this backtest: nothing to score.")
        return
    from forecast.cli_format import show_scores

    show_scores(table, against)
