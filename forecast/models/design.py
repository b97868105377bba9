"""Risk set and panel, reduced to the arrays that a hazard model needs.

Under the complementary log-log link the cumulative hazard of months with the same
covariates is additive, so months of one state that look alike collapse into one *cell*
without loss. Within a cell, what differs between units and over time (slot, process
stage, time since the last event) is a *column*: the exposure matrix holds months
without the event, ``exposure[cell, column]``, and the model's expected count is
``exp(cell effect) * (exposure @ exp(column effect))``.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.models.reporting import exposure_weight
from forecast.models.tallies import codes, marks, signs
from forecast.models.waves import NONE, Labels, labelled, periods
from forecast.risk import RiskSet
from indicators.errors import TocsinError
from indicators.panel import Panel
from indicators.vintages import require_same_as_of

Array = npt.NDArray[Any]

STAGES = ("none", "live", "late")
FARTHEST = 100.0
"""Largest distance of a covariate from its centre, in catalog scales."""
GAP_EDGES = (24.0, 60.0, 120.0)
"""Months since the last event at which the recurrence class changes."""
GAP_MIDS = (12.0, 42.0, 90.0, 180.0)
"""Representative gap, in months, of each recurrence class."""
GAPS = ("first", "under 2 years", "2 to 5 years", "5 to 10 years", "over 10 years")
AIMS = ("", "weaken", "strengthen", "open")
SIGNS = ("none>live", "none>late", "live>live", "live>late", "late>late")
"""Kinds of public sign: stage of the unit > stage the sign moves it to."""


class DesignError(TocsinError, ValueError):
    """Covariates that no model can be fitted to."""

    exit_code = 3


@dataclass(frozen=True)
class Capacity:
    """Sizes to which a design is padded, so that one compiled program serves many."""

    cells: int
    states: int
    regions: int
    slots: int
    features: int
    latents: int
    groups: int
    columns: int
    events: int
    signs: int
    waves: int = 1

    def union(self, other: "Capacity") -> "Capacity":
        """Smallest capacity that holds both."""
        return Capacity(*(max(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)))


@dataclass(frozen=True)
class Design:
    """Arrays of one question at one origin.

    Attributes
    ----------
    x : (cells, features) float
        Covariates on the catalog's fixed scales; 0 where missing.
    cell_group : (cells,) int
        Cells of one state in which the same covariates are missing form a group.
    group_state, group_region : (groups,) int
    group_latent : (groups, latents) float
        1 where the group lacks the covariate of a latent value.
    latent_feature : (latents,) int
    column : (columns,) int
        Which of the slot x stage x recurrence combinations, the last fastest, each column
        of ``exposure`` is; combinations nobody was in are left out.
    exposure : (cells, columns) float
        Months without the event.
    event_cell : (events,) int
    event_column : (events,) int
        Combination, numbered as in ``column``.
    event_weight : (events,) float
        1, or 0 for padding; under a bound on hindsight, the share of an event credited to its
        stage, another row holding the share that belongs to stage none.
    sign_months, sign_count : (signs,) float
        Months without a sign and months with one.
    sign_state, sign_kind : (signs,) int
    mark_total, mark_weaken : (4,) float
        Revisions by stated aim, and those that weakened.
    waves : tuple of (str, int)
        Region and period of each wave; one label without a meaning where there are none.
    cell_wave : (cells,) int
    """

    question: str
    states: tuple[str, ...]
    regions: tuple[str, ...]
    slots: tuple[str, ...]
    features: tuple[str, ...]
    latent: tuple[tuple[str, str], ...]
    x: Array
    cell_group: Array
    group_state: Array
    group_region: Array
    group_latent: Array
    latent_feature: Array
    column: Array
    exposure: Array
    event_cell: Array
    event_column: Array
    event_weight: Array
    event_ids: tuple[str, ...]
    sign_months: Array
    sign_count: Array
    sign_state: Array
    sign_kind: Array
    mark_total: Array
    mark_weaken: Array
    waves: Labels = NONE
    cell_wave: Array = field(default_factory=lambda: np.zeros(0, int))

    def __post_init__(self) -> None:
        if not len(self.cell_wave):
            object.__setattr__(self, "cell_wave", np.zeros(len(self.x), int))

    @property
    def capacity(self) -> Capacity:
        """Sizes of this design."""
        sizes = (
            self.x, self.states, self.regions, self.slots, self.features, self.latent,
            self.group_state, self.column, self.event_cell, self.sign_months, self.waves,
        )  # fmt: skip
        return Capacity(*(max(len(s), 1) for s in sizes))

    @property
    def months(self) -> float:
        """Unit-months at risk, months with an event included."""
        return float(self.exposure.sum() + self.event_weight.sum())

    @property
    def has_signs(self) -> bool:
        """Whether any process sign was visible: without one there is no chain."""
        return bool(self.sign_count.sum() > 0)

    @property
    def one_slot(self) -> bool:
        """Whether there is nothing for slots to differ by, padding left out."""
        return self.slots[1:] == _pad(self.slots[:1], len(self.slots))[1:]

    def arrays(self) -> dict[str, Array]:
        """The numeric fields by name."""
        return {
            f.name: v for f in fields(self) if isinstance(v := getattr(self, f.name), np.ndarray)
        }

    def digest(self) -> str:
        """SHA-256 over names, shapes, types and values."""
        h = hashlib.sha256()
        labels = (
            self.question, self.states, self.regions, self.slots, self.features, self.latent,
            self.event_ids, self.waves,
        )  # fmt: skip
        h.update(repr(labels).encode())
        for name, value in self.arrays().items():
            h.update(f"{name}{value.dtype}{value.shape}".encode())
            h.update(np.ascontiguousarray(value).tobytes())
        return h.hexdigest()

    def padded(self, size: Capacity) -> "Design":
        """Same design in larger arrays; what is added carries no exposure and no event."""
        pads = tuple(("pad", p) for p in _pad((), size.latents))
        return replace(
            self,
            states=_pad(self.states, size.states),
            regions=_pad(self.regions, size.regions),
            slots=_pad(self.slots, size.slots),
            features=_pad(self.features, size.features),
            latent=self.latent + pads[len(self.latent) :],
            x=_grow(_grow(self.x, size.cells), size.features, axis=1),
            cell_group=_grow(self.cell_group, size.cells),
            group_state=_grow(self.group_state, size.groups),
            group_region=_grow(self.group_region, size.groups),
            group_latent=_grow(_grow(self.group_latent, size.groups), size.latents, axis=1),
            latent_feature=_grow(self.latent_feature, size.latents),
            column=_grow(self.column, size.columns),
            exposure=_grow(_grow(self.exposure, size.cells), size.columns, axis=1),
            event_cell=_grow(self.event_cell, size.events),
            event_column=_grow(self.event_column, size.events),
            event_weight=_grow(self.event_weight, size.events),
            sign_months=_grow(self.sign_months, size.signs),
            sign_count=_grow(self.sign_count, size.signs),
            sign_state=_grow(self.sign_state, size.signs),
            sign_kind=_grow(self.sign_kind, size.signs),
            waves=self.waves + tuple(("", -1 - i) for i in range(size.waves - len(self.waves))),
            cell_wave=_grow(self.cell_wave, size.cells),
        )


def design(
    risk: RiskSet,
    panel: Panel,
    *,
    features: Sequence[str],
    grid: float = 0.25,
    wave_months: int = 0,
    reporting: bool = False,
) -> Design:
    """Reduce a risk set and a panel of the same as-of date to arrays.

    Parameters
    ----------
    risk : RiskSet
        Unit-months at risk with stage, recurrence and events.
    panel : Panel
        State-months on fixed scales, as known at each month.
    features : sequence of str
        Columns of the panel to use; may be empty.
    grid : float
        Covariates are rounded to this fraction of their catalog scale, so that months
        alike to within half of it share a cell.
    wave_months : int
        Length of a wave; cells are split by its periods, counted from year 0. 0 for none.
    reporting : bool
        Months count by the share of their events that would be public by now.

    Raises
    ------
    LookAheadError
        If the panel and the risk set were made at different as-of dates.
    DesignError
        If a covariate is infinite, or further from its centre than any scale allows.
    """
    require_same_as_of(risk, panel)
    rows = risk.rows.reset_index(drop=True)
    region_of = _regions(risk)
    states, regions = tuple(region_of), tuple(sorted(set(region_of.values())))
    values = covariates(panel, rows["state"], rows["month"], features)
    _on_scale(values, rows, features)
    x = np.round(values / grid) * grid
    state = codes(rows["state"], states)
    period = periods(rows["month"], wave_months)
    cell, first = _cells(np.column_stack([state, period]), x)
    groups, latent = _groups(values[first], state[first], states, tuple(features))
    combination = _combination(rows, risk.slots)
    weight = rows["weight"].to_numpy(float)
    if reporting:
        weight = weight * exposure_weight(rows["month"], risk.events, as_of=risk.as_of)
    quiet = ~rows["event"].to_numpy(bool)
    used, exposure = _exposure(cell[quiet], combination[quiet], weight[quiet], size=len(first))
    events = _events(rows, combination)
    labels, cell_wave = labelled(rows["region"].iloc[first], period[first], wave_months)
    group_region = [regions.index(region_of[states[s]]) for s in groups["group_state"]]
    return Design(
        question=risk.question,
        states=states,
        regions=regions,
        slots=tuple(risk.slots),
        features=tuple(features),
        latent=latent,
        x=np.nan_to_num(x[first]),
        **groups,
        group_region=np.array(group_region, int),
        column=used,
        exposure=exposure,
        event_cell=cell[events["row"]],
        event_column=events["column"],
        event_weight=events["weight"],
        event_ids=tuple(_event_ids(risk.events, rows.iloc[events["row"]])),
        **signs(rows, states),
        **marks(risk.events, AIMS),
        waves=labels,
        cell_wave=cell_wave,
    )


def covariates(
    panel: Panel, states: "pd.Series[str]", months: "pd.Series[Any]", features: Sequence[str]
) -> Array:
    """Panel values for each (state, month), shape (rows, features); NaN where missing."""
    if not features:
        return np.zeros((len(states), 0))
    keys = pd.MultiIndex.from_arrays([states, months])
    return panel.values[list(features)].reindex(keys).to_numpy(float)


def _on_scale(values: Array, rows: pd.DataFrame, features: Sequence[str]) -> None:
    """Refuse a value that would make every hazard 0 or 1, or none at all."""
    wrong = np.argwhere(np.abs(values) > FARTHEST)
    if len(wrong):
        row, j = wrong[0]
        month = rows["month"].iloc[row]
        raise DesignError(
            "a covariate is off its scale",
            place=f"{features[j]}, {rows['state'].iloc[row]}, {month:%Y-%m}",
            found=f"{values[row, j]:g} scales from the centre ({len(wrong)} such values)",
            allowed=f"up to {FARTHEST:g}",
            remedy="give the feature a centre and scale that fit its values.",
        )


def gap_class(had_before: Array, gap: Array) -> Array:
    """Recurrence class: 0 before the first event, then by months since the last."""
    later = 1 + np.searchsorted(GAP_EDGES, gap, side="right")
    return np.asarray(np.where(had_before > 0, later, 0))


def _combination(rows: pd.DataFrame, slots: tuple[str, ...]) -> Array:
    slot = codes(rows["slot"], slots)
    gap = gap_class(rows["had_before"].to_numpy(), rows["gap"].to_numpy(float))
    stage: Array = rows["stage"].to_numpy(int)
    combination: Array = (slot * len(STAGES) + stage) * len(GAPS) + gap
    return combination


def _regions(risk: RiskSet) -> dict[str, str]:
    """Region of every state that is or was at risk, in order of states."""
    named = pd.concat([risk.rows[["state", "region"]], risk.origin[["state", "region"]]])
    return dict(sorted(zip(named["state"], named["region"], strict=True)))


def _exposure(cell: Array, combination: Array, weight: Array, *, size: int) -> tuple[Array, Array]:
    """Combinations that somebody was in, and months in them without the event."""
    used, which = np.unique(combination, return_inverse=True)
    exposure = np.zeros((size, len(used)))
    np.add.at(exposure, (cell, which), weight)
    return used, exposure


def _events(rows: pd.DataFrame, combination: Array) -> dict[str, Array]:
    """Rows with an event, their combination and weight; what a bound takes from a stage last."""
    which = np.nonzero(rows["event"].to_numpy(bool))[0]
    weight = rows["weight"].to_numpy(float)[which]
    rest = weight < 1.0
    shift = rows["stage"].to_numpy(int)[which] * len(GAPS)
    column = combination[which]
    return {
        "row": np.concatenate([which, which[rest]]),
        "column": np.concatenate([column, (column - shift)[rest]]),
        "weight": np.concatenate([weight, 1.0 - weight[rest]]),
    }


def _cells(state: Array, x: Array) -> tuple[Array, Array]:
    """Index of each row's cell, and the first row of each cell."""
    keys = np.column_stack([state, np.nan_to_num(x, nan=1e6)])
    _, first, cell = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return cell.reshape(-1), first


def _groups(
    values: Array, state: Array, states: tuple[str, ...], features: tuple[str, ...]
) -> tuple[dict[str, Array], tuple[tuple[str, str], ...]]:
    """Groups of cells, and a latent value for each state and covariate missing somewhere."""
    keys = np.column_stack([state, np.isnan(values)])
    groups, cell_group = np.unique(keys, axis=0, return_inverse=True)
    pairs = sorted({(int(g[0]), int(f)) for g in groups for f in np.nonzero(g[1:])[0]})
    latent = np.zeros((len(groups), len(pairs)))
    for j, (s, f) in enumerate(pairs):
        latent[:, j] = (groups[:, 0] == s) & (groups[:, 1 + f] > 0)
    arrays = {
        "cell_group": cell_group.reshape(-1),
        "group_state": groups[:, 0].astype(int),
        "group_latent": latent,
        "latent_feature": np.array([f for _, f in pairs], int),
    }
    return arrays, tuple((states[s], features[f]) for s, f in pairs)


def _event_ids(events: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    keyed = events.drop_duplicates(["state", "slot", "month"]).set_index(["state", "slot", "month"])
    keys = pd.MultiIndex.from_frame(rows[["state", "slot", "month"]])
    return [str(i) for i in keyed["event_id"].reindex(keys)]


def _pad(labels: tuple[str, ...], size: int) -> tuple[str, ...]:
    return labels + tuple(f"pad{i}" for i in range(len(labels), size))


def _grow(array: Array, size: int, *, axis: int = 0) -> Array:
    pad = [(0, 0)] * array.ndim
    pad[axis] = (0, size - array.shape[axis])
    return np.pad(array, pad)
