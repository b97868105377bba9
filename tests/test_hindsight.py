"""Hindsight carried into a forecast: exact where it can be checked, and its tipping point."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize

from forecast.bounds import ALL, weights
from forecast.checks.sensitivity import log_likelihood
from forecast.hindsight import HINDSIGHT, Carried, in_words, tipping_point
from forecast.material import Material, gather
from forecast.models.design import design
from forecast.models.hazard import Hazard, effects, prior_draws, sizes
from forecast.predict import Prediction, monte_carlo_error
from forecast.questions import load_questions
from forecast.reweighing import K_HAT_MAX, Reweighing, reweighing, smoothed
from forecast.run import run
from indicators.tables import DataPackage
from indicators.vintages import snapshot

POSTERIOR, PRIOR = 3000, 60_000
PAIRS = [(1.0, 0.5), (2.0, 1.0), (2.0, 0.7), (4.0, 0.5)]


@pytest.fixture(scope="module")
def part(bundled: DataPackage) -> Material:
    """The real processes and openings under a model of three levels alone."""
    seen = snapshot("2016-07-01", package=bundled)
    question = load_questions(bundled, as_of=seen.as_of)["foreign_base"]
    made = gather(question, seen, "TKM", horizon=12, seed=1)
    none = {"slot_scale": 0.0, "region_scale": 0.0, "state_scale": 0.0, "birth_scale": 0.0}
    model = Hazard(
        rate=made.model.rate, live=made.model.live, late=made.model.late,
        signs=made.model.signs, before_sigma=0.0, gap_sigma=0.0, **none,
    )  # fmt: skip
    return replace(made, model=model, design=design(made.risk, made.panel, features=()))


def exact(
    part: Material, missing: float, visible: float, size: int = POSTERIOR
) -> dict[str, np.ndarray]:
    """Posterior of the events under other weights, by drawing from the prior and resampling."""
    searched = part.question.process.searched if part.question.process else ()
    rows = part.risk.rows
    w = weights(rows, missing=missing, visible=visible, searched=searched)
    made = design(replace(part.risk, rows=rows.assign(weight=w)), part.panel, features=())
    others = ("sign_count", "sign_months", "mark_total", "mark_weaken")
    silent = replace(made, **{name: getattr(made, name) * 0 for name in others})
    raw = prior_draws(sizes(made), PRIOR, 11)
    log_lik = log_likelihood(part.model, raw, silent)
    weight = np.exp(log_lik - log_lik.max())
    picked = np.random.default_rng(5).choice(PRIOR, size, p=weight / weight.sum())
    return {name: value[picked] for name, value in raw.items()}


@pytest.fixture(scope="module")
def again(part: Material) -> Reweighing:
    return reweighing(part, part.design, exact(part, 1.0, 1.0))


@pytest.mark.parametrize(("missing", "visible"), PAIRS)
def test_reweighted_draws_are_those_of_a_refit(
    part: Material, again: Reweighing, missing: float, visible: float
) -> None:
    moved = again.moved(missing, visible)
    assert moved.k_hat < K_HAT_MAX
    constants = part.model.constants(part.design)
    found, refit = (
        effects(raw, constants, np)
        for raw in (again.draws([moved], POSTERIOR, seed=3)[0], exact(part, missing, visible))
    )
    for name in ("alpha", "stage"):
        mean, sd = refit[name].mean(axis=0), refit[name].std(axis=0)
        assert found[name].mean(axis=0) == pytest.approx(mean, abs=0.08)
        assert found[name].std(axis=0) == pytest.approx(sd, rel=0.12, abs=1e-9)


def test_face_value_moves_nothing(again: Reweighing) -> None:
    moved = again.moved(1.0, 1.0)
    for name, value in moved.values.items():
        np.testing.assert_array_equal(value, again.raw[name])
    picked = moved.pick(POSTERIOR, np.random.default_rng(1))
    np.testing.assert_array_equal(picked, np.arange(POSTERIOR))


def test_the_more_is_missing_the_less_a_process_says(again: Reweighing) -> None:
    def live(missing: float, visible: float) -> float:
        raw, _ = again.draws([again.moved(missing, visible)], POSTERIOR, seed=1)
        return float(
            again.effects({k: raw[k] for k in ("alpha_raw", "delta_raw")})["stage"][:, 1].mean()
        )

    by_missing = [live(w, 1.0) for w in (1.0, 2.0, 4.0, 8.0)]
    by_visible = [live(2.0, r) for r in (1.0, 0.7, 0.4)]
    assert by_missing == sorted(by_missing, reverse=True)
    assert by_visible == sorted(by_visible, reverse=True)


def test_the_error_of_a_carried_forecast_is_its_spread_over_posteriors(part: Material) -> None:
    posterior, draws, again = 200, 600, 40
    whole = exact(part, 1.0, 1.0, size=posterior * again)
    means, claimed, naive = [], [], []
    for k in range(again):
        raw = {name: value[k * posterior : (k + 1) * posterior] for name, value in whole.items()}
        made = reweighing(part, part.design, raw)
        moves = [made.moved(*pair) for pair in HINDSIGHT.nodes(6, most=made.most)]
        picked, source = made.draws(moves, draws, seed=k)
        e = made.effects(picked)
        p = -np.expm1(-np.exp(e["alpha"] + e["stage"][:, 1]))
        told = Carried(Prediction(p[:, None], {}), 0.0, 0.0, np.ones(1), {}, source, posterior)
        means.append(p.mean())
        claimed.append(told.monte_carlo_error(p, 1))
        naive.append(monte_carlo_error(p, 1))
    spread = np.std(means, ddof=1)
    # 40 posteriors tell their spread to a ninth; draws are not as many as they look
    assert np.mean(claimed) == pytest.approx(spread, rel=0.3)
    assert np.mean(naive) < 0.7 * spread


def test_births_sit_at_the_mode_of_their_posterior(again: Reweighing) -> None:
    births = again.births
    for missing in (1.0, 3.0):
        count, quiet = (v[0] + (missing - 1) * v[1] for v in (births.counts, births.quiet))

        def loss(at: np.ndarray, count: np.ndarray = count, quiet: np.ndarray = quiet) -> float:
            hazard = np.exp(births.at_zero + births.slope @ at)
            fit = count @ np.log(-np.expm1(-hazard)) - quiet @ hazard
            return float(0.5 * at @ at - fit)

        found = births.mode(missing)
        best = minimize(loss, np.zeros_like(found))
        assert loss(found) == pytest.approx(best.fun, rel=1e-9)
        assert found == pytest.approx(best.x, abs=1e-3)
    # three failures begin where one was coded
    assert births.mode(3.0)[0] > births.mode(1.0)[0]


def test_pairs_stand_for_the_prior() -> None:
    pairs = HINDSIGHT.nodes(400, most=1e9)
    assert np.median(pairs[:, 0]) == pytest.approx(2.0, rel=0.02)
    assert np.log(pairs[:, 0] - 1.0).std() == pytest.approx(0.75, rel=0.05)
    assert pairs[:, 0].min() > 1.0  # no fewer failures than were coded
    assert stats.kstest(pairs[:, 1], "beta", args=HINDSIGHT.visible).pvalue > 0.5
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.05
    assert HINDSIGHT.nodes(48, most=3.0)[:, 0].max() == 3.0


@pytest.mark.parametrize(("goal", "want"), [(0.1, 2.0), (0.05, 4.0), (0.3, 1.0), (0.001, None)])
def test_tipping_point_of_a_known_curve(goal: float, want: float | None) -> None:
    # odds fall as one over omega; few draws were ten percent off
    omegas = np.geomspace(1, 10, 9)

    def p(odds: np.ndarray) -> np.ndarray:
        return odds / (1 + odds)

    face = p(np.array(2 * 1 / 9))
    curve = p(1.1 * 2 / 9 / omegas)
    if want == 1.0:
        goal = float(face)
    elif want is not None:
        goal = float(p(np.array(2 / 9 / want)))
    found = tipping_point(omegas, curve, face=float(face), start=float(curve[0]), goal=goal)
    assert found == (None if want is None else pytest.approx(want, rel=1e-9))


def test_a_forecast_below_the_model_without_processes_meets_it_from_below() -> None:
    omegas = np.geomspace(1, 4, 5)
    curve = np.linspace(0.02, 0.04, 5)
    found = tipping_point(omegas, curve, face=0.02, start=0.02, goal=0.03)
    assert found == pytest.approx(2.0, rel=1e-9)


def test_words() -> None:
    told = {
        "face_value": {"p": 0.056}, "carried": {"p": 0.04}, "in_headline": True, "k_hat": 0.4,
        "tipping": {"missing": None, "missing_half_visible": 6.02, "most": 8.36},
    }  # fmt: skip
    first, second = in_words(told, goal=0.019)
    assert "5.6%" in first
    assert "4.0%, the number above" in first
    assert "more than 8.4 times as many as coded, or 6 times as many" in second
    assert (
        "not trusted (k-hat 0.90)"
        in in_words(told | {"in_headline": False, "k_hat": 0.9}, goal=0.019)[0]
    )


def test_a_tail_that_cannot_be_fitted_is_not_trusted() -> None:
    weight, k_hat = smoothed(np.linspace(0.0, 1e308, 500))
    assert k_hat > K_HAT_MAX
    assert np.isfinite(weight).any()
    # a tail of one value, as few draws may have it
    weight, k_hat = smoothed(np.append(np.linspace(-1.0, 0.0, 400), np.full(100, 5.0)))
    assert k_hat == np.inf
    np.testing.assert_allclose(np.exp(weight), 1 / 500)
    told = {
        "face_value": {"p": 0.056}, "carried": {"p": 0.04}, "in_headline": False, "k_hat": None,
        "tipping": {"missing": None, "missing_half_visible": None, "most": 8.36},
    }  # fmt: skip
    assert "not trusted (k-hat not finite)" in in_words(told, goal=0.019)[0]


@pytest.mark.usefixtures("cheap")
def test_a_run_tells_what_hindsight_does(tmp_path: Path) -> None:
    ask: dict[str, Any] = {"state": "TKM", "as_of": "2016-07-01", "home": tmp_path}
    asked = ("foreign_base", "bloc_accession")
    found = run(questions=asked, horizons=(12,), **ask)
    entries = {e["question"]: e for e in found.payload["forecasts"]}
    assert entries["bloc_accession"]["hindsight"] is None
    entry = entries["foreign_base"]
    told = entry["hindsight"]
    headline = told["carried"] if told["in_headline"] else told["face_value"]
    assert entry["p"] == pytest.approx(headline["p"])
    assert told["carried"]["p"] != told["face_value"]["p"]
    assert len(told["words"]) == 2
    # the same again from the cache, to the byte
    assert run(questions=asked, horizons=(12,), **ask).to_json() == found.to_json()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["foreign_base", "neutrality_text_revision"])
def test_against_refits_of_the_full_model(bundled: DataPackage, name: str, tmp_path: Path) -> None:
    from forecast.engine import Job, fit_all
    from forecast.predict import predict, thin

    seen = snapshot("2016-07-01", package=bundled)
    question = load_questions(bundled, as_of=seen.as_of)[name]
    pairs = [(1.0, 1.0), *PAIRS]
    parts = {
        v: gather(question, seen, "TKM", horizon=36, seed=1, bound=ALL.with_hindsight(*v))
        for v in pairs
    }
    fits = fit_all(
        [Job(str(v), p.model, p.design) for v, p in parts.items()], seed=1, home=tmp_path
    )
    face, made = parts[1.0, 1.0], fits[str((1.0, 1.0))]
    again = reweighing(face, made.design, made.fit.flat())
    target = face.target.thinned(60)
    for pair in PAIRS:
        fit = fits[str(pair)]
        refit = predict(fit.model, thin(fit.fit.flat(), 2000), fit.design, target, seed=1)
        raw, _ = again.draws([again.moved(*pair)], 2000, seed=1)
        found = predict(face.model, raw, made.design, target, seed=1)
        p, q = refit.p[:, -1], found.p[:, -1]
        assert q.mean() == pytest.approx(p.mean(), abs=0.02, rel=0.12)
