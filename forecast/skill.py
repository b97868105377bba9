"""Skill tables that say how little the events behind them can show.

A score is never given without the number of events, its interval and the smallest gain that this
many events could have shown: a row that lacks one of them cannot be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.calibration import observed_over_expected
from forecast.honesty import detectable, needed_events
from forecast.outcomes import FOUNDED, FOUNDING
from forecast.scores import brier, log_score, rps, two_way_bootstrap
from forecast.telling import first_telling

__all__ = ["Skill", "headline_rows", "rps_table", "skill_table"]

_EDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Skill:
    """One model against one reference, on the same resolved windows.

    Attributes
    ----------
    question, model, against : str
    horizon : int
        Months.
    n, events, campaigns : int
        Windows; windows with the event; separate campaigns or single events among them.
    brier, log : float
        Mean losses of the model; nats for the log score.
    brier_skill, brier_skill_lo90, brier_skill_hi90 : float
        One minus the ratio of the mean Brier scores, with its two-way bootstrap interval.
    log_gain, log_gain_lo90, log_gain_hi90 : float
        Sum over windows of the reference's log loss minus the model's, in nats.
    detectable : float
        Smallest true gain in nats that these windows would have shown with 80% power, one-sided
        5%, by simulation (`forecast.honesty.detectable`); infinite where none would.
    observed_expected, oe_lo90, oe_hi90 : float
        Windows with the event over their expected number; windows overlap and share events, so
        the interval is that of as many independent events as there are `campaigns`.
    prior_share : float
        Mean share of the prior in the forecasts, 0 to 1.
    needed : float
        Events needed to show a gain of this size per event; infinite where there is none.
    tells : str
        Month in which a record of such forecasts could first be told from the reference, if the
        newest of them are right, or "never".
    auc : float or None
        Chance that a window with the event was given a higher probability than one without; it
        says nothing of calibration. None where one of the two kinds is missing.
    """

    question: str
    model: str
    against: str
    horizon: int
    n: int
    events: int
    campaigns: int
    brier: float
    log: float
    brier_skill: float
    brier_skill_lo90: float
    brier_skill_hi90: float
    log_gain: float
    log_gain_lo90: float
    log_gain_hi90: float
    detectable: float
    observed_expected: float
    oe_lo90: float
    oe_hi90: float
    prior_share: float
    needed: float
    tells: str
    auc: float | None

    def __post_init__(self) -> None:
        values = asdict(self)
        missing = [k for k, v in values.items() if isinstance(v, float) and np.isnan(v)]
        missing += [k for k, v in values.items() if v == ""]
        if missing:
            raise ValueError(f"a score cannot be told without: {', '.join(missing)}")


def headline_rows(resolved: pd.DataFrame) -> pd.DataFrame:
    """Leave out what the design was drawn around: Turkmenistan from July 2016 on.

    Parameters
    ----------
    resolved : DataFrame
        Forecasts with outcomes, as `forecast.outcomes.outcomes` returns them.

    Returns
    -------
    DataFrame
        Rows whose window had closed by then, and all of other states and of questions that the
        design was not drawn around; resolved ones only.
    """
    state, day = FOUNDING
    own = (resolved["state"] == state) & (resolved["closes"] > day)
    own &= resolved["question"].isin(FOUNDED)
    return resolved[~own & resolved["y"].notna()]


def skill_table(
    resolved: pd.DataFrame,
    *,
    seed: int,
    against: str = "base_rate",
    repeats: int = 1000,
    headline: bool = True,
    start: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Score every model against a reference on the windows that both forecast.

    Parameters
    ----------
    resolved : DataFrame
        Forecasts with outcomes and ``prior_share``; those without an outcome yet say when the
        record could tell.
    seed : int
        Of the bootstrap.
    against : str, optional
        The reference, one of the models.
    repeats : int, optional
        Resamples.
    headline : bool, optional
        Whether `headline_rows` alone are scored, as a backtest has to be; a record of forecasts
        that were issued has no such rows to leave out.
    start : Timestamp, optional
        First origin of the record that shall tell; the last origin of a backtest by default.

    Returns
    -------
    DataFrame
        One row a question, horizon and model, columns of `Skill`. Windows overlap where the
        horizon is longer than the step between origins; those of a state share its resampling.

    Raises
    ------
    KeyError
        The reference is not among the models.
    """
    rows = headline_rows(resolved) if headline else resolved[resolved["y"].notna()]
    if against not in set(rows["model"]):
        raise KeyError(f"{against!r} was not backtested: {', '.join(sorted(set(rows['model'])))}")
    out = []
    for (question, horizon), cell in rows.groupby(["question", "horizon"], sort=True):
        key = ["state", "origin"]
        reference = cell[cell["model"] == against].set_index(key)
        smallest = _smallest(reference.reset_index(), seed)
        for model, own in cell.groupby("model", sort=True):
            if model == against:
                continue
            paired = own.set_index(key).join(reference["p"].rename("p0")).reset_index()
            paired = paired.dropna(subset=["p", "p0"])
            if len(paired):
                names = (str(question), str(model), against, int(str(horizon)))
                tells = _tells(resolved, names, start)
                out.append(asdict(_row(names, paired, smallest, tells, seed=seed, repeats=repeats)))
    return pd.DataFrame(out, columns=list(Skill.__slots__))


def _smallest(reference: pd.DataFrame, seed: int) -> float:
    """Smallest gain that the windows of a reference could show; infinite without windows."""
    known = reference.dropna(subset=["p"])
    if known.empty:
        return float("inf")
    return detectable(known.assign(p0=known["p"].clip(_EDGE, 1 - _EDGE)), seed=seed).nats


def _tells(
    forecasts: pd.DataFrame, names: tuple[str, str, str, int], start: pd.Timestamp | None
) -> str:
    """Month in which the newest forecasts, if right, could be told from the reference."""
    question, model, against, horizon = names
    cell = forecasts[(forecasts["question"] == question) & (forecasts["horizon"] == horizon)]
    base = cell[cell["model"] == against].set_index(["state", "origin"])["p"].rename("p0")
    own = cell[(cell["model"] == model) & cell["p"].notna()].join(base, on=["state", "origin"])
    last = own["origin"].max()
    newest = own[own["origin"] == last]
    p, p0 = (newest[name].clip(_EDGE, 1 - _EDGE).to_numpy(float) for name in ("p", "p0"))
    return first_telling(p, p0, horizon=horizon, start=last if start is None else start)


def _auc(p: Any, y: Any) -> float | None:
    """Area under the ROC curve by ranks; ties count half."""
    from scipy.stats import rankdata

    hits = int(y.sum())
    if not 0 < hits < len(y):
        return None
    ranks = rankdata(p)[y == 1].sum()
    return float((ranks - hits * (hits + 1) / 2) / (hits * (len(y) - hits)))


def _row(
    names: tuple[str, str, str, int],
    paired: pd.DataFrame,
    smallest: float,
    tells: str,
    *,
    seed: int,
    repeats: int,
) -> Skill:
    question, model, against, horizon = names
    y, p, p0 = (paired[name].to_numpy(dtype=float) for name in ("y", "p", "p0"))
    ours, theirs = (np.asarray(brier(q, y)) for q in (p, p0))
    log, log0 = (np.asarray(log_score(q, y)) for q in (p, p0))
    labels = campaigns(paired)
    skills, gains = _resampled(paired["state"], labels, (ours, theirs, log0 - log), seed, repeats)
    separate = int(paired.loc[y == 1, "campaign"].nunique())
    ratio = observed_over_expected(p, y, clusters=paired["campaign"])
    gain = float((log0 - log).sum())
    return Skill(
        question,
        model,
        against,
        horizon,
        len(y),
        int(y.sum()),
        separate,
        float(ours.mean()),
        float(log.mean()),
        float(1 - ours.sum() / theirs.sum()),
        *_ends(skills),
        gain,
        *_ends(gains),
        smallest,
        ratio.ratio,
        ratio.lo90,
        ratio.hi90,
        float(paired["prior_share"].mean()),
        needed_events(gain, smallest, separate),
        tells,
        _auc(p, y),
    )


def campaigns(paired: pd.DataFrame) -> Any:
    """Return the campaign of each window with the event, and a label for each without.

    Parameters
    ----------
    paired : DataFrame
        Windows: ``state, origin, y, campaign``.
    """
    alone = "none " + paired["state"] + paired["origin"].dt.strftime(" %Y-%m")
    return paired["campaign"].where(paired["y"] == 1, alone)


def _resampled(
    states: Any, campaigns: Any, losses: Sequence[Any], seed: int, repeats: int
) -> tuple[Any, Any]:
    """Bootstrap Brier skill and total log gain, the same resamples for both."""
    ours, theirs, gain = (
        two_way_bootstrap(loss, states, campaigns, seed=seed, repeats=repeats) for loss in losses
    )
    return 1 - ours / theirs, gain * len(states)


def _ends(draws: Any) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.05, 0.95])
    return float(low), float(high)


def rps_table(
    resolved: pd.DataFrame, *, seed: int, against: str = "base_rate", repeats: int = 1000
) -> pd.DataFrame:
    """Ranked probability score over the horizons of each forecast, against a reference.

    Parameters
    ----------
    resolved : DataFrame
        Forecasts with outcomes; a forecast counts where its longest window has closed.
    seed : int
        Of the bootstrap.
    against : str, optional
        The reference, one of the models.
    repeats : int, optional
        Resamples.

    Returns
    -------
    DataFrame
        One row a question and model: ``question, model, against, horizons, n, events, rps,
        rps_skill, rps_skill_lo90, rps_skill_hi90``; ``events`` counts separate campaigns.
    """
    rows = headline_rows(resolved).dropna(subset=["p"])
    key = ["question", "state", "origin"]
    out = []
    for question, cell in rows.groupby("question", sort=True):
        wide = cell.pivot_table(index=key, columns=["model", "horizon"], values=["p", "y"]).dropna()
        first = cell[cell["y"] == 1].sort_values("horizon").drop_duplicates(key).set_index(key)
        labels = first["campaign"].reindex(wide.index)
        states = wide.index.get_level_values("state")
        days = pd.DatetimeIndex(wide.index.get_level_values("origin")).strftime("%Y-%m")
        lone = labels.fillna(pd.Series("none " + states + " " + days, wide.index))
        loss = {
            model: _rps_of(wide, model) for model in cell["model"].unique() if model in wide["p"]
        }
        for model in sorted(set(loss) - {against} if against in loss and len(wide) else ()):
            ours, theirs = (
                two_way_bootstrap(loss[name], states, lone, seed=seed, repeats=repeats)
                for name in (model, against)
            )
            low, high = _ends(1 - ours / theirs)
            score, reference = float(loss[model].mean()), float(loss[against].mean())
            out.append({
                "question": question, "model": model, "against": against,
                "horizons": len(wide["p"][model].columns), "n": len(wide),
                "events": int(labels.nunique()), "rps": score,
                "rps_skill": 1 - score / reference,
                "rps_skill_lo90": low, "rps_skill_hi90": high,
            })  # fmt: skip
    return pd.DataFrame(out)


def _rps_of(wide: pd.DataFrame, model: str) -> Any:
    import xarray as xr

    p, y = (
        xr.DataArray(wide[part][model].sort_index(axis=1).to_numpy(), dims=("case", "horizon"))
        for part in ("p", "y")
    )
    return rps(p, y).to_numpy()
