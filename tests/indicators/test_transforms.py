"""Transforms never look ahead, keep what is missing, and refuse nonsense."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicators import transforms as tf

NUMBERS = st.lists(st.one_of(st.none(), st.floats(0, 1e6)), min_size=1, max_size=40)
CAUSAL: list[Callable[[pd.Series], pd.Series]] = [
    lambda x: tf.lag(x, 2),
    lambda x: tf.rolling_sum(x, 3),
    lambda x: tf.decay_since(x, 2.5),
    tf.log1p,
    lambda x: tf.standardise(x, 2.0, scale=3.0),
]


@given(NUMBERS, st.integers(1, 40))
@pytest.mark.parametrize("transform", CAUSAL)
def test_no_value_depends_on_a_later_one(
    transform: Callable[[pd.Series], pd.Series], values: list[float | None], cut: int
) -> None:
    x = pd.Series(values, dtype=float)
    pd.testing.assert_series_equal(transform(x).iloc[:cut], transform(x.iloc[:cut]))


def test_values() -> None:
    x = pd.Series([1.0, 2.0, np.nan, 4.0, 5.0])
    np.testing.assert_array_equal(tf.lag(x), [np.nan, 1, 2, np.nan, 4])
    np.testing.assert_array_equal(tf.rolling_sum(x, 2), [np.nan, 3, np.nan, np.nan, 9])
    events = pd.Series([0, 1, 0, 0, np.nan, 0, 3])
    expected = [0, 1, 0.5**0.5, 0.5, np.nan, np.nan, 1]
    np.testing.assert_allclose(tf.decay_since(events, 2.0), expected)
    np.testing.assert_allclose(tf.share(x, pd.Series([2.0, 0, 1, 8, np.nan]))[[0, 3]], 0.5)
    assert tf.share(x, pd.Series([2.0, 0, 1, 8, np.nan])).isna().tolist() == [0, 1, 1, 0, 1]
    np.testing.assert_allclose(tf.log1p(x)[0], np.log(2))
    np.testing.assert_allclose(tf.standardise(x, 3.0, scale=2.0)[0], -1)


def test_concentration() -> None:
    index = pd.MultiIndex.from_tuples(
        [("2015", "RUS"), ("2015", "CHN"), ("2016", "CHN"), ("2017", "IRN")],
        names=["year", "counterpart"],
    )
    out = tf.concentration(pd.Series([1.0, 3.0, 2.0, 0.0], index=index))
    np.testing.assert_allclose(out, [0.625, 1.0, np.nan])
    with pytest.raises(ValueError, match="levels"):
        tf.concentration(pd.Series([1.0]))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: tf.lag(pd.Series([1.0]), -1), "looks ahead"),
        (lambda: tf.rolling_sum(pd.Series([1.0]), 0), "window"),
        (lambda: tf.decay_since(pd.Series([1.0]), 0.0), "half_life"),
        (lambda: tf.log1p(pd.Series([-2.0])), "smallest value"),
        (lambda: tf.standardise(pd.Series([1.0]), 0.0, scale=0.0), "scale"),
    ],
)
def test_refusals(call: Callable[[], pd.Series], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()
