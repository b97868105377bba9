"""Simulation-based calibration on the real design: would the intervals cover, if the model held.

Parameters are drawn from the prior, events from the parameters over the months that were, and the
model is fitted to them with an engine that makes forecasts [1]_. The rank of each true value among
its posterior draws is then uniform, whatever the prior; intervals that are too narrow, too wide
or biased leave a mark on the ranks.

An approximation is ranked by the draws that it hands out, resampled by their importance weights,
and only where its k-hat is at most 0.7 and it has as many effective draws as are ranked; elsewhere
the same data go to NUTS and its gate. What is refused, and by what, depends on the data alone, so
the ranks of the rest stay uniform. Every simulation is kept as soon as it is done: a run that was
stopped, or one that asks for more, goes on from there.

References
----------
.. [1] Talts, S., Betancourt, M., Simpson, D., Vehtari, A., Gelman, A. (2018). Validating Bayesian
   inference algorithms with simulation-based calibration. arXiv:1804.06788
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from forecast import cache
from forecast.approximate import Approximation, Laplace
from forecast.checks.predictive import months_at_risk, simulated_design
from forecast.checks.ranks import DRAWS, Calibration, collected
from forecast.models.design import Array, Capacity, Design
from forecast.models.hazard import Hazard, effects, prior_draws, sizes
from forecast.predict import Target, logit, predict, thin
from forecast.sampling import KHAT_MAX, Diagnostics, Fit, Sampler, Settings
from indicators.errors import TocsinError

__all__ = ["ENGINES", "HORIZONS", "calibrate"]

ENGINES = ("approximate", "exact")
HORIZONS = (12, 36)
"""Months of the forecasts that are ranked; marks at the last."""
MAX_EVENTS = 64
"""Events that the program that makes forecasts has room for: the prior's wildest data are left
out, the prior of the rest is the same."""
PATHS = 20
TRIES, TOO_OFTEN = 50, 0.8
"""After so many simulations, this share of them without room is refused."""


class SimulationError(TocsinError, ValueError):
    """A prior whose data the program has no room for."""

    exit_code = 3


def calibrate(
    model: Hazard,
    design: Design,
    target: Target,
    *,
    simulations: int,
    seed: int,
    engine: str = "approximate",
    home: Path | None = None,
    settings: Settings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Fit the model to data of its own, again and again.

    Parameters
    ----------
    model : Hazard
    design : Design
        Unpadded, of the real question at the real origin.
    target : Target
        The state whose forecast is among the quantities.
    simulations : int
    seed : int
    engine : {'approximate', 'exact'}, optional
        What fits; an approximation that refuses itself is made again by NUTS.
    home : Path, optional
        Where simulations are kept as they are done; None keeps none.
    settings : Settings, optional
        Of NUTS; the gate is the usual one.
    progress : callable, optional
        Told how many are done, of how many.

    Returns
    -------
    Calibration

    Raises
    ------
    SimulationError
        Most data sets of the prior hold more events than a forecast's program has room for.
    """
    target = target.thinned(PATHS)
    target = replace(target, paths=target.paths[: max(HORIZONS)])
    lab = _Lab(model, design, target, engine, settings or Settings(), seed)
    kept = _Kept(home, lab)
    rows: list[Mapping[str, Any]] = []
    done, number = 0, 0
    while done < simulations:
        number += 1
        row = kept.rows.get(number)
        if row is None:
            row = lab.simulate(number)
            kept.add(row)
        rows.append(row)
        if row["outcome"] == "too many":
            _has_room(rows)
            continue
        done += 1
        if progress is not None:
            progress(done, simulations)
    return collected(rows, engine)


def _has_room(rows: list[Mapping[str, Any]]) -> None:
    """Refuse a prior that would be drawn from for ever."""
    without = sum(row["outcome"] == "too many" for row in rows)
    if len(rows) >= TRIES and without >= TOO_OFTEN * len(rows):
        raise SimulationError(
            "the prior expects more events than can be fitted",
            place="rate of the question",
            found=f"more than {MAX_EVENTS} events in {without} of {len(rows)} simulated data sets",
            allowed=f"in fewer than {TOO_OFTEN:.0%} of them",
            remedy="lower the prior rate in the question's file, or ask with --simulations 0.",
        )


@dataclass
class _Lab:
    """One question's simulations: programs are compiled when first needed."""

    model: Hazard
    design: Design
    target: Target
    engine: str
    settings: Settings
    seed: int
    _laplace: Laplace | None = None
    _sampler: Sampler | None = None

    @property
    def room(self) -> Capacity:
        """Of the real design, but for events; more would add nothing but time."""
        columns = len(np.unique(months_at_risk(self.design).column))  # those with events only, too
        return replace(self.design.capacity, events=MAX_EVENTS, columns=columns)

    def key(self) -> str:
        """What decides every rank, as a hash."""
        how = (self.engine, Approximation(), self.settings, self.seed, DRAWS, MAX_EVENTS, PATHS)
        known = (repr(self.model), self.design.digest(), self.target.digest())
        return cache.digest(how, known, cache.versions(), cache.code(*cache.reach(__name__)))

    def simulate(self, number: int) -> dict[str, Any]:
        """Draw one truth and its data, fit, and rank; each step has a seed of its own."""
        state = np.random.SeedSequence([self.seed, number]).generate_state(5) >> 1
        of_truth, of_data, of_fit, of_true_future, of_futures = map(int, state)
        true = prior_draws(sizes(self.design), 1, of_truth)
        made = simulated_design(self.model, true, self.design, seed=of_data)
        row: dict[str, Any] = {"number": number, "events": len(made.event_ids), "fallback": False,
                               "khat": None, "ranks": {}, "values": {}}  # fmt: skip
        if len(made.event_ids) > MAX_EVENTS:
            return row | {"outcome": "too many"}
        fit, about = self._fit(made, of_fit)
        row |= about
        if not _enough(fit.diagnostics):
            return row | {"outcome": "refused"}
        drawn = thin(fit.flat(), DRAWS)
        padded = made.padded(self.room)
        here = self._quantities(_padded(true, drawn), padded, of_true_future)
        there = self._quantities(drawn, padded, of_futures)
        ranks = {k: int((there[k] < here[k][0]).sum()) for k in here}
        values = {k: [float(here[k][0]), float(there[k].mean()), float(there[k].std())]
                  for k in here}  # fmt: skip
        return row | {"outcome": "ranked", "ranks": ranks, "values": values}

    def _fit(self, made: Design, seed: int) -> tuple[Fit, dict[str, Any]]:
        about: dict[str, Any] = {}
        if self.engine == "approximate":
            if self._laplace is None:
                self._laplace = Laplace(self.model, self.design.padded(self.room))
            fit = self._laplace(self.model, made, seed=seed)
            about = {"khat": fit.diagnostics.khat}
            if _enough(fit.diagnostics):
                return fit, about
            about["fallback"] = True
        if self._sampler is None:
            self._sampler = Sampler(self.model, self.design.padded(self.room), self.settings)
        return self._sampler(self.model, made, seed=seed), about

    def _quantities(self, raw: Mapping[str, Array], design: Design, seed: int) -> dict[str, Array]:
        """What a forecast reports, draw by draw: its log-odds, the log rate, the effects."""
        found = predict(self.model, raw, design, self.target, seed=seed)
        e = effects(raw, self.model.constants(design), np)
        out = {f"forecast, {h} months": logit(found.p[:, h - 1]) for h in HORIZONS}
        last = HORIZONS[-1]
        out |= {f"forecast: {mark}, {last} months": logit(p[:, last - 1])
                for mark, p in found.marks.items()}  # fmt: skip
        out |= {"log rate": e["alpha"], "live process": e["stage"][:, 1],
                "draft": e["stage"][:, 2], "after an event": e["gap"][:, 1]}  # fmt: skip
        for i, name in enumerate(self.model.features):
            out[f"effect of {name}"] = e["beta"][:, i]
        if design.has_signs:
            out["first sign"] = e["sign"][:, 0]
        return out


def _enough(found: Diagnostics) -> bool:
    """Tell whether a fit may be ranked: by the gate, or by what ranks ask of an approximation."""
    if found.engine == "approximate":
        return found.khat <= KHAT_MAX and found.ess_min >= DRAWS
    return not found.failures()


class _Kept:
    """Simulations done so far, one line each, in a file named by what decides them."""

    def __init__(self, home: Path | None, lab: _Lab) -> None:
        self.path = None if home is None else home / "checks" / f"{lab.key()}.jsonl"
        self.rows: dict[int, dict[str, Any]] = {}
        self.cut = ""
        if self.path is not None and self.path.exists():
            text = self.path.read_text(encoding="utf-8")
            self.cut = "" if text.endswith("\n") else "\n"
            for line in text.splitlines():
                try:
                    row = json.loads(line)
                except ValueError:  # cut off when the run was stopped: simulated again
                    continue
                self.rows[row["number"]] = row

    def add(self, row: dict[str, Any]) -> None:
        """Write one, whole before the next begins."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(f"{self.cut}{json.dumps(row)}\n")
        self.cut = ""


def _padded(true: Mapping[str, Array], like: Mapping[str, Array]) -> dict[str, Array]:
    """Fill up one draw to the sizes of the padded program: what is added touches nothing."""
    out = {}
    for name, value in like.items():
        blank = np.zeros((1, *value.shape[1:]))
        blank[tuple(slice(n) for n in true[name].shape)] = true[name]
        out[name] = blank
    return out
