r"""How much of what the process tables say is believed: named bounds on the coder's hindsight.

The processes were coded by somebody who knew what came of them. Openings were traced back, failures
were not remembered as well. A bound says what is left out or how rows count instead: rows that
were checked, processes public well before the event, the states whose list is nearest to complete,
no process at all, failures counted :math:`\omega` times, only a share :math:`\rho` of the events
that a process preceded credited to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from indicators.errors import TocsinError, UnknownNameError

__all__ = ["ALL", "BOUNDS", "Bound", "BoundError", "bound_of", "most_missing", "weights"]

CENTRAL_ASIA = ("KAZ", "KGZ", "TJK", "TKM", "UZB")


class BoundError(TocsinError, ValueError):
    """A bound that the risk set has no room for."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Bound:
    """One reading of the coded tables.

    Attributes
    ----------
    name, words, reason : str
        Name, what is done, and why somebody might.
    processes : bool
        False: as if no process had been coded.
    verified_processes, verified_events : bool
        Leave out the rows that no coder found in a source.
    lead_days : int or None
        Leave out processes that became public no more than this many days before an event of
        their unit.
    states : tuple of str
        Only these states; empty: all.
    missing : float
        Failures counted this many times (omega): the months of processes that led to no event
        weigh as much, births included, and as many months less had no process.
    visible : float
        Share (rho) of an event that came in a process credited to the process; the rest counts
        as an event without one.
    """

    name: str
    words: str
    reason: str
    processes: bool = True
    verified_processes: bool = False
    verified_events: bool = False
    lead_days: int | None = None
    states: tuple[str, ...] = ()
    missing: float = 1.0
    visible: float = 1.0

    def __post_init__(self) -> None:
        for name, found, top in (("missing", self.missing, np.inf), ("visible", self.visible, 1)):
            if not 0 < found <= top:
                raise BoundError(
                    "a bound that means nothing",
                    place=name,
                    found=f"{found:g}",
                    allowed="above 0" if top > 1 else "above 0, up to 1",
                )

    def with_hindsight(self, missing: float, visible: float) -> Bound:
        """Same rows with failures counted `missing` times, a share `visible` of events credited."""
        name = f"{self.name}+missing{missing:g}+visible{visible:g}"
        words = f"{self.words}; failures count {missing:g} times, {visible:.0%} of events credited"
        return Bound(
            name, words, self.reason, self.processes, self.verified_processes,
            self.verified_events, self.lead_days, self.states, missing, visible,
        )  # fmt: skip


_FORGOTTEN = "Openings were traced back to their first sign, failures as far as remembered."
_TRACED = "A process found by tracing an event back may not have been visible to anybody then."
ALL = Bound("all", "all rows as coded", "What the tables say, taken at face value.")
BOUNDS = {
    b.name: b
    for b in (
        ALL,
        Bound(
            "verified_processes",
            "processes that were found in a source, at least in part",
            "Rows from memory remember what succeeded.",
            verified_processes=True,
        ),
        Bound(
            "verified",
            "processes and events that were found in a source, at least in part",
            "As above; an event that nobody confirmed is no event.",
            verified_processes=True,
            verified_events=True,
        ),
        Bound(
            "public_31_days",
            "processes public more than 31 days before the event",
            "A plan that became public with its execution warned nobody.",
            lead_days=31,
        ),
        Bound(
            "central_asia",
            "the five Central Asian states alone",
            "Their list of processes is nearest to complete.",
            states=CENTRAL_ASIA,
        ),
        Bound(
            "no_processes", "no process at all", "The least the tables can say.", processes=False
        ),
        Bound("missing_2", "failed processes counted twice", _FORGOTTEN, missing=2.0),
        Bound("missing_4", "failed processes counted four times", _FORGOTTEN, missing=4.0),
        Bound("visible_0.7", "70% of events in a process credited to it", _TRACED, visible=0.7),
        Bound(
            "visible_0.5", "half of the events in a process credited to it", _TRACED, visible=0.5
        ),
    )
}
"""Bounds under which skill and forecasts are shown, taken at face value first."""


def bound_of(name: str) -> Bound:
    """Return a named bound.

    Raises
    ------
    UnknownNameError
        There is none of that name.
    """
    if name not in BOUNDS:
        raise UnknownNameError("bound", name, BOUNDS)
    return BOUNDS[name]


def weights(
    rows: pd.DataFrame, *, missing: float, visible: float, searched: tuple[str, ...] = ()
) -> npt.NDArray[np.float64]:
    r"""Weight of every unit-month under a bound.

    Parameters
    ----------
    rows : DataFrame
        Unit-months at risk, ordered by state, slot and month: ``state, slot, month, stage, event,
        sign_live, sign_late``.
    missing : float
        How many processes that led to nothing stand behind each coded one (omega).
    visible : float
        Share of the events that came in a process credited to it (rho).
    searched : tuple of str
        States whose failures are listed as fully as their successes: theirs count once.

    Returns
    -------
    (rows,) array
        For months without the event, the exposure they stand for; for months with it, the share
        of the event credited to its stage, the rest belonging to stage none.

    Raises
    ------
    BoundError
        More months of missing processes than months without a process.

    Notes
    -----
    With :math:`E_f` the months in processes that led to no event, :math:`E_s` the months without
    the event in those that led to one or are still open, :math:`E_0` those in no process, and
    :math:`d_1, d_0` the events in either, the weighted counts give

    .. math::

        \lambda_{live} = \frac{\rho\, d_1}{E_s + \omega E_f}, \qquad
        \lambda_{none} = \frac{d_0 + (1 - \rho) d_1}{E_0 - (\omega - 1) E_f} .

    What is open when the record ends has not failed, nor was it forgotten. The months of a process
    keep their place where its event is credited to none.
    Months are taken from those without a process evenly within a slot. A month in which a failed
    process began counts as often as the process, so that births keep pace with failures.
    """
    out = np.ones(len(rows))
    if not len(rows):
        return out
    failed, born = _failures(rows, searched)
    stage, event = rows["stage"].to_numpy(int), rows["event"].to_numpy(bool)
    out[failed | born] = missing
    slots = rows["slot"].to_numpy(object)
    for slot in sorted(set(slots[failed])):
        here = (slots == slot) & (stage == 0) & ~event
        spare = here & ~born
        left = here.sum() - (missing - 1.0) * (failed & (slots == slot)).sum()
        left -= missing * (here & born).sum()
        if left <= 0:
            raise BoundError(
                f"slot {slot!r} has too few months without a process" if slot else
                "there are too few months without a process",
                place="missing",
                found=f"{missing:g}",
                allowed=f"below {most_missing(rows, searched=searched):.3g}",
            )  # fmt: skip
        out[spare] = left / spare.sum()
    out[event & (stage > 0)] = visible
    return out


def most_missing(rows: pd.DataFrame, *, searched: tuple[str, ...] = ()) -> float:
    """Return the number of times failures can count before no month without a process is left."""
    failed, born = _failures(rows, searched)
    none = (rows["stage"].to_numpy(int) == 0) & ~rows["event"].to_numpy(bool)
    slots = rows["slot"].to_numpy(object)
    found = [np.inf]
    for slot in set(slots[failed]):
        here = slots == slot
        lost = (here & failed).sum()
        found.append(((here & none).sum() + lost) / (lost + (here & born).sum()))
    return float(min(found))


def _failures(
    rows: pd.DataFrame, searched: tuple[str, ...]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Months of processes that ended without the event, and the months in which those began."""
    stage, event = rows["stage"].to_numpy(int), rows["event"].to_numpy(bool)
    month = rows["month"].to_numpy("datetime64[M]").astype(np.int64)
    unit = rows["state"].to_numpy(object) + "/" + rows["slot"].to_numpy(object)
    follows = np.zeros(len(rows), bool)  # on the month before, of the same unit
    follows[1:] = (unit[1:] == unit[:-1]) & (month[1:] == month[:-1] + 1)
    active = stage > 0
    goes_on = np.zeros(len(rows), bool)
    goes_on[1:] = follows[1:] & active[:-1] & ~event[:-1]
    first = active & ~goes_on
    run = np.cumsum(first) - 1
    led = np.zeros(max(int(first.sum()), 1), bool)
    led[run[active & event]] = True
    if len(month):
        led[run[active & (month == month.max())]] = True  # open: what comes of it is not known
    own = np.isin(rows["state"].to_numpy(object), list(searched))
    failed = active & ~led[np.maximum(run, 0)] & ~own
    sign = (rows["sign_live"].to_numpy(int) + rows["sign_late"].to_numpy(int)) > 0
    born = np.zeros(len(rows), bool)
    born[:-1] = (first & failed & follows)[1:] & ~active[:-1] & ~event[:-1]
    return failed, born & sign
