"""Errors say place, found, allowed and remedy, and survive a process boundary."""

import pickle

import pytest

from indicators.errors import (
    DataError,
    Failure,
    FitError,
    LookAheadError,
    TocsinError,
    UnknownNameError,
)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (DataError([]), ValueError, 3),
        (LookAheadError("later"), LookupError, 3),
        (UnknownNameError("table", "x", ["y"]), LookupError, 2),
        (FitError("bad", {"rhat": 1.2}), RuntimeError, 4),
    ],
)
def test_kinds_and_exit_codes(error: TocsinError, kind: type[Exception], code: int) -> None:
    assert isinstance(error, TocsinError)
    assert isinstance(error, kind)
    assert error.exit_code == code


def test_data_error_lists_every_failure() -> None:
    first = Failure("a.csv", 3, "value", "'x'", "a finite number", "Correct it.")
    second = Failure("b.csv", None, None, "an empty file", "rows", "Restore it.")
    text = str(DataError([first, second]))
    assert text.startswith("2 failures in the data")
    assert "a.csv, line 3, column value: found 'x'; allowed: a finite number. Correct it." in text
    assert "b.csv: found an empty file; allowed: rows. Restore it." in text


def test_unknown_name_offers_what_there_is() -> None:
    error = UnknownNameError("indicator", "gas_prod", ["gas_production", "deaths"])
    assert error.close_matches == ("gas_production",)
    assert "did you mean gas_production?" in str(error)
    assert "deaths, gas_production" in str(error)
    assert "none is registered" in str(UnknownNameError("table", "x", []))


@pytest.mark.parametrize(
    "error",
    [
        DataError([Failure("a.csv", 3, "c", "1", "2", "Do.")]),
        UnknownNameError("indicator", "a", ["b"]),
        LookAheadError("no", place="here", found="1", allowed="2", remedy="3"),
        FitError("bad", {"rhat": 2.0}, remedy="More draws."),
    ],
)
def test_pickle(error: TocsinError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
