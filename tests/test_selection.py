"""Choosing a default where it is not scored: by hand, and without reach across a cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.selection import selection
from indicators.errors import UnknownNameError

SPLIT = pd.Timestamp("2010-01-01")
ASK: dict[str, Any] = {
    "models": ("bold",), "default": "plain", "questions": ("a", "b"), "horizon": 6,
    "split": SPLIT, "seed": 1,
}  # fmt: skip


def windows(bold: dict[tuple[str, int], float]) -> pd.DataFrame:
    """One event a cell; the plain model says 0.1, the bold one what is given."""
    rows = []
    for (question, era), p in bold.items():
        day = pd.Timestamp("2005-01-01" if era == 0 else "2015-01-01")
        about = {"question": question, "origin": day, "closes": day + pd.DateOffset(months=6)}
        for state, y in (("AAA", 1.0), ("BBB", 0.0)):
            label = f"{question}{era}" if y else None
            one = about | {"state": state, "y": y, "campaign": label, "horizon": 6}
            rows += [one | {"model": "plain", "p": 0.1}, one | {"model": "bold", "p": p}]
    return pd.DataFrame(rows)


def gain(p: float) -> float:
    return float(np.log(p / 0.1) + np.log((1 - p) / 0.9))


def test_a_cell_is_scored_by_what_was_chosen_elsewhere() -> None:
    # bold is better on question a in the first era and on b in the second, worse on the others
    bold = {("a", 0): 0.3, ("b", 1): 0.2, ("a", 1): 0.02, ("b", 0): 0.05}
    found = selection(windows(bold), **ASK)
    cells = found.cells.set_index(["question", "era"])
    assert cells["chosen"].to_dict() == {
        ("a", 0): "bold", ("b", 1): "bold", ("a", 1): "plain", ("b", 0): "plain",
    }  # fmt: skip
    assert cells.loc[("a", 0), "gain"] == pytest.approx(gain(0.3))
    assert cells.loc[("a", 1), "gain"] == 0
    assert cells["events"].tolist() == cells["behind"].tolist() == [1, 1, 1, 1]
    assert found.gain == pytest.approx(gain(0.3) + gain(0.2))
    assert found.lo90 <= found.gain <= found.hi90
    assert found.chosen == ("bold" if sum(map(gain, bold.values())) > 0 else "plain")


def test_what_happens_in_a_cell_does_not_decide_its_own_model() -> None:
    before = {("a", 0): 0.3, ("b", 1): 0.2, ("a", 1): 0.02, ("b", 0): 0.05}
    a, b = (selection(windows(before | change), **ASK).cells.set_index(["question", "era"])
            for change in ({}, {("a", 0): 0.9, ("a", 1): 0.9, ("b", 0): 0.9}))  # fmt: skip
    assert a.loc[("a", 0), "chosen"] == b.loc[("a", 0), "chosen"] == "bold"


def test_without_a_gain_the_default_stays_and_choosing_pays_nothing() -> None:
    found = selection(windows(dict.fromkeys([("a", 0), ("b", 1), ("a", 1), ("b", 0)], 0.1)), **ASK)
    assert found.chosen == "plain"
    assert set(found.cells["chosen"]) == {"plain"}
    assert (found.gain, found.pays) == (0, False)


def test_no_event_chooses_nothing() -> None:
    # bold says less, which alone wins where nothing came
    quiet = windows({("a", 0): 0.05, ("b", 1): 0.05})
    quiet.loc[quiet["question"] == "b", ["y", "campaign"]] = [0.0, None]
    cells = selection(quiet, **ASK).cells.set_index(["question", "era"])
    assert cells.loc[("a", 0), ["chosen", "behind"]].tolist() == ["plain", 0]
    assert cells.loc[("b", 1), "behind"] == 1


def test_a_model_that_was_not_backtested_is_named() -> None:
    with pytest.raises(UnknownNameError, match="nobody"):
        selection(windows({("a", 0): 0.1}), **ASK | {"models": ("nobody",)})
