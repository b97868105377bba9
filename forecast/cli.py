"""The command line ``tocsin``: runs, reports, indicators, backtests, checks, ledger, schedules.

Nothing heavy is imported before a command needs it, so that ``tocsin --help`` answers at once.
Results go to stdout, progress and remarks to stderr. Exit codes: 0 done, 2 usage, 3 bad data or
a file or folder that cannot be read or written, 4 diagnostics failed, 5 a provider or a process
that was to work failed and what is finished is kept, 6 a store or ledger that cannot be used.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecast import __version__
from forecast.cli_backtest import backtest_command
from forecast.cli_check import check_command
from forecast.cli_ledger import issuing, ledger_group
from forecast.cli_options import (
    RunOptions,
    SeenOptions,
    data_option,
    db_option,
    home_option,
    run_options,
    seen_options,
)
from forecast.cli_pressures import pressures_command
from forecast.cli_refresh import refresh_command
from forecast.cli_resolve import resolve_command
from forecast.cli_schedule import schedule_group, scheduled_command
from forecast.cli_score import score_command
from forecast.cli_signals import signals_command
from indicators.errors import TocsinError

if TYPE_CHECKING:
    from forecast.run import RunResult

__all__ = ["main"]

EXIT_BAD_DATA = 3
DISK_REMEDY = (
    "Make room or get the rights there, or choose another place with --out, --report or --home "
    "(--no-cache keeps nothing)."
)
_FILE: Any = click.Path(dir_okay=False, path_type=Path)


@contextmanager
def _plain_errors(ctx: click.Context) -> Iterator[None]:
    """Show an error of ours, or of the disk, as its message, and end with its exit code."""
    try:
        yield
    except TocsinError as error:
        click.echo(f"tocsin: {error}", err=True)
        ctx.exit(error.exit_code)
    except BrokenPipeError:  # the reader of stdout has gone: click's own business
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"tocsin: {where}{error.strerror or error}. {DISK_REMEDY}", err=True)
        ctx.exit(EXIT_BAD_DATA)


@contextmanager
def _at(path: Path | None) -> Iterator[None]:
    """Name a path in an error of the disk that names none, as a full one does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and path is not None:
            error.filename = str(path)
        raise


class _Group(click.Group):
    """A group whose commands end on a TocsinError with its message and exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        with _plain_errors(ctx):
            return super().invoke(ctx)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tocsin")
def main() -> None:
    """Early warning of rare geopolitical events, from figures as they were known then."""


def _progress(*, quiet: bool) -> Callable[[str], None] | None:
    """Return a printer of progress lines, or None where nobody watches."""
    if quiet or not sys.stderr.isatty():
        return None
    return lambda line: click.echo(click.style(line, dim=True), err=True)


def _run(options: RunOptions, page: Path | None = None) -> RunResult:
    """Run, or take from the cache, the forecasts that the options ask for.

    Where a page shall be written, its folder is tried first: nothing is sampled for a full disk.
    """
    from forecast.run import run, writable
    from indicators.home import home_dir

    if page is not None:
        writable(page.parent)
    origin = f"{options.as_of[:8]}01"
    if origin != options.as_of and not options.quiet:
        click.echo(f"tocsin: forecasts start at the first of a month: as of {origin}", err=True)
    with _at(home_dir(options.home)):
        return run(
            state=options.state,
            as_of=origin,
            questions=options.questions,
            horizons=options.horizons,
            model=options.model,
            strict=options.strict_vintages,
            priors=options.priors,
            backtest=options.backtest,
            exclude=options.exclude,
            seed=options.seed,
            data_dir=options.data_dir,
            home=options.home,
            db=options.db,
            cache=not options.no_cache,
            allow_poor_fit=options.allow_poor_fit,
            progress=_progress(quiet=options.quiet),
        )


def _write_page(payload: dict[str, Any], path: Path, *, quiet: bool) -> None:
    from forecast.report import write

    with _at(path):
        write(payload, path)
    if not quiet:
        click.echo(f"tocsin: report written to {path}", err=True)


@main.command("run")
@run_options
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout (forecast-1.json).")
@click.option(
    "--report", "page", type=_FILE, metavar="FILE", help="Write the HTML page as well, here."
)
@click.option("--issue", is_flag=True, help="Record the forecasts in the ledger, once.")
@click.option("--brief", is_flag=True, help="The answers alone, without what stands behind them.")
def run_command(
    options: RunOptions, as_json: bool, page: Path | None, issue: bool, brief: bool
) -> None:
    """Forecast: the probability of each question, beside its base rate."""
    if brief and as_json:
        raise click.UsageError("--brief is for people; --json always holds everything.")
    with issuing(options) if issue else nullcontext(lambda _: None) as record:
        result = _run(options, page)
        record(result)
    if as_json:
        click.echo(result.to_json())
    else:
        from forecast.cli_format import show_run

        show_run(result.payload, brief=brief)
    if page is not None:
        _write_page(result.payload, page, quiet=options.quiet)


@main.command("report")
@run_options
@click.option("--out", type=_FILE, metavar="FILE", help="The HTML file.")
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
def report_command(options: RunOptions, out: Path | None, show: bool) -> None:
    """Write the forecasts as one self-contained HTML page."""
    payload = _run(options, out or Path("page.html")).payload
    path = out or Path(f"tocsin-{payload['state']}-{payload['as_of']}.html")
    _write_page(payload, path, quiet=options.quiet)
    if show:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())


@main.group("indicators", cls=_Group)
def indicators_group() -> None:
    """Look at the figures behind the forecasts: what was known, when."""


@indicators_group.command("list")
@click.option("--family", help="One family: border, gas, contacts, context.")
@data_option
@db_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout (indicators-1.json).")
def indicators_list(
    family: str | None, data_dir: Path | None, db: str | None, as_json: bool
) -> None:
    """List the indicators by family: meaning, delay, newest period, sources."""
    from forecast.cli_indicators import listing

    rows = listing(data_dir, family=family, db=db)
    if as_json:
        click.echo(json.dumps({"schema": "tocsin/indicators/1", "indicators": rows}, indent=1))
        return
    from forecast.cli_entries import show_indicators

    show_indicators(rows)


@indicators_group.command("show")
@click.argument("indicator", metavar="ID")
@seen_options
@click.option("--last", type=click.IntRange(1), default=24, show_default=True, help="Rows shown.")
@click.option("--json", "as_json", is_flag=True, help="All rows as JSON (indicator-1.json).")
def indicators_show(options: SeenOptions, indicator: str, last: int, as_json: bool) -> None:
    """Show one indicator of one state as it was known on a day.

    Its meaning, when it counts as known, the signs expected with their reasons, the breaks known
    by then, its sources, and the figures.
    """
    from forecast.cli_indicators import figures

    record = figures(
        indicator,
        options.state,
        as_of=options.as_of,
        strict=options.strict_vintages,
        data_dir=options.data_dir,
        db=options.db,
    )
    if as_json:
        click.echo(json.dumps(record, indent=1, sort_keys=True))
        return
    from forecast.cli_entries import show_figures

    show_figures(record, last=last)


indicators_group.add_command(refresh_command)
indicators_group.add_command(signals_command)
indicators_group.add_command(pressures_command)
main.add_command(check_command)
main.add_command(backtest_command)
main.add_command(score_command)
main.add_command(ledger_group)
main.add_command(resolve_command)
main.add_command(scheduled_command)
main.add_command(schedule_group)


@main.command("doctor")
@data_option
@home_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
@click.pass_context
def doctor_command(
    ctx: click.Context,
    data_dir: Path | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """Check the installation: versions, data package, clashes, cache."""
    from forecast.doctor import examine

    checks = examine(data_dir=data_dir, home=home, cwd=Path.cwd())
    if as_json:
        rows = [check.as_row() for check in checks]
        click.echo(json.dumps({"schema": "tocsin/doctor/1", "checks": rows}, indent=1))
    else:
        from forecast.cli_format import show_checks

        show_checks(checks)
    ctx.exit(EXIT_BAD_DATA if any(check.status == "fail" for check in checks) else 0)


if __name__ == "__main__":
    main()
