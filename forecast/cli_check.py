"""``tocsin check``: the model behind a forecast, examined."""

from __future__ import annotations

from pathlib import Path

import click

from forecast.cli_options import (
    MAX_SEED,
    data_option,
    db_option,
    home_option,
    past_day,
    question_option,
    state_option,
)

__all__ = ["check_command"]


@click.command("check")
@state_option
@click.option(
    "--as-of",
    "as_of",
    default=None,
    callback=past_day("as-of date"),
    help="Origin; this month unless given.",
)
@question_option
@click.option(
    "--simulations",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Data sets simulated and fitted for each question; kept, so that more can follow.",
)
@click.option(
    "--engine",
    default="approximate",
    show_default=True,
    type=click.Choice(("approximate", "exact")),
    help="What fits them; where the approximation refuses itself, NUTS does.",
)
@click.option(
    "--seed",
    default=None,
    type=click.IntRange(0, MAX_SEED),
    help="Derived from the origin unless given.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Write the page here, as HTML with pictures (.md: without), instead of printing it.",
)
@data_option
@home_option
@db_option
@click.option("--quiet", is_flag=True, help="No progress.")
def check_command(
    state: str,
    as_of: str | None,
    questions: tuple[str, ...],
    simulations: int,
    engine: str,
    seed: int | None,
    out: Path | None,
    data_dir: Path | None,
    home: Path | None,
    db: str | None,
    quiet: bool,
) -> None:
    """Check priors, fit, sensitivity and calibration behind a forecast."""
    import sys

    from forecast.checks.main import check
    from forecast.checks.page import html, markdown
    from forecast.files import write_whole
    from forecast.run import writable
    from indicators.dates import today
    from indicators.home import home_dir

    if out is not None:
        writable(out.parent)
    shown = not quiet and sys.stderr.isatty()
    found = check(
        state,
        as_of or today(),
        questions=questions,
        simulations=simulations,
        engine=engine,
        seed=seed,
        data_dir=data_dir,
        home=home_dir(home),
        db=db,
        progress=(lambda text: click.echo(text, err=True)) if shown else None,
    )
    if out is None:
        click.echo(markdown(found), nl=False)
        return
    write_whole(out, (markdown if out.suffix == ".md" else html)(found).encode())
    click.echo(f"checks: {out}", err=True)
