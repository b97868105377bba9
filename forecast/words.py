"""Probabilities, dates and codes in plain words, the same on every page and picture."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

__all__ = [
    "DEFAULT_MODEL",
    "age_months",
    "day",
    "label",
    "number",
    "one_in",
    "percent",
    "period_span",
    "plain_id",
    "plural",
    "record_head",
    "record_line",
    "signed",
    "times",
]

LABELS = {
    "RUS": "Russia",
    "CHN": "China",
    "USA": "United States",
    "OTH": "some other power",
    "AFG": "Afghanistan",
    "AZE": "Azerbaijan",
    "IRN": "Iran",
    "KAZ": "Kazakhstan",
    "PAK": "Pakistan",
    "TJK": "Tajikistan",
    "TKM": "Turkmenistan",
    "TUR": "Turkey",
    "UKR": "Ukraine",
    "UZB": "Uzbekistan",
    "weaken": "weakened or abolished",
    "strengthen": "strengthened",
    "carry_over": "carried over unchanged",
    "open": "whole text, no aim on neutrality stated",
    "narrow": "narrow",
    "none": "none",
    "live": "under way",
    "late": "draft public or signed",
    "0": "none",
    "1": "under way",
    "2": "draft public or signed",
    "hazard": "hazard",
    "glm": "penalised regression",
    "process_table": "three-cell process table",
    "base_rate": "base rate",
    "pool": "pool of the models",
    "pool_linear": "plain average",
    "pool_log_odds": "average of log-odds",
    "pool_stacked": "stacked weights",
    "austria": "Austria's acts",
    "ayni": "Ayni",
    "belarus_2022": "Belarus 2022",
    "edca": "the sites of EDCA",
    "mashabim": "Mashabim",
    "shaymak": "Shaymak",
    "border": "Border",
    "gas": "Gas",
    "contacts": "Diplomatic contacts",
    "context": "Context",
    "hazard_carried": "hazard with hindsight carried in",
}

DEFAULT_MODEL = "hazard"
"""Whose probability is the headline of a run unless another is asked for."""
_YEAR = re.compile(r"^(\d{4})$")
_QUARTER = re.compile(r"^(\d{4})-?Q([1-4])$")
_MONTH = re.compile(r"^(\d{4})-(\d{2})$")


def percent(p: float) -> str:
    """Probability as a percentage with at most two significant digits.

    Parameters
    ----------
    p
        Probability in [0, 1].

    Returns
    -------
    str
        ``0.071`` gives ``7.1%``, ``0.0043`` gives ``0.43%``, ``0.123`` gives ``12%``. Values
        too near 0 or 1 for two digits to be honest read ``<0.01%`` and ``>99.9%``.
    """
    if p == 0 or p == 1:
        return f"{p:.0%}"
    if p < 0.0001:
        return "<0.01%"
    if p > 0.999:
        return ">99.9%"
    if p >= 0.99:
        return f"{math.floor(p * 1000) / 10:.1f}%"
    hundred = 100 * p
    for limit, digits in ((0.0995, 2), (0.995, 2), (9.95, 1)):
        if hundred < limit:
            return f"{hundred:.{digits}f}%"
    return f"{hundred:.0f}%"


def one_in(p: float) -> str:
    """Probability as a frequency, ``1 in N``, N rounded to two significant digits.

    Parameters
    ----------
    p
        Probability in [0, 1].

    Returns
    -------
    str
        ``0.071`` gives ``1 in 14``; empty where p is 0 or above one in three.
    """
    if p <= 0 or p > 1 / 3:
        return ""
    n = 1 / p
    size = 10 ** max(0, math.floor(math.log10(n)) - 1)
    return f"1 in {round(n / size) * size:,}"


def times(ratio: float) -> str:
    """How many times the base rate, in words.

    Parameters
    ----------
    ratio
        p divided by the base rate, positive.

    Returns
    -------
    str
        ``1.3 times the base rate``, ``about the base rate``, ``0.4 of the base rate``.
    """
    if 0.95 <= ratio < 1.05:
        return "about the base rate"
    if ratio < 0.95:
        return f"{ratio:.2g} of the base rate"
    shown = f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"
    return f"{shown} times the base rate"


def number(value: float | None) -> str:
    """Return a figure with thousands separators and at most four significant digits.

    Parameters
    ----------
    value
        Any finite number, or None for a missing one (a dash).
    """
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", "−")
    size = abs(value)
    text = f"{value:,.0f}" if size >= 1000 else f"{value:.4g}" if size >= 1e-4 else f"{value:.1e}"
    return text.replace("-", "−")


def signed(value: float | None) -> str:
    """Return a change with its sign and two digits; what rounds to nothing is ``0.00``.

    Parameters
    ----------
    value
        Any finite number, or None for a missing one (a dash).
    """
    if value is None:
        return "–"
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "−")


def day(text: str) -> str:
    """Write an ISO date as ``1 July 2016``; text that is no ISO date is returned as it is.

    Parameters
    ----------
    text
        ``YYYY-MM-DD``, ``YYYY-MM`` or ``YYYY``.
    """
    try:
        if _MONTH.match(text):
            when = date.fromisoformat(f"{text}-01")
            return f"{calendar.month_name[when.month]} {when.year}"
        when = date.fromisoformat(text)
    except ValueError:
        return text
    return f"{when.day} {calendar.month_name[when.month]} {when.year}"


def label(code: str | int | None) -> str:
    """Plain word for a code of the payload (a power, a direction, a stage, a model).

    Parameters
    ----------
    code
        Code such as ``RUS`` or ``weaken``; unknown codes come back readable.
    """
    if code is None or code == "":
        return "–"
    text = str(code)
    return LABELS.get(text, plain_id(text) if text.islower() else text)


def plain_id(identifier: str) -> str:
    """Return an identifier without its underscores: ``gas_production`` gives ``gas production``.

    Parameters
    ----------
    identifier
        Name in snake case.
    """
    return identifier.replace("_", " ")


def plural(count: float) -> str:
    """Return the ending of a counted noun: nothing for one, ``s`` otherwise.

    Parameters
    ----------
    count
        How many.
    """
    return "" if count == 1 else "s"


def period_span(period: str) -> tuple[date, date]:
    """First and last day of a period.

    Parameters
    ----------
    period
        ``2015``, ``2015-Q3``, ``2015-06``, ``2015-06-14`` or ``2015-01-01/2015-06-30``.

    Returns
    -------
    tuple of date
        Both ends, included.

    Raises
    ------
    ValueError
        If the text is none of these forms.
    """
    if "/" in period:
        start, end = period.split("/", 1)
        return date.fromisoformat(start), date.fromisoformat(end)
    if match := _YEAR.match(period):
        year = int(match[1])
        return date(year, 1, 1), date(year, 12, 31)
    if match := _QUARTER.match(period):
        year, quarter = int(match[1]), int(match[2])
        return date(year, 3 * quarter - 2, 1), _month_end(year, 3 * quarter)
    if match := _MONTH.match(period):
        year, month = int(match[1]), int(match[2])
        return date(year, month, 1), _month_end(year, month)
    when = date.fromisoformat(period)
    return when, when


def _month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def age_months(period: str, origin: str) -> int:
    """Whole months from the end of a period to the origin.

    Parameters
    ----------
    period
        Any form that :func:`period_span` reads.
    origin
        ISO date.

    Returns
    -------
    int
        0 for a period that ended the day before the origin; never negative.
    """
    end, now = period_span(period)[1] + timedelta(days=1), date.fromisoformat(origin)
    months = 12 * (now.year - end.year) + now.month - end.month - (now.day < end.day)
    return max(0, months)


def record_head(skill: Mapping[str, Any]) -> str:
    """Say whose record it is, and whether today's code made it.

    Parameters
    ----------
    skill
        ``skill`` of a run.

    Returns
    -------
    str
        A line without a full stop.
    """
    made = skill.get("made_by")
    head = f"record of {label(skill['model'])}, windows closed and judged by the origin"
    return head if made is None or made["same_code"] else f"{head}; by another version of tocsin"


def record_line(row: Mapping[str, Any]) -> str:
    """Say how a model did in a backtest, with all that such a score needs beside it.

    Parameters
    ----------
    row
        One entry of ``skill.rows`` of a run.

    Returns
    -------
    str
        A line without a full stop.
    """
    if not row["campaigns"]:
        return f"within {row['horizon']} months no event in {row['n']:,} windows: no score yet"
    low, high = row["log_gain_lo90"], row["log_gain_hi90"]
    least = row["detectable"]
    show = "which could show no gain" if least is None else f"which could show {least:.1f} or more"
    when = "never" if row["tells"] == "never" else f"not before {row['tells']}"
    events = f"{row['campaigns']} event{plural(row['campaigns'])}"
    return (
        f"within {row['horizon']} months {row['log_gain']:+.1f} nats [{low:+.1f}, {high:+.1f}] "
        f"over the base rate, {events} in {row['n']:,} windows, {show}; prior share "
        f"{row['prior_share']:.0%}; to be told from the base rate {when}"
    )
