"""Pictures of checks: what was seen among what was simulated, and ranks within their envelope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.checks.ranks import Calibration, envelope
from forecast.drawing import LIGHT, Palette, axes, bare, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["counts", "ranks"]

ACROSS = 3


def counts(table: pd.DataFrame, *, palette: Palette = LIGHT) -> Axes:
    """Draw how many events were expected, by part, with those that came.

    Parameters
    ----------
    table : DataFrame
        As `forecast.checks.predictive.event_counts` gives it.
    palette : Palette, optional

    Returns
    -------
    Axes
        One line a row: the central 90% and the median of what was simulated, a cross for what
        was seen.
    """
    with quiet(palette):
        ax = axes(None, (7.0, 0.6 + 0.3 * len(table)))
        y = np.arange(len(table))[::-1]
        ax.hlines(y, table["lo90"], table["hi90"], color=palette.base, lw=2.2)
        ax.plot(table["median"], y, "o", ms=6, mec=palette.base, mfc=palette.paper, mew=1.5)
        ax.plot(table["observed"], y, "x", ms=7, mew=2, color=palette.accent)
        ax.set_yticks(y, list(table["what"]))
        ax.set_xscale("symlog", linthresh=10)
        top = float(max(table["hi90"].max(), table["observed"].max(), 10.0))
        ticks = [t for t in (0, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if t <= 1.3 * top]
        ax.set_xticks(ticks, [f"{t:,}" for t in ticks])
        ax.minorticks_off()
        ax.set_xlim(-0.6, 1.3 * top)
        ax.set_xlabel("events: simulated median and 90%, × seen")
        bare(ax, palette)
        ax.tick_params(axis="y", length=0, labelcolor=palette.ink)
    return ax


def ranks(found: Calibration, names: Sequence[str], *, palette: Palette = LIGHT) -> Axes:
    """Draw the distribution function of the ranks of each quantity less the uniform one.

    Parameters
    ----------
    found : Calibration
    names : sequence of str
        Quantities, one small picture each; at least one.
    palette : Palette, optional

    Returns
    -------
    Axes
        Of the first; its figure holds all. The band is simultaneous: 95% of uniform samples
        stay inside everywhere.
    """
    from matplotlib.figure import Figure

    down = -(-len(names) // ACROSS)
    with quiet(palette):
        figure = Figure(figsize=(7.4, 0.3 + 1.55 * down), layout="constrained")
        grid = figure.subplots(down, ACROSS, sharex=True, sharey=True, squeeze=False).ravel()
        for ax, name in zip(grid, names, strict=False):
            line = envelope(found.scaled(name))
            ax.fill_between(line.at, line.low, line.high, color=palette.faint, lw=0)
            colour = palette.base if line.inside else palette.accent
            ax.step(line.at, line.difference, where="post", color=colour, lw=1.4)
            ax.axhline(0, color=palette.muted, lw=0.7)
            title = f"{name}{'' if line.inside else ': outside'}"
            ax.set_title(title, fontsize=9, loc="left", color=palette.ink)
            ax.set_xticks([0, 0.5, 1], ["0", "½", "1"])
            bare(ax, palette, keep=("bottom", "left"))
        for ax in grid[len(names) :]:
            ax.set_visible(False)
        figure.supxlabel("rank of the true value among posterior draws, scaled", fontsize=9.5)
    first: Axes = grid[0]
    return first
