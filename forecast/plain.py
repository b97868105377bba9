"""PyMC's own sampler: the same posterior without JAX, slower, where the exact engine fails.

The model is built and compiled anew for every fit, which is what the engine of `forecast.sampling`
saves. It judges its draws in the same way. The same seed gives the same draws in one process; what
compiles it may change last bits between a fresh and a cached compilation, so it is the last resort,
with a warning, and what goes on record names its engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from forecast.models.design import Array, Design
from forecast.sampling import Fit, Model, Settings, diagnose

__all__ = ["NAME", "Plain", "sampled", "shaped"]

NAME = "pymc"


def shaped(design: Design) -> Design:
    """Design as PyMC takes it: no larger than it is, no dimension empty.

    Parameters
    ----------
    design : Design
        Unpadded.
    """
    return design.padded(design.capacity)


@dataclass(frozen=True)
class Sampled:
    """What one call of ``pm.sample`` returned.

    Attributes
    ----------
    raw : dict of (chain, draw, ...) arrays
    divergent, energy : (chain, draw) arrays
    """

    raw: dict[str, Array]
    divergent: Array
    energy: Array


def sampled(
    model: Model, design: Design, settings: Settings, seeds: Array, *, sampler: str = NAME
) -> Sampled:
    """Build, compile and sample from nothing.

    Parameters
    ----------
    model : Model
    design : Design
    settings : Settings
        Of one round; its rounds are not read.
    seeds : (chains,) array of int
    sampler : str, optional
        As ``pm.sample`` names it. It chooses another by itself where one is installed, so this is
        always said.
    """
    import pymc as pm

    # one chain after another: processes forked beside JAX's threads can hang
    with model.build(design):
        tree = pm.sample(
            draws=settings.draws, tune=settings.tune, chains=settings.chains, cores=1,
            random_seed=[int(seed) for seed in seeds], target_accept=settings.target_accept,
            nuts_sampler=sampler, progressbar=False, compute_convergence_checks=False,
        )  # fmt: skip
    posterior, told = tree["posterior"], tree["sample_stats"]
    raw = {str(name): np.asarray(posterior[name]) for name in posterior.data_vars}
    return Sampled(raw, np.asarray(told["diverging"]), np.asarray(told["energy"]))


class Plain:
    """PyMC's own No-U-Turn sampler behind the interface of `forecast.sampling.Sampler`.

    Parameters
    ----------
    settings : Settings, optional
        Model and design are compiled with each call.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    def __call__(self, model: Model, design: Design, *, seed: int) -> Fit:
        """Sample until the gate is content, in rounds of chains.

        Parameters
        ----------
        model : Model
        design : Design
            Unpadded; draws have the shapes of `shaped`.
        seed : int

        Returns
        -------
        Fit
            After the first round that passes, or after the last.
        """
        least, found = shaped(design), list[Sampled]()
        for round_ in range(self.settings.rounds):
            seeds = np.random.SeedSequence([seed, round_]).generate_state(self.settings.chains)
            found.append(sampled(model, least, self.settings, seeds))
            fit = self._fit(model, design, found)
            if not fit.diagnostics.failures():
                break
        return fit

    @staticmethod
    def _fit(model: Model, design: Design, found: list[Sampled]) -> Fit:
        raw: Mapping[str, Any] = {
            name: np.concatenate([part.raw[name] for part in found]) for name in found[0].raw
        }
        divergent = np.concatenate([part.divergent for part in found])
        energy = np.concatenate([part.energy for part in found])
        told = diagnose(model.reported(raw, design), divergent, energy)
        return Fit(dict(raw), replace(told, engine=NAME))
