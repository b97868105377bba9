"""``tocsin scheduled``, what a scheduler calls every month; ``tocsin schedule``, what calls it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from forecast.cli_options import AskOptions, ask_options, parse_date
from forecast.words import DEFAULT_MODEL

__all__ = ["schedule_group", "scheduled_command"]

Printer = Callable[[str, str, Mapping[str, Any]], None]
_FILE: Any = click.Path(dir_okay=False, path_type=Path)
_no_refresh = click.option("--no-refresh", is_flag=True, help="Ask no provider.")


def _month(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    return None if value is None else parse_date(value, name="--since").replace(day=1).isoformat()


@click.command("scheduled")
@ask_options
@click.option("--since", callback=_month, metavar="MONTH",
              help="First origin that must be there; else the first one issued.")  # fmt: skip
@click.option("--source", "sources", multiple=True,
              help="Provider to refresh; may be repeated. Else all with keys.")  # fmt: skip
@_no_refresh
@click.option("--report", "page", type=_FILE, metavar="FILE",
              help="The newest report; reports/tocsin-STATE.html in the home.")  # fmt: skip
@click.option("--log", "log_file", type=_FILE, metavar="FILE", help="Append every step here.")
@click.option("--log-format", type=click.Choice(["text", "json"]),
              help="Tell every step, one a line: on stderr, or in the --log file.")  # fmt: skip
@click.pass_context
def scheduled_command(
    ctx: click.Context,
    options: AskOptions,
    since: str | None,
    sources: tuple[str, ...],
    no_refresh: bool,
    page: Path | None,
    log_file: Path | None,
    log_format: str | None,
) -> None:
    """Refresh, issue every missed month in order, resolve, score, report.

    Silent unless something fails. Exit code 5: a provider was unreachable, all else was done. A
    second call in a month finds everything done; two at once are refused.
    """
    from forecast.scheduled import Schedule, scheduled

    plan = Schedule(
        state=options.state,
        questions=options.questions,
        horizons=options.horizons,
        model=options.model,
        home=options.home,
        db=options.db,
        data_dir=options.data_dir,
        backtest=options.backtest,
        since=since,
        sources=() if no_refresh else (sources or None),
        page=page,
    )
    with _logging(log_file, log_format) as log:
        code = scheduled(plan, log)
    ctx.exit(code)


@contextmanager
def _logging(path: Path | None, form: str | None) -> Iterator[Printer]:
    """Yield what tells a step: to a file or stderr as asked, and failures to stderr in any case."""
    if path is None:
        yield lambda level, event, about: _tell(form, level, event, about)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:

        def tell(level: str, event: str, about: Mapping[str, Any]) -> None:
            file.write(_line(form or "text", level, event, about) + "\n")
            file.flush()
            _tell(None, level, event, about)

        yield tell


def _tell(form: str | None, level: str, event: str, about: Mapping[str, Any]) -> None:
    if form is not None:
        click.echo(_line(form, level, event, about), err=True)
    elif level == "error" and event != "end":
        where = "".join(f" {name} {about[name]}" for name in ("origin", "source") if name in about)
        click.echo(f"tocsin: {event}{where}: {about.get('error', '')}", err=True)


def _line(form: str, level: str, event: str, about: Mapping[str, Any]) -> str:
    from datetime import UTC, datetime

    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if form == "json":
        return json.dumps({"time": now, "level": level, "event": event, **about})
    told = " ".join(f"{name}={json.dumps(value)}" for name, value in about.items())
    return f"{now} {level} {event} {told}".rstrip()


@click.group("schedule")
def schedule_group() -> None:
    """Print a ready-to-paste unit that runs `tocsin scheduled` every month."""


def _timing_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        _no_refresh,
        click.option("--tz", "zone", default="", help="IANA time zone, such as Asia/Ashgabat."),
        click.option("--minute", default=17, show_default=True, type=int),
        click.option("--hour", default=6, show_default=True, type=int),
        click.option("--day", default=2, show_default=True, type=int, help="Of the month, 1-28."),
    ):
        command = option(command)
    return command


def _arguments(options: AskOptions, *, no_refresh: bool) -> list[str]:
    """Arguments of `tocsin scheduled` beside home and log: what differs from its defaults."""
    usual = {
        "state": "TKM",
        "questions": ("all",),
        "horizons": (6, 12, 24, 36),
        "model": DEFAULT_MODEL,
    }
    names = {"state": "--state", "questions": "--question", "horizons": "--horizon",
             "model": "--model"}  # fmt: skip
    out = []
    for name, option in names.items():
        value = getattr(options, name)
        if value != usual[name]:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else value
            out += [option, text]
    if options.data_dir is not None:
        out += ["--data", str(options.data_dir.absolute())]
    if options.backtest is not None:
        out += ["--backtest", str(options.backtest.absolute())]
    if options.db is not None:
        out += ["--db", _without_password(options.db)]
    return [*out, *(["--no-refresh"] if no_refresh else [])]


def _without_password(db: str) -> str:
    if "://" not in db:
        return str(Path(db).absolute())
    from sqlalchemy.engine import make_url

    if make_url(db).password:
        raise click.BadParameter(
            "a password does not belong in a unit: put it in ~/.pgpass", param_hint="--db"
        )
    return db


def _words(options: AskOptions, *, no_refresh: bool) -> tuple[list[str], Path]:
    """The whole command, absolute, and the home folder."""
    from forecast.schedule import console_script
    from indicators.home import home_dir

    home = home_dir(options.home).expanduser().absolute()
    arguments = _arguments(options, no_refresh=no_refresh)
    return [*console_script(), "scheduled", *arguments, "--home", str(home)], home


@schedule_group.command("cron")
@ask_options
@_timing_options
def cron_command(
    options: AskOptions, day: int, hour: int, minute: int, zone: str, no_refresh: bool
) -> None:
    """Print a line for `crontab -e`."""
    from forecast.schedule import Timing, cron

    words, home = _words(options, no_refresh=no_refresh)
    timing = Timing(day, hour, minute, zone)
    click.echo(cron(words, timing, log=home / "scheduled.log"), nl=False)


@schedule_group.command("systemd")
@ask_options
@_timing_options
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Write tocsin.service and tocsin.timer here.")  # fmt: skip
def systemd_command(
    options: AskOptions,
    day: int,
    hour: int,
    minute: int,
    zone: str,
    no_refresh: bool,
    out: Path | None,
) -> None:
    """Print a service and its timer, for `~/.config/systemd/user`."""
    from forecast.schedule import Timing, systemd

    words, _ = _words(options, no_refresh=no_refresh)
    texts = systemd(words, Timing(day, hour, minute, zone))
    if out is None:
        for name, text in texts.items():
            click.echo(f"# ~/.config/systemd/user/{name}\n{text}")
        click.echo("# then: systemctl --user enable --now tocsin.timer; loginctl enable-linger")
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
        click.echo(f"tocsin: {out / name}", err=True)


@schedule_group.command("github")
@ask_options
@_timing_options
def github_command(
    options: AskOptions, day: int, hour: int, minute: int, zone: str, no_refresh: bool
) -> None:
    """Print a workflow for `.github/workflows/tocsin.yml`, the ledger kept in the branch."""
    from forecast.schedule import Timing, github
    from indicators.sources.registry import SOURCES

    for name, folder in (("--data", options.data_dir), ("--backtest", options.backtest)):
        if folder is not None:
            raise click.BadParameter("a folder of this computer", param_hint=name)
    names = sorted({name for source in SOURCES.values() for name in source.credentials})
    arguments = _arguments(options, no_refresh=no_refresh)
    made = github(arguments, Timing(day, hour, minute, zone), secrets=names)
    click.echo(made, nl=False)
