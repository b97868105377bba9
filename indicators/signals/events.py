"""What an alarm shall warn of: events with their risk sets, and the windows before them.

Only events that had happened, and were public, by the as-of date are ever looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from indicators.dates import as_date
from indicators.lookup import month_number
from indicators.vintages import Snapshot

__all__ = [
    "Outcomes",
    "Windows",
    "event_windows",
    "expected_side",
    "outcome_states",
    "sign_of",
]

type Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What an alarm shall warn of.

    Parameters
    ----------
    question : str
        Its id.
    events : DataFrame
        ``state, date`` and, where known, ``campaign`` (events of one count once in intervals)
        and ``known`` (when it became public; `date` where missing).
    family : str, optional
        ``neutrality``, ``base`` or ``bloc``: under which features state their signs.
    at_risk : DataFrame, optional
        ``state, month`` at risk; every month of `events`' states and the panel's by default.
    until : Timestamp, optional
        Last day on which events are coded.
    """

    question: str
    events: pd.DataFrame = field(repr=False)
    family: str = ""
    at_risk: pd.DataFrame | None = field(default=None, repr=False)
    until: pd.Timestamp | None = None

    def seen(self, snapshot: Snapshot) -> pd.DataFrame:
        """Events that had happened and were public by a snapshot's date; ``campaign`` filled."""
        frame = self.events
        dates = pd.to_datetime(frame["date"])
        known = pd.to_datetime(frame["known"]).fillna(dates) if "known" in frame else dates
        keep = (dates <= snapshot.as_of) & (known <= snapshot.as_of)
        if self.until is not None:
            keep &= dates <= self.until
        out = pd.DataFrame({"state": frame["state"], "date": dates})[keep]
        campaign = frame["campaign"].fillna("")[keep] if "campaign" in frame else ""
        alone = out["state"].astype(str) + out["date"].dt.strftime(" %Y-%m-%d")
        out["campaign"] = campaign
        out["campaign"] = out["campaign"].where(out["campaign"] != "", alone)
        return out.sort_values(["date", "state"], ignore_index=True)


@dataclass(frozen=True, eq=False)
class Windows:
    """Event windows by state and month, arrays of shape (n_states, n_months).

    Made by `event_windows`.

    Attributes
    ----------
    question : str
    window : int
        In months.
    counted : array of bool
        At risk, and the window had closed.
    event : array of bool
        Whether an event follows within the window.
    campaign : array of int
        Number of the campaign of the first that follows; -1 where none.
    rows : list of (int, int, int)
        Of each event: row of the state, column of its month, number of its campaign.
    """

    question: str
    window: int
    counted: Bools
    event: Bools
    campaign: npt.NDArray[np.int64]
    rows: list[tuple[int, int, int]]

    def of(self, chosen: Sequence[int]) -> Windows:
        """Return the windows of some of the states.

        Parameters
        ----------
        chosen : sequence of int
            Their rows, in the order wanted.
        """
        place = {row: number for number, row in enumerate(chosen)}
        return replace(
            self,
            counted=self.counted[list(chosen)],
            event=self.event[list(chosen)],
            campaign=self.campaign[list(chosen)],
            rows=[(place[row], column, one) for row, column, one in self.rows if row in place],
        )


def expected_side(snapshot: Snapshot, name: str, outcomes: Outcomes) -> str:
    """Return the tail that theory names: ``high``, ``low``, or ``either`` where it names none.

    Parameters
    ----------
    snapshot : Snapshot
        What was known: signs are those of its catalog.
    name : str
        Feature or indicator.
    outcomes : Outcomes
        Its question and family.
    """
    return {1: "high", -1: "low"}.get(sign_of(snapshot, name, outcomes) or 0, "either")


def sign_of(snapshot: Snapshot, name: str, outcomes: Outcomes) -> int | None:
    """Return the sign expected of a higher value: -1, 0, 1; None where the catalog has none.

    Parameters
    ----------
    snapshot, name, outcomes
        As in `expected_side`.
    """
    catalog = snapshot.catalog
    if name in catalog.features:
        return catalog.features[name].signs.get(outcomes.family)
    item = catalog.indicators.get(name)
    said = None if item is None else item.signs.get(outcomes.question)
    return None if said is None else said.sign


def outcome_states(outcomes: Outcomes) -> list[str]:
    """Return the states at risk, or those of the events where no risk set is given; sorted.

    Parameters
    ----------
    outcomes : Outcomes
        The events.
    """
    frame = outcomes.events if outcomes.at_risk is None else outcomes.at_risk
    return sorted(str(one) for one in frame["state"].unique())


def event_windows(
    snapshot: Snapshot,
    outcomes: Outcomes,
    states: Sequence[str],
    months: pd.DatetimeIndex,
    *,
    window: int = 24,
) -> Windows:
    """Say which state-months count (at risk, window closed) and which have an event ahead.

    Parameters
    ----------
    snapshot : Snapshot
        What was known: later events, or events public later, are not looked at.
    outcomes : Outcomes
        The events.
    states : sequence of str, shape (n_states,)
    months : DatetimeIndex, shape (n_months,)
        First days of months in a row.
    window : int, optional
        Months in which an event counts, the one of the alarm included.

    Returns
    -------
    Windows

    Raises
    ------
    ValueError
        `window` is below 1.
    """
    if window < 1:
        raise ValueError(f"window is {window}: give 1 month or more")
    numbers = month_number(months)
    end = snapshot.as_of if outcomes.until is None else min(snapshot.as_of, outcomes.until)
    after = month_number(pd.DatetimeIndex([as_date(end + pd.Timedelta(days=1))]))[0]
    closed = numbers + window <= after
    shape = (len(states), len(numbers))
    counted = np.tile(closed, (shape[0], 1))
    place = {state: row for row, state in enumerate(states)}
    if outcomes.at_risk is not None:
        counted &= _at_risk(outcomes.at_risk, place, numbers)
    event, campaign = np.zeros(shape, dtype=bool), np.full(shape, -1)
    rows: list[tuple[int, int, int]] = []
    seen = outcomes.seen(snapshot)
    seen = seen[seen["state"].isin(place)]
    names = {name: number for number, name in enumerate(dict.fromkeys(seen["campaign"]))}
    for state, date, name in zip(seen["state"], seen["date"], seen["campaign"], strict=True):
        row = place[state]
        column = int(month_number(pd.DatetimeIndex([date]))[0] - numbers[0])
        ahead = slice(max(0, column - window + 1), max(0, column + 1))
        first = ~event[row, ahead]  # of two events ahead the nearer one came first in the list
        campaign[row, ahead] = np.where(first, names[name], campaign[row, ahead])
        event[row, ahead] = True
        rows.append((row, column, names[name]))
    return Windows(outcomes.question, window, counted, event, campaign, rows)


def _at_risk(frame: pd.DataFrame, place: dict[str, int], numbers: npt.NDArray[np.int64]) -> Bools:
    out = np.zeros((len(place), len(numbers)), dtype=bool)
    mine = frame[frame["state"].isin(place)]
    rows = mine["state"].map(place).to_numpy(dtype=np.int64)
    columns = month_number(pd.DatetimeIndex(mine["month"])) - numbers[0]
    inside = (columns >= 0) & (columns < len(numbers))
    out[rows[inside], columns[inside]] = True
    return out
