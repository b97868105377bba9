r"""Contested events: the forecast without each group of them, and with all of them imputed.

Whether a contested event is one is a coin z that all rows of its group share. Its probability is
how often the second coder let a row of the outcome table stand, as far as rows were public at the
origin,

.. math::

    \pi \sim \mathrm{Beta}(\tfrac12 + a, \tfrac12 + n - a), \qquad
    z_g \mid \pi \sim \mathrm{Bernoulli}(\pi),

with a of n checked rows confirmed. Contested rows are the doubtful ones of their table, so that
this is likelier too high than too low; the forecasts without each group stand beside it. Where
z is 0 the rows leave the risk set: events, the recurrence and processes that follow from them, and
presences that put a unit out of risk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forecast.material import Material, plain
from forecast.models.base_rate import BaseRate
from forecast.models.design import Array
from forecast.predict import Prediction, summary
from forecast.words import percent, plural
from indicators.vintages import Snapshot

__all__ = [
    "IMPUTATIONS",
    "Contested",
    "Groups",
    "Under",
    "agreement",
    "block",
    "imputed",
    "in_words",
]

IMPUTATIONS = 50
CONFIRMED, CHECKED = "confirmed", ("confirmed", "corrected", "not_found")
"""Grades of ``second_check``: the row stands, and the second coder looked at it."""
Groups = tuple[str, ...]


@dataclass(frozen=True)
class Under:
    """A forecast without some groups of contested events.

    Attributes
    ----------
    prediction : Prediction or None
        None where nothing can be said.
    how : {'reweighed', 'refitted', 'refused'}
    k_hat : float
        Pareto shape of the weights; NaN where there were none.
    """

    prediction: Prediction | None = field(repr=False)
    how: str
    k_hat: float


@dataclass(frozen=True)
class Contested:
    """What the contested events of one root question do to its forecast.

    Attributes
    ----------
    toggles : dict of str to tuple of str
        Groups that change something, with those of their rows that count as events.
    idle : tuple of str
        Groups of which no row is known, or in the reference set.
    agreed, checked : int
        Rows that the second coder confirmed, and looked at.
    stands : dict of str to (imputations,) arrays of bool
        Whether each group is an event.
    under : dict of tuple of str to Under
        By the groups left out; the registered coding is not among them.
    """

    toggles: Mapping[str, tuple[str, ...]]
    idle: Groups
    agreed: int
    checked: int
    stands: Mapping[str, Array] = field(repr=False)
    under: Mapping[Groups, Under] = field(repr=False)


def agreement(part: Material, seen: Snapshot) -> tuple[int, int]:
    """Rows of the outcome table that the second coder confirmed, and all that were looked at.

    Parameters
    ----------
    part : Material
    seen : Snapshot
        Rows that were public; a table without second coding counts as not looked at.
    """
    table = seen.table(part.question.event.table)
    if "second_check" not in table:
        return 0, 0
    grades = table["second_check"]
    return int((grades == CONFIRMED).sum()), int(grades.isin(CHECKED).sum())


def imputed(
    names: Sequence[str], table: str, agreed: int, checked: int, *, seed: int
) -> dict[str, Array]:
    """Impute whether each group is an event.

    Parameters
    ----------
    names : sequence of str
    table : str
        Outcome table: its groups share the probability.
    agreed, checked : int
    seed : int
        The same seed, table and name give the same coins, whatever the question.

    Returns
    -------
    dict of (IMPUTATIONS,) arrays of bool
    """
    from scipy import stats

    def even(*key: str) -> Array:
        # one in each of equal parts, in an order of its own
        number = int.from_bytes(hashlib.sha256("/".join(key).encode()).digest()[:8])
        rng = np.random.default_rng([seed, 31, number])
        return np.asarray((rng.permutation(IMPUTATIONS) + 0.5) / IMPUTATIONS)

    chance = stats.beta.ppf(even("table", table), 0.5 + agreed, 0.5 + checked - agreed)
    return {name: even("group", table, name) < chance for name in names}


def block(
    found: Contested | None,
    whole: Prediction | None,
    rates: Mapping[str, BaseRate],
    *,
    horizon: int,
    mark: str,
) -> dict[str, Any] | None:
    """Tell what contested events do to one forecast, as the payload has it.

    Parameters
    ----------
    found : Contested or None
    whole : Prediction or None
        The headline, of the registered coding.
    rates : mapping of str to BaseRate
        Registered base rate without each group.
    horizon : int
        Months.
    mark : str
        Of a question that is part of another; '' for the whole.

    Returns
    -------
    dict or None
        ``groups`` (each with its rows that count, in how many imputations it stands, and the
        forecast ``with`` and ``without`` it, and the base rate without it), ``idle``,
        ``second_coder``, ``imputations``, ``imputed``, ``range`` of the points with and without
        each group, ``words``. Imputed and range are None where a forecast they need was refused,
        or there is no group.
    """
    if found is None or whole is None:
        return None

    def draws(given: Prediction) -> Array:
        return (given.marks[mark] if mark else given.p)[:, horizon - 1]

    registered = _plain(draws(whole))
    groups = []
    for name, rows in found.toggles.items():
        one = found.under[name,]
        less = None if one.prediction is None else _plain(draws(one.prediction))
        groups.append(
            {
                "name": name,
                "events": list(rows),
                "stands": int(found.stands[name].sum()),
                "with": registered,
                "without": less,
                "base_rate": _base(rates[name], horizon),
                "how": one.how,
                "k_hat": plain(one.k_hat),
            }
        )
    points = [g["without"]["p"] for g in groups if g["without"] is not None] + [registered["p"]]
    whole_range = [min(points), max(points)] if 0 < len(groups) == len(points) - 1 else None
    out: dict[str, Any] = {
        "groups": groups,
        "idle": list(found.idle),
        "second_coder": {"confirmed": found.agreed, "checked": found.checked},
        "imputations": IMPUTATIONS,
        "imputed": _mixed_over(found, draws(whole), draws) if groups else None,
        "range": whole_range,
    }
    return out | {"words": in_words(out)}


def _base(rate: BaseRate, horizon: int) -> dict[str, Any]:
    low, high = rate.interval(horizon / 12)
    return {
        "p": plain(rate.p(horizon / 12)),
        "lo90": plain(low),
        "hi90": plain(high),
        "events": rate.events,
    }


def _plain(draws: Array) -> dict[str, Any]:
    return {k: plain(v) for k, v in summary(draws).items()}


def _mixed_over(
    found: Contested, whole: Array, draws: Callable[[Prediction], Array]
) -> dict[str, Any] | None:
    """Mean and interval over imputations and draws; None where one of them was refused."""
    parts = []
    for coins in zip(*found.stands.values(), strict=True):
        groups = tuple(k for k, z in zip(found.stands, coins, strict=True) if not z)
        given = found.under[groups].prediction if groups else None
        if groups and given is None:
            return None
        parts.append(whole if given is None else draws(given))
    size = min(len(p) for p in parts)  # each imputation counts the same
    even = [p[np.linspace(0, len(p) - 1, size).astype(int)] for p in parts]
    return _plain(np.concatenate(even))


def in_words(told: Mapping[str, Any]) -> list[str]:
    """Say what contested events do to a forecast.

    Parameters
    ----------
    told : mapping
        What `block` returns.

    Returns
    -------
    list of str
        A sentence for each group, and one for all of them imputed.
    """
    if not told["groups"]:
        return ["no contested event is in the reference set"]
    out = []
    for group in told["groups"]:
        rows = ", ".join(group["events"]) or "a presence"
        here = percent(group["with"]["p"])
        if group["without"] is None:
            said = f"cannot be told (k-hat {group['k_hat']}, and no fit passed the gate)"
        else:
            how, base = "fitted again", group["base_rate"]
            if group["how"] == "reweighed":
                how = f"reweighted, k-hat {group['k_hat']:.2f}"
            events = f"{base['events']} event{plural(base['events'])}"
            how += f"; base rate {percent(base['p'])} from {events}"
            said = f"{percent(group['without']['p'])} ({how})"
        out.append(f"with {group['name']} ({rows}) {here}, without {said}")
    checks, drawn = told["second_coder"], told["imputed"]
    if drawn is not None:
        stands = ", ".join(f"{g['name']} stands in {g['stands']}" for g in told["groups"])
        out.append(
            f"imputed {told['imputations']} times from the second coder's agreement "
            f"({checks['confirmed']} of {checks['checked']} rows; {stands}): "
            f"{percent(drawn['p'])}, 90% {percent(drawn['lo90'])} to {percent(drawn['hi90'])}"
        )
    return out
