"""The power on trial: covariates by hand, nothing from later, the rule the record leads to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.models.power import Power, rolling
from forecast.powers import COVARIATES, Openings, openings, power_record, power_words
from forecast.questions import load_questions
from indicators.tables import DataPackage
from indicators.vintages import Snapshot, snapshot


@pytest.fixture(scope="module")
def seen(bundled: DataPackage) -> Snapshot:
    return snapshot("2025-01-01", package=bundled)


@pytest.fixture(scope="module")
def past(bundled: DataPackage, seen: Snapshot) -> Openings:
    return openings(load_questions(bundled)["foreign_base"], seen)


def test_every_opening_was_possible_and_is_dated(past: Openings) -> None:
    rows = np.arange(len(past.events))
    chosen = [past.slots.index(slot) for slot in past.events["slot"]]
    assert past.eligible[rows, chosen].all()
    assert past.x.shape == (len(rows), len(past.slots), len(COVARIATES))
    # a slot that stands for many powers has no ties of its own
    assert np.isnan(past.x[:, past.slots.index("OTH")]).all()
    assert (past.coverage["bases"] == len(rows)).all()


def test_covariates_by_hand(past: Openings, bundled: DataPackage) -> None:
    which = past.events["state"].eq("TJK") & past.events["slot"].eq("CHN")
    i, j = int(np.flatnonzero(which)[0]), past.slots.index("CHN")
    day = past.events.loc[i, "month"]
    assert day == pd.Timestamp("2016-12-01")
    found = dict(zip(COVARIATES, past.x[i, j], strict=True))
    rows = bundled.tables["observations"]
    rows = rows[rows["published"] < day]

    def newest(name: str, state: str, partner: str = "") -> float:
        own = rows[(rows["indicator"] == name) & (rows["state"] == state)]
        own = own[own["counterpart"].fillna("") == partner].sort_values(["end", "published"])
        return float(own["value"].iloc[-1])

    assert found["contacts"] == pytest.approx(
        np.log1p(newest("icews_cooperation", "TJK", "CHN") / 100)
    )
    votes = [newest("un_ideal_point", state) for state in ("TJK", "CHN")]
    assert found["votes"] == pytest.approx(-abs(votes[0] - votes[1]))
    # nearness to the end of the scale is the host's own point
    usa = dict(zip(COVARIATES, past.x[i, past.slots.index("USA")], strict=True))
    assert usa["votes"] == pytest.approx(votes[0])
    bases = bundled.tables["base_episodes"]
    own = bases[(bases["user"] == "CHN") & (bases["is_base"] == 1)]
    there = (own["open_date"] < day) & (own["became_public"].fillna(own["open_date"]) < day)
    there &= own["close_date"].isna() | (own["close_date"] >= day)
    assert found["bases"] == pytest.approx(np.log1p(there.sum()))


def test_the_record_is_that_of_the_rolling_predictions(
    past: Openings, bundled: DataPackage, seen: Snapshot
) -> None:
    table = power_record(load_questions(bundled)["foreign_base"], seen, seed=1, repeats=50)
    rows = table.set_index("rule")
    chosen = np.array([past.slots.index(slot) for slot in past.events["slot"]])
    month, known = (past.events[n].to_numpy("datetime64[D]") for n in ("month", "known"))
    said = rolling(Power(), past.x, past.eligible, chosen, month, known)
    at = np.arange(len(chosen))
    gain = np.log(said["power"][at, chosen]) - np.log(said["frequencies"][at, chosen])
    assert rows.loc["power", "gain"] == pytest.approx(gain.sum())
    assert rows.loc["frequencies", "gain"] == 0
    assert (table["openings"] == len(chosen)).all()
    assert rows.loc["power", "lo90"] < rows.loc["power", "gain"] < rows.loc["power", "hi90"]
    # counting knows more than nothing
    assert rows.loc["uniform", "log"] > rows.loc["frequencies", "log"]


def test_nothing_later_reaches_the_record(
    bundled_draft: Any, poisoned: Callable[..., Any], bundled: DataPackage, tmp_path: Path
) -> None:
    day = "2016-07-01"
    question = load_questions(bundled)["foreign_base"]
    right = power_record(question, snapshot(day, package=bundled), seed=1, repeats=20)
    other = poisoned(bundled_draft, day).load(tmp_path)
    wrong = power_record(question, snapshot(day, package=other), seed=1, repeats=20)
    pd.testing.assert_frame_equal(right, wrong, check_exact=True)


def test_the_words_follow_the_record() -> None:
    rows = {"rule": ["power", "frequencies"], "openings": [9, 9], "log": [1.0, 1.1],
            "gain": [-1.2, 0.0], "lo90": [-3.0, 0.0], "hi90": [0.4, 0.0]}  # fmt: skip
    told = power_words(pd.DataFrame(rows))
    assert "9 openings" in told
    assert "-1.20 nats" in told
    assert told.endswith("so it is not used.")
    better = pd.DataFrame({**rows, "gain": [5.0, 0.0], "lo90": [1.0, 0.0]})
    assert power_words(better).endswith("which would speak for it.")
    assert power_words(better.iloc[:0]) == ""
