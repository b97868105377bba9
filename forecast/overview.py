"""The founding picture: every question and horizon of a run beside its base rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from forecast.drawing import LIGHT, Palette, Row, bare, of_question, quiet
from forecast.words import one_in, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["forecast_overview", "overview_height"]


def forecast_overview(
    payload: Row, *, fig: Figure | None = None, palette: Palette = LIGHT
) -> Figure:
    """All questions and horizons of a run in one picture: p and base rate, on a log scale.

    Parameters
    ----------
    payload
        The payload of a run.
    fig
        Empty figure to draw on; a new one where None. Narrow figures get shorter labels.
    palette
        Colours.

    Returns
    -------
    matplotlib.figure.Figure
        One group a question, one row a horizon; the longest horizon is drawn strongest.
    """
    groups = _groups(payload["forecasts"])
    with quiet(palette):
        if fig is None:
            from matplotlib.figure import Figure

            fig = Figure(figsize=(10, overview_height(payload)))
        ax = fig.subplots()
        bare(ax, palette, keep=())
        wide = fig.get_size_inches()[0] > 7
        _rows(ax, groups, wide=wide, palette=palette)
        ax.tick_params(axis="y", length=0)
        _log_axis(ax, groups, wide=wide, palette=palette)
        _key(ax, palette=palette)
    return fig


def _rows(ax: Axes, groups: Sequence[Sequence[Row]], *, wide: bool, palette: Palette) -> None:
    y, ticks = 0.0, list[tuple[float, str]]()
    for rows in groups:
        ax.text(
            -0.01 if wide else -0.16,
            y,
            rows[0]["title"],
            fontsize=11,
            va="center",
            ha="left",
            transform=ax.get_yaxis_transform(),
            fontweight="bold",
        )
        for row in reversed(rows):
            y += 1
            ticks.append((y, f"{row['horizon']} months" if wide else f"{row['horizon']} mo"))
            _overview_row(ax, row, y, strong=row is rows[-1], wide=wide, palette=palette)
        y += 1.35
    ax.set_ylim(y - 0.6, -0.7)
    ax.set_yticks([t for t, _ in ticks], [name for _, name in ticks])


def overview_height(payload: Row) -> float:
    """Height in inches that gives every row of the overview one line of text.

    Parameters
    ----------
    payload
        The payload of a run.
    """
    groups = _groups(payload["forecasts"])
    return 0.75 + 0.27 * sum(len(rows) + 1.35 for rows in groups)


def _groups(forecasts: Sequence[Row]) -> list[list[Row]]:
    names = list(dict.fromkeys(row["question"] for row in forecasts))
    return [rows for name in names if (rows := of_question(forecasts, name))]


def _overview_row(
    ax: Axes, row: Row, y: float, *, strong: bool, wide: bool, palette: Palette
) -> None:
    floor = 1e-5  # a log scale has no zero; the axis cuts far above this
    weight = 1.0 if strong else 0.62
    if row["base_rate"] is not None:
        if row["base_rate_lo90"] is not None:
            span = [max(floor, row["base_rate_lo90"]), row["base_rate_hi90"]]
            ax.plot(span, [y + 0.18] * 2, color=palette.base, lw=1.4 * weight)
        ax.plot(
            [row["base_rate"]],
            [y + 0.18],
            "D",
            ms=5.5 * weight + 1,
            mfc=palette.paper,
            mec=palette.base,
            mew=1.3,
        )
    if row["lo90"] is not None:
        span = [max(floor, row["lo90"]), row["hi90"]]
        ax.plot(span, [y - 0.14] * 2, color=palette.accent, lw=3 * weight)
    ax.plot([max(floor, row["p"])], [y - 0.14], "o", ms=7.5 * weight + 1, color=palette.accent)
    base = row["base_rate"]
    text = percent(row["p"])
    if wide and base is not None:
        text = f"{text}, base rate {percent(base)}"
    ax.text(
        1.02,
        y,
        text,
        transform=ax.get_yaxis_transform(),
        va="center",
        fontsize=10,
        color=palette.ink,
        fontweight="bold" if strong else "normal",
    )


def _log_axis(ax: Axes, groups: Sequence[Sequence[Row]], *, wide: bool, palette: Palette) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    values = [
        row[key]
        for rows in groups
        for row in rows
        for key in ("lo90", "hi90", "base_rate_lo90", "base_rate_hi90")
        if row.get(key)
    ]
    low = max(0.0005, 0.8 * min(values, default=0.01))
    high = min(1.0, 1.25 * max(values, default=0.5))
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ticks = [t for t in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0) if low <= t <= high]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([f"{100 * t:g}%" for t in ticks])
    ax.xaxis.grid(True, color=palette.faint, lw=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(axis="x", length=0, labeltop=False)
    for tick in ticks:
        if not wide and tick not in (0.001, 0.01, 0.1):
            continue  # the others would touch
        ax.text(
            tick,
            1.01,
            one_in(tick),
            transform=ax.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=9,
            color=palette.muted,
        )


def _key(ax: Axes, *, palette: Palette) -> None:
    entries = (
        (0, "● forecast", palette.accent),
        (68, "◇ base rate", palette.base),
        (142, "bars: 90% intervals", palette.muted),
    )
    for right, text, colour in entries:
        ax.annotate(
            text,
            (0, 0),
            xytext=(right, -34),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=10,
            color=colour,
        )
