"""Values that a hazard model can have: what lies outside makes no prior, and is refused."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

__all__ = ["WAVE_MONTHS", "outside"]

WAVE_MONTHS = (6, 12)
"""Months that a wave may last."""
_SCALES = (
    "slot_scale", "region_scale", "state_scale", "birth_scale", "wave_scale", "effect_scale",
    "before_sigma", "gap_sigma", "mark_sigma", "aim_scale",
)  # fmt: skip
_ABOVE = ("global_scale", "slab_scale")
_ANY = ("mark_mu", "aim_shift")


def outside(model: Any, *, signs: int) -> Iterator[tuple[str, str, str]]:
    """Yield every field of a hazard model that holds no value of its kind.

    Parameters
    ----------
    model : Hazard
    signs : int
        Kinds of public signs: each has a prior.

    Yields
    ------
    (str, str, str)
        Field, what was found, what is allowed.
    """
    for name in (*_SCALES, *_ABOVE, *_ANY):
        value = getattr(model, name)
        low, allowed = (0.0, "0 or more") if name in _SCALES else (-float("inf"), "a finite number")
        wrong = not isfinite(value) or value < low
        if name in _ABOVE:
            wrong, allowed = wrong or value <= 0, "above 0"
        if wrong:
            yield name, f"{value:g}", allowed
    if not 0 < model.explained < 1:
        yield "explained", f"{model.explained:g}", "between 0 and 1, neither included"
    if model.wave_months not in WAVE_MONTHS:
        yield "wave_months", str(model.wave_months), " or ".join(map(str, WAVE_MONTHS))
    if len(model.signs) != signs:
        yield "signs", f"{len(model.signs)} priors", f"{signs}, one a kind of sign"
    for name in ("rate", "live", "late"):
        prior = getattr(model, name)
        if not (isfinite(prior.mu) and isfinite(prior.sigma) and prior.sigma >= 0):
            yield name, repr(prior), "a finite mean, and a standard deviation of 0 or more"
