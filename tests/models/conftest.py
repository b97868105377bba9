"""Designs with a known truth, and one compiled sampler for all tests of the hazard model."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from forecast.material import gather
from forecast.models.design import Design
from forecast.models.hazard import Hazard, cells, columns, effects, prior_draws, sizes
from forecast.questions import load_questions
from forecast.sampling import Sampler, Settings
from indicators.tables import load
from indicators.vintages import snapshot


def empty_design(rng, *, cells=200, features=3, states=12, regions=3, slots=1, months=40.0):
    """Exposure and covariates without any event: states by turns, stages mostly none."""
    combinations = slots * 3 * 5
    exposure = np.zeros((cells, combinations))
    for c in range(cells):
        exposure[c, rng.choice(combinations, size=2, p=_weights(slots))] = months
    group = np.arange(cells) % states
    signs = np.array([(s, k) for s in range(states) for k in range(5)])
    return Design(
        question="simulated",
        states=tuple(f"s{i}" for i in range(states)),
        regions=tuple(f"r{i}" for i in range(regions)),
        slots=tuple(f"k{i}" for i in range(slots)) if slots > 1 else ("",),
        features=tuple(f"x{i}" for i in range(features)),
        latent=(),
        x=np.round(rng.normal(size=(cells, features)) * 4) / 4,
        cell_group=group,
        group_state=np.arange(states),
        group_region=np.arange(states) % regions,
        group_latent=np.zeros((states, 0)),
        latent_feature=np.zeros(0, int),
        column=np.arange(combinations),
        exposure=exposure,
        event_cell=np.zeros(0, int),
        event_column=np.zeros(0, int),
        event_weight=np.zeros(0),
        event_ids=(),
        sign_state=signs[:, 0],
        sign_kind=signs[:, 1],
        sign_months=np.full(len(signs), 120.0),
        sign_count=np.zeros(len(signs)),
        mark_total=np.array([6.0, 6.0, 6.0, 6.0]),
        mark_weaken=np.zeros(4),
    )


def _weights(slots):
    table = np.outer(np.array([0.8, 0.12, 0.08]), np.array([0.6, 0.1, 0.1, 0.1, 0.1])).ravel()
    return np.tile(table, slots) / slots


def simulate(model, design, seed):
    """Truth from the prior, then events, signs and marks from the truth."""
    rng = np.random.default_rng(seed)
    raw = {k: v[0] for k, v in prior_draws(sizes(design), 1, seed).items()}
    e = effects(raw, model.constants(design), np)
    cell = cells(e, design.arrays(), np)
    hazard = -np.expm1(-np.exp(cell[:, None] + columns(e, np)))
    events = rng.binomial(design.exposure.astype(int), hazard)
    where = np.repeat(np.argwhere(events), events[events > 0], axis=0)
    rate = -np.expm1(-np.exp(e["sign"][design.sign_kind] + e["birth"][design.sign_state]))
    signs = rng.binomial(design.sign_months.astype(int), rate).astype(float)
    weaken = rng.binomial(design.mark_total.astype(int), 1 / (1 + np.exp(-e["mark"])))
    return e, replace(
        design,
        exposure=design.exposure - events,
        event_cell=where[:, 0],
        event_column=where[:, 1],
        event_weight=np.ones(len(where)),
        event_ids=tuple(f"e{i}" for i in range(len(where))),
        sign_months=design.sign_months - signs,
        sign_count=signs,
        mark_weaken=weaken.astype(float),
    )


ROOM_EVENTS = 4096


def fitted(sampler, model, design, seed):
    """Fit one design with the shared program."""
    return design.padded(sampler.capacity), sampler(model, design, seed=seed)


def one_rate(months, events):
    """One state, one cell, nothing under way: `events` in `months` and as many without."""
    empty = np.zeros(0)
    return Design(
        "one rate", ("A",), ("r",), ("",), (), (), np.zeros((1, 0)), np.zeros(1, int),
        np.zeros(1, int), np.zeros(1, int), np.zeros((1, 0)), empty.astype(int),
        np.zeros(1, int), np.array([[months]]), np.zeros(events, int), np.zeros(events, int),
        np.ones(events), tuple(f"e{i}" for i in range(events)), empty, empty, empty.astype(int),
        empty.astype(int), np.zeros(4), np.zeros(4),
    )  # fmt: skip


@pytest.fixture(scope="session")
def lab():
    """What tests simulate with."""
    return SimpleNamespace(
        empty_design=empty_design, simulate=simulate, fitted=fitted, one_rate=one_rate
    )


@pytest.fixture(scope="session")
def sampler():
    """The hazard model compiled once, roomy enough for every simulated design."""
    model = Hazard(features=("x0", "x1", "x2"))
    design = empty_design(np.random.default_rng(0))
    size = replace(design.capacity, cells=384, events=ROOM_EVENTS, waves=48)
    settings = Settings(rounds=1, tune=700, target_accept=0.95)
    return Sampler(model, design.padded(size), settings)


@pytest.fixture(scope="session")
def real_design():
    """Model and design of the text-revision question on the bundled data, July 2016."""
    package = load()
    question = load_questions(package)["neutrality_text_revision"]
    part = gather(question, snapshot("2016-07-01", package=package), "TKM", horizon=36, seed=1)
    return part.model, part.design
