"""The published form of a run, against a made-up sample and against broken ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from forecast import schema
from indicators.errors import DataError

SAMPLE = Path(__file__).parent / "fixtures" / "forecast-sample.json"
Payload = dict[str, Any]


@pytest.fixture
def payload() -> Payload:
    return json.loads(SAMPLE.read_text(encoding="utf-8"))


def test_the_schema_is_itself_valid() -> None:
    Draft202012Validator.check_schema(schema.schema())
    assert schema.schema()["properties"]["schema"]["const"] == schema.SCHEMA_ID


def test_the_sample_is_valid_and_says_what_it_is(payload: Payload) -> None:
    schema.validate(payload)
    assert "Not a forecast" in payload["_note"]


def test_a_key_more_is_welcome(payload: Payload) -> None:
    payload["forecasts"][0]["tipping_point"] = 2.5
    schema.validate(payload)


def test_what_does_not_apply_is_null(payload: Payload) -> None:
    row = payload["forecasts"][0]
    for key in ("p", "lo90", "hi90", "base_rate", "prior_share", "no_process", "marks", "drivers"):
        row[key] = None
    schema.validate(payload)


def _set(path: str, value: object) -> Callable[[Payload], None]:
    def change(payload: Payload) -> None:
        *parents, last = path.split("/")
        here: Any = payload
        for part in parents:
            here = here[int(part)] if part.isdigit() else here[part]
        here[last] = value

    return change


BROKEN = [
    ("schema", "tocsin/forecast/2"),
    ("state", "Turkmenistan"),
    ("origin", "2016-07-02"),
    ("as_of", "1 July 2016"),
    ("forecasts/0/p", 7.1),
    ("forecasts/0/p", "0.07"),
    ("forecasts/0/p", float("nan")),
    ("forecasts/0/lo90", 0.9),
    ("forecasts/0/base_rate_lo90", 0.9),
    ("forecasts/0/horizon", 0),
    ("forecasts/0/base_rate_events", -1),
    ("forecasts/0/no_process", {"p": 0.1}),
    ("forecasts/0/marks/RUS", 1.2),
    ("forecasts/0/marks_are", "shares"),
    ("forecasts/0/drivers/0/log_odds", float("inf")),
    ("forecasts/0/stale/0/last_period", "a while ago"),
    ("processes/0/stage", "over"),
    ("indicators/0/family", "weather"),
    ("indicators/0/observations/0/period", "2016-13"),
    ("provenance/data_hash", "not a hash"),
    ("provenance/seed", 1.5),
]


@pytest.mark.parametrize(("path", "value"), BROKEN)
def test_each_break_is_refused_with_its_place(payload: Payload, path: str, value: object) -> None:
    _set(path, value)(payload)
    with pytest.raises(DataError) as caught:
        schema.validate(payload)
    named = path.replace("/0", "[0]").replace("/", ".")
    assert any((failure.column or "").startswith(named) for failure in caught.value.failures)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("key", sorted(schema.schema()["$defs"]["forecast"]["required"]))
def test_no_key_of_a_forecast_may_be_left_out(payload: Payload, key: str) -> None:
    del payload["forecasts"][0][key]
    assert any(key in failure.allowed for failure in schema.failures(payload))


def test_all_breaks_are_reported_at_once(payload: Payload) -> None:
    payload["state"] = "x"
    payload["forecasts"][0]["p"] = 2
    payload["provenance"]["seed"] = -1
    assert len(schema.failures(payload)) == 3


def test_a_forecast_that_is_there_twice_is_refused(payload: Payload) -> None:
    payload["forecasts"].append(payload["forecasts"][0])
    (failure,) = schema.failures(payload)
    assert failure.column == "forecasts[16]"
