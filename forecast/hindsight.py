r"""What the coder's hindsight may have done to a forecast, and how much of it would undo it.

Failures that nobody remembers are missing from the process tables (:math:`\omega` behind each coded
one), and a share :math:`1 - \rho` of the events credited to a process was traced back to signs that
nobody could have read then. The data cannot tell either number, so both are drawn from a prior that
the events do not move and carried into the forecast; and the :math:`\omega` at which a forecast
meets the model without processes, its *tipping point*, is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forecast.engine import Fitted
from forecast.material import Material
from forecast.models.design import Array
from forecast.predict import Prediction, Target, logit, monte_carlo_error, predict
from forecast.reweighing import K_HAT_MAX, Moved, Reweighing, reweighing
from forecast.words import percent

__all__ = [
    "HINDSIGHT",
    "Carried",
    "Hindsight",
    "carried",
    "carried_draws",
    "in_words",
    "tipping_point",
]

NODES = 48
"""Pairs of omega and rho that the draws are spread over."""
POOR_MAX = 0.1
"""Share of the pairs whose importance weights may have a tail too long (k-hat above 0.7)."""
CURVE_DRAWS, CURVE_PATHS, CURVE_POINTS = 300, 20, 10
MOST = 64.0
"""Omega is looked at up to here, where the table has room for it."""
VISIBLE = (1.0, 0.5)
"""Values of rho at which the tipping point is looked for."""


@dataclass(frozen=True, slots=True)
class Hindsight:
    """Prior of what was forgotten and of what was traced back.

    Attributes
    ----------
    missing : (float, float)
        Of omega - 1, the failures that nobody recorded behind each coded one: median, and standard
        deviation of the logarithm.
    visible : (float, float)
        Parameters of the Beta distribution of rho.
    """

    missing: tuple[float, float] = (1.0, 0.75)
    visible: tuple[float, float] = (7.0, 3.0)

    def nodes(self, size: int, *, most: float) -> Array:
        """Pairs (omega, rho) that stand for the prior evenly, shape (size, 2).

        Parameters
        ----------
        size : int
        most : float
            Omega is kept below this: a risk set has only so many months without a process.
        """
        from scipy import stats

        # a Kronecker sequence: equal weights, no random number
        steps = (np.arange(size)[:, None] + 0.5) * np.array([1.0 / size, (5**0.5 - 1) / 2])
        u = np.clip(steps % 1.0, 0.5 / size, 1 - 0.5 / size)
        missing = 1.0 + stats.lognorm.ppf(u[:, 0], self.missing[1], scale=self.missing[0])
        return np.column_stack([np.minimum(missing, most), stats.beta.ppf(u[:, 1], *self.visible)])


HINDSIGHT = Hindsight()


@dataclass(frozen=True)
class Carried:
    """A forecast with hindsight carried into it.

    Attributes
    ----------
    prediction : Prediction
        Draws over parameters, omega and rho.
    k_hat : float
        Worst over the pairs.
    poor : float
        Share of the pairs with k-hat above 0.7.
    omegas : (points,) array
        From 1 to the largest there is room for, or that importance weights can be believed at.
    curves : dict of (2, points, horizon) arrays
        Mean probability by mark ('' for the event itself), rho in `VISIBLE`, and omega.
    source : (draws,) int array
        Posterior draw that each draw of the prediction was moved from.
    posterior : int
        Posterior draws there were, one chain after another.
    """

    prediction: Prediction = field(repr=False)
    k_hat: float
    poor: float
    omegas: Array = field(repr=False)
    curves: Mapping[str, Array] = field(repr=False)
    source: Array = field(repr=False)
    posterior: int

    @property
    def trusted(self) -> bool:
        """Whether the reweighting holds."""
        return self.poor <= POOR_MAX

    def monte_carlo_error(self, p: Array, chains: int) -> float:
        r"""Return the standard error of the mean of carried draws.

        The pairs share the posterior draws, some of which are picked again and again. So the
        error is that of what each posterior draw contributes,

        .. math::

            a_j = \frac{M}{N} \sum_{i:\, s(i) = j} (p_i - \bar p), \qquad j = 1 \dots M,

        with s(i) the one that draw i was moved from.

        Parameters
        ----------
        p : (draws,) array
            One month of the prediction, or of one of its marks.
        chains : int
            Chains of the posterior.

        Returns
        -------
        float
        """
        shares = np.bincount(self.source, p - p.mean(), minlength=self.posterior)
        return monte_carlo_error(shares * (self.posterior / len(p)), chains)


def carried(
    part: Material,
    fitted: Fitted,
    target: Target,
    *,
    draws: int,
    seed: int,
    prior: Hindsight = HINDSIGHT,
    curve: bool = True,
) -> Carried | None:
    """Carry hindsight into a forecast.

    Parameters
    ----------
    part : Material
        What was fitted.
    fitted : Fitted
        Its fit.
    target : Target
        State at the origin.
    draws : int
        Draws of the prediction.
    seed : int
    prior : Hindsight, optional
    curve : bool
        Whether the curves of the tipping point are worked out.

    Returns
    -------
    Carried or None
        None where no process was ever seen: there is nothing to look back on.
    """
    spread = _spread(part, fitted, prior)
    if spread is None:
        return None
    again, moves = spread
    raw, source = again.draws(moves, draws, seed=seed)
    found = predict(fitted.model, raw, fitted.design, target, seed=seed)
    omegas = np.geomspace(1.0, min(again.most, MOST), CURVE_POINTS)
    few = target.thinned(CURVE_PATHS)
    lines = VISIBLE if curve else ()
    ways = [[again.moved(w, v) for w in omegas] for v in lines]
    # no further than the weights can be believed
    held = [all(m.k_hat <= K_HAT_MAX for m in at) for at in zip(*ways, strict=True)]
    omegas = omegas[: max(held.index(False), 1)] if False in held else omegas
    grid = [[_mean(again, m, few, seed) for m in way[: len(omegas)]] for way in ways]
    curves = {m: np.array([[p[m] for p in line] for line in grid]) for m in ("", *found.marks)}
    return Carried(
        found, max(m.k_hat for m in moves), _poor(moves), omegas, curves,
        source, len(again.eta),
    )  # fmt: skip


def _spread(
    part: Material, fitted: Fitted, prior: Hindsight
) -> tuple[Reweighing, list[Moved]] | None:
    """Move draws to pairs that stand for the prior; None where no process was ever seen."""
    if not (part.model.processes and part.design.has_signs):
        return None
    again = reweighing(part, fitted.design, fitted.fit.flat())
    return again, [again.moved(*pair) for pair in prior.nodes(NODES, most=again.most)]


def carried_draws(
    part: Material, fitted: Fitted, *, draws: int, seed: int
) -> dict[str, Array] | None:
    """Posterior draws with hindsight carried into them, whatever they are to predict.

    Parameters
    ----------
    part : Material
        What was fitted.
    fitted : Fitted
        Its fit.
    draws, seed : int

    Returns
    -------
    dict of (draws, ...) arrays or None
        None where no process was ever seen, or the reweighting does not hold: face value stands.
    """
    spread = _spread(part, fitted, HINDSIGHT)
    if spread is None or _poor(spread[1]) > POOR_MAX:
        return None
    return spread[0].draws(spread[1], draws, seed=seed)[0]


def _poor(moves: list[Moved]) -> float:
    """Share of the pairs whose weights cannot be believed."""
    return sum(m.k_hat > K_HAT_MAX for m in moves) / len(moves)


def _mean(again: Reweighing, moved: Moved, target: Target, seed: int) -> dict[str, Array]:
    """Mean probability by month, of the event and of each mark."""
    raw, _ = again.draws([moved], CURVE_DRAWS, seed=seed)
    found = predict(again.model, raw, again.design, target, seed=seed)
    return {m: p.mean(axis=0) for m, p in {"": found.p, **found.marks}.items()}


def tipping_point(
    omegas: Array, curve: Array, *, face: float, start: float, goal: float
) -> float | None:
    """Return the omega at which a forecast meets another.

    Parameters
    ----------
    omegas : (points,) array
        Increasing.
    curve : (points,) array
        Probability at each, from few draws.
    face : float
        Probability as coded, from all draws.
    start : float
        The same from as few draws as the curve: their difference in log-odds is taken out.
    goal : float
        Probability to meet.

    Returns
    -------
    float or None
        Interpolated in log omega and log-odds; the first omega where the forecast is there
        already, None where it never is.
    """
    gap = logit(curve) - logit(np.array(start)) + logit(np.array(face)) - logit(np.array(goal))
    side = np.sign(float(logit(np.array(face)) - logit(np.array(goal))))
    past = np.nonzero(side * gap <= 0)[0]
    if not len(past):
        return None
    i = int(past[0])
    if i == 0:
        return float(omegas[0])
    share = gap[i - 1] / (gap[i - 1] - gap[i])
    return float(np.exp((1 - share) * np.log(omegas[i - 1]) + share * np.log(omegas[i])))


def in_words(told: Mapping[str, Any], *, goal: float) -> list[str]:
    """Say what hindsight does to a forecast, and where it would undo the process.

    Parameters
    ----------
    told : mapping
        ``face_value, carried, in_headline, k_hat, tipping`` of one entry.
    goal : float
        Probability of the model without processes.

    Returns
    -------
    list of str
        Two sentences.
    """
    face, after = percent(told["face_value"]["p"]), percent(told["carried"]["p"])
    omega, (a, b) = 1.0 + HINDSIGHT.missing[0], HINDSIGHT.visible
    prior = (
        f"about {omega:g} failed processes for each coded one and {a / (a + b):.0%} of the events "
        "in a process visible beforehand"
    )
    worst = told["k_hat"]
    k_hat = "k-hat not finite" if worst is None else f"k-hat {worst:.2f}"
    if told["in_headline"]:
        first = f"process tables at face value {face}; with {prior}, {after}, the number above"
    else:
        first = (
            f"the number above takes the process tables at face value; with {prior}, {after}, "
            f"which is not trusted ({k_hat})"
        )
    tip = told["tipping"]
    whole = _times(tip["missing"], tip["most"])
    half = _times(tip["missing_half_visible"], tip["most"])
    if whole == half:
        second = (
            f"tipping point: to meet the model without processes ({percent(goal)}), failures would "
            f"have to be {whole} as coded, whether all or half of those events had been visible"
        )
        return [first, second]
    second = (
        f"tipping point: to meet the model without processes ({percent(goal)}), failures would "
        f"have to be {whole} as coded, or {half} if only half of those events had been visible"
    )
    return [first, second]


def _times(omega: float | None, most: float) -> str:
    """Say how many times as many failures."""
    if omega is None:
        return f"more than {most:.1f} times as many"
    return "no more" if omega <= 1.0 else f"{omega:.2g} times as many"
