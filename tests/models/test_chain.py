"""The chain against the full transition matrix, simulated histories, and its rivals."""

import numpy as np
import pytest

from forecast.models.chain import EXPIRY, Rates, Start, without_event

STARTS = [Start(), Start(1, 0), Start(1, 20), Start(2, 5), Start(2, EXPIRY - 1)]


def dense(base, factor, sign, end, start, weaken=None):
    """Reference: one month at a time over every (stage, lineage, age), written out."""
    b0, d0, b1, d1, d2 = sign
    none, alive = 1.0, np.zeros((2, 2, EXPIRY))  # [live, late][origin's, later][age]
    if start.stage:
        none, alive[start.stage - 1, 0, start.age] = 0.0, 1.0
    failed, out = 0.0, []
    for cumulative in base:
        survive = np.exp(-cumulative * factor)
        lost = [(alive[0, lin] * (1 - survive[1]) + alive[1, lin] * (1 - survive[2])).sum()
                for lin in (0, 1)]  # fmt: skip
        lost.append(none * (1 - survive[0]))
        share = np.ones(3) if weaken is None else np.array(weaken)
        failed += np.dot(lost, share)
        back = np.dot(lost, 1 - share)
        quiet, live, late = none * survive[0], alive[0] * survive[1], alive[1] * survive[2]
        after = np.zeros_like(alive)
        after[0, :, 1:] = (live * (1 - d1) * (1 - b1))[:, :-1]
        after[1, :, 1:] = (late * (1 - d2))[:, :-1]
        expired = (live * (1 - d1) * (1 - b1))[:, -1].sum() + (late * (1 - d2))[:, -1].sum()
        after[0, :, 0] += (live * (1 - d1) * b1).sum(axis=1)
        after[1, :, 0] += (live * d1).sum(axis=1) + (late * d2).sum(axis=1)
        after[0, 1, 0] += quiet * (1 - d0) * b0
        after[1, 1, 0] += quiet * d0
        none = (quiet * (1 - d0) * (1 - b0) + expired + back) * (1 - end)
        alive = after * (1 - end)
        out.append(1 - failed)
    return np.array(out)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("weaken", [None, (0.2, 0.6, 0.4)])
def test_cohorts_equal_the_full_matrix_product(start, weaken):
    rng = np.random.default_rng(4)
    base = rng.uniform(0.001, 0.05, 60)
    factor, sign, end = np.array([1.0, 4.0, 12.0]), rng.uniform(0.01, 0.1, 5), 0.002
    rates = Rates(base[:, None, None], factor[None], sign[None], np.array([end]))
    found = without_event(rates, start, weaken=None if weaken is None else np.array([weaken]))
    np.testing.assert_allclose(
        found[:, 0, 0], dense(base, factor, sign, end, start, weaken), atol=1e-13
    )


@pytest.mark.parametrize("start", STARTS)
def test_a_marked_event_never_exceeds_the_event(start):
    rng = np.random.default_rng(5)
    draws = 300
    rates = Rates(
        rng.uniform(0.0001, 0.05, (48, draws, 3)),
        np.exp(np.abs(rng.normal(0, 1.5, (draws, 3)))) * [0, 1, 1] + [1, 0, 0],
        rng.uniform(0, 0.2, (draws, 5)),
        rng.uniform(0, 0.01, draws),
    )
    event = without_event(rates, start)
    marked = without_event(rates, start, weaken=rng.uniform(0, 1, (draws, 3)))
    assert (marked >= event - 1e-15).all()
    assert (np.diff(event, axis=0) <= 1e-15).all()


def test_without_signs_it_is_the_plain_hazard():
    base = np.full((36, 1, 1), 0.01)
    rates = Rates(base, np.ones((1, 3)), np.zeros((1, 5)), np.zeros(1))
    np.testing.assert_allclose(
        without_event(rates, Start())[:, 0, 0], np.exp(-0.01 * np.arange(1, 37)), rtol=1e-14
    )


@pytest.mark.parametrize("sign", [0.0, 0.05])
def test_a_competing_end_takes_its_share_by_the_closed_form(sign):
    """Constant hazard h and end q: h (1 - a^n) / (1 - a) with a = (1 - h)(1 - q), chain or not."""
    h, q, n = 0.01, 0.004, np.arange(1, 61)
    base = np.full((60, 1, 1), -np.log1p(-h))
    rates = Rates(base, np.ones((1, 3)), np.full((1, 5), sign), np.array([q]))
    alive = (1 - h) * (1 - q)
    np.testing.assert_allclose(
        1 - without_event(rates, Start())[:, 0, 0], h * (1 - alive**n) / (1 - alive), rtol=1e-12
    )


def test_ends_by_law_are_simulated_as_they_are_counted():
    """Spells that end by the event, by law or not at all: the chain gives the share of events."""
    rng = np.random.default_rng(3)
    event = rng.geometric(0.01, 200_000)
    law = rng.geometric(0.03, 200_000)
    seen = (event <= 36) & (event <= law)  # in one month the event comes first
    rates = Rates(
        np.full((36, 1, 1), -np.log1p(-0.01)), np.ones((1, 3)), np.zeros((1, 5)), np.array([0.03])
    )
    assert 1 - without_event(rates, Start())[-1, 0, 0] == pytest.approx(seen.mean(), abs=0.003)
    ignored = 1 - 0.99**36
    assert ignored > seen.mean() + 0.08


def histories(units, months, hazard, sign, rng):
    """Simulate stage and event month by month; the event resets the unit to stage none."""
    stage, age = np.zeros(units, int), np.zeros(units, int)
    rows = []
    for _ in range(months):
        event = rng.random(units) < -np.expm1(-hazard[stage])
        u = rng.random((2, units))
        b = np.array([sign[0], sign[2], 0.0])[stage]
        d = np.array([sign[1], sign[3], sign[4]])[stage]
        late = ~event & (u[0] < d)
        live = ~event & ~late & (u[1] < b)
        rows.append(np.column_stack([stage, event, live, late]))
        expired = (stage > 0) & (age >= EXPIRY - 1)
        age = np.where(late | live, 0, age + 1)
        stage = np.where(event | (expired & ~late & ~live), 0, stage)
        stage = np.where(late, 2, np.where(live, np.maximum(stage, 1), stage))
    return np.concatenate(rows)


def test_simulated_histories_are_recovered_where_the_shortcuts_miss():
    """A live process, 36 months: the chain hits the truth, its two rivals do not."""
    hazard = np.array([0.0005, 0.02, 0.03])
    sign = np.array([0.006, 0.001, 0.002, 0.001, 0.02])
    rng = np.random.default_rng(8)
    stage, event, live, late = histories(400, 600, hazard, sign, rng).T
    kinds = [(0, live), (0, late), (1, live), (1, late), (2, late)]
    rate = [(event[stage == z].sum() / (stage == z).sum()) for z in range(3)]
    found = [
        sign_[(stage == z) & (event == 0)].sum() / ((stage == z) & (event == 0)).sum()
        for z, sign_ in kinds
    ]
    # Truth: simulate a live process just begun, forward, many times.
    truth = forward(hazard, sign, 200_000, np.random.default_rng(9))
    rates = Rates(
        np.full((36, 1, 1), rate[0]), np.array([rate]) / rate[0], np.array([found]), np.zeros(1)
    )
    chain = 1 - without_event(rates, Start(1, 0))[-1, 0, 0]
    carried = 1 - (1 - rate[1]) ** 36
    # Success coded as an exit: the stage also ends at the event's own rate, as if it failed.
    as_exit = 1 - np.prod(1 - rate[1] * (1 - rate[1] - 1 / EXPIRY) ** np.arange(36))
    assert chain == pytest.approx(truth, abs=0.025)
    assert carried > truth + 0.04
    assert as_exit < truth - 0.04


def forward(hazard, sign, units, rng):
    """Share of units with a live process at the start that have the event within 36 months."""
    stage, age, alive = np.ones(units, int), np.zeros(units, int), np.ones(units, bool)
    for _ in range(36):
        alive &= rng.random(units) >= -np.expm1(-hazard[stage])
        u = rng.random((2, units))
        late = u[0] < np.array([sign[1], sign[3], sign[4]])[stage]
        live = ~late & (u[1] < np.array([sign[0], sign[2], 0.0])[stage])
        expired = (stage > 0) & (age >= EXPIRY - 1) & ~late & ~live
        age = np.where(late | live, 0, age + 1)
        stage = np.where(late, 2, np.where(live, np.maximum(stage, 1), np.where(expired, 0, stage)))
    return 1 - alive.mean()
