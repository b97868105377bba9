"""What the pictures share: colours by meaning, axes without a frame, strips, grids."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "LIGHT",
    "Palette",
    "Row",
    "Strip",
    "axes",
    "bare",
    "of_question",
    "percent_grid",
    "quiet",
    "strips",
    "strips_height",
    "value_grid",
    "years",
]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Palette:
    """Colours of a picture by what they stand for."""

    ink: str = "#1d1c1a"
    muted: str = "#5c5850"
    faint: str = "#cfcac0"
    accent: str = "#9a3324"
    base: str = "#35597a"
    paper: str = "#ffffff"


LIGHT = Palette()


@contextmanager
def quiet(palette: Palette) -> Iterator[None]:
    """Set the style for one picture only, and put back what was there."""
    import matplotlib as mpl

    style: dict[Any, Any] = {  # a dollar sign in a payload is text, never mathematics
        "text.parse_math": False,
        "font.family": "DejaVu Sans",
        "font.size": 10.5,
        "text.color": palette.ink,
        "axes.edgecolor": palette.muted,
        "axes.labelcolor": palette.muted,
        "xtick.color": palette.muted,
        "ytick.color": palette.muted,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
    }
    with mpl.rc_context(style):
        yield


def axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Return the axes given, or those of a new figure of this size in inches."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=size).subplots()


def bare(ax: Axes, palette: Palette, *, keep: Sequence[str] = ("bottom",)) -> None:
    """Leave only the named spines, drawn thin."""
    for side, spine in ax.spines.items():
        spine.set_visible(side in keep)
        spine.set_color(palette.muted)
        spine.set_linewidth(0.8)
    ax.tick_params(length=3, width=0.8, color=palette.muted, labelcolor=palette.muted)


def of_question(forecasts: Sequence[Row], question: str) -> list[Row]:
    """Return the forecasts of one question that hold a number, by horizon."""
    rows = [row for row in forecasts if row["question"] == question and row["p"] is not None]
    return sorted(rows, key=lambda row: int(row["horizon"]))


def percent_grid(ax: Axes, palette: Palette) -> None:
    """Label y in percent and rule it faintly."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.3g}%"))
    ax.yaxis.grid(True, color=palette.faint, lw=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)


def years(ax: Axes, first: float, now: int) -> None:
    """Label x, in days of the calendar, at the starts of years."""
    start, end = date.fromordinal(int(first)).year, date.fromordinal(now).year
    step = next(s for s in (1, 2, 5, 10, 20, 50) if (end - start) / s <= 5.5)
    years = [year for year in range(start, end + 1) if year % step == 0]
    ax.set_xticks([date(year, 1, 1).toordinal() for year in years], [str(y) for y in years])
    margin = max(20.0, 0.02 * (now - first))
    ax.set_xlim(first - margin, now + margin)


def value_grid(ax: Axes, palette: Palette) -> None:
    """Label y with plain numbers, from zero where zero is near, and rule it faintly."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = ax.get_ylim()
    if low >= 0 or abs(low) < 0.06 * abs(high):
        ax.set_ylim(0, high)
    whole = all(float(v).is_integer() for line in ax.lines for v in _finite(line.get_ydata()))
    ax.yaxis.set_major_locator(MaxNLocator(3, integer=whole, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(
        FuncFormatter(lambda y, _: f"{y:,.4g}".replace("-", "−") if abs(y) < 1e4 else f"{y:,.0f}")
    )
    ax.yaxis.grid(True, color=palette.faint, lw=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)


def _finite(values: object) -> list[float]:
    return [float(v) for v in cast("Sequence[float]", values) if math.isfinite(v)]


@dataclass(frozen=True)
class Strip:
    """One named value with its interval; hollow where no event stands behind it."""

    name: str
    value: float
    low: float | None
    high: float | None
    text: str
    hollow: bool = False


def strips(ax: Axes, items: Sequence[Strip], *, palette: Palette, zero: bool = False) -> None:
    """Draw one strip a row, its name above it."""
    # The name stands above its strip, not beside it: a long name fits a phone that way.
    y = 0.0
    for item in items:
        lines = _lines(item.name)
        y += 0.36 * lines.count("\n")
        if zero:
            ax.plot([0, 0], [y - 0.17, y + 0.17], color=palette.muted, lw=1)
        if item.low is not None and item.high is not None:
            ax.plot([item.low, item.high], [y, y], color=palette.accent, lw=2.2)
        face = palette.paper if item.hollow else palette.accent
        ax.plot([item.value], [y], "o", ms=6.5, mec=palette.accent, mew=1.5, mfc=face)
        across = ax.get_yaxis_transform()
        ax.text(0, y - 0.22, lines, transform=across, fontsize=10, va="bottom", color=palette.ink)
        ax.text(
            1,
            y - 0.22,
            item.text,
            transform=across,
            fontsize=10,
            va="bottom",
            ha="right",
            color=palette.ink,
            fontweight="bold",
        )
        y += 1
    ax.set_ylim(y - 0.55, -0.75)
    ax.set_yticks([])


def strips_height(items: Sequence[Strip]) -> float:
    """Height in inches that :func:`strips` needs."""
    return 0.5 + sum(0.5 + 0.18 * _lines(item.name).count("\n") for item in items)


def _lines(name: str) -> str:
    return "\n".join(textwrap.wrap(name, 44)) or "–"
