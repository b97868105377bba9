"""The checks, checked: closed forms, exact posteriors, and samplers known to be wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from forecast.checks.main import CheckError, check
from forecast.checks.predictive import (
    PredictiveError,
    event_counts,
    months_at_risk,
    replicated,
    simulated_design,
)
from forecast.checks.ranks import envelope, uniformity
from forecast.checks.sensitivity import influence, log_likelihood, power_scaling, stated_log_prior
from forecast.influence import log_chance
from forecast.models.design import Design
from forecast.models.hazard import Hazard, prior_draws, sizes
from indicators.errors import UnknownNameError

FLAT = Hazard(region_scale=0.0, state_scale=0.0, birth_scale=0.0, slot_scale=0.0)
"""A model of one rate: every effect that could differ is switched off."""


def posterior(design: Design, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Draws of the one rate from its exact posterior, on a fine grid; the rest is prior."""
    z = np.linspace(-5, 5, 4001)
    log_rate = FLAT.rate.mu + FLAT.rate.sigma * z
    log_lik = len(design.event_ids) * np.log(-np.expm1(-np.exp(log_rate)))
    log_lik = log_lik - design.exposure.sum() * np.exp(log_rate)
    weight = np.exp(log_lik - 0.5 * z**2 - (log_lik - 0.5 * z**2).max())
    raw = prior_draws(sizes(design), draws, seed)
    rng = np.random.default_rng(seed)
    return raw | {"alpha_raw": rng.choice(z, draws, p=weight / weight.sum())}


def chance(raw: dict[str, np.ndarray], months: int) -> np.ndarray:
    """Probability of an event in so many months."""
    rate = np.exp(FLAT.rate.mu + FLAT.rate.sigma * raw["alpha_raw"])
    return -np.expm1(-months * rate)


def test_months_and_events_are_all_there(real_design: tuple[Hazard, Design]) -> None:
    _, design = real_design
    at = months_at_risk(design)
    assert at.months.sum() == design.months
    assert at.events.sum() == len(design.event_ids)
    assert (at.events <= at.months).all()


def test_replicated_events_follow_the_binomial(lab: Any) -> None:
    design = lab.one_rate(2000.0, 4)
    raw = {k: np.repeat(v[:1], 4000, axis=0) for k, v in posterior(design, 1, 3).items()}
    table = event_counts(FLAT, raw, design, seed=1).set_index("what")
    rate = np.exp(FLAT.rate.mu + FLAT.rate.sigma * raw["alpha_raw"][0])
    exact = stats.binom(2004, -np.expm1(-rate))
    row = table.loc["all events"]
    assert row["observed"] == 4
    assert row["median"] == pytest.approx(exact.median(), abs=1)
    assert (row["lo90"], row["hi90"]) == pytest.approx(exact.ppf([0.05, 0.95]), abs=1)
    tail = exact.sf(4) + 0.5 * exact.pmf(4)
    assert row["tail"] == pytest.approx(tail, abs=4 * np.sqrt(tail * (1 - tail) / 4000))
    assert table.loc["states with one", "observed"] == 1


def test_the_prior_of_every_question_can_have_made_what_was_seen(
    real_design: tuple[Hazard, Design],
) -> None:
    model, design = real_design
    table = event_counts(model, prior_draws(sizes(design), 2000, 1), design, seed=1)
    assert table["tail"].between(0.05, 0.95).all()
    assert table.loc[0, "hi90"] < 300  # and does not expect one a year in every state


def test_log_prior_is_of_normals_and_half_normals(lab: Any) -> None:
    design = lab.one_rate(10.0, 1)
    raw = prior_draws(sizes(design), 2, 1)
    grouped = {"slot_raw", "region_raw", "state_raw", "birth_raw", "wave_raw", "x_missing"}
    silent = {
        "local",
        "wave_sd",
        *(() if design.has_signs else ("delta_raw", "sign_raw", "birth_sd")),
    }
    named = [v for k, v in raw.items() if k not in grouped | silent]
    exact = sum(stats.norm.logpdf(v).reshape(2, -1).sum(axis=1) for v in named)
    found = stated_log_prior(FLAT, raw, design)
    assert found[1] - found[0] == pytest.approx(exact[1] - exact[0])


def test_log_likelihood_is_the_model_s(real_design: tuple[Hazard, Design]) -> None:
    model, design = real_design
    raw = prior_draws(sizes(design), 3, 5)
    built = model.build(design)
    # interpreted: compiling would take longer than every other test here
    density = built.compile_logp(vars=built.observed_RVs, mode="FAST_COMPILE")
    theirs = []
    for i in range(3):
        names = ((v.name, v.name.removesuffix("_log__")) for v in built.value_vars)
        at = {n: np.log(raw[k][i]) if n != k else raw[k][i] for n, k in names}
        theirs.append(float(density(at)))
    np.testing.assert_allclose(log_likelihood(model, raw, design), theirs, rtol=1e-9)


def test_leaving_an_event_out_is_the_posterior_without_it(lab: Any) -> None:
    design = lab.one_rate(3000.0, 5)
    raw = posterior(design, 40_000, 2)
    p = chance(raw, 36)
    found = influence(FLAT, raw, design, p)
    without = chance(posterior(lab.one_rate(3000.0, 4), 40_000, 3), 36)
    assert found["p_without"].to_numpy() == pytest.approx(np.full(5, without.mean()), rel=0.02)
    assert found["reliable"].all()
    assert (found["log_odds"] > 0).all()


def test_an_event_that_carries_everything_is_not_believed_by_reweighting(lab: Any) -> None:
    # the rate of one event in very few months is far from its prior: too far to reweight
    wide = replace(FLAT, rate=replace(FLAT.rate, sigma=6.0))
    design = lab.one_rate(3.0, 12)
    raw = prior_draws(sizes(design), 4000, 1)
    log_lik = log_likelihood(wide, raw, design)
    rng = np.random.default_rng(1)
    weight = np.exp(log_lik - log_lik.max())
    chosen = rng.choice(4000, 300, p=weight / weight.sum())
    kept = {name: value[chosen] for name, value in raw.items()}
    table = influence(wide, kept, design, chance(kept, 1))
    assert set(table["reliable"]) == {bool(k <= 0.7) for k in table["k_hat"]}


def test_power_scaling_tells_prior_from_data(lab: Any) -> None:
    told = {}
    for months, events in ((12.0, 0), (200_000.0, 300)):
        design = lab.one_rate(months, events)
        raw = posterior(design, 8000, 4)
        likelihood = log_likelihood(FLAT, raw, design)
        told_prior = stated_log_prior(FLAT, raw, design)
        table = power_scaling({"p": chance(raw, 36)}, told_prior, likelihood, chains=4)
        told[months] = table.iloc[0]
    assert told[12.0]["prior"] > 0.05 > told[12.0]["likelihood"]
    assert "mostly prior" in told[12.0]["diagnosis"]
    assert told[200_000.0]["likelihood"] > 0.05 > told[200_000.0]["prior"]
    assert told[200_000.0]["diagnosis"] == "not sensitive to the prior"


def test_a_forecast_that_no_prior_reaches_is_not_said_to_lean_on_one(real_design: Any) -> None:
    """On the real design, where hundreds of levels would be noise enough to say so."""
    model, design = real_design
    raw = prior_draws(sizes(design), 2800, 5)
    stated = stated_log_prior(model, raw, design)
    assert np.var(stated) < 25  # half of the dimensions: hundreds of levels would give 150
    apart = {"p": 1 / (1 + np.exp(-np.random.default_rng(6).standard_normal(2800)))}
    table = power_scaling(apart, stated, np.random.default_rng(7).normal(size=2800), chains=4)
    assert table["diagnosis"].item() == "not sensitive to the prior"
    leaning = {"p": 1 / (1 + np.exp(-raw["alpha_raw"]))}
    table = power_scaling(leaning, stated, np.zeros(2800) + 1e-6 * raw["alpha_raw"], chains=4)
    assert "prior" in table["diagnosis"].item()
    assert table["prior"].item() > 0.05


def test_even_ranks_pass_and_uneven_ones_do_not() -> None:
    rng = np.random.default_rng(7)
    assert uniformity(rng.uniform(size=200), seed=1) > 0.05
    assert uniformity(rng.beta(0.5, 0.5, 200), seed=1) < 0.01  # intervals too narrow
    assert uniformity(rng.beta(2, 2, 200), seed=1) < 0.01  # too wide
    assert uniformity(rng.beta(2, 1.2, 200), seed=1) < 0.01  # to one side


def test_false_alarms_of_the_uniformity_test_are_as_many_as_it_says() -> None:
    rng = np.random.default_rng(8)
    p = [uniformity(rng.uniform(size=60), seed=2, repeats=400) for _ in range(200)]
    assert 0.01 <= np.mean(np.array(p) < 0.1) <= 0.18


def test_simulated_data_keep_the_months_and_fit_the_program(
    real_design: tuple[Hazard, Design],
) -> None:
    model, design = real_design
    made = simulated_design(model, prior_draws(sizes(design), 1, 11), design, seed=2)
    assert made.months == design.months
    assert (made.exposure >= 0).all()
    signs = design.sign_months + design.sign_count
    np.testing.assert_array_equal(made.sign_months + made.sign_count, signs)
    assert (made.mark_weaken <= made.mark_total).all()
    again = simulated_design(model, prior_draws(sizes(design), 1, 11), design, seed=2)
    assert made.digest() == again.digest()


def test_the_envelope_is_left_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    outside = [not envelope(rng.uniform(size=60)).inside for _ in range(400)]
    assert 0.02 <= np.mean(outside) <= 0.09
    assert not envelope(rng.beta(0.5, 0.5, 200)).inside
    assert not envelope(rng.beta(2, 1.2, 200)).inside


def test_the_chance_of_an_event_holds_for_any_hazard() -> None:
    with np.errstate(all="raise", under="ignore"):
        found = log_chance(np.array([-900.0, -40.0, -29.9, -2.0, 5.0, 800.0]))
    assert found[:2] == pytest.approx([-900.0, -40.0])
    assert found[2] == pytest.approx(-29.9)
    assert found[3] == pytest.approx(np.log(1 - np.exp(-np.exp(-2.0))))
    assert found[4:] == pytest.approx([0.0, 0.0])


def test_heavy_tails_are_called_unreliable_not_an_error(lab: Any) -> None:
    wide = replace(FLAT, rate=replace(FLAT.rate, sigma=300.0))
    design = lab.one_rate(3.0, 2)
    raw = prior_draws(sizes(design), 2000, 1)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        table = influence(wide, raw, design, np.full(2000, 0.1))
    assert not table["reliable"].any()


def test_months_that_count_in_part_are_not_drawn_anew(lab: Any) -> None:
    part = lab.one_rate(10.5, 1)
    raw = prior_draws(sizes(part), 2, 1)
    with pytest.raises(PredictiveError, match="whole months"):
        replicated(FLAT, raw, part, months_at_risk(part), seed=1)


def test_what_cannot_be_checked_is_refused(cheap: Any) -> None:
    with pytest.raises(UnknownNameError, match="coup"):
        check("TKM", "2016-07-01", questions=["coup"])
    with pytest.raises(CheckError, match="not at risk"):
        check("DEU", "2016-07-01", questions=["neutrality_text_revision"])
