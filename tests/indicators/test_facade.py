"""The facade is light, and whatever it names can be had."""

import subprocess
import sys

import pandas as pd
import pytest

import indicators


def test_importing_imports_nothing_else() -> None:
    code = (
        "import sys, indicators;"
        "heavy = {'pandas', 'numpy', 'pymc', 'arviz', 'matplotlib', 'statsmodels', 'jax'};"
        "raise SystemExit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", indicators.__all__)
def test_every_name(name: str) -> None:
    assert getattr(indicators, name) is not None
    assert name in dir(indicators)


def test_panel_is_callable_whichever_way_it_was_imported() -> None:
    code = (
        "import indicators.panel, indicators, pickle;"
        "from indicators.panel import Panel, panel;"
        "assert callable(indicators.panel) and indicators.panel.Panel is Panel"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = indicators.nothing  # type: ignore[attr-defined]


def test_months() -> None:
    every = indicators.months("2016-01", "2016-12-15", step=6)
    assert list(every) == [pd.Timestamp("2016-01-01"), pd.Timestamp("2016-07-01")]
    assert len(indicators.months("2016-05-09", "2016-05-09")) == 1
    assert len(indicators.months("2016-05", "2016-04")) == 0
    with pytest.raises(ValueError, match="give 1 or more"):
        indicators.months("2016-01", "2016-02", step=0)
    with pytest.raises(indicators.DataError, match="YYYY-MM-DD"):
        indicators.months("banana", "2016-02")
