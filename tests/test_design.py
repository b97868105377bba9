"""Reduction to cells loses nothing: exposures, events, likelihood; and what a material holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.material import Material, gather, month_start, plain
from forecast.models.design import AIMS, GAPS, STAGES, covariates, design, gap_class
from forecast.models.hazard import cells, columns, effects, prior_draws, sizes
from forecast.prior_table import configured
from forecast.questions import load_questions
from forecast.risk import risk_set
from indicators.errors import LookAheadError
from indicators.panel import panel
from indicators.vintages import snapshot

GRID = 0.25
CASES = [
    ("2016-07-01", "neutrality_text_revision"),
    ("2016-07-01", "foreign_base"),
    ("2003-06-01", "bloc_accession"),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda c: f"{c[1]}-{c[0]}")
def part(request: pytest.FixtureRequest, bundled: Any) -> Material:
    origin, name = request.param
    question = load_questions(bundled, as_of=origin)[name]
    return gather(question, snapshot(origin, package=bundled), "UZB", horizon=12, seed=1)


def rowwise(part: Material) -> tuple[pd.DataFrame, Any]:
    """Rows of the risk set with their combination, and their covariates on the grid."""
    rows = part.risk.rows.reset_index(drop=True)
    x = covariates(part.panel, rows["state"], rows["month"], part.model.features)
    return rows, np.round(x / GRID) * GRID


def test_months_and_events_are_those_of_the_risk_set(part: Material) -> None:
    rows, d = part.risk.rows, part.design
    assert d.months == len(rows)
    assert d.exposure.sum() == (rows["event"] == 0).sum()
    assert len(d.event_ids) == d.event_weight.sum() == rows["event"].sum() > 0
    assert set(d.event_ids) <= set(part.risk.events["event_id"])
    group = np.array(d.states)[d.group_state[d.cell_group]]
    by_state = pd.Series(d.exposure.sum(axis=1)).groupby(group).sum()
    by_state = by_state.add(pd.Series(group[d.event_cell]).value_counts(), fill_value=0)
    expected = rows["state"].astype(str).value_counts()
    assert by_state[by_state > 0].astype(int).to_dict() == expected.to_dict()


def test_every_column_holds_its_slot_stage_and_recurrence(part: Material) -> None:
    rows, d = part.risk.rows, part.design
    quiet = rows[rows["event"] == 0]
    gap = gap_class(quiet["had_before"].to_numpy(), quiet["gap"].to_numpy(float))
    counted = quiet.assign(gap_class=gap).groupby(["slot", "stage", "gap_class"]).size()
    found = {}
    for combination, months in zip(d.column, d.exposure.sum(axis=0), strict=True):
        rest, g = divmod(int(combination), len(GAPS))
        slot, stage = divmod(rest, len(STAGES))
        found[d.slots[slot], stage, g] = int(months)
    assert found == {(str(s), int(z), int(g)): int(n) for (s, z, g), n in counted.items()}


def test_the_likelihood_of_cells_is_that_of_months(part: Material) -> None:
    """Every month of the risk set on its own, under random effects: the same number."""
    d, model = part.design, part.model
    rows, x = rowwise(part)
    raw = prior_draws(sizes(d), 5, 3)
    e = effects(raw, model.constants(d), np)
    cell, column = cells(e, d.arrays(), np), columns(e, np)
    months = np.exp(cell)[:, :, None] * np.exp(column[:, None, d.column])
    reduced = -(months * d.exposure).sum(axis=(1, 2))
    reduced += np.log(-np.expm1(-np.exp(cell[:, d.event_cell] + column[:, d.event_column]))).sum(1)
    state = np.array([d.states.index(s) for s in rows["state"]])
    region = np.array([d.regions.index(r) for r in rows["region"]])
    slot = np.array([d.slots.index(s) for s in rows["slot"]])
    gap = gap_class(rows["had_before"].to_numpy(), rows["gap"].to_numpy(float))
    eta = e["alpha"][:, None] + e["state"][:, state] + e["region"][:, region] + e["slot"][:, slot]
    eta = eta + e["stage"][:, rows["stage"].to_numpy()] + e["gap"][:, gap]
    for j, feature in enumerate(d.features):
        latent = np.zeros((5, len(rows)))
        for i, (s, f) in enumerate(d.latent):
            if f == feature:
                latent[:, (rows["state"] == s).to_numpy()] = e["x_missing"][:, [i]]
        value = np.where(np.isnan(x[:, j]), latent, np.nan_to_num(x[:, j]))
        eta = eta + e["beta"][:, [j]] * value
    event = rows["event"].to_numpy(bool)
    direct = np.where(event, np.log(-np.expm1(-np.exp(eta))), -np.exp(eta)).sum(axis=1)
    np.testing.assert_allclose(reduced, direct, rtol=1e-9)


def test_covariates_move_by_at_most_half_a_step(part: Material) -> None:
    d = part.design
    assert (d.x == np.round(d.x / GRID) * GRID).all()
    rows, x = rowwise(part)
    raw = covariates(part.panel, rows["state"], rows["month"], part.model.features)
    assert np.nanmax(np.abs(raw - x)) <= GRID / 2 + 1e-12
    assert (np.isnan(raw) == np.isnan(x)).all()
    assert len(d.x) < len(rows) / 4


def test_a_latent_value_stands_where_a_figure_is_missing(part: Material) -> None:
    d = part.design
    rows, x = rowwise(part)
    missing = {
        (str(s), part.model.features[j])
        for i, j in np.argwhere(np.isnan(x))
        for s in [rows["state"].iloc[i]]
    }
    assert set(d.latent) == missing
    assert [d.features[f] for f in d.latent_feature] == [f for _, f in d.latent]
    cells_ = d.group_latent[d.cell_group]
    for j, (state, feature) in enumerate(d.latent):
        here = cells_[:, j] > 0
        assert (d.x[here, d.features.index(feature)] == 0).all()
        assert {d.states[g] for g in d.group_state[d.cell_group[here]]} == {state}


def test_signs_are_counted_once_by_state_and_stage(part: Material) -> None:
    rows, d = part.risk.rows, part.design
    quiet = rows[rows["event"] == 0]
    late = quiet["sign_late"].astype(bool)
    live = quiet["sign_live"].astype(bool) & ~late
    stage = quiet["stage"]
    expected = [
        (live & (stage == 0)).sum(), (late & (stage == 0)).sum(), (live & (stage == 1)).sum(),
        (late & (stage == 1)).sum(), (late & (stage == 2)).sum(),
    ]  # fmt: skip
    assert np.bincount(d.sign_kind, d.sign_count, minlength=5).tolist() == expected
    months = np.bincount(d.sign_kind, d.sign_months + d.sign_count, minlength=5)
    # a month's late sign hides a live one: such a month says nothing about live signs
    z0, z1, z2 = ((stage == z) for z in range(3))
    by_stage = [int(m.sum()) for m in (z0 & ~late, z0, z1 & ~late, z1, z2)]
    assert months.astype(int).tolist() == by_stage
    assert d.has_signs == (sum(expected) > 0)


def test_marks_are_counted_by_the_aim_stated_before(part: Material) -> None:
    events, d = part.risk.events, part.design
    for i, aim in enumerate(AIMS):
        here = events[(events["aim"] == aim) & events["mark"].isin(["weaken", "strengthen"])]
        assert d.mark_total[i] == len(here)
        assert d.mark_weaken[i] == (here["mark"] == "weaken").sum()


def test_padding_adds_nothing_and_the_digest_sees_every_array(part: Material) -> None:
    d = part.design
    bigger = d.padded(type(d.capacity)(*(v + 5 for v in vars(d.capacity).values())))
    assert bigger.months == d.months
    assert bigger.mark_total.tolist() == d.mark_total.tolist()
    assert d.padded(d.capacity).digest() == d.digest()
    assert bigger.digest() != d.digest()
    for name, value in d.arrays().items():
        if value.size:
            changed = value.copy()
            changed.flat[-1] += 1
            assert type(d)(**{**vars(d), name: changed}).digest() != d.digest(), name


def test_two_as_of_dates_never_meet(bundled: Any) -> None:
    question = load_questions(bundled)["neutrality_text_revision"]
    risk = risk_set(question, snapshot("2016-07-01", package=bundled))
    later = panel(snapshot("2016-08-01", package=bundled), ["TKM"], start="2010-01-01")
    with pytest.raises(LookAheadError):
        design(risk, later, features=())


def test_without_features_only_structure_is_left(part: Material) -> None:
    bare = design(part.risk, part.panel, features=())
    assert bare.x.shape == (len(set(part.risk.rows["state"])), 0)
    assert bare.months == part.design.months


@pytest.mark.parametrize(
    ("gap", "name"),
    [(0, "under 2 years"), (23, "under 2 years"), (24, "2 to 5 years"), (59, "2 to 5 years"),
     (60, "5 to 10 years"), (120, "over 10 years")],
)  # fmt: skip
def test_recurrence_classes(gap: int, name: str) -> None:
    assert GAPS[int(gap_class(np.array([1]), np.array([gap]))[0])] == name
    assert GAPS[int(gap_class(np.array([0]), np.array([gap]))[0])] == "first"


def test_a_target_only_for_a_state_at_risk(bundled: Any) -> None:
    then = snapshot("2016-07-01", package=bundled)
    questions = load_questions(bundled)
    found = {
        name: gather(questions[name], then, "KAZ", horizon=6, seed=1).target
        for name in ("neutrality_text_revision", "foreign_base")
    }
    assert found["neutrality_text_revision"] is None
    target = found["foreign_base"]
    assert target is not None
    assert target.paths.shape[0] == 6
    assert set(target.units["slot"]) <= {"RUS", "CHN", "USA", "OTH"}


def test_priors_of_the_question_reach_the_model(bundled: Any) -> None:
    question = load_questions(bundled)["foreign_base"]
    model = configured(question, ("a",), processes=True)
    assert np.exp(model.rate.mu - 1.6448536 * model.rate.sigma) * 12 == pytest.approx(1 / 1000)
    assert model.late.interval() == pytest.approx((2, 100))
    assert model.signs[3].interval() == pytest.approx((1 / 144, 1 / 12))
    assert model.processes
    assert not configured(question, (), processes=False).processes
    assert not configured(load_questions(bundled)["bloc_accession"], (), processes=True).processes


def test_plain_values() -> None:
    assert month_start(pd.Timestamp("2016-07-31")) == pd.Timestamp("2016-07-01")
    assert plain(0.123456789) == 0.123457
    assert plain(np.float64("nan")) is plain(float("inf")) is plain(pd.NaT) is plain(None) is None
    assert plain(pd.Timestamp("2016-07-01")) == "2016-07-01"
    assert type(plain(np.int64(3))) is int
