"""Pressures of a state from a snapshot: read the parts, fit the factor, tell what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from indicators.dates import DateLike, as_date
from indicators.errors import FitError, UnknownNameError
from indicators.indices.factor import PERSISTENCE, Fitted, OneFactor, fit
from indicators.indices.inputs import Read, read, usable
from indicators.indices.recipes import RECIPES, Recipe
from indicators.indices.results import Pressure, Pressures
from indicators.vintages import Snapshot

__all__ = ["NAMES", "pressure", "pressures"]

NAMES = tuple(RECIPES)
"""Names of the pressures."""
FEWEST = 3
"""Series below which one factor is not identified."""
_Z90 = 1.6448536269514722
_OLD = pd.DateOffset(years=3)


def pressures(
    snapshot: Snapshot,
    *,
    state: str = "TKM",
    names: Iterable[str] | None = None,
    months: Iterable[DateLike] | None = None,
) -> Pressures:
    """Make the pressures of a state as known at the snapshot's date.

    A pressure is not a probability: see `Pressure`.

    Parameters
    ----------
    snapshot : Snapshot
        What was known; nothing else is read.
    state : str, optional
        Whose.
    names : iterable of str, optional
        Which (`NAMES`); all by default, without the alignment of a power towards itself.
    months : iterable of date, optional
        Rows wanted in the tables, any day of each month; by default from the first figure to the
        month of the snapshot. The factor is fitted on all figures either way.

    Returns
    -------
    Pressures
        Those that cannot be made stand in `Pressures.failed` with the reason.

    Raises
    ------
    UnknownNameError
        No such pressure or state.
    LookAheadError
        A month after the snapshot's date.
    """
    chosen = NAMES if names is None else tuple(dict.fromkeys(names))
    rows = _check(snapshot, state, chosen, months)
    made: dict[str, Pressure] = {}
    failed: dict[str, str] = {}
    for name in chosen:
        if names is None and RECIPES[name].power == state:
            continue
        try:
            made[name] = _make(snapshot, RECIPES[name], state, rows)
        except FitError as error:
            failed[name] = " ".join(str(error).split())
    return Pressures(state, snapshot.as_of, made, failed)


def pressure(
    snapshot: Snapshot,
    name: str,
    *,
    state: str = "TKM",
    months: Iterable[DateLike] | None = None,
) -> Pressure:
    """Make one pressure.

    Parameters
    ----------
    snapshot : Snapshot
        What was known.
    name : str
        One of `NAMES`.
    state : str, optional
        Whose.
    months : iterable of date, optional
        Rows wanted in the table.

    Returns
    -------
    Pressure

    Raises
    ------
    UnknownNameError
        No such pressure or state.
    LookAheadError
        A month after the snapshot's date.
    FitError
        Fewer than three series can be used, or the factor did not converge.
    """
    rows = _check(snapshot, state, (name,), months)
    return _make(snapshot, RECIPES[name], state, rows)


def _check(
    snapshot: Snapshot, state: str, names: Sequence[str], months: Iterable[DateLike] | None
) -> pd.DatetimeIndex | None:
    for name in names:
        if name not in RECIPES:
            raise UnknownNameError("pressure", name, RECIPES)
    known = set(snapshot.table("states")["state"])
    if state not in known:
        raise UnknownNameError("state", state, known)
    if months is None:
        return None
    days = [snapshot.require(as_date(month, "month").replace(day=1)) for month in months]
    return pd.DatetimeIndex(sorted(set(days)), name="month")


def _make(
    snapshot: Snapshot, recipe: Recipe, state: str, months: pd.DatetimeIndex | None
) -> Pressure:
    entered, left_out = _parts(snapshot, recipe, state)
    place = f"{recipe.name} {state} as of {snapshot.as_of:%Y-%m-%d}"
    reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
    anchors = [name for name in recipe.anchors if any(e.part.name == name for e in entered)]
    if len(entered) < FEWEST or not anchors:
        names = ", ".join(e.part.name for e in entered) or "none"
        wanted = f"{FEWEST} or more, {' or '.join(recipe.anchors)} among them"
        raise FitError(
            "too few series for a factor", place=place, found=f"usable: {names}; {reasons}",
            allowed=wanted, remedy="Ask for another date or state, or read the indicators.",
        )  # fmt: skip
    where = next(i for i, e in enumerate(entered) if e.part.name == anchors[0])
    model, grid = _model(entered, snapshot.as_of)
    try:
        fitted = fit(model, anchor=where)
    except FitError as error:
        text = " ".join(str(error).split())
        raise FitError(text, error.diagnostics, place=place) from error
    table = _table(fitted, entered, grid).loc[: snapshot.as_of]
    made = Pressure(
        name=recipe.name, state=state, meaning=recipe.meaning, as_of=snapshot.as_of,
        strict=snapshot.strict, _table=table, _loadings=(rows := _loadings(fitted, entered)),
        explained=float(rows["explained"].mean()), left_out=left_out, anchor=anchors[0],
        remarks=_remarks(fitted, entered, where, snapshot.as_of), phi=fitted.phi,
        loglike=fitted.loglike, converged=True, gradient=fitted.gradient,
        iterations=fitted.iterations,
    )  # fmt: skip
    return made if months is None else replace(made, _table=table.reindex(months))


def _parts(snapshot: Snapshot, recipe: Recipe, state: str) -> tuple[list[Read], dict[str, str]]:
    entered: list[Read] = []
    left_out: dict[str, str] = {}
    for part in recipe.parts:
        found = read(snapshot, part, state, recipe.power)
        reason = found if isinstance(found, str) else usable(found)
        if reason or isinstance(found, str):
            left_out[part.name] = reason
        else:
            entered.append(found)
    return entered, left_out


def _model(entered: Sequence[Read], as_of: pd.Timestamp) -> tuple[OneFactor, pd.PeriodIndex]:
    first = min(e.values.index[0].start_time.year for e in entered)
    grid = pd.period_range(f"{first}-01", f"{as_of.year}-12", freq="M")
    values = np.full((len(grid), len(entered)), np.nan)
    blocks = np.zeros(values.shape, dtype=np.int64)
    for column, e in enumerate(entered):
        rows = grid.get_indexer(pd.PeriodIndex(e.values.index).asfreq("M", how="E"))
        values[rows, column] = e.values.to_numpy(dtype=float)
        blocks[rows, column] = e.block.to_numpy()
    yearly: npt.NDArray[np.bool_] = np.array([e.frequency == "A" for e in entered])
    return OneFactor(values, yearly, blocks), grid


def _table(fitted: Fitted, entered: Sequence[Read], grid: pd.PeriodIndex) -> pd.DataFrame:
    covered = np.zeros(len(grid), dtype=np.int64)
    for e in entered:
        own = grid if e.frequency == "M" else grid.asfreq("Y")
        covered += own.isin(e.values.index)
    return pd.DataFrame(
        {
            "mean": fitted.smoothed,
            "lo90": fitted.smoothed - _Z90 * fitted.smoothed_sd,
            "hi90": fitted.smoothed + _Z90 * fitted.smoothed_sd,
            "filtered": fitted.filtered,
            "filtered_lo90": fitted.filtered - _Z90 * fitted.filtered_sd,
            "filtered_hi90": fitted.filtered + _Z90 * fitted.filtered_sd,
            "n_series": covered,
        },
        index=pd.DatetimeIndex(grid.to_timestamp(), name="month").as_unit("us"),
    )


def _within(e: Read) -> float:
    """Variance within blocks of coverage, in the fixed scale."""
    rest = e.values - e.values.groupby(e.block).transform("mean")
    return float((rest**2).mean())


def _loadings(fitted: Fitted, entered: Sequence[Read]) -> pd.DataFrame:
    rows = []
    for i, e in enumerate(entered):
        loading, error = fitted.loading[i] * e.part.scale, fitted.loading_se[i] * e.part.scale
        rows.append({
            "series": e.part.name, "indicator": e.part.indicator, "unit": e.part.unit,
            "n": len(e.values), "first": str(e.values.index[0]), "last": str(e.values.index[-1]),
            "loading": loading, "se": error,
            "lo90": loading - _Z90 * error, "hi90": loading + _Z90 * error,
            "explained": 1.0 - fitted.noise[i] ** 2 / _within(e),
            "at_floor": f"log_noise.{i}" in fitted.bounded,
        })  # fmt: skip
    return pd.DataFrame(rows).set_index("series")


def _remarks(
    fitted: Fitted, entered: Sequence[Read], anchor: int, as_of: pd.Timestamp
) -> tuple[str, ...]:
    """What a reader has to know before using it."""
    out = []
    if fitted.loading[anchor] < _Z90 * fitted.loading_se[anchor]:
        name = entered[anchor].part.name
        out.append(f"The sign is uncertain: the loading of {name} may be zero.")
    if "phi" in fitted.bounded:
        out.append(
            f"Persistence is at its bound of {PERSISTENCE}: the factor is as good as a trend, "
            "and its zero means little."
        )
    floored = [e.part.name for i, e in enumerate(entered) if f"log_noise.{i}" in fitted.bounded]
    if floored:
        out.append(f"The factor nearly is {' and '.join(floored)}: noise at its floor.")
    old = [e for e in entered if e.values.index[-1].end_time + _OLD < as_of]
    if old:
        told = ", ".join(f"{e.part.name} ({e.values.index[-1]})" for e in old)
        out.append(f"Ended or silent for three years: {told}.")
    if len(old) == len(entered):
        out.append("No series is alive: the last months are the model's return to its mean.")
    return tuple(out)
