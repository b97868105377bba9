"""Links between questions: counted by hand, joint over shared futures, scored by window."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from forecast import variants
from forecast.backtest import Grid, backtest
from forecast.cli import main
from forecast.joint import joint_scores, joint_table
from forecast.links import DOORS, PAIR, Door, Doorway, pair_of
from forecast.outcomes import outcomes
from forecast.predict import Prediction
from forecast.questions import load_questions
from forecast.risk import RiskSet, risk_set
from indicators.tables import DataPackage
from indicators.vintages import snapshot

REVISION = "neutrality_text_revision"


@pytest.fixture(scope="module")
def late(bundled: DataPackage) -> dict[str, RiskSet]:
    """Risk sets of all that was coded."""
    seen = snapshot("2025-01-01", package=bundled)
    return {name: risk_set(q, seen) for name, q in load_questions(bundled).items()}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.second)
def test_a_link_counts_what_a_count_by_hand_does(door: Door, late: dict[str, RiskSet]) -> None:
    first, second = late[door.first], late[door.second]
    events = {"shut": 0, "open": 0}
    months = {"shut": 0, "open": 0}
    texts = set(first.rows["state"])
    for row in second.rows[second.rows["state"].isin(texts)].itertuples():
        spans = [
            (row.month.year - day.year) * 12 + row.month.month - day.month
            for day in first.events.loc[first.events["state"] == row.state, "date"]
        ]
        side = "open" if any(0 < span <= door.months for span in spans) else "shut"
        months[side] += 1
        events[side] += int(row.event)
    found = door.link(first, second)
    assert found.events == (events["shut"], events["open"])
    assert found.months == (float(months["shut"]), float(months["open"]))
    assert months["open"] > 0


def test_no_base_has_followed_a_revision_yet(late: dict[str, RiskSet]) -> None:
    door = DOORS[0]
    told = door.link(late[door.first], late[door.second]).summary()
    assert told["events_open"] == 0
    assert told["lo90"] < 1 < told["hi90"]


def test_how_long_a_door_is_open_at_the_origin(bundled: DataPackage) -> None:
    question = load_questions(bundled)[REVISION]
    door = Door(REVISION, "foreign_base", months=36)
    # the text was revised on 14 September 2016: open from October 2016 to September 2019
    expected = {"2016-07-01": 0, "2016-10-01": 36, "2017-01-01": 33, "2019-09-01": 1,
                "2019-10-01": 0}  # fmt: skip
    for day, months in expected.items():
        risk = risk_set(question, snapshot(day, package=bundled))
        assert door.still_open(risk, "TKM") == months
        assert door.still_open(risk, "XXX") == 0


def futures(high: float, low: float) -> Prediction:
    """Two paths, a rate a month on each; one draw."""
    months = np.arange(1, 37)
    p = np.stack([-np.expm1(-rate * months) for rate in (high, low)])[None]
    return Prediction(p.mean(axis=1), {"RUS": p.mean(axis=1) / 2}, p)


def test_shared_futures_make_two_questions_depend_on_each_other() -> None:
    one, two = futures(0.02, 0.001), futures(0.03, 0.002)
    table = Doorway(DOORS[0], one, two, np.zeros(1)).at(12)
    expected = (one.by_path()[0, :, 11] * two.by_path()[0, :, 11]).mean()
    assert table[0, 1, 1] == pytest.approx(expected)
    assert table[0, 1, 1] > one.p[0, 11] * two.p[0, 11]
    assert table[0, 1].sum() == pytest.approx(one.p[0, 11])
    assert table[0, :, 1].sum() == pytest.approx(two.p[0, 11])
    part = Doorway(DOORS[0], one, two, np.zeros(1)).at(12, "RUS")
    assert part[0, :, 1].sum() == pytest.approx(two.marks["RUS"][0, 11])


def test_a_door_that_is_open_already_lets_the_second_through() -> None:
    one, two = futures(0.02, 0.02), futures(0.01, 0.01)
    shut, opened = (
        Doorway(DOORS[0], one, two, np.full(1, np.log(3.0)), already).at(12) for already in (0, 36)
    )
    assert opened[0, :, 1].sum() == pytest.approx(-np.expm1(-0.03 * 12))
    assert shut[0, :, 1].sum() < opened[0, :, 1].sum()
    assert opened[0, 1].sum() == pytest.approx(shut[0, 1].sum())
    # whether the first comes then tells nothing about the second
    product = np.outer(opened[0].sum(axis=1), opened[0].sum(axis=0))
    np.testing.assert_allclose(opened[0], product, atol=1e-12)


def forecasts(p: dict[tuple[str, str], float], state: str, origin: str) -> pd.DataFrame:
    where = (state, pd.Timestamp(origin), 36)
    rows = [(name, *where, model, value, 0.5) for (name, model), value in p.items()]
    columns = ["question", "state", "origin", "horizon", "model", "p", "prior_share"]
    return pd.DataFrame(rows, columns=columns)


def test_both_have_come_where_each_has(bundled: DataPackage) -> None:
    pair = DOORS[1].pair
    asked = pd.concat(
        [
            # an application in May 2022 and the accession of April 2023
            forecasts({(pair, "linked"): 0.1}, "FIN", "2021-07-01"),
            forecasts({(pair, "linked"): 0.1}, "TKM", "2016-07-01"),
            forecasts({(pair, "linked"): 0.1}, "FIN", "2023-07-01"),
        ],
        ignore_index=True,
    )
    single = [
        outcomes(asked.assign(question=name), package=bundled)["y"].tolist()
        for name in pair_of(pair) or ()
    ]
    found = outcomes(asked, package=bundled)
    expected = np.minimum(*(np.array(y) for y in single))
    np.testing.assert_array_equal(found["y"], expected)
    assert list(found.index) == list(asked.index)
    assert found["y"].iloc[1] == 0
    assert np.isnan(found["y"].iloc[2])


def test_joint_scores_by_hand() -> None:
    door = DOORS[0]
    said = {
        (door.first, "linked"): 0.2, (door.second, "linked"): 0.3, (door.pair, "linked"): 0.1,
        (door.first, "hazard"): 0.2, (door.second, "hazard"): 0.25,
    }  # fmt: skip
    frame = forecasts(said, "MDA", "2000-07-01").assign(
        closes=pd.Timestamp("2003-07-01"),
        y=[0.0, 1.0, 0.0, 0.0, 1.0],
        campaign=["", "c", "", "", "c"],
    )  # fmt: skip
    row = joint_scores(frame).iloc[0]
    assert row["together"] == pytest.approx(-np.log(0.3 - 0.1))
    assert row["apart_linked"] == pytest.approx(-np.log(0.8 * 0.3))
    assert row["apart_hazard"] == pytest.approx(-np.log(0.8 * 0.25))
    assert row["campaign"] == "c"
    told = joint_table(joint_scores(frame), seed=1, repeats=20).iloc[0]
    assert told["gain"] == pytest.approx(row["apart_hazard"] - row["together"])
    assert (told["n"], told["first"], told["second"], told["both"]) == (1, 0, 1, 0)
    with pytest.raises(KeyError, match="glm"):
        joint_table(joint_scores(frame), seed=1, against="glm")
    assert joint_scores(frame[frame["question"] != door.pair]).empty


@pytest.fixture
def few(cheap: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "HAZARD_DRAWS", 40)
    monkeypatch.setattr(variants, "HAZARD_PATHS", 4)


@pytest.mark.usefixtures("few")
def test_the_variant_moves_the_second_alone_and_tells_of_both(bundled: DataPackage) -> None:
    door = DOORS[0]
    ask = Grid((pd.Timestamp("2017-01-01"),), (door.first, door.second), (6, 36),
               ("hazard", "linked"), 1)  # fmt: skip
    found = backtest(ask)
    wide = found.pivot_table(index=["question", "state", "horizon"], columns="model", values="p")
    same = wide.loc[door.first]
    np.testing.assert_array_equal(same["linked"], same["hazard"])
    # Turkmenistan revised its text in September 2016: the door is open
    assert (
        wide.loc[(door.second, "TKM", 36), "linked"] != wide.loc[(door.second, "TKM", 36), "hazard"]
    )
    # states that have no such text keep the forecast of the hazard
    without = set(found.loc[found["question"] == door.second, "state"]) - set(
        found.loc[found["question"] == door.first, "state"]
    )
    assert without
    for state in without:
        row = wide.loc[(door.second, state, 36)]
        assert row["linked"] == row["hazard"]
    both = found[found["question"] == door.pair].set_index(["state", "horizon"])
    assert both["prior_share"].between(0, 1).all()
    for (state, horizon), row in both.iterrows():
        margins = [wide.loc[(name, state, horizon), "linked"] for name in (door.first, door.second)]
        assert 0 < row["p"] < min(margins)


@pytest.mark.usefixtures("few")
def test_a_backtest_writes_the_scores_of_pairs_apart(tmp_path: Path) -> None:
    out = tmp_path / "bt"
    args = ["backtest", "--from", "2001-07", "--to", "2001-07", "--horizon", "6", "--models",
            "base_rate,hazard,linked", "--workers", "1", "--engine", "nuts",
            "--home", str(tmp_path), "--out", str(out)]  # fmt: skip
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0, done.output
    kept = pd.read_parquet(out / "forecasts.parquet")
    assert not kept["question"].str.contains(PAIR, regex=False).any()
    scores = pd.read_parquet(out / "joint.parquet")
    assert set(scores["pair"]) == {door.pair for door in DOORS}
    assert np.isfinite(scores[["together", "apart_hazard", "apart_linked"]]).all().all()


@pytest.mark.usefixtures("few")
def test_waves_and_late_reports_take_part() -> None:
    ask = Grid((pd.Timestamp("2010-07-01"),), ("foreign_base",), (6,),
               ("hazard", "hazard_waves", "hazard_reporting"), 1)  # fmt: skip
    found = backtest(ask)
    wide = found.pivot_table(index="state", columns="model", values="p")
    assert wide.notna().all().all()
    assert (wide["hazard_waves"] != wide["hazard"]).all()


def test_a_refused_fit_leaves_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    from indicators.errors import FitError

    def refuse(*_: object, **__: object) -> None:
        raise FitError("not converged")

    monkeypatch.setattr(variants, "fit_all", refuse)
    ask = Grid((pd.Timestamp("2016-07-01"),), (DOORS[0].first, DOORS[0].second), (6,),
               ("linked",), 1)  # fmt: skip
    found = backtest(ask)
    assert found["p"].isna().all()
    assert joint_scores(outcomes(found)).empty
