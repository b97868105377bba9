"""``tocsin backtest``: what the models would have said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from forecast.cli_options import MAX_SEED, data_option, home_option, past_day

__all__ = ["FORECASTS", "backtest_command"]

FORECASTS = "forecasts.parquet"
CHOICES = "pool.parquet"
JOINT = "joint.parquet"
HUB = "hub"
POOLED = ("base_rate", "process_table", "glm", "hazard")


def _list(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


@click.command("backtest")
@click.option("--from", "start", default="2000-07", show_default=True, help="First origin.",
              callback=past_day("--from"))  # fmt: skip
@click.option("--to", "stop", default="2023-07", show_default=True, help="Last origin.",
              callback=past_day("--to"))  # fmt: skip
@click.option("--every", default=6, show_default=True, type=click.IntRange(1), help="Months.")
@click.option("--question", "questions", default="all", show_default=True, callback=_list)
@click.option("--horizon", "horizons", default="6,12,24,36", show_default=True, callback=_list)
@click.option(
    "--models",
    default="base_rate,climatology,process_table,glm",
    show_default=True,
    callback=_list,
    help="Also: hazard and its variants, linked (pairs of questions to joint.parquet), and pool.",
)
@click.option(
    "--bound",
    default="all",
    show_default=True,
    help="How the coded processes are read, such as missing_2; see forecast.bounds.",
)
@click.option(
    "--engine",
    default="approximate",
    show_default=True,
    help="How hazards are fitted: approximate (nuts where it fails), nuts, or pymc (slow).",
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, MAX_SEED))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1))
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="A Dask scheduler to work on (tocsin[dask]), such as tcp://HOST:8786; local starts one.",
)
@click.option(
    "--outcomes",
    "judged",
    type=click.Choice(["end", "then"]),
    default="end",
    show_default=True,
    help="What came as known at the end, or as known when each window closed.",
)
@click.option(
    "--naive",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    metavar="N",
    help="Refit the hazards of N origins with a fresh pm.sample, and tell times and differences.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("backtest"),
    show_default=True,
    help="Folder: finished origins are kept here, and a stopped run goes on.",
)
@data_option
@home_option
@click.option("--quiet", is_flag=True, help="No progress.")
def backtest_command(
    start: str,
    stop: str,
    every: int,
    questions: tuple[str, ...],
    horizons: tuple[str, ...],
    models: tuple[str, ...],
    bound: str,
    engine: str,
    seed: int,
    workers: int,
    scheduler: str | None,
    judged: str,
    naive: int,
    out: Path,
    data_dir: Path | None,
    home: Path | None,
    quiet: bool,
) -> None:
    """Forecast from past origins, with only what was known at each."""
    from forecast.backtest import backtest
    from forecast.outcomes import outcomes
    from forecast.run import writable
    from indicators.dates import months
    from indicators.home import home_dir

    single = tuple(model for model in models if model != "pool")
    origins = tuple(months(start, stop, step=every))
    _enough(models)
    grid = _grid(origins, questions, horizons, single, seed, bound, engine, data_dir)
    writable(out)
    with _bar(quiet=quiet) as progress:
        made = backtest(
            grid,
            data_dir=data_dir,
            out=out,
            home=home_dir(home),
            workers=workers,
            scheduler=scheduler,
            progress=progress,
        )
    _clear(out)
    if "pool" in models:
        made = _with_pools(made, single, seed, out, data_dir)
    delay = 0 if judged == "then" else None
    table = outcomes(made, data_dir=data_dir, delay_months=delay)
    _write(table, out, data_dir, _label(grid, table, judged, data_dir))
    click.echo(f"{_counted(table, grid)}: {out / FORECASTS}", err=True)
    if naive:
        _refit(grid, naive, out, data_dir)


def _counted(table: Any, grid: Any) -> str:
    """Say how many forecasts there are, and how many the gate refused."""
    refused = int(table["p"].isna().sum())
    told = f"{len(table) - refused} forecasts from {len(grid.origins)} origins"
    return f"{told}, {refused} more refused by the gate" if refused else told


def _enough(models: tuple[str, ...]) -> None:
    """Refuse a pool of fewer than two models before anything is computed."""
    if "pool" in models and len(set(models) & set(POOLED)) < 2:
        words = f"a pool needs two or more of {', '.join(POOLED)} beside it"
        raise click.BadParameter(words, param_hint="--models")


def _grid(
    origins: tuple[Any, ...],
    questions: tuple[str, ...],
    horizons: tuple[str, ...],
    models: tuple[str, ...],
    seed: int,
    bound: str,
    engine: str,
    data_dir: Path | None,
) -> Any:
    """Read the words of a grid."""
    from forecast.backtest import Grid
    from forecast.questions import load_questions
    from indicators.tables import load

    if not all(part.isdecimal() for part in horizons):
        raise click.BadParameter("whole months, such as 6,12,36", param_hint="--horizon")
    named = tuple(sorted(load_questions(load(data_dir)))) if "all" in questions else questions
    months = tuple(int(part) for part in horizons)
    return Grid(origins, named, months, models, seed, bound, engine)


def _refit(grid: Any, origins: int, out: Path, data_dir: Path | None) -> None:
    """Tell what refitting anew would have taken, and whether it says the same."""
    from forecast.files import write_whole
    from forecast.naive import compare

    told = compare(grid, origins=origins, data_dir=data_dir)
    write_whole(out / "naive.csv", told.fits.to_csv(index=False).encode())
    write_whole(out / "naive.txt", f"{told}\n".encode())
    click.echo(str(told))


def _clear(out: Path) -> None:
    """Remove what an earlier backtest wrote here and this one may not; finished origins stay."""
    from forecast.files import OutputError
    from forecast.hub import TEAM

    old = [out / name for name in (CHOICES, JOINT, "naive.csv", "naive.txt")]
    old += (out / HUB / "model-output").glob(f"{TEAM}-*/*-{TEAM}-*.parquet")
    for path in old:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError("a file of an earlier backtest cannot be removed", place=str(path),
                              found=error.strerror or str(error),
                              remedy="make the folder writable, or choose another --out.",
                              ) from error  # fmt: skip


def _label(grid: Any, table: Any, judged: str, data_dir: Path | None) -> dict[str, Any]:
    """Say what the files of a backtest are."""
    from forecast.backtest import software
    from forecast.labels import label
    from forecast.questions import load_questions
    from indicators.dates import until_now
    from indicators.tables import load
    from indicators.vintages import snapshot

    package = load(data_dir)
    ends = [question.feed.censor for question in load_questions(package).values()]
    ends.append(package.tables["observations"]["published"].max())
    latest = snapshot(until_now(max(ends)), package=package)
    return label(grid, models=set(table["model"]), data_hash=latest.hash,
                 code_hash=software()[0], judged=judged)  # fmt: skip


def _write(table: Any, out: Path, data_dir: Path | None, about: dict[str, Any]) -> None:
    """Write forecasts with outcomes, as Parquet and as a hub; of pairs of questions their score."""
    from forecast.files import write_whole
    from forecast.hub import write_hub
    from forecast.joint import joint_scores
    from forecast.labels import labelled
    from forecast.links import PAIR
    from forecast.questions import load_questions
    from indicators.tables import load

    titles = {name: question.title for name, question in load_questions(load(data_dir)).items()}
    pairs = table["question"].str.contains(PAIR, regex=False)
    if pairs.any():
        write_whole(out / JOINT, joint_scores(table).to_parquet(index=False))
        table = table[~pairs]
    write_whole(out / FORECASTS, labelled(table, about))
    write_hub(table, out / HUB, titles=titles, resolved=table)


def _with_pools(
    made: Any, models: tuple[str, ...], seed: int, out: Path, data_dir: Path | None
) -> Any:
    """Add the pools of what was backtested, and write how each origin chose."""
    import pandas as pd

    from forecast.files import write_whole
    from forecast.pooling import pooled

    members = tuple(model for model in models if model in POOLED)
    found = pooled(made, members=members, seed=seed, data_dir=data_dir)
    write_whole(out / CHOICES, found.choices.to_parquet(index=False))
    return pd.concat([made, found.forecasts], ignore_index=True)


class _bar:  # noqa: N801 (a context manager that reads as a function)
    """A progress bar with the time left on a terminal, nothing elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        import sys

        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        shown = not quiet and sys.stderr.isatty()
        self._bar = Progress(
            TextColumn("origins"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            # an origin takes as long as many refreshes of the bar
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not shown,
            speed_estimate_period=3600,
        )

    def __enter__(self) -> Callable[[int, int], None]:
        self._bar.__enter__()
        task = self._bar.add_task("origins", total=None)
        return lambda done, of: self._bar.update(task, completed=done, total=of)

    def __exit__(self, *what: object) -> None:
        self._bar.stop()
