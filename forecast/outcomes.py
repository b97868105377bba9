"""What came of each forecast: windows that closed, and the events coded in them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from forecast.bounds import ALL
from forecast.labels import origin_of
from forecast.links import PAIR, pair_of
from forecast.questions import load_questions
from forecast.risk import risk_set
from indicators.dates import DateLike, as_date, today
from indicators.errors import TocsinError
from indicators.tables import DataPackage, load
from indicators.vintages import snapshot

__all__ = ["FOUNDED", "FOUNDING", "OutcomeError", "outcomes", "read_outcomes", "together"]

FOUNDING = ("TKM", pd.Timestamp("2016-07-01"))
FOUNDED = ("bloc_accession", "foreign_base", "neutrality_text_revision", "neutrality_weakening")
"""What the design was drawn around, and the questions it was drawn for: no headline score and no
choice between models counts it."""

_KINDS = dict.fromkeys(("question", "state", "model", "campaign"), "text")
_KINDS |= dict.fromkeys(("origin", "closes"), "days") | {"horizon": "whole numbers"}
_KINDS |= dict.fromkeys(("p", "prior_share", "y"), "numbers")
_TESTS: Mapping[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "text": pd.api.types.is_string_dtype,
        "days": pd.api.types.is_datetime64_dtype,
        "whole numbers": pd.api.types.is_integer_dtype,
        "numbers": pd.api.types.is_float_dtype,
    }
)
_DAY = pd.Timedelta(days=1)


class OutcomeError(TocsinError, ValueError):
    """A file of forecasts and outcomes that is none."""

    exit_code = 3


def outcomes(
    forecasts: pd.DataFrame,
    *,
    data_dir: str | Path | None = None,
    package: DataPackage | None = None,
    as_of: DateLike | None = None,
    delay_months: int | None = None,
) -> pd.DataFrame:
    """Say what came of each forecast, as known at the end or as known then.

    Parameters
    ----------
    forecasts : DataFrame
        As `backtest` returns it.
    data_dir : str or Path, optional
        Data package.
    package : DataPackage, optional
        The same, where it is loaded already.
    as_of : str, date or Timestamp, optional
        When outcomes are looked up; all that the package knows by default.
    delay_months : int, optional
        As known then: each window is judged by what was known so many months after its end (and
        not later than `as_of`). By default every window is judged by what was known at the end.

    Returns
    -------
    DataFrame
        The same rows with ``closes`` (first day after the window), ``y`` (1, 0, or missing where
        the window had not closed, or outcomes were not coded to its end) and ``campaign`` (what
        the first event in the window belongs to, or entries into one organisation on one day;
        empty without an event). Of a pair of questions, 1 where both came.

    Raises
    ------
    OutcomeError
        Forecasts of states that the package does not have.
    """
    package = load(data_dir) if package is None else package
    _of_known_states(forecasts, package)
    pairs = forecasts["question"].str.contains(PAIR, regex=False)
    if pairs.any():
        how: dict[str, Any] = {"package": package, "as_of": as_of, "delay_months": delay_months}
        single = outcomes(forecasts[~pairs], **how)
        return pd.concat([single, _both(forecasts[pairs], how)]).loc[forecasts.index]
    end = today() if as_of is None else as_date(as_of)
    known = load_questions(package)
    months = forecasts["origin"].dt.to_period("M") + forecasts["horizon"]
    out = forecasts.assign(closes=months.dt.to_timestamp())
    out["y"], out["campaign"] = np.nan, ""
    days = pd.Series(end, index=out.index, dtype="datetime64[us]")
    if delay_months is not None:
        late = out["closes"] + pd.DateOffset(months=delay_months)
        days = late.where(late <= end, end)
    for day, judged in out.groupby(days):
        seen = snapshot(pd.Timestamp(str(day)), package=package)
        for name, rows in judged.groupby("question"):
            question = known[str(name)]
            closed = rows["closes"] <= min(end, question.feed.censor) + _DAY
            out.loc[rows.index[closed], "y"] = 0.0
            events = risk_set(question, seen).events
            for event in events.sort_values("date", ascending=False).to_dict("records"):
                hit = (rows["state"] == event["state"]) & (rows["origin"] <= event["date"])
                hit &= (event["date"] < rows["closes"]) & closed
                out.loc[rows.index[hit], "y"] = 1.0
                out.loc[rows.index[hit], "campaign"] = together(event)
    return out


def _of_known_states(forecasts: pd.DataFrame, package: DataPackage) -> None:
    """Refuse what nothing could come of: it would count as windows without an event."""
    strange = sorted(set(forecasts["state"]) - set(package.tables["states"]["state"]))
    if strange:
        raise OutcomeError(
            "forecasts of states that the data do not have",
            place="state",
            found=", ".join(map(str, strange[:5])),
            allowed="states of states.csv",
            remedy="run tocsin backtest again with the data package that is used here.",
        )


def _both(forecasts: pd.DataFrame, how: Mapping[str, Any]) -> pd.DataFrame:
    """Outcomes of pairs of questions, from those of the two."""
    names = [pair_of(str(name)) or ("", "") for name in forecasts["question"]]
    one, two = (
        outcomes(forecasts.assign(question=[pair[i] for pair in names]), **how) for i in (0, 1)
    )
    y = np.minimum(one["y"], two["y"])
    label = one["campaign"] + PAIR + two["campaign"]
    return one.assign(question=forecasts["question"], y=y, campaign=label.where(y == 1, ""))


def together(event: Mapping[Hashable, Any]) -> str:
    """Return what an event came with: its campaign, or the others of its organisation that day.

    Parameters
    ----------
    event : mapping
        A row of `forecast.risk.RiskSet.events`.
    """
    if event["campaign"] or not event["slot"]:
        return str(event["campaign"] or event["event_id"])
    return f"{event['slot']} {event['date']:%Y-%m-%d}"


def read_outcomes(path: Path, *, bound: str | None = None) -> pd.DataFrame:
    """Read what `outcomes` returned and ``tocsin backtest`` wrote.

    Parameters
    ----------
    path : Path
        The file.
    bound : str, optional
        How coded processes must have been read, such as ``all``; a file that does not say how is
        taken. Any by default.

    Raises
    ------
    OutcomeError
        There is no such file, a column is missing or holds something else, or it was made under
        another bound.
    """
    if not path.exists():
        raise OutcomeError("no backtest here", place=str(path), found="no file",
                        allowed="what tocsin backtest --out wrote",
                        remedy="run tocsin backtest first.")  # fmt: skip
    try:
        frame = pd.read_parquet(path)
        made = origin_of(path)
    except (OSError, ValueError) as error:
        raise OutcomeError("not a backtest", place=str(path), found="no Parquet file of ours",
                        allowed="what tocsin backtest --out wrote",
                        remedy="run tocsin backtest again.") from error  # fmt: skip
    missing = [name for name in _KINDS if name not in frame]
    if missing:
        raise OutcomeError("not a backtest", place=str(path), found=f"no {', '.join(missing)}",
                        allowed=", ".join(_KINDS), remedy="run tocsin backtest again.")  # fmt: skip
    wrong = [f"{name} of type {frame[name].dtype}" for name, kind in _KINDS.items()
             if not _TESTS[kind](frame[name])]  # fmt: skip
    if wrong:
        raise OutcomeError("not a backtest", place=str(path), found=", ".join(wrong),
                        allowed=", ".join(f"{name}: {kind}" for name, kind in _KINDS.items()),
                        remedy="run tocsin backtest again.")  # fmt: skip
    found = ALL.name if made is None else made["bound"]
    if bound is not None and found != bound:
        raise OutcomeError("a backtest under another reading of the coded processes",
                        place=str(path), found=f"bound {found}", allowed=f"bound {bound}",
                        remedy=f"run tocsin backtest --bound {bound} elsewhere.")  # fmt: skip
    return frame
