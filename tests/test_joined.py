"""The questions of a run together: products where nothing links them, exact where a link does."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from forecast.answers import Answer
from forecast.joined import joined
from forecast.links import DOORS, Door
from forecast.models.base_rate import BaseRate
from forecast.models.linked import Link
from forecast.predict import Prediction

A, B, C = DOORS[0].first, DOORS[0].second, DOORS[1].second


def steady(rates: list[float], draws: int = 4) -> Prediction:
    """A rate a month on each path, the same in every draw."""
    months = np.arange(1, 37)
    one = np.stack([-np.expm1(-rate * months) for rate in rates])
    return Prediction(np.tile(one.mean(axis=0), (draws, 1)), {}, np.tile(one, (draws, 1, 1)))


def answer(found: Prediction | None) -> Answer:
    return Answer(found, None, None, None, {}, None, None, {}, face=found)


@dataclass(frozen=True)
class Part:
    """All that is asked of a material."""

    risk: Any = None


def told(
    found: dict[str, Prediction | None],
    monkeypatch: pytest.MonkeyPatch,
    gamma: float,
    already: int = 0,
) -> Any:
    """The joint block, with a link that is known."""
    draws = Link((0, 0), (0.0, 0.0), scale=1e-9)
    object.__setattr__(draws, "draws", lambda size, **_: np.full(size, gamma))
    monkeypatch.setattr(Door, "link", lambda *_: draws)
    monkeypatch.setattr(Door, "still_open", lambda *_: already)
    material: Any = {name: {"default": Part()} for name in found}
    answers = {name: answer(p) for name, p in found.items()}
    rates = dict.fromkeys(found, BaseRate(2, 100.0))
    return joined(material, answers, rates=rates, state="TKM", horizons=(12, 36), seed=1)


def test_one_question_has_no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told({A: steady([0.01])}, monkeypatch, 0.0) is None
    assert told({A: steady([0.01]), B: None}, monkeypatch, 0.0) is None


def test_without_link_and_with_one_future_the_questions_are_independent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = told({A: steady([0.01]), B: steady([0.02]), C: steady([0.005])}, monkeypatch, 0.0)
    for row in found["horizons"]:
        assert row["any"]["p"] == pytest.approx(row["any"]["independent"], rel=1e-5)
        assert row["any"]["p"] == pytest.approx(-np.expm1(-0.035 * row["horizon"]), rel=1e-5)
        for pair in row["pairs"]:
            assert pair["p"] == pytest.approx(pair["independent"], rel=1e-5)
        assert [pair["linked"] for pair in row["pairs"]] == [True, True, False]
        assert all(m["p"] == pytest.approx(m["unlinked"]) for m in row["moved"])


def test_base_rates_stand_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told({B: steady([0.02]), C: steady([0.005])}, monkeypatch, 0.0)
    row = found["horizons"][1]
    one = 1 - (100 / 103) ** 2.5
    assert row["any"]["base_rate"] == pytest.approx(1 - (1 - one) ** 2, rel=1e-5)
    assert row["pairs"][0]["base_rate"] == pytest.approx(one**2, rel=1e-5)
    assert all("base rate" in words for words in found["words"][:2])


def test_with_links_the_numbers_are_those_of_a_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    gamma, horizon, size = 1.2, 36, 200_000
    found = told({A: steady([0.02]), B: steady([0.01]), C: steady([0.005])}, monkeypatch, gamma)
    rng = np.random.default_rng(3)
    start = np.floor(rng.exponential(50.0, size)) + 1
    opened = np.clip(horizon - start, 0, None)
    b, c = (
        rng.exponential(1.0, size) < rate * (horizon + np.expm1(gamma) * opened)
        for rate in (0.01, 0.005)
    )
    a = start <= horizon
    row = found["horizons"][1]
    assert row["any"]["p"] == pytest.approx((a | b | c).mean(), abs=0.005)
    for pair, both in zip(row["pairs"], (a & b, a & c, b & c), strict=True):
        assert pair["p"] == pytest.approx(both.mean(), abs=0.004)
        assert pair["p"] > pair["independent"]
    assert row["moved"][0]["p"] == pytest.approx(b.mean(), abs=0.004)
    assert row["moved"][0]["p"] > row["moved"][0]["unlinked"]


def test_shared_futures_tie_questions_without_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = [0.001, 0.03]
    found = told({B: steady(rates), C: steady(rates)}, monkeypatch, 0.0)
    assert found["links"] == []
    pair = found["horizons"][0]["pairs"][0]
    p = -np.expm1(-np.array(rates) * 12)
    assert pair["p"] == pytest.approx((p**2).mean(), rel=1e-5)
    assert pair["independent"] == pytest.approx(p.mean() ** 2, rel=1e-5)


def test_an_open_door_moves_the_second_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told({A: steady([0.01]), B: steady([0.01])}, monkeypatch, np.log(2.0), already=36)
    assert found["links"][0]["open_months"] == 36
    moved = found["horizons"][1]["moved"][0]
    assert moved["p"] == pytest.approx(-np.expm1(-0.02 * 36), rel=1e-5)


def test_fewer_paths_than_the_answer_rests_on_do_not_move_the_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = steady([0.01])
    kept = Prediction(one.p * 1.1, {}, one.futures)
    found = told({A: kept, B: steady([0.02])}, monkeypatch, 0.0)
    for row in found["horizons"]:
        assert row["pairs"][0]["p"] == pytest.approx(row["pairs"][0]["independent"], rel=1e-5)
