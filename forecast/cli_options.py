"""What the commands read from their user: dates, horizons, the clock, the home folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Any

import click

from forecast.words import DEFAULT_MODEL

__all__ = [
    "AskOptions",
    "RunOptions",
    "SeenOptions",
    "ask_options",
    "data_option",
    "db_option",
    "default_as_of",
    "home_option",
    "parse_date",
    "past_day",
    "run_options",
    "seen_options",
    "today",
]

CLOCK = "TOCSIN_TODAY"
HOME = "TOCSIN_HOME"
MAX_HORIZON = 600
MAX_SEED = 2**32 - 1

Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What ``run`` and ``report`` are asked for.

    Parameters
    ----------
    state : str
        Alpha-3 code.
    questions : tuple of str
        Question ids, or ``all``.
    as_of : str
        ISO day; nothing published later is used.
    horizons : tuple of int
        Months ahead.
    model : str
        The headline model.
    priors : str
        neutral or informed.
    backtest : Path or None
        Folder of a backtest whose record is shown.
    exclude : tuple of str
        Contested events left out.
    seed : int or None
        Seed of every random draw; None derives it from the origin.
    data_dir, home : Path or None
        Data package and cache folder, where not the usual ones.
    db : str or None
        Store of refreshed figures, where not the usual one.
    strict_vintages, no_cache, allow_poor_fit, quiet : bool
        The flags of the same names.
    """

    state: str
    questions: tuple[str, ...]
    as_of: str
    horizons: tuple[int, ...]
    model: str
    priors: str
    backtest: Path | None
    exclude: tuple[str, ...]
    seed: int | None
    data_dir: Path | None
    home: Path | None
    db: str | None
    strict_vintages: bool
    no_cache: bool
    allow_poor_fit: bool
    quiet: bool


@dataclass(frozen=True, slots=True)
class AskOptions:
    """What is asked every month.

    Parameters
    ----------
    state : str
        Alpha-3 code.
    questions : tuple of str
        Question ids, or ``all``.
    horizons : tuple of int
        Months ahead.
    model : str
        The headline model.
    data_dir, home : Path or None
        Data package and home folder, where not the usual ones.
    db : str or None
        Database of figures and ledger, where not the usual one.
    backtest : Path or None
        Folder of a backtest whose record is shown.
    """

    state: str
    questions: tuple[str, ...]
    horizons: tuple[int, ...]
    model: str
    data_dir: Path | None
    home: Path | None
    db: str | None
    backtest: Path | None


@dataclass(frozen=True, slots=True)
class SeenOptions:
    """What is looked at, as known when.

    Parameters
    ----------
    state : str
        Alpha-3 code.
    as_of : str
        ISO day.
    strict_vintages : bool
        Dated editions and reports only.
    data_dir : Path or None
        Data package, where not the bundled one.
    db : str or None
        Store of refreshed figures, where not the usual one.
    """

    state: str
    as_of: str
    strict_vintages: bool
    data_dir: Path | None
    db: str | None


def parse_date(text: str, *, name: str) -> date:
    """Read an ISO date, or a month (its first day).

    Parameters
    ----------
    text : str
        ``2016-07-01`` or ``2016-07``.
    name : str
        What the date is for, named in the error.

    Returns
    -------
    date
        The day.

    Raises
    ------
    click.BadParameter
        Where the text is neither.
    """
    try:
        return date.fromisoformat(text if len(text) != len("2016-07") else f"{text}-01")
    except ValueError:
        found = f"{name}: found {text!r}; allowed: a date such as 2016-07-01 or a month 2016-07."
        raise click.BadParameter(found) from None


def today() -> date:
    """Return the current day, or the one that ``TOCSIN_TODAY`` sets.

    Returns
    -------
    date
        The day.
    """
    text = os.environ.get(CLOCK, "").strip()
    return parse_date(text, name=CLOCK) if text else date.today()  # noqa: DTZ011 (a user's day)


def default_as_of() -> date:
    """Return the first day of the current month: forecasts have their origins there.

    Returns
    -------
    date
        The day.
    """
    return today().replace(day=1)


def past_day(name: str) -> Callable[[click.Context, click.Parameter, Any], str | None]:
    """Return an option's callback that reads a day or month up to today, and keeps it as ISO text.

    Parameters
    ----------
    name : str
        What the date is for, named in the error.
    """

    def read(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
        if value is None:
            return None
        day = parse_date(value, name=name)
        if day > today():
            found = (
                f"{name}: found {day}; allowed: up to today, {today()}. "
                f"Nothing is known of later days (${CLOCK} moves the clock)."
            )
            raise click.BadParameter(found)
        return day.isoformat()

    return read


def _horizons(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[int, ...]:
    """Read the months ahead: whole, positive, each once, in rising order."""
    try:
        months = sorted({int(part) for part in value.split(",")})
    except ValueError:
        months = []
    if not months or months[0] < 1 or months[-1] > MAX_HORIZON:
        found = (
            f"horizon: found {value!r}; allowed: whole months from 1 to {MAX_HORIZON}, "
            "separated by commas, such as 6,12,24,36."
        )
        raise click.BadParameter(found)
    return tuple(months)


def _questions(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, ...]:
    """Split the question ids, each kept once in the order given."""
    names = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
    if not all(names):
        found = f"question: found {value!r}; allowed: ids separated by commas, or all."
        raise click.BadParameter(found)
    return names


def _state(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Check the form of a code; whether it is known is for the data package to say."""
    code = value.strip().upper()
    if re.fullmatch("[A-Z]{3}", code) is None:
        found = f"state: found {value!r}; allowed: an ISO 3166 alpha-3 code such as TKM."
        raise click.BadParameter(found)
    return code


def _gathered(
    record: type[RunOptions | SeenOptions | AskOptions], options: list[Callable[[Command], Command]]
) -> Callable[[Command], Command]:
    """Add options to a command, which gets them as one record, its first argument."""
    names = [field.name for field in fields(record)]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def gather(*args: object, **given: Any) -> None:
            command(record(**{name: given.pop(name) for name in names}), *args, **given)

        wrapped: Command = gather
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate


_DATA = click.option(
    "--data",
    "data_dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="A data package of the same schema, in place of the bundled one.",
)
_HOME = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar=HOME,
    metavar="DIR",
    help=f"Where fits are cached (${HOME}; the platform's data folder).",
)
_DB = click.option(
    "--db",
    metavar="FILE|URL|none",
    help="Store of refreshed figures; by default the home folder's own, where there is one.",
)
_AS_OF = click.option(
    "--as-of",
    callback=past_day("as-of date"),
    metavar="DATE",
    default=lambda: default_as_of().isoformat(),
    show_default="first of this month",
    help="Use only what was public on this day.",
)
_STRICT = click.option(
    "--strict-vintages",
    is_flag=True,
    help="Use dated editions and reports only, no rule for when a figure came out.",
)
_PRIORS = click.option(
    "--priors",
    type=click.Choice(["neutral", "informed"]),
    default="neutral",
    show_default=True,
    help="Informed: indicators are expected to act as the catalog says.",
)
_BACKTEST = click.option(
    "--backtest",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Show the model's record there, as judged at the origin; a pool learns weights from it.",
)
state_option = click.option(
    "--state",
    callback=_state,
    default="TKM",
    show_default=True,
    metavar="CODE",
    help="ISO 3166 alpha-3 code.",
)

question_option = click.option(
    "--question",
    "questions",
    callback=_questions,
    default="all",
    show_default=True,
    metavar="ID|all",
    help="Question ids, separated by commas.",
)
_HORIZON = click.option(
    "--horizon",
    "horizons",
    callback=_horizons,
    metavar="MONTHS",
    default="6,12,24,36",
    show_default=True,
    help="Months ahead, separated by commas.",
)
_MODEL = click.option(
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    help="The headline model: hazard, base_rate, glm, process_table or pool.",
)

data_option = _DATA
home_option = _HOME
db_option = _DB
ask_options = _gathered(
    AskOptions, [state_option, question_option, _HORIZON, _MODEL, _DATA, _HOME, _DB, _BACKTEST]
)
seen_options = _gathered(SeenOptions, [state_option, _AS_OF, _STRICT, _DATA, _DB])
run_options = _gathered(
    RunOptions,
    [
        state_option,
        question_option,
        _AS_OF,
        _HORIZON,
        _MODEL,
        _PRIORS,
        _BACKTEST,
        click.option(
            "--exclude",
            multiple=True,
            metavar="NAME",
            help="Leave a contested event out, with all that stands or falls with it; repeatable.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, MAX_SEED),
            show_default="from the origin",
            help="Seed of every random draw.",
        ),
        _DATA,
        _HOME,
        _DB,
        _STRICT,
        click.option("--no-cache", is_flag=True, help="Fit again even where a fit is cached."),
        click.option(
            "--allow-poor-fit",
            is_flag=True,
            help="Go on where diagnostics fail; the record carries the flag.",
        ),
        click.option("--quiet", is_flag=True, help="No progress, no remarks on stderr."),
    ],
)
