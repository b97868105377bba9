"""Numbers and dates in plain words."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast import words


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0, "0%"),
        (0.00002, "<0.01%"),
        (0.00043, "0.04%"),
        (0.0043, "0.43%"),
        (0.00996, "1.0%"),
        (0.071, "7.1%"),
        (0.0996, "10%"),
        (0.123, "12%"),
        (0.99, "99.0%"),
        (0.9996, ">99.9%"),
        (1, "100%"),
    ],
)
def test_percent_says_at_most_two_digits(p: float, text: str) -> None:
    assert words.percent(p) == text


@given(st.floats(0, 1), st.floats(0, 1))
def test_percent_never_reverses_an_order(a: float, b: float) -> None:
    low, high = sorted((a, b))

    def shown(p: float) -> float:
        return float(words.percent(p).strip("<>%"))

    if low >= 0.0001:
        assert shown(low) <= shown(high)


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.071, "1 in 14"), (0.0043, "1 in 230"), (0.0009, "1 in 1,100"), (0.5, ""), (0, "")],
)
def test_small_probabilities_are_also_frequencies(p: float, text: str) -> None:
    assert words.one_in(p) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.02, "about the base rate"),
        (1.32, "1.3 times the base rate"),
        (14.2, "14 times the base rate"),
        (0.36, "0.36 of the base rate"),
    ],
)
def test_times_the_base_rate(ratio: float, text: str) -> None:
    assert words.times(ratio) == text


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("2015", date(2015, 1, 1), date(2015, 12, 31)),
        ("2015-Q1", date(2015, 1, 1), date(2015, 3, 31)),
        ("2016-02", date(2016, 2, 1), date(2016, 2, 29)),
        ("2016-06-09", date(2016, 6, 9), date(2016, 6, 9)),
        ("2016-01-01/2016-06-30", date(2016, 1, 1), date(2016, 6, 30)),
    ],
)
def test_periods(period: str, first: date, last: date) -> None:
    assert words.period_span(period) == (first, last)


def test_a_period_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="isoformat"):
        words.period_span("spring")


@pytest.mark.parametrize(
    ("period", "age"), [("2016-06", 0), ("2016-05", 1), ("2015", 6), ("2014", 18), ("2017", 0)]
)
def test_age_counts_from_the_end_of_the_period(period: str, age: int) -> None:
    assert words.age_months(period, "2016-07-01") == age


def test_dates_and_numbers_for_people() -> None:
    assert words.day("2016-07-01") == "1 July 2016"
    assert words.day("2014-08") == "August 2014"
    assert words.day("2014") == "2014"
    assert words.number(17342) == "17,342"
    assert words.number(72.4) == "72.4"
    assert words.number(-0.61) == "−0.61"
    assert words.number(None) == "–"


def test_codes_become_words() -> None:
    assert words.label("RUS") == "Russia"
    assert words.label(2) == "draft public or signed"
    assert words.label("carry_over") == "carried over unchanged"
    assert words.label("SCO") == "SCO"
    assert words.label(None) == "–"
