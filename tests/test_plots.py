"""The pictures: what is drawn is what the payload says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from forecast import plots

SAMPLE = Path(__file__).parent / "fixtures" / "forecast-sample.json"


@pytest.fixture(scope="module")
def payload() -> dict[str, Any]:
    return json.loads(SAMPLE.read_text(encoding="utf-8"))


def _texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def _points(ax: Any, marker: str) -> np.ndarray:
    return np.vstack([line.get_xydata() for line in ax.lines if line.get_marker() == marker])


def test_horizons_draws_p_and_base_rate(payload: dict[str, Any]) -> None:
    rows = [row for row in payload["forecasts"] if row["question"] == "foreign_base"]
    ax = plots.horizons(payload["forecasts"], "foreign_base")
    wanted = np.array([[row["horizon"], row["p"]] for row in rows])
    np.testing.assert_allclose(_points(ax, "o"), wanted)
    base = np.array([[0, 0], *([row["horizon"], row["base_rate"]] for row in rows)])
    assert any(
        line.get_xydata().shape == base.shape and np.allclose(line.get_xydata(), base)
        for line in ax.lines
    )
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] >= max(row["hi90"] for row in rows)
    assert "model 3.1%" in _texts(ax)


def test_horizons_draws_on_the_axes_given(payload: dict[str, Any]) -> None:
    ax = Figure().subplots()
    assert plots.horizons(payload["forecasts"], "foreign_base", ax=ax) is ax


def test_horizons_of_a_question_that_is_not_there(payload: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no forecast of 'coup'"):
        plots.horizons(payload["forecasts"], "coup")


def test_labels_at_the_end_never_touch(payload: dict[str, Any]) -> None:
    row = dict(payload["forecasts"][3], p=0.05, base_rate=0.0501)
    row["no_process"] = {"p": 0.0499, "lo90": 0.01, "hi90": 0.09}
    ax = plots.horizons([row], row["question"])
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert np.diff(heights).min() >= 0.09


def test_series_breaks_where_nothing_was_counted(payload: dict[str, Any]) -> None:
    entry = dict(payload["indicators"][2])
    entry["observations"] = [o for o in entry["observations"] if o["period"] != "2009"]
    ax = plots.series(entry, payload["origin"])
    drawn = ax.lines[0].get_ydata()
    assert np.isnan(drawn).sum() == 1
    assert np.isfinite(drawn).sum() == len(entry["observations"])


def test_series_marks_the_origin_and_what_was_not_yet_public(payload: dict[str, Any]) -> None:
    ax = plots.series(payload["indicators"][2], payload["origin"])
    assert _texts(ax) == ["origin"]
    assert ax.patches  # the strip between the newest period and the origin


def test_monthly_counts_are_stems_and_unsearched_months_are_shaded(payload: dict[str, Any]) -> None:
    entry = payload["indicators"][1]
    ax = plots.series(entry, payload["origin"])
    tops = ax.lines[0].get_ydata()[1::3]
    np.testing.assert_array_equal(tops, [o["value"] for o in entry["observations"]])
    assert len(ax.patches) == 2  # the years without a search, and the last weeks


def test_series_without_a_figure(payload: dict[str, Any]) -> None:
    entry = next(e for e in payload["indicators"] if not e["observations"])
    ax = plots.series(entry, payload["origin"])
    assert _texts(ax) == ["origin"]


def test_drivers_are_ordered_by_size(payload: dict[str, Any]) -> None:
    ax = plots.drivers(payload["forecasts"][0]["drivers"])
    sizes = np.abs(_points(ax, "o")[:, 0])
    assert (np.diff(sizes) <= 0).all()
    assert "+0.42" in _texts(ax)


def test_a_mark_that_no_event_informs_is_hollow_and_says_so(payload: dict[str, Any]) -> None:
    row = next(r for r in payload["forecasts"] if r["question"] == "foreign_base")
    ax = plots.marks(row["marks_detail"])
    hollow = [
        line
        for line in ax.lines
        if line.get_marker() == "o" and line.get_markerfacecolor() != line.get_markeredgecolor()
    ]
    assert len(hollow) == 1
    assert "China (prior only)" in _texts(ax)


@pytest.mark.parametrize("width", [10.0, 4.6])
def test_the_overview_holds_every_forecast(payload: dict[str, Any], width: float) -> None:
    figure = Figure(figsize=(width, 7))
    assert plots.forecast_overview(payload, fig=figure) is figure
    (ax,) = figure.axes
    drawn = sorted(_points(ax, "o")[:, 0])
    np.testing.assert_allclose(drawn, sorted(row["p"] for row in payload["forecasts"]))
    assert {row["title"] for row in payload["forecasts"]} <= set(_texts(ax))


def test_a_dollar_sign_is_text(payload: dict[str, Any]) -> None:
    driver = dict(payload["forecasts"][0]["drivers"][0], label="US$ and $x^2$")
    ax = plots.drivers([driver])
    ax.figure.canvas.draw()
    assert "US$ and $x^2$" in _texts(ax)


def test_no_question_no_picture_but_no_crash(payload: dict[str, Any]) -> None:
    empty = [dict(row, p=None) for row in payload["forecasts"]]
    assert plots.forecast_overview({"forecasts": empty}).axes


def test_drawing_leaves_pyplot_and_settings_alone() -> None:
    code = (
        "import json, sys, matplotlib as mpl\n"
        "from forecast import plots\n"
        "keys = ('font.size', 'text.color', 'text.parse_math', 'axes.facecolor')\n"
        "before = [mpl.rcParams[key] for key in keys]\n"
        f"payload = json.loads(open({str(SAMPLE)!r}, encoding='utf-8').read())\n"
        "plots.forecast_overview(payload)\n"
        "assert [mpl.rcParams[key] for key in keys] == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_plots_draws_in_no_matplotlib() -> None:
    code = "import sys, forecast.plots, forecast.report; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
