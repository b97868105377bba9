"""Forecasts without contested events: reweighed draws against fits, refusals, imputations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forecast import toggled
from forecast.contested import agreement, block, imputed
from forecast.engine import Fitted, Job, fit_all
from forecast.hindsight import carried
from forecast.likelihood import log_likelihood
from forecast.material import Material, gather, without
from forecast.models.base_rate import BaseRate
from forecast.models.hazard import effects, prior_draws, sizes
from forecast.predict import predict, thin
from forecast.questions import load_questions
from forecast.reweighing import K_HAT_MAX
from forecast.sampling import Diagnostics, Fit
from forecast.toggled import reweighed
from indicators.errors import FitError
from indicators.tables import DataPackage
from indicators.vintages import snapshot

AUSTRIA = ("AUT-1955@1995-01-01", "AUT-1955@1998-07-01", "AUT-1955@2010-07-08")

RATES = {name: BaseRate(2, 100.0) for name in ("first", "second")}


def plain_part(bundled: DataPackage) -> Material:
    """The real events under a model of three levels alone."""
    seen = snapshot("2016-07-01", package=bundled)
    question = load_questions(bundled, as_of=seen.as_of)["neutrality_text_revision"]
    made = gather(question, seen, "TKM", horizon=12, seed=1)
    none = {"slot_scale": 0.0, "region_scale": 0.0, "state_scale": 0.0, "birth_scale": 0.0}
    flat = {"before_sigma": 0.0, "gap_sigma": 0.0, "effect_scale": 1e-3, "learn_ridge": False}
    return replace(made, model=replace(made.model, **none, **flat))


def posterior(part: Material) -> Fitted:
    """Posterior of the events, by drawing from the prior and resampling."""
    size = 20_000
    others = ("sign_count", "sign_months", "mark_total", "mark_weaken")
    silent = replace(part.design, **{name: getattr(part.design, name) * 0 for name in others})
    raw = prior_draws(sizes(part.design), size, 11)
    log_lik = log_likelihood(part.model, raw, silent)
    weight = np.exp(log_lik - log_lik.max())
    picked = np.random.default_rng(5).choice(size, 3000, p=weight / weight.sum())
    fit = Fit({k: v[picked][None] for k, v in raw.items()}, Diagnostics(1.0, 900.0, 0, 0.0, 1.0))
    return Fitted(part.model, silent, fit, "key")


@pytest.fixture(scope="module")
def part(bundled: DataPackage) -> Material:
    return plain_part(bundled)


def silenced(part: Material) -> Material:
    """Events alone: signs and marks share no variable with them here."""
    others = ("sign_count", "sign_months", "mark_total", "mark_weaken")
    still = replace(part.design, **{name: getattr(part.design, name) * 0 for name in others})
    return replace(part, design=still)


def test_reweighed_draws_are_those_of_a_refit(bundled: DataPackage, part: Material) -> None:
    seen = snapshot("2016-07-01", package=bundled)
    less = silenced(without(part, seen, AUSTRIA))
    assert len(less.risk.events) == len(part.risk.events) - 2
    moved, k_hat = reweighed(silenced(part), less, posterior(part), seed=1)
    assert moved is not None
    assert k_hat < K_HAT_MAX
    constants = part.model.constants(part.design)
    found, refit = (effects(fit.fit.flat(), constants, np) for fit in (moved, posterior(less)))
    fitted = effects(posterior(part).fit.flat(), constants, np)
    for name in ("alpha", "stage"):
        mean, sd = refit[name].mean(axis=0), refit[name].std(axis=0)
        assert found[name].mean(axis=0) == pytest.approx(mean, abs=0.1)
        assert found[name].std(axis=0) == pytest.approx(sd, rel=0.15, abs=1e-9)
    # and they did move: two events in five were left out
    assert refit["alpha"].mean() < fitted["alpha"].mean() - 0.2


def test_designs_that_share_no_variables_are_not_reweighed(part: Material) -> None:
    less = replace(part, design=replace(part.design, states=("AAA", *part.design.states[1:])))
    moved, k_hat = reweighed(part, less, posterior(part), seed=1)
    assert moved is None
    assert np.isnan(k_hat)


def test_what_cannot_be_reweighed_is_fitted_again_or_refused(
    bundled: DataPackage, part: Material, cheap: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = snapshot("2016-07-01", package=bundled)
    halves = {"first": AUSTRIA[:1], "second": AUSTRIA[1:], "later": ("AUT-1955@2019-01-01",)}
    part = replace(part, question=replace(part.question, toggles=halves))
    assert part.target is not None
    fit = fit_all([Job("all", part.model, part.design)], seed=1, home=None)["all"]
    ask: dict[str, Any] = {"model": "hazard", "seed": 1, "home": None, "exclude": {}, "face": True}
    monkeypatch.setattr(toggled, "K_HAT_MAX", -1.0)
    told: list[str] = []
    found = toggled.contested(part, fit, seen, **ask, say=told.append)
    assert found is not None
    assert {u.how for u in found.under.values()} == {"refitted"}
    assert len(told) == len(found.under)
    assert found.idle == ("later",)
    assert found.toggles == {"first": AUSTRIA[:1], "second": AUSTRIA[1:2]}
    # every reading drawn was forecast, both groups gone included
    coins = set(zip(*found.stands.values(), strict=True))
    assert len(found.under) == len({("first",), ("second",)} | {
        tuple(k for k, z in zip(found.stands, c, strict=True) if not z) for c in coins
    } - {()})  # fmt: skip
    whole = predict(fit.model, thin(fit.fit.flat(), 100), fit.design, part.target, seed=1)
    entry = block(found, whole, RATES, horizon=12, mark="weaken")
    assert entry is not None
    assert entry["imputed"] is not None
    parts = []
    for row in zip(*found.stands.values(), strict=True):
        gone = tuple(k for k, z in zip(found.stands, row, strict=True) if not z)
        given = found.under[gone].prediction if gone else whole
        assert given is not None
        parts.append(given.marks["weaken"][:, 11].mean())
    assert entry["imputed"]["p"] == pytest.approx(np.mean(parts), rel=1e-4)

    def fails(*_: Any, **__: Any) -> Any:
        raise FitError("no", place="fit", found="nothing", allowed="a fit", remedy="none")

    monkeypatch.setattr(toggled, "fit_all", fails)
    found = toggled.contested(part, fit, seen, **ask, say=told.append)
    entry = block(found, whole, RATES, horizon=12, mark="")
    assert entry is not None
    assert {g["how"] for g in entry["groups"]} == {"refused"}
    assert entry["imputed"] is entry["range"] is None
    assert "cannot be told" in entry["words"][0]


def test_the_face_value_does_not_stand_beside_a_headline_that_carries_hindsight(
    bundled: DataPackage, part: Material, cheap: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where hindsight cannot be carried on top of the events left out, they are fitted without."""
    seen = snapshot("2016-07-01", package=bundled)
    part = replace(part, question=replace(part.question, toggles={"austria": AUSTRIA}))
    fit = fit_all([Job("all", part.model, part.design)], seed=1, home=None)["all"]
    right = carried(part, fit, part.target, draws=50, seed=1, curve=False)  # type: ignore[arg-type]
    assert right is not None
    good = right.prediction
    shares = {"poor": iter([1.0, 0.0]), "always": iter([1.0, 1.0])}
    hows = {}
    for name, poor in shares.items():
        told = (replace(right, poor=share) for share in poor)
        monkeypatch.setattr(toggled, "reweighed", lambda *_a, **_k: (fit, 0.2))
        monkeypatch.setattr(toggled, "carried", lambda *_a, told=told, **_k: next(told))
        found = toggled.contested(
            part, fit, seen, model="hazard", seed=1, home=None, exclude={}, say=lambda _: None
        )
        assert found is not None
        (under,) = found.under.values()
        hows[name] = under.how
        assert under.prediction is (good if name == "poor" else None)
    assert hows == {"poor": "refitted", "always": "refused"}


def test_coins_are_those_of_the_name_and_its_table() -> None:
    both = imputed(["a", "b"], "acts", 15, 17, seed=3)
    alone = imputed(["b"], "acts", 15, 17, seed=3)
    np.testing.assert_array_equal(both["b"], alone["b"])
    assert not np.array_equal(both["a"], both["b"])
    assert not np.array_equal(both["b"], imputed(["b"], "acts", 15, 17, seed=4)["b"])
    # the mean of Beta(15.5, 2.5) is 0.861: over many seeds so is the share that stands
    share = np.mean([imputed(["a"], "acts", 15, 17, seed=s)["a"].mean() for s in range(200)])
    assert share == pytest.approx(15.5 / 18, abs=0.01)
    never = np.mean([imputed(["a"], "acts", 0, 0, seed=s)["a"].mean() for s in range(200)])
    assert never == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("day", "counts"), [("2016-07-01", (15, 17)), ("1996-01-01", (4, 6))])
def test_only_rows_public_by_then_tell_of_agreement(
    bundled: DataPackage, part: Material, day: str, counts: tuple[int, int]
) -> None:
    seen = snapshot(day, package=bundled)
    assert agreement(part, seen) == counts
    table = bundled.table("neutrality_events")
    public = table[table["event_date"] < day]["second_check"].value_counts()
    assert public["confirmed"] == counts[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "day", "toggle"),
    [
        ("neutrality_text_revision", "2016-07-01", "austria"),
        ("foreign_base", "2022-07-01", "shaymak"),
    ],
)
def test_reweighted_against_a_refit(
    bundled: DataPackage, tmp_path: Path, name: str, day: str, toggle: str
) -> None:
    seen = snapshot(day, package=bundled)
    question = load_questions(bundled, as_of=seen.as_of)[name]
    part = gather(question, seen, "TKM", horizon=36, seed=1)
    less = without(part, seen, question.toggles[toggle])
    jobs = [Job("with", part.model, part.design), Job("without", less.model, less.design)]
    fits = fit_all(jobs, seed=1, home=tmp_path)
    moved, k_hat = reweighed(part, less, fits["with"], seed=1)
    assert moved is not None
    assert k_hat <= K_HAT_MAX
    assert less.target is not None
    found = []
    target = less.target.thinned(60)
    for fit in (moved, fits["without"]):
        raw = thin(fit.fit.flat(), 2000)
        told = carried(less, fit, target, draws=1000, seed=1, curve=False)
        assert told is not None
        found.append((predict(fit.model, raw, fit.design, target, seed=1), told.prediction))
    for one, other in zip(*found, strict=True):
        for a, b in ((one.p, other.p), *((one.marks[m], other.marks[m]) for m in one.marks)):
            assert a[:, 35].mean() == pytest.approx(b[:, 35].mean(), abs=0.008, rel=0.1)
            high, refit = (np.quantile(p[:, 35], 0.95) for p in (a, b))
            assert high == pytest.approx(refit, abs=0.05, rel=0.1)
