"""``tocsin ledger list | show | verify | export``, and what ``tocsin run --issue`` records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecast.cli_options import RunOptions, db_option, home_option

if TYPE_CHECKING:
    import pandas as pd

    from forecast.ledger.main import Ledger
    from forecast.run import RunResult

__all__ = ["issuing", "ledger_group"]

DAMAGED = 6
SCHEMA = "tocsin/ledger/1"
_json = click.option("--json", "as_json", is_flag=True, help="JSON on stdout (ledger-1.json).")


def opened(db: str | None, home: Path | None, *, create: bool = False) -> Ledger:
    """Open the ledger that the options name.

    Parameters
    ----------
    db : str or None
        A file or URL; the home folder's own where None or ``none``.
    home : Path or None
        The home folder.
    create : bool, optional
        Whether one that is not there is made.
    """
    from forecast.ledger.main import Ledger

    return Ledger.open(None if db == "none" else db, home=home, create=create)


@contextmanager
def issuing(options: RunOptions) -> Iterator[Callable[[RunResult], None]]:
    """Hold the ledger for a run, and yield what issues its forecasts.

    The ledger is opened before anything is sampled: one that cannot be written, or that another
    run holds, is told at once.

    Parameters
    ----------
    options : RunOptions
        Of ``tocsin run``.
    """
    from forecast.asking import AskError, as_registered
    from forecast.ledger.issuing import records_of
    from indicators.dates import until_today

    origin = until_today(options.as_of, AskError).replace(day=1)
    as_registered(options.exclude, priors=options.priors, seed=options.seed, origin=origin)
    with opened(options.db, options.home, create=True) as ledger, ledger.lock("tocsin run"):

        def issue(result: RunResult) -> None:
            report = ledger.issue(records_of(result, ledger))
            if not options.quiet:
                for line in (str(report), *report.remarks):
                    click.echo(f"tocsin: {line}", err=True)

        yield issue


@click.group("ledger")
def ledger_group() -> None:
    """Look at what was forecast, what came of it, and whether the record is whole."""


@ledger_group.command("list")
@click.option("--question", help="One question.")
@click.option("--state", help="One state.")
@click.option("--model", help="One model.")
@click.option("--origin", help="One origin, YYYY-MM-DD.")
@db_option
@home_option
@_json
def list_command(
    question: str | None,
    state: str | None,
    model: str | None,
    origin: str | None,
    db: str | None,
    home: Path | None,
    as_json: bool,
) -> None:
    """List the forecasts issued, and what came of each."""
    with opened(db, home) as ledger:
        frame = listed(ledger)
    wanted = {"question": question, "state": state, "model": model, "origin": origin}
    for name, value in wanted.items():
        if value is not None:
            frame = frame[frame[name].astype(str) == value]
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "forecasts": records(frame)}, indent=1))
        return
    from forecast.cli_ledger_view import show_ledger

    show_ledger(records(frame))


def listed(ledger: Ledger) -> pd.DataFrame:
    """Forecasts with a column ``status`` (open, due, yes, no or void) and flags."""
    import pandas as pd

    from forecast.ledger.placing import WINDOW
    from indicators.dates import today

    frame = ledger.forecasts()
    came = ledger.resolutions()[[*WINDOW, "outcome"]]
    frame = frame.merge(came, on=list(WINDOW), how="left", validate="m:1")
    waiting = (frame["closes"] < today()).map({True: "due", False: "open"})
    frame["status"] = frame.pop("outcome").fillna(waiting.astype(object))
    frame["again"] = ~frame["first"]
    frame["after_the_fact"] = frame["closes"] < frame["recorded"]
    # the day told, and the computer's own: more apart than time zones are
    own = pd.to_datetime(frame["written"].str[:10])
    frame["clock_moved"] = (frame["recorded"] - own).dt.days.abs() > 1
    days = frame.select_dtypes("datetime").columns
    return frame.assign(**{name: frame[name].dt.strftime("%Y-%m-%d") for name in days})


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them: nothing missing but null."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


@ledger_group.command("show")
@click.argument("number", metavar="ID")
@db_option
@home_option
@_json
def show_command(number: str, db: str | None, home: Path | None, as_json: bool) -> None:
    """Show one record: every column, and what rests on it.

    ID is its number, or the first letters of its hash, eight at least.
    """
    with opened(db, home) as ledger:
        found = ledger.record(ledger.find(number))
        found |= {"rests_on_it": ledger.resting_on(int(found["seq"]))}
    for name in ("detail", "evidence", "versions"):
        if name in found:
            found[name] = json.loads(found[name] or "{}")
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "record": found}, indent=1, ensure_ascii=False))
        return
    from forecast.cli_ledger_view import show_record

    show_record(found)


@ledger_group.command("verify")
@click.option("--anchor", is_flag=True, help="Keep the last record as the head outside, anew.")
@db_option
@home_option
@_json
@click.pass_context
def verify_command(
    ctx: click.Context, anchor: bool, db: str | None, home: Path | None, as_json: bool
) -> None:
    """Walk the chain: every record, the draws, the triggers, the head outside.

    Exit code 6 where something is not as it was written; each damage is named. With --anchor,
    a chain that is whole but for its head is given a new one: for a home that sees a shared
    database for the first time, or after the head was lost.
    """
    with opened(db, home) as ledger:
        if anchor:
            ledger.anchor()
        damages = ledger.verify()
        counts = ledger.counts()
        remark = "" if damages else _outside(ledger, counts["last"])
    if as_json:
        rows = [{"table": d.table, "record": d.record, "column": d.column, "what": d.what}
                for d in damages]  # fmt: skip
        click.echo(json.dumps({"schema": SCHEMA, **counts, "damages": rows}, indent=1))
    elif damages:
        for damage in damages:
            click.echo(str(damage))
    else:
        parts = ", ".join(
            f"{counts[name]} {name}" for name in ("forecasts", "resolutions", "scores")
        )
        last = f"; the last is {counts['last']}, {counts['hash']}" if counts["last"] else ""
        click.echo(f"whole: {parts}{last}")
    if remark:
        click.echo(f"tocsin: {remark}", err=True)
    if damages:
        click.echo(f"tocsin: the ledger is damaged: {damages[0]}", err=True)
        ctx.exit(DAMAGED)


def _outside(ledger: Ledger, last: int) -> str:
    """Say what the head kept outside does not cover."""
    head = ledger.guard.head()
    if head is None:
        return "no head is kept in this home; with --anchor one is." if last else ""
    if head.seq < last:
        what = "written from another home, by a run that was killed, or not by tocsin"
        return f"records {head.seq + 1} to {last} came after the head kept here: {what}."
    return ""


@ledger_group.command("export")
@click.option(
    "--format",
    "form",
    type=click.Choice(["hub", "csv"]),
    default="csv",
    show_default=True,
    help="hub: hubverse 6, yes and no of each forecast. csv: all columns.",
)
@click.option("--table", type=click.Choice(["forecasts", "resolutions", "scores"]),
              default="forecasts", show_default=True, help="Of csv.")  # fmt: skip
@click.option("--model", help="One model; hub on stdout needs it where there are several.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="csv: a file. hub: the hub's folder, a Parquet file a model and origin.",
)
@db_option
@home_option
def export_command(
    form: str, table: str, model: str | None, out: Path | None, db: str | None, home: Path | None
) -> None:
    """Write the record for other programs, on stdout or to files."""
    with opened(db, home) as ledger:
        frame = getattr(ledger, table if form == "csv" else "forecasts")()
    if form == "csv":
        _csv(
            frame if model is None or "model" not in frame else frame[frame["model"] == model], out
        )
    else:
        _hub(frame, model, out)


def _csv(frame: pd.DataFrame, out: Path | None) -> None:
    from forecast.ledger.guard import on_disk, put, written

    text = frame.to_csv(index=False)
    if out is None:
        click.echo(text, nl=False)
        return
    with on_disk(out):
        put(written(out, text.encode()), out)


def _hub(frame: pd.DataFrame, model: str | None, out: Path | None) -> None:
    from forecast.hub import model_output, write_hub
    from forecast.ledger.export import model_names, of_a_hub
    from forecast.questions import load_questions
    from indicators.tables import load

    names = sorted(set(model_names(frame)))
    if model is not None:
        if model not in names:
            found = f"found {model!r}; allowed: {', '.join(names) or 'none, the ledger is empty'}"
            raise click.BadParameter(found, param_hint="--model")
        frame, names = frame[model_names(frame) == model], [model]
    if out is not None:
        titles = {name: question.title for name, question in load_questions(load()).items()}
        for path in write_hub(of_a_hub(frame), out, titles=titles):
            click.echo(f"tocsin: {path}", err=True)
        return
    if len(names) > 1:
        found = f"a model output holds one model: name one of {', '.join(names)}, or give --out."
        raise click.BadParameter(found, param_hint="--model")
    click.echo(model_output(of_a_hub(frame)).to_csv(index=False), nl=False)
