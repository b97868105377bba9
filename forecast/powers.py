"""Which power opened the base: a model with ties between host and power, on trial against counting.

Every past opening is predicted from those public before its month, with what was public then about
the host and each power. The record decides which rule a forecast uses: the model has to beat the
frequencies so far by an interval that leaves out zero.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecast.definitions import Question
from forecast.material import plain
from forecast.models.design import Array
from forecast.models.power import Power, rolling
from forecast.risk import risk_set
from forecast.scores import two_way_bootstrap
from indicators.masks import known_date
from indicators.vintages import Snapshot

__all__ = ["COVARIATES", "Openings", "openings", "power_record", "power_told", "power_words"]

COVARIATES = ("contacts", "arms", "gas", "votes", "bases")
"""Cooperative contacts of the newest year known (log, per 100); share of the arms imports of the
five newest years; share of the gas exports of the newest year; nearness of voting in the General
Assembly; bases of the power anywhere (log)."""
FIGURES = ("icews_cooperation", "arms_imports", "gas_exports", "un_ideal_point")
ARMS_YEARS = 5
NAMED = ("RUS", "CHN", "USA")
"""Slots that are one power; any other slot stands for many, of whom nothing is known."""
TOP = "USA"
"""The end of the scale of voting: nearness to it is the host's own point, what is constant being
part of the power's level."""


@dataclass(frozen=True)
class Openings:
    """Past openings, and what was known of each power in the month before.

    Attributes
    ----------
    events : DataFrame
        As `forecast.risk.RiskSet.events`.
    slots : tuple of str
        Powers, in the order of the arrays.
    x : (openings, powers, covariates) array
        In the order of `COVARIATES`; NaN where nothing was known.
    eligible : (openings, powers) array of bool
        Whether the power had no base there yet.
    """

    events: pd.DataFrame
    slots: tuple[str, ...]
    x: Array = field(repr=False)
    eligible: Array = field(repr=False)

    @property
    def coverage(self) -> pd.DataFrame:
        """In how many openings each covariate was known of each named power."""
        named = [j for j, slot in enumerate(self.slots) if slot in NAMED]
        known = np.isfinite(self.x[:, named]).sum(axis=0)
        return pd.DataFrame(known, [self.slots[j] for j in named], list(COVARIATES))


def openings(
    question: Question,
    seen: Snapshot,
    *,
    states: str | None = "wide",
    exclude: Collection[str] = (),
) -> Openings:
    """Gather the openings known at a date, each with what was public before its month.

    Parameters
    ----------
    question : Question
        About bases: its slots are powers.
    seen : Snapshot
        What was known.
    states : str, optional
        A set of hosts that the question registers; its primary one where it has none of the name.
    exclude : collection of str, optional
        Ids of contested rows to leave out.

    Returns
    -------
    Openings
    """
    hosts = states if states in question.risk.sets else None
    risk = risk_set(question, seen, states=hosts, exclude=exclude)
    at_risk = set(zip(risk.rows["state"], risk.rows["month"], risk.rows["slot"], strict=True))
    events = risk.events.reset_index(drop=True)
    known = _Known.of(question, seen, exclude)
    shape = (len(events), len(question.slots))
    x, eligible = np.full((*shape, len(COVARIATES)), np.nan), np.zeros(shape, bool)
    for i, event in enumerate(events.to_dict("records")):
        for j, slot in enumerate(question.slots):
            eligible[i, j] = (event["state"], event["month"], slot) in at_risk
            if slot in NAMED:
                x[i, j] = known.of_pair(str(event["state"]), slot, event["month"])
    return Openings(events, question.slots, x, eligible)


@dataclass(frozen=True)
class _Known:
    """Figures and bases by the day on which they were public."""

    figures: dict[tuple[str, str, str], pd.DataFrame] = field(repr=False)
    bases: pd.DataFrame = field(repr=False)

    @classmethod
    def of(cls, question: Question, seen: Snapshot, exclude: Collection[str]) -> _Known:
        history = seen.history
        rows = history[history["indicator"].isin(FIGURES)].sort_values(["end", "published"])
        keys = ["indicator", "state", "counterpart"]
        figures = {(str(a), str(b), str(c)): own for (a, b, c), own in rows.groupby(keys)}
        risk = question.risk
        table = risk.where.select(seen.table(risk.table))
        table = table[~table[risk.id].isin(list(exclude))]
        date, public = question.event.dates(table)
        end = known_date(table, risk.end, risk.end_precision or None) if risk.end else pd.NaT
        bases = pd.DataFrame({"power": table[risk.slot], "date": date, "known": public, "end": end})
        return cls(figures, bases)

    def of_pair(self, host: str, power: str, day: pd.Timestamp) -> list[float]:
        """Covariates of one host and power, in the order of `COVARIATES`."""
        contacts = self._newest("icews_cooperation", host, power, day)
        votes = self._newest("un_ideal_point", host, "", day)
        if power != TOP:
            votes = -abs(votes - self._newest("un_ideal_point", power, "", day))
        there = self.bases[(self.bases["power"] == power) & (self.bases["known"] < day)]
        standing = there["end"].isna() | (there["end"] >= day)
        return [
            float(np.log1p(contacts / 100)),
            self._share("arms_imports", host, power, day, ARMS_YEARS),
            self._share("gas_exports", host, power, day, 1),
            votes,
            float(np.log1p(standing.sum())),
        ]

    def _rows(self, name: str, host: str, partner: str, day: pd.Timestamp) -> pd.DataFrame:
        """Newest vintage of each year that was public before a day, the newest year last."""
        rows = self.figures.get((name, host, partner))
        if rows is None:
            return pd.DataFrame({"end": [], "value": []})
        return rows[rows["published"] < day].drop_duplicates("end", keep="last")

    def _newest(self, name: str, host: str, partner: str, day: pd.Timestamp) -> float:
        rows = self._rows(name, host, partner, day)
        return float(rows["value"].iloc[-1]) if len(rows) else float("nan")

    def _share(self, name: str, host: str, partner: str, day: pd.Timestamp, years: int) -> float:
        """Share of a partner in the newest years of a total; none where there was no total."""
        total = self._rows(name, host, "", day).tail(years)
        whole = float(total["value"].sum())
        if not whole > 0:
            return float("nan")
        own = self._rows(name, host, partner, day)
        return float(own.loc[own["end"].isin(total["end"]), "value"].sum()) / whole


def power_record(
    question: Question,
    seen: Snapshot,
    *,
    seed: int,
    model: Power | None = None,
    states: str | None = "wide",
    exclude: Collection[str] = (),
    repeats: int = 1000,
) -> pd.DataFrame:
    """Score the model of the power and two simpler rules on past openings.

    Parameters
    ----------
    question : Question
        About bases.
    seen : Snapshot
        What was known: an opening counts, and teaches, only from the day it was public.
    seed : int
        Of the bootstrap.
    model : Power, optional
        Priors of the model.
    states : str, optional
        A set of hosts, see `openings`.
    exclude : collection of str, optional
        Ids of contested rows to leave out.
    repeats : int, optional
        Resamples.

    Returns
    -------
    DataFrame
        One row a rule (``power``: the model, ``frequencies``: share of each power so far among
        those that had no base there, ``uniform``): ``rule, openings, log`` (mean of minus the log
        of what was said of the power it was, nats), ``gain`` (nats over the frequencies, summed)
        with ``lo90, hi90`` of the two-way bootstrap over hosts and campaigns. Empty without an
        opening.
    """
    past = openings(question, seen, states=states, exclude=exclude)
    events = past.events
    columns = ["rule", "openings", "log", "gain", "lo90", "hi90"]
    if events.empty:
        return pd.DataFrame(columns=columns)
    chosen = np.array([past.slots.index(slot) for slot in events["slot"]])
    times = (events[name].to_numpy("datetime64[D]") for name in ("month", "known"))
    said = rolling(model or Power(), past.x, past.eligible, chosen, *times)
    loss = {name: -np.log(p[np.arange(len(chosen)), chosen]) for name, p in said.items()}
    labels = events["campaign"].where(events["campaign"] != "", events["event_id"])
    out: list[dict[str, Any]] = []
    for name, own in loss.items():
        gain = loss["frequencies"] - own
        draws = two_way_bootstrap(gain, events["state"], labels, seed=seed, repeats=repeats)
        low, high = np.quantile(draws, [0.05, 0.95]) * len(gain)
        row = (name, len(gain), float(own.mean()), float(gain.sum()), float(low), float(high))
        out.append(dict(zip(columns, row, strict=True)))
    return pd.DataFrame(out, columns=columns)


def power_words(record: pd.DataFrame) -> str:
    """Say which rule tells the power of a base, and why.

    Parameters
    ----------
    record : DataFrame
        As `power_record` returns it.

    Returns
    -------
    str
        A sentence or two; empty without a record.
    """
    if record.empty:
        return ""
    row = _of_model(record)
    told = "which would speak for it" if row["lo90"] > 0 else "so it is not used"
    return (
        "Which power it is rests on each power's own past openings, not on its ties to the host: "
        f"over the {int(row['openings'])} openings known by then, each predicted from those before "
        "it, a model of the power with contacts, arms, gas, votes and bases abroad scored "
        f"{row['gain']:+.2f} nats against counting (90% {row['lo90']:+.2f} to {row['hi90']:+.2f}), "
        f"{told}."
    )


def power_told(
    asked: Sequence[Question], seen: Snapshot, *, seed: int, exclude: Collection[str] = ()
) -> dict[str, Any] | None:
    """Say for a run which rule tells the powers apart, and why.

    Parameters
    ----------
    asked : sequence of Question
    seen : Snapshot
        What was known at the origin.
    seed : int
    exclude : collection of str, optional
        Ids of contested rows to leave out.

    Returns
    -------
    dict or None
        The ``powers`` of the JSON of a run; None where no question has powers, or no opening was
        known.
    """
    question = next((q for q in asked if set(NAMED) <= set(q.slots)), None)
    if question is None:
        return None
    record = power_record(question, seen, seed=seed, exclude=exclude)
    if record.empty:
        return None
    row = _of_model(record)
    numbers = {name: plain(float(row[name])) for name in ("gain", "lo90", "hi90")}
    count = {"question": question.id, "openings": int(row["openings"])}
    return {**count, **numbers, "words": power_words(record)}


def _of_model(record: pd.DataFrame) -> dict[Any, Any]:
    return record[record["rule"] == "power"].to_dict("records")[0]
