"""The models of a backtest by name: what each is, and what it says of every state at an origin.

A new model is a line in `VARIANTS`. A hazard with other priors is `hazard_like` with a function
from the configured model to the changed one; anything else is a function from an `Origin` to what
it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from forecast.engine import ENGINES, Fitted, Job, at_mode, fit_all
from forecast.hindsight import carried_draws
from forecast.links import Doorway, open_doors
from forecast.material import reduced
from forecast.models.base_rate import BaseRate
from forecast.models.design import Array
from forecast.models.hazard import RAW, Hazard, prior_draws, sizes
from forecast.models.linked import Link
from forecast.models.shrinkage import Family
from forecast.predict import Prediction, Target, predict, prior_share, thin
from forecast.risk import RiskSet
from forecast.rivals import GlmRival, TableRival
from forecast.standing import Origin, Standing
from indicators.errors import FitError

__all__ = [
    "ENGINES",
    "HAZARD_DRAWS",
    "HAZARD_PATHS",
    "VARIANTS",
    "Drawn",
    "Said",
    "Variant",
    "hazard_like",
]

HAZARD_DRAWS, HAZARD_PATHS, PRIOR_PATHS = 400, 25, 5
MEDIAN = 0.6744897501960817
"""Of a half-normal of scale one."""
UNSEEN = Link((0, 0), (0.0, 0.0))
"""A link before any data."""


class Said(Protocol):
    """What a model says of a state."""

    def mean(self, mark: str) -> Array | None:
        """Probability by each month, of the question ('') or of one mark; None if refused."""

    def prior_share(self, mark: str, horizon: int) -> float | None:
        """Share of the prior, see `forecast.predict.prior_share`; None: that of a plain rate."""


type Says = Callable[[Origin], Iterator[tuple[str, str, Said]]]
"""Yields root question, state and what is said, for every state at risk; of a pair of questions,
`forecast.links.Door.pair` and the probability that both come."""


@dataclass(frozen=True)
class Variant:
    """One model of a backtest.

    Attributes
    ----------
    name, words : str
        Name on the command line, and what it is.
    says : callable
        From an origin to what it says of each state.
    sampled : bool
        Whether a hazard is fitted: minutes where others take seconds.
    """

    name: str
    words: str
    says: Says
    sampled: bool = False


@dataclass(frozen=True)
class _Rates:
    """Constant rates: of the whole class, or of the state shrunk towards it."""

    risk: RiskSet
    state: str
    units: int
    months: Array
    pooled: bool

    def mean(self, mark: str) -> Array:
        events, rows = self.risk.events, self.risk.rows
        if mark:
            events = events[events["mark"] == mark]
        rate = BaseRate.posterior(len(events), len(rows) / 12)
        a, b = rate.a, rate.b
        if not self.pooled:
            # one pseudo-event at the rate of the class, then the state's own record
            own = int((events["state"] == self.state).sum())
            a, b = 1.0 + own, 1.0 / rate.mean + (rows["state"] == self.state).sum() / 12
        years = self.units * self.months / 12
        return np.asarray(-np.expm1(-a * np.log1p(years / b)))

    def prior_share(self, mark: str, horizon: int) -> None:  # noqa: ARG002 (a protocol's)
        return None


@dataclass(frozen=True)
class Drawn:
    """Draws of a probability, or none where the gate refused.

    Attributes
    ----------
    found : Prediction or None
    prior : Prediction or None
        The same from draws of the prior alone.
    """

    found: Prediction | None
    prior: Prediction | None = None

    def mean(self, mark: str) -> Array | None:
        """See `Said`."""
        if self.found is None:
            return None
        return np.asarray(_draws(self.found, mark).mean(axis=0))

    def prior_share(self, mark: str, horizon: int) -> float | None:
        """See `Said`."""
        if self.found is None or self.prior is None:
            return None
        both = (_draws(found, mark)[:, horizon - 1] for found in (self.found, self.prior))
        return prior_share(*both)


def _draws(found: Prediction, mark: str) -> Array:
    return found.marks[mark] if mark else found.p


def _rates(*, pooled: bool) -> Says:
    def says(origin: Origin) -> Iterator[tuple[str, str, Said]]:
        months = np.arange(1, origin.horizon + 1)
        for here in origin.standings:
            for state, target in here.targets.items():
                said = _Rates(here.part.risk, state, len(target.units), months, pooled)
                yield here.part.question.id, state, said

    return says


def _rival(kind: type[GlmRival | TableRival]) -> Says:
    def says(origin: Origin) -> Iterator[tuple[str, str, Said]]:
        for here in origin.standings:
            rival = kind.of(here.part, seed=origin.seed)
            for state, target in here.targets.items():
                asked = (rival.predict, rival.blind)
                found, blind = (tell(target, horizon=origin.horizon) for tell in asked)
                yield here.part.question.id, state, Drawn(found, blind)

    return says


def hazard_like(
    name: str, words: str, configure: Callable[[Hazard], Hazard] = lambda model: model
) -> Variant:
    """Return a hazard model whose priors or structure differ from the question's own.

    Parameters
    ----------
    name, words : str
    configure : callable, optional
        From the model with the question's priors to the one that is fitted.
    """

    def says(origin: Origin) -> Iterator[tuple[str, str, Said]]:
        for here in origin.standings:
            for state, said in _hazard(origin, here, configure(here.part.model)):
                yield here.part.question.id, state, said

    return Variant(name, words, says, sampled=True)


def _hazard(origin: Origin, here: Standing, model: Hazard) -> Iterator[tuple[str, Drawn]]:
    """Fit once, predict each state over simulated covariates; nothing where the gate refused."""
    try:
        made = _fitted(origin, here, model)
    except FitError:
        yield from ((state, Drawn(None)) for state in here.targets)
        return
    yield from _told(origin, here, made)


def _carried(origin: Origin) -> Iterator[tuple[str, str, Said]]:
    """The hazard as a headline: hindsight carried into it, where that holds."""
    for here in origin.standings:
        name = here.part.question.id
        try:
            made = _fitted(origin, here, here.part.model)
        except FitError:
            yield from ((name, state, Drawn(None)) for state in here.targets)
            continue
        raw = carried_draws(here.part, made, draws=HAZARD_DRAWS, seed=origin.seed)
        if raw is None:
            yield from ((name, state, said) for state, said in _told(origin, here, made))
            continue
        pairs = zip(_told(origin, here, made, raw=raw), _told(origin, here, made), strict=True)
        yield from ((name, state, _Apart(one, face)) for (state, one), (_, face) in pairs)


def _told(
    origin: Origin,
    here: Standing,
    made: Fitted,
    *,
    raw: Mapping[str, Array] | None = None,
    fixed: bool = False,
) -> Iterator[tuple[str, Drawn]]:
    """Predict each state over simulated covariates; the prior's scales may be fixed, too."""
    raw = thin(made.fit.flat(), HAZARD_DRAWS) if raw is None else raw
    prior = prior_draws(sizes(made.design), HAZARD_DRAWS, origin.seed)
    if fixed:
        scales = [name for name, dim, half in RAW if half and dim is None]
        prior |= {name: np.full_like(prior[name], MEDIAN) for name in scales}
    for state, target in here.targets.items():
        moving: Target = replace(target, paths=origin.futures(state, HAZARD_PATHS))
        found, blind = (
            predict(made.model, draws, made.design, where, seed=origin.seed)
            for draws, where in ((raw, moving), (prior, moving.thinned(PRIOR_PATHS)))
        )
        yield state, Drawn(found, blind)


@dataclass(frozen=True)
class _Apart:
    """One reading of a fit, and the one that tells how far the data narrowed the prior."""

    plain: Drawn
    around: Drawn

    def mean(self, mark: str) -> Array | None:
        return self.plain.mean(mark)

    def prior_share(self, mark: str, horizon: int) -> float | None:
        return self.around.prior_share(mark, horizon)


def _at_mode(origin: Origin) -> Iterator[tuple[str, str, Said]]:
    """The hazard without its posterior: one value of everything, plugged in."""
    for here in origin.standings:
        name = here.part.question.id
        job = Job(name, here.part.model, here.part.design)
        try:
            found = at_mode(job, seed=origin.seed, home=origin.home)
        except FitError:
            yield from ((name, state, Drawn(None)) for state in here.targets)
            continue
        pairs = zip(*(_told(origin, here, made, fixed=True) for made in found), strict=True)
        yield from ((name, state, _Apart(one, around)) for (state, one), (_, around) in pairs)


@dataclass(frozen=True)
class _Together:
    """The second of two linked questions, or both; none where the gate refused one of the fits."""

    found: Doorway | None
    prior: Doorway | None
    origin: Origin
    both: bool

    def mean(self, mark: str) -> Array | None:
        if self.found is None:
            return None
        out = np.full(self.origin.horizon, np.nan)
        for h in self.origin.horizons or range(1, len(out) + 1):
            out[h - 1] = self._draws(self.found, h, mark).mean()
        return out

    def prior_share(self, mark: str, horizon: int) -> float:
        if self.found is None or self.prior is None:
            return float("nan")
        return prior_share(*(self._draws(d, horizon, mark) for d in (self.found, self.prior)))

    def _draws(self, doorway: Doorway, horizon: int, mark: str) -> Array:
        table = doorway.at(horizon, mark)
        return np.asarray(table[:, 1, 1] if self.both else table[:, :, 1].sum(axis=1))


def _linked(origin: Origin) -> Iterator[tuple[str, str, Said]]:
    """The hazard of every question, the second of each link moved by it, and both together."""
    said: dict[str, dict[str, Drawn]] = {}
    for here in origin.standings:
        said[here.part.question.id] = dict(_hazard(origin, here, here.part.model))
    risks = {here.part.question.id: here.part.risk for here in origin.standings}
    moved = set()
    for door in open_doors(risks):
        link = door.link(risks[door.first], risks[door.second])
        for state in sorted(said[door.first].keys() & said[door.second].keys()):
            moved.add((door.second, state))
            one, two = said[door.first][state], said[door.second][state]
            already = door.still_open(risks[door.first], state)
            ways: list[Doorway | None] = []
            for a, b, of in ((one.found, two.found, link), (one.prior, two.prior, UNSEEN)):
                way = None
                if a is not None and b is not None:
                    way = Doorway(door, a, b, of.draws(HAZARD_DRAWS, seed=origin.seed), already)
                ways.append(way)
            for name, both in ((door.second, False), (door.pair, True)):
                yield name, state, _Together(ways[0], ways[1], origin, both)
    for name, states in said.items():
        yield from ((name, s, drawn) for s, drawn in states.items() if (name, s) not in moved)


def _fitted(origin: Origin, here: Standing, model: Hazard) -> Fitted:
    name, part = here.part.question.id, here.part
    usual = not (model.wave_scale or model.reporting)
    design = part.design if usual else reduced(part.risk, part.panel, model)
    jobs = [Job(name, model, design)]
    return fit_all(jobs, seed=origin.seed, home=origin.home, engine=origin.engine)[name]


def _family(name: Family) -> Callable[[Hazard], Hazard]:
    return lambda model: replace(model, shrinkage=name)


def _waves(model: Hazard) -> Hazard:
    return replace(model, wave_scale=0.5)


def _reporting(model: Hazard) -> Hazard:
    return replace(model, reporting=True)


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("base_rate", "constant rate of the whole class", _rates(pooled=True)),
        Variant("climatology", "rate of the state, shrunk to the class", _rates(pooled=False)),
        Variant("process_table", "three cells: no process, live, late", _rival(TableRival)),
        Variant("glm", "penalised regression, covariates carried", _rival(GlmRival)),
        hazard_like("hazard", "hierarchical hazard with process stages"),
        hazard_like(
            "hazard_horseshoe", "covariates by a regularised horseshoe", _family("horseshoe")
        ),
        hazard_like("hazard_r2d2", "covariates by R2D2", _family("r2d2")),
        Variant("hazard_carried", "hazard with hindsight carried into it", _carried, sampled=True),
        Variant("hazard_map", "hazard at its penalised maximum, a ridge", _at_mode, sampled=True),
        hazard_like("hazard_waves", "waves that a region shares", _waves),
        hazard_like("hazard_reporting", "late months count for less", _reporting),
        Variant("linked", "hazard, its questions linked", _linked, sampled=True),
    )
}
