"""Joint futures of a snapshot: what they start from, when sources print, scenarios, calibration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as property_of
from hypothesis import strategies as st

import indicators
from forecast.checks.futures import calibrated, crps, total
from forecast.copula import Shocks, correlated, year_of
from forecast.counts import Counts
from forecast.futures import Futures, fit, futures
from forecast.levels import Levels
from forecast.periods import series
from forecast.scenarios import Given, ScenarioError
from indicators.errors import LookAheadError, UnknownNameError
from indicators.lookup import month_number
from indicators.vintages import Snapshot, snapshot
from indicators.windows import by_period

Array = Any
ORIGIN = "2016-07-01"
OPTIONS = {"horizon": 37, "paths": 400, "seed": 5}


@pytest.fixture(scope="module")
def seen(bundled: Any) -> Snapshot:
    return snapshot(ORIGIN, package=bundled)


@pytest.fixture(scope="module")
def fitted(seen: Snapshot) -> Futures:
    return futures(seen)


@pytest.fixture(scope="module")
def panel(seen: Snapshot, fitted: Futures) -> Any:
    return indicators.panel(seen, fitted.states)


def test_each_feature_has_the_model_its_figures_ask_for(fitted: Futures) -> None:
    kinds = dict(zip(fitted.features, [one.kind for one in fitted.series], strict=True))
    assert kinds == {
        "gas_partner_share": "share", "leader_trips": "counts", "polyarchy": "share",
        "un_alignment": "score", "violence_neighbours": "counts", "violence_own": "counts",
    }  # fmt: skip
    models = dict(zip(fitted.features, fitted.models, strict=True))
    assert isinstance(models["leader_trips"], Counts)
    assert isinstance(models["violence_own"], Levels)
    assert futures.__module__ == "forecast.futures"


def test_periods_are_the_figures_the_panel_is_made_of(
    seen: Snapshot, fitted: Futures, panel: Any
) -> None:
    """The window that ends with the newest period, put on the fixed scale, is the last row."""
    for one in fitted.series:
        name = one.feature.feature
        age = panel.ages[name].xs(panel.origin, level="month").to_numpy(float)
        shown = panel.values[name].xs(panel.origin, level="month").to_numpy(float)
        fresh = fitted.here - 1 - age == one.ends[-1]
        assert fresh.sum() > 100
        np.testing.assert_allclose(one.fixed(one.y[:, -1])[fresh], shown[fresh])
        np.testing.assert_array_equal(one.shown, shown)


def test_single_periods_are_those_of_the_newest_vintage(seen: Snapshot) -> None:
    feature = seen.catalog.feature("violence_own")
    periods = np.arange(month_number(pd.DatetimeIndex(["2015-01-01"]))[0], 5100)
    found = by_period(seen, feature, ["AFG", "TKM"], periods)
    rows = seen.series("violence_deaths", "AFG").set_index("end")["value"]
    newest = rows[rows.index >= "2015-01-01"]
    np.testing.assert_array_equal(found[0, : len(newest)], newest.to_numpy())
    assert (found[1, : len(newest)] == 0).all()
    assert np.isnan(found[:, len(newest) :]).all()


def test_the_first_month_is_what_the_panel_shows(fitted: Futures, panel: Any) -> None:
    now = panel.values.xs(panel.origin, level="month")
    for state in ("TKM", "AFG", "AUT", "VAT"):
        drawn = fitted.simulate(state, horizon=3, paths=4, seed=1)
        expected = np.repeat(now.loc[state].to_numpy()[None], 4, axis=0)
        np.testing.assert_array_equal(drawn[0], expected)
        missing = now.loc[state].isna().to_numpy()
        assert np.isnan(drawn[:, :, missing]).all()
        assert np.isfinite(drawn[:, :, ~missing]).all()


def test_a_yearly_source_moves_in_the_months_it_is_printed(fitted: Futures) -> None:
    """The Review comes in July, V-Dem at the end of September, leaders' trips in January."""
    drawn = fitted.simulate("TKM", **OPTIONS)
    moved = {
        name: [k for k in range(1, 37) if (drawn[k, :, j] != drawn[k - 1, :, j]).any()]
        for j, name in enumerate(fitted.features)
    }
    assert moved["gas_partner_share"] == [12, 24, 36]
    assert moved["polyarchy"] == moved["un_alignment"] == [3, 15, 27]
    assert moved["leader_trips"] == [7, 19, 31]
    assert len(moved["violence_neighbours"]) > 30


def test_every_month_is_one_that_could_be(fitted: Futures) -> None:
    """Shares within 0 and 1, amounts not below nothing, whatever the state."""
    for state in ("TKM", "AFG", "DEU", "RUS"):
        drawn = fitted.simulate(state, **OPTIONS)
        for j, one in enumerate(fitted.series):
            x = drawn[:, :, j] * one.feature.scale + one.feature.centre
            raw = np.expm1(x) if one.feature.transform == "log1p" else x
            known = raw[~np.isnan(raw)]
            if one.kind in ("share", "counts"):
                assert (known >= -1e-9).all()
            if one.kind == "share":
                assert (known <= 1 + 1e-9).all()


def test_a_series_that_never_moved_does_in_some_paths(fitted: Futures, panel: Any) -> None:
    """No death in Turkmenistan since 1992: main's autoregression held it at none for ever."""
    past = panel.values["violence_own"].xs("TKM", level="state").to_numpy()
    assert (past[-120:] == past[-1]).all()
    drawn = fitted.simulate("TKM", horizon=37, paths=4000, seed=2)[:, :, -1]
    share = (drawn[[12, 36]] > past[-1]).mean(axis=1)
    assert 0.005 < share[0] < share[1] < 0.3


def test_the_seed_decides_and_nothing_else(seen: Snapshot, fitted: Futures) -> None:
    """Another process, other states before, fewer features: the same bits."""
    one = fitted.simulate("TKM", **OPTIONS)
    fitted.simulate("AFG", **OPTIONS)
    again = fit(seen).simulate("TKM", **OPTIONS)
    np.testing.assert_array_equal(one, again)
    part = fitted.simulate("TKM", **OPTIONS, features=["un_alignment", "polyarchy"])
    np.testing.assert_array_equal(part, one[:, :, [3, 2]])
    other = fitted.simulate("TKM", **{**OPTIONS, "seed": 6})
    assert (one[-1, :, :4] != other[-1, :, :4]).mean() > 0.9
    assert futures(seen) is futures(seen)


@pytest.mark.parametrize(("origin", "gone"), [("2003-06-01", 0.3), ("2016-07-01", 1.0)])
def test_what_came_after_the_origin_moves_no_bit(
    bundled: Any, bundled_draft: Any, poisoned: Any, tmp_path: Path, origin: str, gone: float
) -> None:
    clean = snapshot(origin, package=bundled)
    dirty = snapshot(origin, package=poisoned(bundled_draft, origin, gone=gone).load(tmp_path))
    one, other = fit(clean), fit(dirty)
    np.testing.assert_array_equal(one.correlation, other.correlation)
    for state in ("TKM", "AFG", "KGZ"):
        np.testing.assert_array_equal(
            one.simulate(state, **OPTIONS), other.simulate(state, **OPTIONS)
        )


def test_what_was_known_before_does(bundled_draft: Any, fitted: Futures, tmp_path: Path) -> None:
    draft = bundled_draft.copy()
    rows = draft.tables["observations"]
    here = (rows["indicator"] == "polyarchy") & (rows["published"] <= ORIGIN)
    rows.loc[here & (rows["state"] == "KGZ"), "value"] = "0.9"
    other = fit(snapshot(ORIGIN, package=draft.load(tmp_path)))
    a, b = (f.simulate("TKM", **OPTIONS)[-1, :, 2] for f in (fitted, other))
    assert (a != b).any()


def test_strict_vintages_leave_what_has_none_missing(bundled: Any) -> None:
    strict = fit(snapshot(ORIGIN, package=bundled, strict=True))
    drawn = strict.simulate("TKM", horizon=20, paths=10, seed=1)
    names = dict(zip(strict.features, range(6), strict=True))
    assert np.isnan(drawn[:, :, names["un_alignment"]]).all()
    assert np.isfinite(drawn[:, :, names["gas_partner_share"]]).all()


def test_a_source_that_fell_silent_is_carried_through_its_silence(
    bundled_draft: Any, tmp_path: Path
) -> None:
    """Its last figure is five years old: the first month is uncertain, more than a year after."""
    draft = bundled_draft.copy()
    rows = draft.tables["observations"]
    late = (rows["indicator"] == "un_ideal_point") & (rows["start"] >= "2010-01-01")
    draft.tables["observations"] = rows[~late]
    silent = fit(snapshot(ORIGIN, package=draft.load(tmp_path)))
    one = silent.series[3]
    assert one.silent.sum() == (~np.isnan(one.shown)).sum() > 100
    first = silent.simulate("KAZ", **OPTIONS)[0, :, 3]
    assert first.std() > 0.05
    assert np.ptp(silent.simulate("KAZ", **OPTIONS)[0, :, 2]) == 0


def test_unknown_names_are_refused(fitted: Futures) -> None:
    with pytest.raises(UnknownNameError, match="XYZ"):
        fitted.simulate("XYZ", **OPTIONS)
    with pytest.raises(UnknownNameError, match="polarity"):
        fitted.simulate("TKM", **OPTIONS, features=["polarity"])


# --- shocks -----------------------------------------------------------------------------------


def test_residual_correlation_is_recovered_and_noise_is_not(fitted: Futures) -> None:
    """Yearly levels of two features whose innovations have the correlation 0.6."""
    from forecast.levels import fit_levels

    rng = np.random.default_rng(3)
    root = np.linalg.cholesky([[1.0, 0.6, 0.0], [0.6, 1.0, 0.0], [0.0, 0.0, 1.0]])
    e = rng.standard_normal((200, 25, 3)) @ root.T
    base = fitted.series[3]
    ends = base.ends[-1] - 12 * np.arange(25)[::-1]
    walk = [np.cumsum(e[:, :, k], axis=1) for k in range(3)]
    found = [replace(base, y=y, ends=ends) for y in walk]
    r = correlated(found, [fit_levels(y) for y in walk], int(ends[-1]) + 7)
    assert r[0, 1] == pytest.approx(0.6, abs=0.05)
    assert np.abs(r[2, :2]).max() < 0.06
    assert np.linalg.eigvalsh(r).min() > 0


def test_shocks_of_months_add_up_to_that_of_their_year(fitted: Futures) -> None:
    """A feature by month, one by year, correlation 0.7: each month is standard normal."""
    r = np.array([[1.0, 0.7], [0.7, 1.0]])
    yearly = fitted.series[3]
    monthly = replace(yearly, step=1, ends=np.array([yearly.ends[-1]]), y=yearly.y[:, -1:])
    plan = np.array([int(yearly.ends[-1]) + 36])
    shocks = Shocks(r, [monthly, yearly], 0, [plan, plan], 20_000, np.random.default_rng(4))
    fine, coarse = shocks.of(0), shocks.of(1)
    assert fine.shape == (36, 20_000)
    assert coarse.shape == (3, 20_000)
    assert fine.std(axis=1) == pytest.approx(np.ones(36), abs=0.03)
    whole = year_of(shocks.ends[0]) == year_of(shocks.ends[1])[1]
    assert whole.sum() == 12
    summed = fine[whole].sum(axis=0) / np.sqrt(12)
    assert np.corrcoef(summed, coarse[1])[0, 1] == pytest.approx(0.7, abs=0.02)
    assert np.corrcoef(fine[whole][0], fine[whole][1])[0, 1] == pytest.approx(0.0, abs=0.03)


# --- scenarios --------------------------------------------------------------------------------


def test_what_is_given_holds_and_is_simulated_from(fitted: Futures) -> None:
    given = [Given("un_alignment", "TKM", [2.0] * 12, "2017-01-01")]
    drawn = fitted.simulate("TKM", **OPTIONS, given=given)[:, :, 3]
    free = fitted.simulate("TKM", **OPTIONS)[:, :, 3]
    np.testing.assert_array_equal(drawn[:6], free[:6])
    assert (drawn[6:18] == 2.0).all()
    assert np.median(drawn[27]) > 1.0 > np.median(free[27])


def test_amounts_are_given_in_their_own_unit(fitted: Futures) -> None:
    given = [Given("violence_own", "TKM", 500, "2017-07-01")]
    drawn = fitted.simulate("TKM", **OPTIONS, given=given)[:, :, 5]
    assert drawn[12:] == pytest.approx((np.log1p(500) - 1.5) / 2.5)
    # deaths of twelve months were in the making before the month they are given for
    deaths = np.expm1(drawn[:12] * 2.5 + 1.5).mean(axis=1)
    assert deaths[0] == pytest.approx(0, abs=1e-9)
    assert (np.diff(deaths) > 0).sum() >= 9


def tied(fitted: Futures, correlation: float) -> Futures:
    r = np.eye(6)
    r[2, 3] = r[3, 2] = correlation
    return replace(fitted, correlation=r)


@pytest.mark.parametrize(("correlation", "sign"), [(0.8, 1), (-0.8, -1), (0.0, 0)])
def test_the_rest_follows_through_the_residual_correlation(
    fitted: Futures, correlation: float, sign: int
) -> None:
    """Alignment leaps up: polyarchy of the same year follows as their residuals have done."""
    model = tied(fitted, correlation)
    given = [Given("un_alignment", "KAZ", 1.5, ORIGIN)]
    options = {**OPTIONS, "paths": 2000}
    moved = model.simulate("KAZ", **options, given=given)
    free = model.simulate("KAZ", **options)
    shift = np.median(moved[4, :, 2]) - np.median(free[4, :, 2])
    if sign:
        assert np.sign(shift) == sign
    else:
        np.testing.assert_array_equal(moved[:, :, :3], free[:, :, :3])


def test_a_scenario_that_is_the_median_moves_the_middle_of_nothing(fitted: Futures) -> None:
    model = tied(fitted, 0.8)
    options = {**OPTIONS, "paths": 4000}
    free = model.simulate("KAZ", **options)
    middle = float(np.median(free[4, :, 3]))
    moved = model.simulate(
        "KAZ", **options, given=[Given("un_alignment", "KAZ", [middle], "2016-11-01")]
    )
    spread = np.diff(np.quantile(free[4, :, 2], [0.25, 0.75]))[0]
    assert abs(np.median(moved[4, :, 2]) - np.median(free[4, :, 2])) < 0.2 * spread


@pytest.mark.parametrize(
    ("given", "error", "word"),
    [
        (Given("rainfall", "TKM", 1.0, "2017-01-01"), UnknownNameError, "rainfall"),
        (Given("polyarchy", "UZB", 0.5, "2017-01-01"), ScenarioError, "UZB"),
        (Given("polyarchy", "TKM", 1.2, "2017-01-01"), ScenarioError, "1.2"),
        (Given("violence_own", "TKM", -1, "2017-01-01"), ScenarioError, "-1"),
        (Given("un_alignment", "TKM", float("nan"), "2017-01-01"), ScenarioError, "nan"),
        (Given("polyarchy", "TKM", [], "2017-01-01"), ScenarioError, "no value"),
        (Given("polyarchy", "TKM", 0.5, "2016-06-01"), ScenarioError, "2016-06"),
        (Given("polyarchy", "TKM", 0.5, "2022-01-01"), ScenarioError, "2022-01"),
    ],
)
def test_what_cannot_be_given_is_refused(
    fitted: Futures, given: Given, error: type[Exception], word: str
) -> None:
    with pytest.raises(error, match=word):
        fitted.simulate("TKM", **OPTIONS, given=[given])


def test_a_feature_is_given_once(fitted: Futures) -> None:
    twice = [Given("polyarchy", "TKM", 0.5, "2017-01-01")] * 2
    with pytest.raises(ScenarioError, match="twice"):
        fitted.simulate("TKM", **OPTIONS, given=twice)


# --- calibration ------------------------------------------------------------------------------


@property_of(st.lists(st.floats(-5, 5), min_size=2, max_size=30), st.floats(-5, 5))
def test_crps_is_that_of_its_definition(drawn: list[float], came: float) -> None:
    x = np.array(drawn)
    slow = np.abs(x - came).mean() - np.abs(x[:, None] - x[None]).mean() / 2
    assert crps(x[None], np.array([came]))[0] == pytest.approx(slow, abs=1e-9)


def test_intervals_hold_what_came_and_beat_the_last_value_carried_forward(bundled: Any) -> None:
    """Three origins, the states of the post-Soviet block and its neighbours, all indicators."""
    later = snapshot("2022-02-01", package=bundled)
    table = later.table("states")
    states = [*sorted(table.loc[table["post_soviet"] == 1, "state"]), "AFG", "IRN", "TUR"]
    origins = [pd.Timestamp(f"{year}-01-01") for year in (2006, 2011, 2016)]
    rows = calibrated(
        later, origins, horizons=(12, 36), states=states, models=("state space", "random walk")
    )
    found = total(rows)
    ours = found.xs("state space", level="model")
    theirs = found.xs("random walk", level="model")
    assert (ours["figures"] >= 30).all()
    assert ours["in90"].between(0.75, 1.0).all()
    assert (ours["in90"] >= ours["in50"]).all()
    assert (ours["crps"] / theirs["crps"]).mean() < 0.95
    assert abs(ours["in90"].mean() - 0.9) < 0.06
    assert set(rows["origin"]) == set(origins)


def test_what_has_not_come_cannot_be_scored(bundled: Any) -> None:
    later = snapshot("2018-01-01", package=bundled)
    with pytest.raises(LookAheadError):
        calibrated(later, [pd.Timestamp("2016-01-01")], horizons=(36,), states=["TKM"])
    with pytest.raises(ValueError, match="give one of"):
        calibrated(later, [pd.Timestamp("2016-01-01")], horizons=(12,), states=["TKM"],
                   models=("oracle",))  # fmt: skip


def test_series_of_periods_of_no_fixed_length_are_read_from_the_panel(
    seen: Snapshot, panel: Any
) -> None:
    feature = replace(
        seen.catalog.feature("polyarchy"), indicators=("polyarchy", "violence_deaths")
    )
    odd = series(seen, panel, feature)
    assert odd.window == 1
    assert odd.aggregation == "last"
