"""Pictures of forecasts and of what was known: Axes in, Axes out.

Nothing here touches pyplot, so no picture depends on what was drawn before it. Probabilities
come in [0, 1] and are shown in percent. Every function draws from the JSON payload of
``tocsin run`` (plain dictionaries), so a saved run can be drawn again without the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

from forecast.drawing import (
    LIGHT,
    Palette,
    Row,
    Strip,
    axes,
    bare,
    of_question,
    percent_grid,
    quiet,
    strips,
    strips_height,
    value_grid,
    years,
)
from forecast.overview import forecast_overview
from forecast.words import label, percent, period_span, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LIGHT", "Palette", "drivers", "forecast_overview", "horizons", "marks", "series"]


def horizons(
    payload_forecasts: Sequence[Row],
    question: str,
    *,
    ax: Axes | None = None,
    palette: Palette = LIGHT,
) -> Axes:
    """Probability by horizon with its 90% interval, against the base rate with its own.

    Parameters
    ----------
    payload_forecasts
        The ``forecasts`` of a run.
    question
        Question to draw.
    ax
        Axes to draw on; a new figure where None.
    palette
        Colours.

    Returns
    -------
    matplotlib.axes.Axes
        x: months from the origin; y: probability that the event happens by then.

    Raises
    ------
    ValueError
        If the payload holds no number for the question.
    """
    rows = of_question(payload_forecasts, question)
    if not rows:
        raise ValueError(f"no forecast of {question!r} in this payload")
    with quiet(palette):
        ax = axes(ax, (3.7, 2.7))
        bare(ax, palette)
        months = [int(row["horizon"]) for row in rows]
        top = _ceiling(rows)
        _base_lines(ax, rows, months, palette=palette)
        _model_points(ax, rows, months, palette=palette)
        _end_labels(ax, rows[-1], top, palette=palette)
        ax.set_ylim(0, top)
        ax.set_xlim(0, months[-1] * 1.06)
        ax.set_xticks([0, *months], ["0", *map(str, months)])
        ax.set_xlabel("months after the origin")
        percent_grid(ax, palette)
    return ax


def _model_points(ax: Axes, rows: Sequence[Row], months: list[int], *, palette: Palette) -> None:
    for month, row in zip(months, rows, strict=True):
        if row["lo90"] is not None:
            ax.plot([month] * 2, [row["lo90"], row["hi90"]], color=palette.accent, lw=2.2)
    p = [row["p"] for row in rows]
    ax.plot(months, p, "o", color=palette.accent, ms=6.5, clip_on=False)
    shift = 0.025 * months[-1]  # beside the model's point, not under it
    beside = [
        (month + shift, row["no_process"]["p"])
        for month, row in zip(months, rows, strict=True)
        if row.get("no_process") and row["no_process"]["p"] is not None
    ]
    if beside:
        x, y = zip(*beside, strict=True)
        ax.plot(x, y, "D", ms=5, mfc=palette.paper, mec=palette.ink, mew=1.2)


def _ceiling(rows: Sequence[Row]) -> float:
    heights: list[float] = [
        row[key] for row in rows for key in ("hi90", "base_rate_hi90") if row.get(key)
    ]
    return min(1.0, 1.08 * max([*heights, 1e-4]))


def _base_lines(ax: Axes, rows: Sequence[Row], months: list[int], *, palette: Palette) -> None:
    known = [(m, row) for m, row in zip(months, rows, strict=True) if row["base_rate"] is not None]
    if not known:
        return
    x = [0, *(m for m, _ in known)]
    others: dict[str, list[tuple[int, float]]] = {}
    for month, row in known:
        for entry in row.get("reference_classes") or ():
            if row["base_rate_class"] not in (entry["class"], entry["label"]) and entry["p"]:
                others.setdefault(entry["class"], [(0, 0.0)]).append((month, entry["p"]))
    for line in others.values():
        ax.plot(*zip(*line, strict=True), color=palette.base, lw=0.8, ls=(0, (1, 2)), alpha=0.8)
    if all(row["base_rate_lo90"] is not None for _, row in known):
        low = [0, *(row["base_rate_lo90"] for _, row in known)]
        high = [0, *(row["base_rate_hi90"] for _, row in known)]
        ax.fill_between(x, low, high, color=palette.base, alpha=0.16, lw=0)
    ax.plot(x, [0, *(row["base_rate"] for _, row in known)], color=palette.base, lw=1.8)


def _end_labels(ax: Axes, last: Row, top: float, *, palette: Palette) -> None:
    found = [("model", last["p"], palette.accent), ("base rate", last["base_rate"], palette.base)]
    if last.get("no_process") and last["no_process"]["p"] is not None:
        found.append(("no process", last["no_process"]["p"], palette.ink))
    shown = sorted((item for item in found if item[1] is not None), key=lambda item: item[1])
    least = 0.095 * top  # one line of text: labels closer than this would touch
    heights = [item[1] for item in shown]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + least)
    slide = max(0.0, heights[-1] - 0.97 * top)
    for (name, p, colour), height in zip(shown, heights, strict=True):
        ax.text(
            1.015,
            (height - slide) / top,
            f"{name} {percent(p)}",
            color=colour,
            fontsize=10,
            va="center",
            transform=ax.transAxes,
            fontweight="bold" if name == "model" else "normal",
        )


def series(
    indicator_entry: Row,
    origin: str,
    *,
    ax: Axes | None = None,
    palette: Palette = LIGHT,
) -> Axes:
    """Draw one indicator as it was known at the origin.

    The newest vintage of each period at the origin is drawn; the line breaks where periods are
    missing; the shaded strip runs from the end of the newest period to the origin: nothing was
    known about it.

    Parameters
    ----------
    indicator_entry
        One of the payload's ``indicators``.
    origin
        ISO date of the forecast.
    ax
        Axes to draw on; a new figure where None.
    palette
        Colours.

    Returns
    -------
    matplotlib.axes.Axes
        x: time; y: value in the indicator's unit.
    """
    points = sorted(
        (*period_span(str(o["period"])), o["value"])
        for o in indicator_entry["observations"]
        if o["value"] is not None
    )
    now = date.fromisoformat(origin).toordinal()
    with quiet(palette):
        ax = axes(ax, (4, 1.9))
        bare(ax, palette)
        if points:
            _draw_points(ax, points, palette=palette)
        _origin(ax, points[-1][1].toordinal() if points else now, now, palette=palette)
        years(ax, points[0][0].toordinal() if points else now - 365, now)
        value_grid(ax, palette)
    return ax


def _origin(ax: Axes, end: int, now: int, *, palette: Palette) -> None:
    if end < now:
        ax.axvspan(end, now, color=palette.accent, alpha=0.12, lw=0)
    ax.axvline(now, color=palette.accent, lw=1.4)
    above = ax.get_xaxis_transform()
    ax.text(now, 1.03, "origin", color=palette.accent, fontsize=9, ha="right", transform=above)


def _draw_points(ax: Axes, points: Sequence[tuple[date, date, float]], *, palette: Palette) -> None:
    middle = [(a.toordinal() + b.toordinal()) / 2 for a, b, _ in points]
    values = [float(v) for _, _, v in points]
    length = [b.toordinal() - a.toordinal() + 1 for a, b, _ in points]
    counts = max(length) <= 31 and all(v >= 0 and v.is_integer() for v in values)
    if counts:
        _shade_missing(ax, points, palette=palette)
        # one stem a month, so that a quiet month reads as quiet
        x = [part for m in middle for part in (m, m, math.nan)]
        y = [part for v in values for part in (0.0, v, math.nan)]
        ax.plot(x, y, color=palette.ink, lw=1.3, solid_capstyle="butt")
        return
    x, y = [], []
    for i, (m, v) in enumerate(zip(middle, values, strict=True)):
        if i and m - middle[i - 1] > 1.6 * max(length[i], length[i - 1]):
            x.append(math.nan)
            y.append(math.nan)
        x.append(m)
        y.append(v)
    few = len(points) <= 60
    ax.plot(x, y, color=palette.ink, lw=1.4, marker="o" if few else None, ms=3.2)


def _shade_missing(
    ax: Axes, points: Sequence[tuple[date, date, float]], *, palette: Palette
) -> None:
    # A month that nobody searched must not look like a month without incidents.
    for (_, end, _), (start, _, _) in pairwise(points):
        if start.toordinal() - end.toordinal() > 15:
            ax.axvspan(end.toordinal(), start.toordinal(), color=palette.faint, alpha=0.5, lw=0)


def drivers(entries: Sequence[Row], *, ax: Axes | None = None, palette: Palette = LIGHT) -> Axes:
    """Contribution of each driver to the log-odds, with 90% intervals.

    Parameters
    ----------
    entries
        ``drivers`` of one forecast.
    ax
        Axes to draw on; a new figure where None.
    palette
        Colours.

    Returns
    -------
    matplotlib.axes.Axes
        x: change in log-odds (0: no effect); one strip a driver, largest first.
    """
    rows = sorted(
        (e for e in entries if e["log_odds"] is not None), key=lambda e: -abs(e["log_odds"])
    )
    items = [
        Strip(
            str(e.get("label") or e["indicator"]),
            e["log_odds"],
            e["lo90"],
            e["hi90"],
            signed(e["log_odds"]),
        )
        for e in rows
    ]
    with quiet(palette):
        ax = axes(ax, (4.6, strips_height(items)))
        bare(ax, palette)
        strips(ax, items, palette=palette, zero=True)
        ax.set_xlabel("change in log-odds")
    return ax


def marks(entries: Sequence[Row], *, ax: Axes | None = None, palette: Palette = LIGHT) -> Axes:
    """Whose base, or in which direction: probability of each mark with its 90% interval.

    Parameters
    ----------
    entries
        ``marks_detail`` of one forecast.
    ax
        Axes to draw on; a new figure where None.
    palette
        Colours.

    Returns
    -------
    matplotlib.axes.Axes
        x: probability; hollow where no event informs the mark and it is its prior.
    """
    rows = sorted((e for e in entries if e["p"] is not None), key=lambda e: -e["p"])
    items = [
        Strip(
            label(e["mark"]) + (" (prior only)" if e["from_prior"] else ""),
            e["p"],
            e["lo90"],
            e["hi90"],
            percent(e["p"]),
            bool(e["from_prior"]),
        )
        for e in rows
    ]
    with quiet(palette):
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        ax = axes(ax, (4.6, strips_height(items)))
        bare(ax, palette)
        strips(ax, items, palette=palette)
        ax.set_xlim(left=0)
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.3g}%"))
    return ax
