"""Links between the questions: what the record says of each, and what two say together.

A link is registered here before anybody looks: months at risk of the second question are *open* in
the `Door.months` after an event of the first in the same state. Only states that could have had the
first event count; the others would measure how they differ, not what the event does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from forecast.episodes import floor_month
from forecast.models.design import Array
from forecast.models.linked import Link, Linked, joint_outcomes
from forecast.predict import Prediction
from forecast.risk import RiskSet

__all__ = ["DOORS", "PAIR", "Door", "Doorway", "open_doors", "pair_of"]

PAIR = " & "
"""Between the ids of two questions that are forecast together."""


@dataclass(frozen=True)
class Door:
    """One link: an event of the first question opens the door to the second.

    Attributes
    ----------
    first, second : str
        Ids of questions that are not part of another.
    months : int
        How long the door stays open.
    """

    first: str
    second: str
    months: int = 36

    @property
    def pair(self) -> str:
        """Id of the question whether both come."""
        return f"{self.first}{PAIR}{self.second}"

    def link(self, first: RiskSet, second: RiskSet) -> Link:
        """Test the link on the events known at the origin of both risk sets.

        Parameters
        ----------
        first, second : RiskSet
            Of the two questions, as known at one date.
        """
        rows = second.rows[second.rows["state"].isin(first.rows["state"].unique())]
        events = first.events[first.events["state"].isin(rows["state"].unique())]
        if rows.empty:
            return Link((0, 0), (0.0, 0.0))
        month, came = floor_month(rows["month"]), floor_month(events["date"])
        start = int(min(month.min(), came.min(initial=month.min())))
        units = rows.groupby(["state", "slot"], sort=True).ngroup().to_numpy()
        shape = (int(units.max()) + 1, int(month.max()) - start + 1)
        one, two = np.zeros(shape), np.zeros(shape)
        at_risk = np.zeros(shape, bool)
        at_risk[units, month - start] = True
        two[units, month - start] = rows["event"]
        home = rows.assign(unit=units).drop_duplicates("unit").set_index("unit")["state"]
        for state, when in zip(events["state"], came - start, strict=True):
            if when < shape[1]:
                one[home.index[home == state], when] = 1
        return Linked(self.months).fit(one, two, at_risk)

    def still_open(self, first: RiskSet, state: str) -> int:
        """Months from the origin on in which the door is open already: an event was there before.

        Parameters
        ----------
        first : RiskSet
            Of the first question.
        state : str
        """
        events = first.events[first.events["state"] == state]
        if events.empty:
            return 0
        last = int(floor_month(events["date"]).max())
        return max(0, last + self.months + 1 - int(floor_month(first.as_of)[0]))


DOORS = (
    Door("neutrality_text_revision", "foreign_base"),
    Door("neutrality_text_revision", "bloc_accession"),
)
"""A revision may open the door to a base; accession may need a revision."""


@dataclass(frozen=True)
class Doorway:
    """Two questions of one state, forecast together.

    Attributes
    ----------
    door : Door
    first, second : Prediction
        Of the two questions, the door to the second shut; over the same futures.
    log_multiplier : (draws,) array
        Of the link.
    already : int
        Months in which the door is open at the origin.
    """

    door: Door
    first: Prediction = field(repr=False)
    second: Prediction = field(repr=False)
    log_multiplier: Array = field(repr=False)
    already: int = 0

    def at(self, horizon: int, mark: str = "") -> Array:
        """Probability of the four outcomes within a horizon, shape (draws, 2, 2).

        Parameters
        ----------
        horizon : int
            Months.
        mark : str, optional
            Of the second event; over its average future then.

        Returns
        -------
        array
            [d, a, b]: the first event comes (1) or not (0), the second comes or not.
        """
        one, two = self.first.by_path(), self.second.by_path()
        if mark:
            one, two = self.first.p[:, None, :], self.second.marks[mark][:, None, :]
        draws = min(len(one), len(two))
        paths = min(one.shape[1], two.shape[1])
        a, b = (p[:draws, :paths, :horizon].reshape(draws * paths, horizon) for p in (one, two))
        gamma = np.repeat(self.log_multiplier[:draws], paths)
        found = joint_outcomes(a, b, gamma, months=self.door.months, already=self.already)
        return np.asarray(found.reshape(draws, paths, 2, 2).mean(axis=1))


def pair_of(question: str) -> tuple[str, str] | None:
    """Return the ids of the two questions of a pair, None for a single one."""
    first, mark, second = question.partition(PAIR)
    return (first, second) if mark else None


def open_doors(known: Mapping[str, RiskSet]) -> list[Door]:
    """Return the links whose two questions are both among those known."""
    return [door for door in DOORS if door.first in known and door.second in known]
