"""Every check of one forecast, as a page that a referee can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.asking import AskError, asked_of, known_state, names_of, seed_of
from forecast.checks.predictive import event_counts
from forecast.checks.ranks import Calibration
from forecast.checks.sensitivity import influence, log_likelihood, power_scaling, stated_log_prior
from forecast.checks.simulated import ENGINES, calibrate
from forecast.engine import Fitted, Job, fit_all
from forecast.material import Material, gather, month_start
from forecast.models.design import Array, Design
from forecast.models.hazard import Hazard, prior_draws, sizes
from forecast.predict import Target, predict, summary, thin
from forecast.prior_table import configured, prior_table
from forecast.questions import Question, load_questions
from indicators.dates import DateLike, until_today
from indicators.errors import TocsinError, UnknownNameError
from indicators.store.use import stored
from indicators.tables import load
from indicators.vintages import Snapshot, snapshot

__all__ = ["Check", "CheckError", "Checked", "check"]

DRAWS = 2000
PATHS = 40
HORIZONS = (6, 12, 24, 36)
"""Months of the headline probabilities; marks and influence at the last."""


class CheckError(TocsinError, ValueError):
    """A question that cannot be checked for this state at this origin."""

    exit_code = 2


@dataclass(frozen=True)
class Checked:
    """Checks of one question.

    Attributes
    ----------
    question, title : str
        Id, and the question in words.
    states, since : int
        States at risk, and the first year of the months at risk.
    months : float
    events : int
        Unit-months at risk and events among them.
    diagnostics : dict
        Of the fit: largest R-hat, smallest effective sample size, divergent share, E-BFMI.
    priors : list of dict
        As `prior_table` gives them.
    prior, posterior : DataFrame
        As `event_counts` gives them, from the prior and from the posterior.
    sensitivity, influence : DataFrame
        As `power_scaling` and `influence` give them.
    signs : DataFrame
        Each headline probability under neutral priors and under the signs that the catalog
        expects: ``forecast, p, lo90, hi90, p_informed, lo90_informed, hi90_informed``; empty for
        a model without covariates.
    calibration : Calibration or None
        None where no simulation was asked for.
    """

    question: str
    title: str
    states: int
    since: int
    months: float
    events: int
    diagnostics: Mapping[str, float]
    priors: list[dict[str, Any]] = field(repr=False)
    prior: pd.DataFrame = field(repr=False)
    posterior: pd.DataFrame = field(repr=False)
    sensitivity: pd.DataFrame = field(repr=False)
    influence: pd.DataFrame = field(repr=False)
    signs: pd.DataFrame = field(repr=False)
    calibration: Calibration | None = field(repr=False)


@dataclass(frozen=True)
class Check:
    """Checks of every question asked, of one state at one origin."""

    state: str
    origin: pd.Timestamp
    seed: int
    questions: tuple[Checked, ...]


def check(
    state: str,
    as_of: DateLike,
    *,
    questions: str | Sequence[str] = "all",
    simulations: int = 0,
    engine: str = "approximate",
    seed: int | None = None,
    data_dir: str | Path | None = None,
    home: Path | None = None,
    db: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> Check:
    """Check the model behind the forecasts of a state.

    Parameters
    ----------
    state : str
        ISO 3166 alpha-3 code.
    as_of : date
        Origin.
    questions : str or sequence of str, optional
        Ids, or ``all``; a part of another question is checked with it.
    simulations : int, optional
        Data sets to simulate and fit for each question; 0 leaves that check out.
    engine : {'approximate', 'exact'}, optional
        What fits the simulated data; the real data are always fitted exactly.
    seed : int, optional
        Derived from the origin unless given, as `run` does.
    data_dir : str or Path, optional
        Data package.
    home : Path, optional
        Where fits and simulations are kept; None keeps none.
    db : str or Path, optional
        Store of refreshed figures, as `run` takes it: a file or URL; ``none`` for none. By default
        the home folder's own, where there is one and the data package is the bundled one.
    progress : callable, optional
        Told in a line what is being done.

    Returns
    -------
    Check

    Raises
    ------
    CheckError
        Of no question asked is the state at risk at that origin.
    AskError
        For a date or seed that no check can have.
    UnknownNameError
        There is no such state, question or engine.
    StoreError
        The store named is not there, or cannot be read.
    FitError
        A fit on the real data does not pass the gate.
    """
    say = progress or (lambda _: None)
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    origin = month_start(until_today(as_of, AskError))
    known = load_questions(package := load(data_dir), as_of=origin)
    roots = _roots(asked_of(known, names_of(questions), HORIZONS, origin), known)
    known_state(package, state)
    with stored(db, home=home, usual=data_dir is None) as store:
        seen = snapshot(origin, package=package, store=store)
    number = seed_of(origin, seed)
    parts = {q.id: gather(q, seen, state, horizon=max(HORIZONS), seed=number) for q in roots}
    parts = {name: part for name, part in parts.items() if part.target is not None}
    if not parts:
        raise CheckError("nothing to check", place=state, found=f"not at risk at {origin:%Y-%m}",
                         allowed="a state at risk in a question asked")  # fmt: skip
    jobs = [job for part in parts.values() for job in _jobs(part, seen)]
    fitted = fit_all(jobs, seed=number, home=home, progress=progress)
    done = []
    for name, part in parts.items():
        say(f"checking {name}")
        found = None
        if simulations and part.target is not None:
            found = calibrate(
                part.model, part.design, part.target, simulations=simulations, seed=number,
                engine=engine, home=home, progress=_telling(name, say),
            )  # fmt: skip
        done.append(_checked(part, seen, fitted, number, found))
    return Check(state, origin, number, tuple(done))


def _telling(name: str, say: Callable[[str], None]) -> Callable[[int, int], None]:
    return lambda done, of: say(f"{name}: simulation {done} of {of}")


def _roots(asked: Sequence[Question], known: Mapping[str, Question]) -> list[Question]:
    """Questions asked, each part replaced by the question that it belongs to."""
    return [known[name] for name in dict.fromkeys(q.parent or q.id for q in asked)]


def _informed(name: str) -> str:
    return f"{name}, signs expected"


def _jobs(part: Material, seen: Snapshot) -> list[Job]:
    """The fit behind the forecast, and the same with the signs that the catalog expects."""
    name = part.question.id
    jobs = [Job(name, part.model, part.design)]
    if part.model.features:
        model = configured(part.question, part.model.features, processes=part.model.processes,
                           priors="informed", catalog=seen.catalog)  # fmt: skip
        jobs.append(Job(_informed(name), model, part.design))
    return jobs


def _checked(
    part: Material,
    seen: Snapshot,
    fitted: Mapping[str, Fitted],
    seed: int,
    calibration: Calibration | None,
) -> Checked:
    name, target = part.question.id, part.target
    if target is None:  # asked of those at risk only
        raise CheckError("nothing to check", place=name, found="not at risk", allowed="at risk")
    made = fitted[name]
    model, design, diagnostics = made.model, made.design, made.fit.diagnostics
    raw, chains = thin(made.fit.flat(), DRAWS), len(made.fit.raw["alpha_raw"])
    p = _forecasts(name, model, raw, design, target, seed)
    other = fitted.get(_informed(name))
    informed = {}
    if other is not None:
        drawn = thin(other.fit.flat(), DRAWS)
        informed = _forecasts(name, other.model, drawn, other.design, target, seed)
    unseen = prior_draws(sizes(design), DRAWS, seed)
    stated = stated_log_prior(model, raw, part.design)
    return Checked(
        name,
        part.question.title,
        len(part.design.states),
        int(part.risk.rows["month"].min().year),
        part.design.months,
        len(part.design.event_ids),
        {"R-hat": diagnostics.rhat_max, "effective draws": diagnostics.ess_min,
         "divergent share": diagnostics.divergent_fraction, "E-BFMI": diagnostics.bfmi_min},
        prior_table(part.question, part.model, part.design, seen.catalog),
        event_counts(model, unseen, design, seed=seed),
        event_counts(model, raw, design, seed=seed),
        power_scaling(p, stated, log_likelihood(model, raw, design), chains=chains),
        influence(model, raw, design, p[f"{name}, {HORIZONS[-1]} months"]),
        _signs(p, informed),
        calibration,
    )  # fmt: skip


def _forecasts(
    name: str, model: Hazard, raw: Mapping[str, Array], design: Design, target: Target, seed: int
) -> dict[str, Array]:
    """Headline probabilities by name, draw by draw."""
    found = predict(model, raw, design, target.thinned(PATHS), seed=seed)
    last = HORIZONS[-1]
    p = {f"{name}, {h} months": found.p[:, h - 1] for h in HORIZONS}
    return p | {f"… {mark}, {last} months": v[:, last - 1] for mark, v in found.marks.items()}


def _signs(neutral: Mapping[str, Array], informed: Mapping[str, Array]) -> pd.DataFrame:
    rows = []
    for name in informed:
        row = {"forecast": name, **summary(neutral[name])}
        row |= {f"{key}_informed": v for key, v in summary(informed[name]).items()}
        rows.append(row)
    columns = ["forecast", *(f"{key}{kind}" for kind in ("", "_informed")
                             for key in ("p", "lo90", "hi90"))]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
