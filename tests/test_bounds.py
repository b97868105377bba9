"""Bounds on hindsight: closed forms, no bit at face value, and what each leaves out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.backtest import Grid, at_origin
from forecast.bounds import ALL, BOUNDS, Bound, BoundError, bound_of, most_missing, weights
from forecast.material import gather
from forecast.models.design import STAGES, Design
from forecast.models.process_table import ProcessTable, stage_counts
from forecast.questions import load_questions
from forecast.risk import risk_set
from indicators.errors import UnknownNameError
from indicators.tables import DataPackage
from indicators.vintages import Snapshot, snapshot

DAY = "2016-07-01"
QUESTIONS = ("foreign_base", "neutrality_text_revision")


@pytest.fixture(scope="module")
def seen(bundled: DataPackage) -> Snapshot:
    return snapshot(DAY, package=bundled)


@pytest.fixture(scope="module")
def questions(bundled: DataPackage) -> dict[str, object]:
    known = load_questions(bundled)
    # everybody alike: the closed form knows no state that was searched harder
    return {
        name: replace(q, process=replace(q.process, searched=()) if q.process else None)
        for name, q in known.items()
    }


def rows(stage: str, events: str, *, state: str = "A", slot: str = "") -> pd.DataFrame:
    """One unit, a letter a month: its stage, and x where the event came."""
    live = [int(s) for s in stage]
    grown = [int(b > a) for a, b in zip(live, [*live[1:], 0], strict=True)]
    return pd.DataFrame(
        {
            "state": state, "slot": slot, "month": pd.date_range("2000-01-01", periods=len(live),
                                                                 freq="MS"),
            "stage": live, "event": [int(e == "x") for e in events], "sign_live": grown,
            "sign_late": 0,
        }
    )  # fmt: skip


def cells(design: Design) -> tuple[np.ndarray, np.ndarray]:
    """Events, and months without one, by stage."""
    events, months = stage_counts(design)
    return events, months - events


def test_only_what_led_to_nothing_is_inflated() -> None:
    # a failure of two months, a success of two, a process still running
    stage = "0" * 20 + "0110" + "0110" + "0011"
    found = weights(rows(stage, "." * 26 + "x" + "." * 5), missing=3.0, visible=0.25)
    assert (found[[21, 22]] == 3.0).all()  # months of the failure
    assert found[20] == 3.0  # the month in which it began
    assert (found[[30, 31]] == 1.0).all()  # nobody knows yet
    assert (found[[25, 26]] == [1.0, 0.25]).all()
    quiet = np.delete(found, 26)
    assert quiet.sum() == pytest.approx(31)  # months at risk stay what they were


def test_failures_of_a_state_searched_as_hard_count_once() -> None:
    both = pd.concat([rows("0" * 20 + "0110", "." * 24, state=s) for s in ("A", "B")])
    found = weights(both.reset_index(drop=True), missing=3.0, visible=1.0, searched=("B",))
    assert (found[[21, 22, 45, 46]] == [3.0, 3.0, 1.0, 1.0]).all()


def test_no_room_for_so_many_failures() -> None:
    table = rows("0000110000", "." * 10)
    top = most_missing(table)
    assert weights(table, missing=top * 0.999, visible=1.0).min() > 0
    with pytest.raises(BoundError, match="too few months") as error:
        weights(table, missing=top * 1.001, visible=1.0)
    assert f"{top:.3g}" in str(error.value)


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize(("missing", "visible"), [(2.0, 1.0), (4.0, 0.5), (1.0, 0.7)])
def test_closed_form_in_the_counts(
    questions: dict[str, object], seen: Snapshot, name: str, missing: float, visible: float
) -> None:
    ask = {"horizon": 6, "seed": 1}
    plain = gather(questions[name], seen, "TKM", **ask)
    bound = ALL.with_hindsight(missing, visible)
    made = gather(questions[name], seen, "TKM", bound=bound, **ask)
    d, months = cells(plain.design)
    heavy = weights(plain.risk.rows, missing=1.0 + 1e-9, visible=1.0)
    stage = plain.risk.rows["stage"].to_numpy()
    failed = (heavy > 1.0) & (stage > 0)
    e_f = np.bincount(stage[failed], minlength=len(STAGES)).astype(float)
    want_d = np.concatenate([[d[0] + (1 - visible) * d[1:].sum()], visible * d[1:]])
    want_e = np.concatenate(
        [[months[0] - (missing - 1) * e_f.sum()], months[1:] + (missing - 1) * e_f[1:]]
    )
    found = cells(made.design)
    assert found[0] == pytest.approx(want_d)
    assert found[1] == pytest.approx(want_e)
    assert made.design.months == pytest.approx(plain.design.months)
    # the conjugate table then has the rates of the closed form, up to its own pseudo-counts
    table = ProcessTable(pseudo_events=(1e-9,) * 3, pseudo_months=(1e-9,) * 3)
    hazard, _ = table.draws(made.design, 20_000, 1)
    seen_d = want_d > 0
    want = want_d / (want_e + want_d)
    assert hazard.mean(axis=0)[seen_d] == pytest.approx(want[seen_d], rel=0.05)


@pytest.mark.parametrize("name", [*QUESTIONS, "bloc_accession"])
def test_face_value_changes_no_bit(questions: dict[str, object], seen: Snapshot, name: str) -> None:
    ask = {"horizon": 6, "seed": 1}
    one = gather(questions[name], seen, "TKM", **ask)
    other = gather(questions[name], seen, "TKM", bound=ALL.with_hindsight(1.0, 1.0), **ask)
    assert (one.risk.rows["weight"] == 1.0).all()
    assert one.design.digest() == other.design.digest()
    assert one.target.digest() == other.target.digest()


@given(st.floats(1, 5), st.floats(1, 5), st.floats(0.1, 1), st.floats(0.1, 1))
def test_the_more_was_forgotten_the_less_a_process_says(
    a: float, b: float, c: float, d: float
) -> None:
    stage = "0" * 60 + "0110" + "0110" + "0011"
    table = rows(stage, "x" + "." * 65 + "x" + "." * 5)

    def ratio(missing: float, visible: float) -> float:
        w = weights(table, missing=missing, visible=visible)
        event, live = table["event"] == 1, table["stage"] > 0
        credited = w[event & live].sum()
        rest = (event & ~live).sum() + (1 - w[event & live]).sum()
        return credited / w[~event & live].sum() / (rest / w[~event & ~live].sum())

    assert ratio(max(a, b), min(c, d)) <= ratio(min(a, b), max(c, d)) + 1e-12


def test_each_bound_leaves_out_what_it_says(questions: dict[str, object], seen: Snapshot) -> None:
    question = questions["foreign_base"]
    under = {name: risk_set(question, seen, bound=bound) for name, bound in BOUNDS.items()}
    live = {name: int((risk.rows["stage"] > 0).sum()) for name, risk in under.items()}
    assert 0 < live["verified_processes"] < live["all"]
    assert live["no_processes"] == 0
    assert set(under["central_asia"].rows["state"]) == {"KAZ", "KGZ", "TJK", "TKM", "UZB"}
    assert len(under["verified"].events) <= len(under["all"].events)
    assert len(under["verified_processes"].events) == len(under["all"].events)
    # American bases in Uzbekistan and Kyrgyzstan opened within weeks of the first report
    before = under["public_31_days"].events.set_index("event_id")["stage"]
    assert (before < under["all"].events.set_index("event_id")["stage"]).any()
    plain = [n for n, b in BOUNDS.items() if b.missing == b.visible == 1.0]
    assert all((under[n].rows["weight"] == 1.0).all() for n in plain)


def test_inflation_recovers_the_rates_of_a_table_that_forgot_failures() -> None:
    # half of the failures never got into the table: counting the rest twice undoes it
    true_live = 0.04
    plain, twice = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        table = pd.concat([_unit(rng, f"{i:03}", true_live) for i in range(120)])
        table = table.reset_index(drop=True)
        for missing, out in ((1.0, plain), (2.0, twice)):
            w = weights(table, missing=missing, visible=1.0)
            event, live = table["event"] == 1, table["stage"] > 0
            out.append(w[event & live].sum() / w[~event & live].sum())
    assert np.mean(plain) > 1.3 * true_live
    assert np.mean(twice) == pytest.approx(true_live, rel=0.12)


def _unit(rng: np.random.Generator, name: str, hazard: float) -> pd.DataFrame:
    """Ten years with one process of up to two years; half of the failures are forgotten."""
    months = int(min(rng.geometric(hazard), 25))
    came = months <= 24
    length = months if came else 24
    stage = np.zeros(120, int)
    if came or rng.uniform() < 0.5:
        stage[30 : 30 + length] = 1
    event = np.zeros(120, int)
    event[30 + length - 1] = came
    if came:
        stage[30 + length :] = 0
    marks = "".join(".x"[e] for e in event)
    return rows("".join(map(str, stage)), marks, state=name)


def test_backtest_under_a_bound(bundled: DataPackage, seen: Snapshot) -> None:
    def said(bound: str) -> pd.Series:
        grid = Grid((seen.as_of,), ("foreign_base",), (12,), ("process_table", "base_rate"), 1,
                    bound)  # fmt: skip
        return at_origin(grid, seen, bundled).set_index(["model", "state"])["p"]

    plain, less, none = said("all"), said("missing_4"), said("no_processes")
    # Turkmenistan had processes under way: the less they say, the nearer to no process
    at = ("process_table", "TKM")
    assert none[at] < less[at] < plain[at]
    assert (plain["base_rate"] == less["base_rate"]).all()
    assert set(said("central_asia")["base_rate"].index) == {"KAZ", "KGZ", "TJK", "TKM", "UZB"}
    with pytest.raises(UnknownNameError):
        said("some")


def test_bounds_that_mean_nothing() -> None:
    for bad in ({"missing": 0.0}, {"visible": 1.5}, {"missing": float("nan")}):
        with pytest.raises(BoundError):
            Bound("x", "x", "x", **bad)
    assert bound_of("all") is ALL
    assert all(b.words and b.reason and name == b.name for name, b in BOUNDS.items())
