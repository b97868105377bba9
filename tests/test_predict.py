"""Prediction: closed forms, marks, missing covariates, and the chain on the founding material."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from forecast.engine import Job, fit_all
from forecast.material import Material, gather
from forecast.models.hazard import effects, prior_draws, sizes
from forecast.predict import (
    Prediction,
    logit,
    predict,
    prior_share,
    starting,
    summary,
    thin,
    weaken_probability,
)
from forecast.questions import load_questions
from indicators.tables import DataPackage
from indicators.vintages import snapshot

ORIGIN = "2016-07-01"
HORIZON = 36
PROCESSES = ("reform_processes", "base_processes", "process_statements")


def material(package: DataPackage, name: str, state: str = "TKM", **options: Any) -> Material:
    question = load_questions(package, as_of=options.pop("origin", ORIGIN))[name]
    then = snapshot(ORIGIN, package=package)
    return gather(question, then, state, horizon=HORIZON, seed=1, **options)


@pytest.fixture(scope="module")
def revision(bundled: DataPackage) -> Material:
    return material(bundled, "neutrality_text_revision")


@pytest.fixture(scope="module")
def base(bundled: DataPackage) -> Material:
    return material(bundled, "foreign_base")


def prior(part: Material, draws: int = 150, seed: int = 2) -> Mapping[str, Any]:
    return prior_draws(sizes(part.design), draws, seed)


def asked(part: Material, paths: int = 5, **changes: Any) -> Prediction:
    assert part.target is not None
    target = replace(part.target.thinned(paths), **changes)
    return predict(part.model, prior(part), part.design, target, seed=3)


@pytest.mark.parametrize("name", ["neutrality_text_revision", "foreign_base"])
def test_calm_units_have_the_plain_hazard(bundled: DataPackage, name: str) -> None:
    """Without processes, competing ends or paths: 1 - exp(-sum of exp(eta)), by hand."""
    part = material(bundled, name, processes=False)
    assert part.target is not None
    # an event twenty months ago: two recurrence classes are passed within the horizon
    units = part.target.units.assign(had_before=1, gap=20.0)
    target = replace(part.target.thinned(1), ends=(0.0, 0.0), units=units)
    found = predict(part.model, prior(part), part.design, target, seed=3)
    d = part.design
    e = effects(prior(part), part.model.constants(d), np)
    level = e["alpha"] + e["state"][:, d.states.index("TKM")]
    level = level + e["region"][:, d.regions.index(target.region)]
    total = np.zeros(len(level))
    for t in range(HORIZON):
        klass = 1 + int(np.digitize(20 + t, (24, 60, 120)))
        x = np.nan_to_num(target.paths[t, 0])
        for slot in units["slot"]:
            eta = level + e["gap"][:, klass] + e["slot"][:, d.slots.index(slot)] + e["beta"] @ x
            total += np.exp(eta)
        np.testing.assert_allclose(found.p[:, t], -np.expm1(-total), rtol=1e-9)


def test_units_are_independent_given_a_path(base: Material) -> None:
    """On one path the state has no event with the product of its units' probabilities."""
    found = asked(base, paths=1)
    assert base.target is not None
    assert set(found.marks) == set(base.target.units["slot"])
    quiet = np.prod([1 - p for p in found.marks.values()], axis=0)
    np.testing.assert_allclose(found.p, 1 - quiet, atol=1e-12)


@pytest.mark.parametrize("paths", [1, 8])
def test_marks_are_between_their_bounds(base: Material, paths: int) -> None:
    found = asked(base, paths)
    parts = np.stack(list(found.marks.values()))
    assert (parts <= found.p + 1e-12).all()
    assert (found.p <= parts.sum(axis=0) + 1e-12).all()
    assert (parts > 0).all()


def test_probability_only_rises_with_the_horizon(base: Material, revision: Material) -> None:
    for part in (base, revision):
        found = asked(part)
        for draws in (found.p, *found.marks.values()):
            assert draws.shape == (150, HORIZON)
            assert (np.diff(draws, axis=1) >= -1e-12).all()
            assert ((draws >= 0) & (draws <= 1)).all()


def weakening_is_part_of(found: Prediction) -> None:
    assert (found.marks["weaken"] <= found.p).all()
    assert (found.marks["strengthen"] <= found.p).all()
    assert (found.marks["weaken"] > 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_weakening_never_exceeds_revision_before_any_data(revision: Material, seed: int) -> None:
    """Draw by draw, month by month, from wherever the unit stands."""
    assert revision.target is not None
    raw = prior(revision, 300, seed)
    target = revision.target.thinned(3)
    assert (target.units["stage"] > 0).all()
    for stage, aim in ((0, ""), (1, "weaken"), (2, "strengthen"), (2, "")):
        units = target.units.assign(stage=stage, aim=aim)
        here = replace(target, units=units)
        weakening_is_part_of(predict(revision.model, raw, revision.design, here, seed=seed))
    weakening_is_part_of(predict(revision.model, raw, revision.design, target, seed=seed))


def test_weakening_never_exceeds_revision_after_a_fit(revision: Material, quick: None) -> None:
    """The same from sampled draws of the founding material."""
    job = Job("revision", revision.model, revision.design)
    fitted = fit_all([job], seed=5, home=None, allow_poor_fit=True)["revision"]
    assert revision.target is not None
    found = predict(
        fitted.model, fitted.fit.flat(), fitted.design, revision.target.thinned(4), seed=5
    )
    assert len(found.p) == fitted.fit.raw["alpha_raw"].size
    weakening_is_part_of(found)


@pytest.mark.parametrize("name", ["neutrality_text_revision", "foreign_base"])
def test_deleting_all_process_rows_returns_the_forecast_without_processes(
    bundled: DataPackage, name: str
) -> None:
    empty = {table: bundled.table(table).iloc[:0] for table in PROCESSES}
    bare = DataPackage(bundled.path, {**bundled.tables, **empty}, bundled.descriptor)
    deleted = material(bare, name)
    without = material(bundled, name, processes=False)
    whole = material(bundled, name)
    assert deleted.design.digest() == without.design.digest() != whole.design.digest()
    assert not deleted.design.has_signs
    assert deleted.target is not None
    assert without.target is not None
    assert deleted.target.digest() == without.target.digest()
    data, same = (p.model.data(p.design) for p in (deleted, without))
    assert data.keys() == same.keys()
    for key, value in data.items():
        np.testing.assert_array_equal(value, same[key])
    one, other, with_process = (asked(p) for p in (deleted, without, whole))
    np.testing.assert_array_equal(one.p, other.p)
    for mark, draws in one.marks.items():
        np.testing.assert_array_equal(draws, other.marks[mark])
    assert (with_process.p != one.p).any()


def test_a_process_under_way_raises_and_calm_takes_it_away(revision: Material) -> None:
    assert revision.target is not None
    target = revision.target.thinned(3)
    raw = prior(revision, 400)
    under_way = predict(revision.model, raw, revision.design, target, seed=1)
    calm = predict(revision.model, raw, revision.design, target.calm(), seed=1)
    assert under_way.p[:, -1].mean() > calm.p[:, -1].mean()
    assert (target.calm().units["stage"] == 0).all()


def test_competing_ends_take_away(revision: Material) -> None:
    never, often = asked(revision, ends=(0.0, 0.0)), asked(revision, ends=(50.0, 600.0))
    np.testing.assert_array_equal(often.p[:, 0], never.p[:, 0])  # the first month is lived through
    assert (often.p[:, 1:] < never.p[:, 1:]).all()


def test_a_state_without_a_covariate_has_a_wider_forecast(base: Material) -> None:
    """Never seen anywhere: a standard normal value; seen as missing: its latent value."""
    assert base.target is not None
    lost = base.target.thinned(3)
    lost.paths[:, :, 0] = np.nan
    raw = dict(prior(base, 400))
    raw["ridge"] = np.full(400, 3.0)
    here = replace(base.target.thinned(3), state=base.target.state).without(0)
    known = predict(base.model, raw, base.design, here, seed=1)
    unknown = predict(base.model, raw, base.design, lost, seed=1)
    assert np.isfinite(unknown.p).all()
    assert np.var(logit(unknown.p[:, -1])) > np.var(logit(known.p[:, -1]))
    again = predict(base.model, raw, base.design, lost, seed=1)
    np.testing.assert_array_equal(unknown.p, again.p)
    # its own latent value, where the fit has one
    d = base.design
    state, feature = base.target.state, d.features[0]
    size = len(d.latent)
    latent = (*((s, f) for s, f in d.latent if (s, f) != (state, feature)), (state, feature))
    seen = replace(d, latent=latent, latent_feature=np.zeros(len(latent), int))
    raw["x_missing"] = np.zeros((400, len(latent)))
    zero = predict(base.model, raw, seen, lost, seed=1)
    np.testing.assert_allclose(zero.p, known.p, rtol=1e-12)
    assert size <= len(latent)


def test_the_mark_follows_the_aim(revision: Material) -> None:
    e = effects(prior(revision, 2000), revision.model.constants(revision.design), np)
    share = {aim: weaken_probability(e, revision.design, aim) for aim in ("", "weaken", "open")}
    assert share["weaken"][:, 0].mean() > share[""][:, 0].mean()
    np.testing.assert_array_equal(share["weaken"][:, 1], share[""][:, 1])  # later ones
    # a revision without a process has no aim, whatever is under way
    assert all((s[:, 2] == share[""][:, 0]).all() for s in share.values())
    assert (share[""][:, 2] != share[""][:, 1]).all()
    assert all(((s > 0) & (s < 1)).all() for s in share.values())


def test_prior_share() -> None:
    rng = np.random.default_rng(1)
    wide = -np.expm1(-np.exp(rng.normal(-3, 1.0, 4000)))
    narrow = -np.expm1(-np.exp(rng.normal(-2, 0.5, 4000)))
    assert prior_share(wide, wide) == 1.0
    assert prior_share(narrow, wide) == pytest.approx(0.25, rel=0.05)
    assert prior_share(wide, narrow) == 1.0  # never above one
    assert prior_share(np.full(10, 0.3), wide) == pytest.approx(0.0, abs=1e-12)
    edge = prior_share(np.array([0.0, 1.0, 0.5]), wide)
    assert 0 <= edge <= 1


def test_small_things() -> None:
    found = summary(np.linspace(0, 1, 101))
    assert found == pytest.approx({"p": 0.5, "lo90": 0.05, "hi90": 0.95})
    assert logit(np.array([0.5, 0.0, 1.0]))[0] == 0
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
    raw = {"alpha_raw": np.arange(10.0), "x": np.arange(20.0).reshape(10, 2)}
    assert thin(raw, 3)["alpha_raw"].tolist() == [0, 4, 9]
    assert thin(raw, 99)["x"].shape == (10, 2)


def test_age_at_the_origin_counts_full_months(revision: Material) -> None:
    assert revision.target is not None
    unit = next(iter(revision.target.units.itertuples()))
    assert starting(unit).stage == unit.stage
    assert starting(unit).age == unit.stage_age - 1
