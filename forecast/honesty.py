"""What few events can and cannot show: the smallest gain that would be found, and when.

A score without the number of events behind it, its interval, the gain that so few events could
show, the share of the prior and the day on which the record could first tell cannot be made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.telling import POWER, SIZE, Floats, HonestyError

__all__ = [
    "Detectable",
    "Headline",
    "HonestyError",
    "detectable",
    "needed_events",
]

STRENGTHS = (0.5, 1.0, 1.5, 2.0, 2.5)


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest skill that a design would have found.

    Attributes
    ----------
    nats : float
        Mean log gain over all windows, infinite where no gain would be found often enough.
    per_event : float
        The same for each window with the event.
    strength : float
        Standard deviation of the log rate that the forecaster knows and the reference does not.
    power : float
        Share of simulated records in which it was found.
    dispersion : float
        Variance over mean of the number of windows with the event, from one block of windows to
        the next: above 1, events come in waves.
    """

    nats: float
    per_event: float
    strength: float
    power: float
    dispersion: float


@dataclass(frozen=True, eq=False)
class _Design:
    """Windows on a grid of state and time, ready to be simulated."""

    state: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    width: int
    rate: Floats
    p0: Floats
    dispersion: float
    variance: float

    @classmethod
    def of(cls, windows: pd.DataFrame) -> _Design:
        horizon = int(windows["horizon"].iloc[0])
        month = windows["origin"].dt.year.to_numpy() * 12 + windows["origin"].dt.month.to_numpy()
        month = month - month.min()
        unit = int(np.gcd.reduce(np.append(month, horizon)))
        start, width = month // unit, horizon // unit
        state = pd.factorize(windows["state"], sort=True)[0]
        p0 = windows["p0"].to_numpy(float)
        shape = (int(state.max()) + 1, int(start.max()) + width)
        total, count = np.zeros(shape), np.zeros(shape)
        hazard = -np.log1p(-p0) / width
        for step in range(width):
            np.add.at(total, (state, start + step), hazard)
            np.add.at(count, (state, start + step), 1)
        rate = total / np.maximum(count, 1)
        dispersion, mean = _dispersion(windows["y"].to_numpy(float), start, width)
        variance = (dispersion - 1) / mean if mean else 0.0
        return cls(state, start, width, rate, p0, dispersion, variance)


def _dispersion(y: Floats, start: npt.NDArray[np.int64], width: int) -> tuple[float, float]:
    """Index of dispersion of events over windows that do not overlap, at least 1; their mean."""
    apart = start % width == 0
    blocks = pd.Series(y[apart]).groupby(start[apart]).sum()
    mean = float(blocks.mean()) if len(blocks) else 0.0
    if len(blocks) < 2 or not mean:
        return 1.0, mean
    return max(1.0, float(blocks.var(ddof=1)) / mean), mean


def detectable(windows: pd.DataFrame, *, seed: int, repeats: int = 300) -> Detectable:
    r"""Find the smallest gain that a record would show, by simulation on its own windows.

    A forecaster knows, for each state and block of a window's length, a log rate that the
    reference does not: :math:`\lambda_{ib} = \lambda_{0ib} \exp(s z_{ib} - s^2/2)`. Events come
    from those rates times waves common to all states of a block, Gamma of mean 1 and of the
    variance that the events of the record show. The gain is found where it is above that of 95%
    of forecasters of as strong a signal and no skill: one that goes half with the truth, whose
    expected gain is nothing where events are rare (:math:`s^2 (r - 1/2)` a unit of expected
    events at correlation r), and is set to nothing where they are not. The answer is the mean
    gain at the smallest s at which 80% of the records find it. It is a lower bound: the
    forecaster's signal is right, and only its size is in question. With many events it tends to
    :math:`2 (z_{.95} + z_{.8})^2 = 12.4` nats.

    Parameters
    ----------
    windows : DataFrame
        Of one question and horizon: ``state, origin, horizon, p0, y``; `p0` is the reference's
        probability, strictly inside (0, 1). Windows may overlap and share events.
    seed : int
        Of the simulation.
    repeats : int, optional
        Simulated records.

    Returns
    -------
    Detectable
        Infinite where even the strongest signal tried is found too seldom, as it is where fewer
        than about two events are expected.

    Raises
    ------
    HonestyError
        There is no window, or a reference of 0 or 1.
    """
    p0 = windows["p0"]
    if windows.empty or not ((p0 > 0) & (p0 < 1)).all():
        raise HonestyError("nothing to simulate", place="p0", found=f"{len(windows)} windows",
                           allowed="one or more, each with p0 inside (0, 1)")  # fmt: skip
    records = _Records(_Design.of(windows), seed, repeats)
    low, high, best = 0.0, 0.0, (0.0, 0.0, 0.0)
    for strength in STRENGTHS:
        best = records.at(strength)
        if best[0] >= POWER:
            high = strength
            break
        low = strength
    else:
        return Detectable(math.inf, math.inf, math.inf, best[0], records.design.dispersion)
    for _ in range(10):
        middle = (low + high) / 2
        found = records.at(middle)
        if found[0] < POWER:
            low = middle
        else:
            high, best = middle, found
    power, nats, events = best
    return Detectable(nats, nats / events, high, power, records.design.dispersion)


class _Records:
    """Simulated records of one design, with the same random numbers at every strength."""

    def __init__(self, design: _Design, seed: int, repeats: int) -> None:
        rng = np.random.default_rng(seed)
        states, cells = design.rate.shape
        self.design, self.repeats = design, repeats
        self.block = np.arange(cells) // design.width
        blocks = int(self.block[-1]) + 1
        self.z, self.other = rng.standard_normal((2, repeats, states, blocks))
        shape = 1 / design.variance if design.variance > 0 else math.inf
        waves = np.ones((repeats, blocks))
        if math.isfinite(shape):
            waves = rng.gamma(shape, design.variance, (repeats, blocks))
        self.waves = waves
        self.patience = rng.exponential(size=(repeats, states, cells))

    def at(self, strength: float) -> tuple[float, float, float]:
        """Power, mean gain in nats, and mean windows with the event, at one strength."""
        d = self.design
        rate = self._rate(self.z, strength)
        known = np.concatenate([np.zeros((*rate.shape[:2], 1)), rate.cumsum(axis=2)], axis=2)
        total = known[:, d.state, d.start + d.width] - known[:, d.state, d.start]
        hit, quiet = np.log(-np.expm1(-total) + 1e-300) - np.log(d.p0), -total - np.log1p(-d.p0)
        # a truth that the signal goes half with: as much is lost by it as is gained
        half = self._rate(0.5 * self.z + 0.75**0.5 * self.other, strength)
        skilled, idle = (self._happened(by) for by in (rate, half))
        gain, nothing = (np.where(y, hit, quiet).sum(axis=1) for y in (skilled, idle))
        critical = float(np.quantile(nothing - nothing.mean(), 1 - SIZE))
        return float((gain > critical).mean()), float(gain.mean()), float(skilled.sum(1).mean())

    def _rate(self, z: Floats, strength: float) -> Floats:
        """Rate of every cell, known by a signal."""
        factor = np.exp(strength * z - strength**2 / 2)[:, :, self.block]
        rate: Floats = self.design.rate * factor
        return rate

    def _happened(self, rate: Floats) -> npt.NDArray[np.bool_]:
        """Whether each window had the event, where it comes at given rates times the waves."""
        d = self.design
        happened = self.patience < rate * self.waves[:, None, self.block]
        y: npt.NDArray[np.bool_] = _first_after(happened)[:, d.state, d.start] < d.start + d.width
        return y


def _first_after(happened: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """For each cell, the first cell from there on with an event, or one past the last."""
    cells = happened.shape[2]
    place = np.where(happened, np.arange(cells), cells)
    found: npt.NDArray[np.int64] = np.minimum.accumulate(place[:, :, ::-1], axis=2)[:, :, ::-1]
    return found


def needed_events(gain: float, smallest: float, events: int) -> float:
    """Return how many events a record needs to show a gain as large per event as that found.

    Parameters
    ----------
    gain : float
        Log gain over the record, nats.
    smallest : float
        What the record could have shown, nats.
    events : int
        Separate events behind it.

    Returns
    -------
    float
        What has to be found is a sum of nats, and it grows with the events: events × smallest /
        gain. Infinite where there was no gain, or no event to go by.
    """
    if gain <= 0 or not events or not math.isfinite(smallest):
        return math.inf
    return float(math.ceil(events * smallest / gain))


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A score with all that has to be said beside it; without any of it there is none.

    Attributes
    ----------
    question, model, against : str
    horizon : int
        Months.
    n, events : int
        Resolved windows; separate events behind them.
    score : float
        Log gain over the reference, nats over all windows.
    lo90, hi90 : float
        Its interval.
    detectable : float
        Smallest gain these windows would have shown; infinite where none would.
    needed : float
        Events needed to show a gain of this size per event; infinite where there is none.
    prior_share : float
        Mean share of the prior in the forecasts behind it, 0 to 1.
    tells : str
        Month in which the record could first tell the forecasts from the base rate, or "never".

    Raises
    ------
    HonestyError
        Something is missing.
    """

    question: str
    model: str
    against: str
    horizon: int
    n: int
    events: int
    score: float
    lo90: float
    hi90: float
    detectable: float
    needed: float
    prior_share: float
    tells: str

    def __post_init__(self) -> None:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        missing = [k for k, v in values.items() if v is None or v == "" or v != v]
        if missing:
            raise HonestyError("a score told without what it needs beside it",
                               found=f"no {', '.join(missing)}")  # fmt: skip

    def __str__(self) -> str:
        """Say it in a sentence or two."""
        small = "no gain" if math.isinf(self.detectable) else f"{self.detectable:.1f} nats or more"
        more = "" if math.isinf(self.needed) else f" A gain like this one takes {self.needed:.0f}."
        when = "never" if self.tells == "never" else f"not before {self.tells}"
        return (
            f"{self.question}, {self.horizon} months, {self.model}: {self.score:+.2f} nats "
            f"[{self.lo90:+.2f}, {self.hi90:+.2f}] against {self.against} from {self.n} windows "
            f"and {self.events} events, which could show {small}.{more} Prior share "
            f"{self.prior_share:.0%}. The record can tell it from the base rate {when}."
        )
