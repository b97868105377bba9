"""What a page of checks says: each check with its question, method, criterion and result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.checks import pictures
from forecast.checks.main import Checked
from forecast.checks.ranks import COVERED, Calibration
from forecast.checks.sensitivity import RELIABLE, SENSITIVE
from forecast.drawing import Palette
from forecast.prior_table import words_of
from forecast.sampling import BFMI_MIN, DIVERGENT_MAX, ESS_MIN, KHAT_MAX, RHAT_MAX

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["HOLDS", "LOOK", "Picture", "Section", "Table", "sections"]

HOLDS, LOOK = "holds", "look here"
"""Verdicts: the criterion is met; or not, and the result says by what."""
EXPECTED = (0.05, 0.95)
"""Tail of what was seen among what was simulated, within which it is taken for possible."""
INFLUENTIAL = 8
"""Events shown: those that move the forecast most."""
ENOUGH = 100
"""Simulations below which coverage is shown but not judged."""


@dataclass(frozen=True)
class Table:
    """Cells as text, with what they are."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """What to draw, and what it says in words.

    Attributes
    ----------
    alt : str
    draw : callable
        From the palette to the axes drawn, or to the first of several.
    """

    alt: str
    draw: Callable[[Palette], Axes] = field(repr=False)


@dataclass(frozen=True)
class Section:
    """One check.

    Attributes
    ----------
    title, asks, how, criterion, result : str
        What is checked, by what method, what would pass, what came out.
    verdict : str
        `HOLDS`, `LOOK`, or empty where a reader has to judge.
    tables : tuple of Table
    pictures : tuple of Picture
    """

    title: str
    asks: str
    how: str
    criterion: str
    result: str
    verdict: str = ""
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


def sections(item: Checked) -> list[Section]:
    """Write up every check of one question, in the order in which they build on each other.

    Parameters
    ----------
    item : Checked
    """
    found = [
        _convergence(item),
        _priors(item),
        _predictive(item, "prior"),
        _predictive(item, "posterior"),
        _leaning(item),
        _signs(item),
        _without(item),
    ]
    if item.calibration is not None:
        found += [_covering(item.calibration), _recovery(item.calibration)]
    return found


def _table(
    frame: pd.DataFrame, caption: str, names: dict[str, str], shown: dict[str, str]
) -> Table:
    """Cells of some columns under other names, written by formats."""
    rows = tuple(
        tuple(shown.get(name, "{}").format(row[name]) for name in names)
        for row in frame.to_dict("records")
    )
    return Table(caption, tuple(names.values()), rows)


def _listed(names: Sequence[str], nothing: str = "none") -> str:
    return ", ".join(names) if len(names) else nothing


def _convergence(item: Checked) -> Section:
    said = ", ".join(f"{name} {value:.4g}" for name, value in item.diagnostics.items())
    d = item.diagnostics
    fine = (d["R-hat"] < RHAT_MAX and d["effective draws"] >= ESS_MIN and d["E-BFMI"] >= BFMI_MIN
            and d["divergent share"] <= DIVERGENT_MAX)  # fmt: skip
    return Section(
        "Did the sampler converge",
        "Whether the draws stand for the posterior, whatever that is worth.",
        "No-U-Turn, four chains or more from scattered starts. The worst value is given over every "
        "effect on a log hazard (Vehtari et al. 2021, doi:10.1214/20-BA1221).",
        f"Rank-normalised split R-hat below {RHAT_MAX}, at least {ESS_MIN:.0f} effective draws in "
        f"bulk and tail, at most {DIVERGENT_MAX:.1%} divergent, E-BFMI from {BFMI_MIN}. A fit "
        "that fails is refused: no forecast is made of it.",
        f"{said}.",
        HOLDS if fine else LOOK,
    )


def _priors(item: Checked) -> Section:
    rows = tuple((words_of(row), row["distribution"], row["reason"]) for row in item.priors)
    return Section(
        "What was thought before the data",
        "Whether each prior can be defended by itself.",
        "A range that holds with 90% is stated in words a person can disagree with; the "
        "distribution is the one of maximum entropy with that range.",
        "For the reader to judge: the reason stands beside each.",
        f"{len(rows)} priors. What they imply together is the next check.",
        tables=(Table("Priors", ("range that holds with 90%", "distribution", "reason"), rows),),
    )


def _predictive(item: Checked, kind: str) -> Section:
    table: pd.DataFrame = getattr(item, kind)
    whole = table.iloc[0]
    low, high = EXPECTED
    outside = [str(row.what) for row in table.itertuples() if not low <= float(row.tail) <= high]  # type: ignore[arg-type]
    expected = (
        f"{whole['median']:,.0f} (90%: {whole['lo90']:,.0f} to {whole['hi90']:,.0f}) events in the "
        f"{item.states} states at risk since {item.since}, {item.months / 12:,.0f} unit-years; "
        f"{whole['observed']:,.0f} came"
    )
    words = {
        "prior": (
            "How many events would the prior have us see",
            "Whether the priors together expect a world that anybody would recognise.",
            ("The months at risk are kept as they were, with their covariates and processes; "
            "parameters are drawn from the prior alone, and events from the parameters."),
            f"Before any data the model expects {expected}.",
        ),
        "posterior": (
            "How many events does the fitted model see",
            ("Whether the fitted model can have made the events that came, in the parts that "
            "matter: by stage of a process, first or later, spread over states or heaped in one."),
            ("The same with parameters drawn from the posterior. The data are used twice, so this "
            "is a check for misfit, not evidence of skill: tails are pulled towards a half."),
            f"After the data it expects {expected}.",
        ),
    }  # fmt: skip
    title, asks, how, said = words[kind]
    names = {"what": "events", "observed": "seen", "median": "median", "lo90": "5%", "hi90": "95%",
             "tail": "share as many or more"}  # fmt: skip
    shown = {"median": "{:,.0f}", "lo90": "{:,.0f}", "hi90": "{:,.0f}", "tail": "{:.2f}"}
    return Section(
        title,
        asks,
        how,
        f"What was seen has between {low:.0%} and {high:.0%} of the simulated numbers above it, "
        "ties counted half.",
        f"{said} Outside: {_listed(outside)}.",
        LOOK if outside else HOLDS,
        (_table(table, "Events in the months that were", names, shown),),
        (Picture(f"{title}: {expected}", lambda palette: pictures.counts(table, palette=palette)),),
    )


def _leaning(item: Checked) -> Section:
    table = item.sensitivity
    prior = [str(row.forecast) for row in table.itertuples() if float(row.prior) >= SENSITIVE]  # type: ignore[arg-type]
    names = {"forecast": "forecast", "prior": "to the prior", "likelihood": "to the data",
             "diagnosis": "which means"}  # fmt: skip
    shown = {"prior": "{:.3f}", "likelihood": "{:.3f}"}
    said = f"{len(prior)} of {len(table)} headline probabilities are sensitive to the prior"
    return Section(
        "What does each headline lean on",
        "How far every headline probability moves when the prior, or the data, count for slightly "
        "more or less.",
        "Prior and likelihood are raised to powers near 1 by importance sampling; given is the "
        "cumulative Jensen–Shannon distance per doubling of the power (Kallioinen et al. 2024, "
        "doi:10.1007/s11222-023-10366-5).",
        f"Below {SENSITIVE} a number is not sensitive. With events as few as these most are "
        "sensitive to the prior, and have to say so: each forecast prints its prior share.",
        f"{said}{': ' + _listed(prior) if prior else ''}.",
        LOOK if prior else HOLDS,
        (_table(table, "Sensitivity to power-scaling", names, shown),),
    )


def _signs(item: Checked) -> Section:
    table = item.signs
    result, tables = "The model has no covariates: there is no sign to expect.", list[Table]()
    if not table.empty:
        ratio = table["p_informed"] / table["p"]
        at = int(np.argmax(np.abs(np.log(ratio))))
        result = (
            f"The largest change: {table['forecast'].iloc[at]}, {table['p'].iloc[at]:.2%} under "
            f"neutral priors, {table['p_informed'].iloc[at]:.2%} under informed ones, a factor of "
            f"{ratio.iloc[at]:.2f}."
        )
        spans = table.assign(
            factor=ratio,
            neutral=[f"{r.lo90:.2%} to {r.hi90:.2%}" for r in table.itertuples()],
            informed=[f"{r.lo90_informed:.2%} to {r.hi90_informed:.2%}"
                      for r in table.itertuples()],
        )  # fmt: skip
        names = {"forecast": "forecast", "p": "neutral", "neutral": "90%", "p_informed": "informed",
                 "informed": "90%", "factor": "factor"}  # fmt: skip
        shown = {"p": "{:.2%}", "p_informed": "{:.2%}", "factor": "{:.2f}"}
        tables.append(_table(spans, "Headline probabilities under both priors", names, shown))
    return Section(
        "What if indicators act as theory says",
        "How much rests on taking no side about the direction in which indicators act.",
        "The model is fitted again with the sign and size that the catalog expects of each "
        "covariate, from the literature cited there: tocsin run with --priors informed.",
        "For the reader to judge: the headline is the neutral one, and the signs were stated by "
        "people who know what happened.",
        result,
        tables=tuple(tables),
    )


def _without(item: Checked) -> Section:
    table = item.influence
    asks = "How much of the forecast rests on each single past event."
    how = (
        "Draws are reweighted by the inverse likelihood of the event, smoothed by Pareto "
        "importance sampling (Vehtari et al. 2024, JMLR 25:72): the posterior had it not come."
    )
    criterion = f"k-hat at most {RELIABLE}; above that only a refit could tell."
    if table.empty:
        said = "No event is known: the forecast is prior, and months without an event."
        return Section("Without single past events", asks, how, criterion, said)
    unsure = table.loc[~table["reliable"], "event"].astype(str).tolist()
    first = table.iloc[0]
    odds = first["p_without"] / (1 - first["p_without"]) * np.exp(first["log_odds"])
    whole = odds / (1 + odds)
    names = {"event": "without", "p_without": "forecast, 36 months", "log_odds": "log-odds it adds",
             "k_hat": "k-hat"}  # fmt: skip
    shown = {"p_without": "{:.2%}", "log_odds": "{:+.3f}", "k_hat": "{:.2f}"}
    return Section(
        "Without single past events",
        asks,
        how,
        criterion,
        f"The most influential is {first['event']}: without it the forecast over 36 months, "
        f"{whole:.2%}, would be {first['p_without']:.2%}. Only a refit could tell for: "
        f"{_listed(unsure)}.",
        LOOK if unsure else HOLDS,
        (_table(table.head(INFLUENTIAL), "Leaving one event out", names, shown),),
    )


def _covering(found: Calibration) -> Section:
    table = found.table()
    n = len(found.ranks)
    low, high = COVERED
    judged = n >= ENOUGH
    off = [str(r.quantity) for r in table.itertuples() if not low <= float(r.cover90) <= high]  # type: ignore[arg-type]
    uneven = [str(r.quantity) for r in table.itertuples() if not r.inside]
    chance = len(table) / 20
    smallest = float(table["p_uniform"].min() * len(table)) if n else 1.0
    result = (
        f"{n} data sets ranked. 90% intervals cover {table['cover90'].mean():.1%} on average; "
        f"outside {low:.0%} to {high:.0%}: {_listed(off)}. Ranks outside the envelope: "
        f"{_listed(uneven)}; by chance alone about {chance:.1f} of {len(table)} quantities would "
        "be. The smallest chance of ranks so uneven, "
        f"times the number of quantities: {min(smallest, 1.0):.2f}. {_engine(found)}"
        if n
        else "No simulation could be ranked."
    )
    if n and not judged:
        result = (
            f"{n} data sets ranked: shown, not judged, from fewer than {ENOUGH}. {_engine(found)}"
        )
    shown = dict.fromkeys(("cover50", "cover90", "mean_rank", "p_uniform"), "{:.3f}")
    names = {"quantity": "quantity", "cover50": "50% covers", "cover90": "90% covers",
             "mean_rank": "mean rank", "p_uniform": "chance of ranks so uneven"}  # fmt: skip
    drawn = [str(name) for name in found.ranks] if n >= LEAST_DRAWN else []
    alt = f"Distribution of ranks less the uniform one for {len(drawn)} quantities, within bounds"
    return Section(
        "Would the intervals cover",
        "Whether the whole chain, prior to forecast, would be right about the uncertainty if the "
        "model held.",
        "Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788) on the real design: "
        "true parameters from the prior, events from them over the months that were, the model "
        f"fitted to these, the true value ranked among {found.draws} posterior draws. Ranks must "
        "be uniform; the pictures show their distribution function less the uniform one, "
        "between bounds that 95% of uniform samples stay inside everywhere (Säilynoja et al. 2022, "
        "doi:10.1007/s11222-022-10090-6). An approximate fit is ranked by the draws it hands out, "
        "resampled by its importance weights.",
        f"90% intervals cover {low:.0%} to {high:.0%}; ranks inside the envelope, or a smallest "
        "chance times quantities above 0.05.",
        result,
        "" if not judged else HOLDS if not off and smallest > 0.05 else LOOK,
        (_table(table, f"Coverage in {n} simulations", names, shown),) if n else (),
        (Picture(alt, lambda palette: pictures.ranks(found, drawn, palette=palette)),)
        if drawn
        else (),
    )


LEAST_DRAWN = 10
"""Simulations from which a picture of ranks says anything."""


def _engine(found: Calibration) -> str:
    text = (
        f"{found.refused} fits refused by the gate; {found.too_many} data sets drawn again because "
        "they held more events than the program has room for (that depends on the data alone, so "
        "ranks stay uniform)."
    )
    if not found.khat:
        return f"Fitted by NUTS. {text}"
    bad = sum(k > KHAT_MAX for k in found.khat)
    return (
        f"Fitted by the approximation; {found.fallbacks} of {len(found.khat)} times it refused "
        f"itself and NUTS was used ({bad} times for a k-hat above {KHAT_MAX}, else for fewer "
        f"effective draws than are ranked). Median k-hat {np.median(found.khat):.2f}. {text}"
    )


def _recovery(found: Calibration) -> Section:
    table = found.recovery()
    names = {"quantity": "quantity", "correlation": "correlation", "contraction": "contraction",
             "z": "root mean square z"}  # fmt: skip
    shown = dict.fromkeys(("correlation", "contraction", "z"), "{:.2f}")
    if table.empty:
        result = "Too few simulations to tell."
    else:
        ordered = table.sort_values("contraction")
        worst, best = ordered.iloc[0], ordered.iloc[-1]
        result = (
            f"Data like these teach most about {best['quantity']} (contraction "
            f"{best['contraction']:.2f}) and least about {worst['quantity']} "
            f"({worst['contraction']:.2f})."
        )
    return Section(
        "Are known parameters found again",
        "What data of this size can teach, parameter by parameter.",
        "In the same simulations posterior means are set beside the true values; forecasts on the "
        "scale of log-odds. Contraction is one less the mean posterior variance over the variance "
        "of the truths: 0 where data say nothing, 1 where they say all.",
        "Root mean square of (truth less mean) over the posterior standard deviation near 1. "
        "There is no criterion for contraction: it is a fact about the data.",
        result,
        tables=() if table.empty else (_table(table, "Recovery", names, shown),),
    )
