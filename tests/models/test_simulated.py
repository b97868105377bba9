"""Calibration by simulation and its page: engines that are honest, and ones known to be wrong."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytest
import xarray as xr
from click.testing import CliRunner
from markupsafe import escape

from forecast.approximate import Approximation
from forecast.checks import simulated as sbc
from forecast.checks.main import Check, check
from forecast.checks.page import html, markdown
from forecast.checks.predictive import simulated_design
from forecast.checks.ranks import DRAWS, Calibration, uniformity
from forecast.checks.sections import HOLDS, LOOK, sections
from forecast.checks.simulated import HORIZONS, SimulationError, calibrate
from forecast.cli_check import check_command
from forecast.models.design import Design
from forecast.models.hazard import RAW, Hazard, prior_draws, sizes
from forecast.predict import Target, thin
from forecast.sampling import Diagnostics, Fit

FLAT = Hazard(region_scale=0.0, state_scale=0.0, birth_scale=0.0, slot_scale=0.0)
"""A model of one rate: every effect that could differ is switched off."""


class Stub:
    """Stands in for an engine: answers with its prior, drawn together by a factor."""

    narrow = 1.0
    told = Diagnostics(1.0, 900.0, 0, 0.0, 1.0)
    asked: list[int]

    def __init__(self, model: Any, design: Design, settings: Any = None) -> None:
        self.capacity = design.capacity

    def __call__(self, model: Any, design: Design, *, seed: int) -> Fit:
        self.asked.append(seed)
        raw = prior_draws(sizes(design.padded(self.capacity)), 400, seed)
        return Fit({name: self.narrow * value[None] for name, value in raw.items()}, self.told)


NEAR = Diagnostics(1.0, 900.0, 0, 0.0, 1.0, engine="approximate", khat=0.3)
"""What an approximation that holds says of itself."""


def stub(**given: Any) -> Any:
    """Return a kind of engine with its own count of calls."""
    return type("Stubbed", (Stub,), {"asked": [], **given})


def target() -> Target:
    """A state with nothing under way, no covariate, no end of its spell."""
    unit = pd.DataFrame([{"slot": "", "stage": 0, "stage_age": 0, "had_before": 0, "gap": 0.0,
                          "aim": ""}])  # fmt: skip
    return Target("A", "r", unit, np.zeros((36, 20, 0)), (0.0, 0.0))


@pytest.fixture
def ask(lab: Any) -> Any:
    """One state, a month at risk, no event: the data say nothing."""
    return FLAT, lab.one_rate(1.0, 0), target()


@pytest.mark.parametrize(("narrow", "good"), [(1.0, True), (0.25, False)])
def test_ranks_show_an_engine_that_is_too_sure(
    narrow: float, good: bool, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # without data the prior is the posterior: ranks of the honest stub are uniform
    monkeypatch.setattr(sbc, "Sampler", stub(narrow=narrow))
    done: list[int] = []
    found = calibrate(*ask, simulations=80, seed=1, engine="exact",
                      progress=lambda n, of: done.append(n))  # fmt: skip
    table = found.table().set_index("quantity")
    assert done == list(range(1, 81))
    assert len(found.ranks) == 80
    assert found.forecasts[:2] == [f"forecast, {h} months" for h in HORIZONS]
    assert found.ranks.to_numpy().max() <= DRAWS
    recovery = found.recovery().set_index("quantity")
    if good:
        assert table.loc["log rate", "p_uniform"] > 0.01
        assert table.loc["log rate", "inside"]
        assert 0.8 <= table.loc["forecast, 36 months", "cover90"] <= 1.0
        assert abs(recovery.loc["log rate", "contraction"]) < 0.4  # nothing was to be learnt
        assert 0.8 < recovery.loc["log rate", "z"] < 1.2
    else:
        assert table.loc["log rate", "p_uniform"] < 0.01
        assert not table.loc["log rate", "inside"]
        assert table.loc["forecast, 36 months", "cover90"] < 0.75
        assert recovery.loc["log rate", "z"] > 2


def test_refused_fits_are_counted_not_ranked(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbc, "Sampler", stub(told=Diagnostics(1.02, 900.0, 0, 0.0, 1.0)))
    found = calibrate(*ask, simulations=3, seed=1, engine="exact")
    assert (found.refused, len(found.ranks)) == (3, 0)
    assert found.table().empty
    assert found.recovery().empty


def test_a_prior_without_room_is_refused(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbc, "Sampler", fits := stub())
    monkeypatch.setattr(sbc, "MAX_EVENTS", 3)
    wild = replace(FLAT, rate=replace(FLAT.rate, mu=0.0))
    ask = wild, lab.one_rate(200.0, 0), target()
    with pytest.raises(SimulationError, match=r"more than 3 events in 5\d of 5\d") as error:
        calibrate(*ask, simulations=12, seed=1, engine="exact")
    assert "--simulations 0" in str(error.value)
    assert len(fits.asked) < 12


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--as-of", "1985-01-01"), 2, "before the record"),
        (("--state", "NATO"), 2, "alpha-3"),
        (("--state", "XXX"), 2, "XXX"),
        (("--question", "foreign_base,coup"), 2, "coup"),
    ],
)
def test_the_command_refuses_as_a_run_does(words: Any, code: int, said: str) -> None:
    found = CliRunner().invoke(check_command, list(words))
    error = found.exception
    assert (getattr(error, "exit_code", None) or found.exit_code) == code
    assert said in f"{found.output}{error}"


@pytest.mark.parametrize("why", [{"khat": 0.9}, {"ess_min": DRAWS - 1.0}])
def test_an_approximation_that_refuses_itself_is_made_again_by_nuts(
    why: dict[str, float], ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, exact = stub(told=replace(NEAR, **why)), stub()
    monkeypatch.setattr(sbc, "Laplace", near)
    monkeypatch.setattr(sbc, "Sampler", exact)
    found = calibrate(*ask, simulations=4, seed=1)
    assert near.asked == exact.asked  # the same data and seed
    assert (found.engine, found.fallbacks) == ("approximate", 4)
    assert found.khat == (near.told.khat,) * 4
    assert len(found.ranks) == 4

    monkeypatch.setattr(sbc, "Laplace", fine := stub(told=replace(NEAR, ess_min=DRAWS + 1.0)))
    again = calibrate(*ask, simulations=4, seed=1)
    assert len(fine.asked) == 4
    assert len(exact.asked) == 4  # not asked again
    assert again.fallbacks == 0


def test_simulations_are_kept_and_gone_on_from(
    ask: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kind = stub(told=NEAR)
    monkeypatch.setattr(sbc, "Laplace", kind)
    first = calibrate(*ask, simulations=3, seed=1, home=tmp_path)
    (kept,) = (tmp_path / "checks").iterdir()
    lines = kept.read_text().splitlines()
    kept.write_text("\n".join(lines[:2]) + "\n" + lines[2][:40])  # stopped while writing
    more = calibrate(*ask, simulations=5, seed=1, home=tmp_path)
    assert len(kind.asked) == 3 + 3
    pd.testing.assert_frame_equal(more.ranks.iloc[:3], first.ranks)
    again = calibrate(*ask, simulations=5, seed=1, home=tmp_path)
    assert len(kind.asked) == 6
    pd.testing.assert_frame_equal(again.ranks, more.ranks)
    calibrate(*ask, simulations=1, seed=2, home=tmp_path)
    assert len(list((tmp_path / "checks").iterdir())) == 2


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Every check of the text-revision question, no sampling."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("forecast.engine.Sampler", stub())
        patch.setattr(sbc, "Laplace", stub(told=NEAR))
        return check("TKM", "2016-07-01", questions=["neutrality_weakening"], simulations=12)


def test_the_page_holds_every_check(checked: Check) -> None:
    # a part is checked with the question it belongs to
    (item,) = checked.questions
    assert item.question == "neutrality_text_revision"
    found = sections(item)
    text, written = markdown(checked), html(checked)
    assert len({s.title for s in found}) == len(found) == 9
    for s in found:
        assert s.title in text
        for said in (s.asks, s.how, s.criterion, s.result):
            assert said
            assert str(escape(said)) in written
    for event in item.influence["event"]:
        assert event in text
    assert "<script" not in written
    assert written.count("<svg") == 3
    assert "since 19" in text  # what was seen stands beside what the prior expected


def test_the_command_writes_a_page_or_text_and_says_what_it_asked(
    checked: Check, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []

    def answer(state: str, as_of: Any, **given: Any) -> Check:
        asked.append((state, as_of, given["simulations"], given["engine"]))
        return checked

    monkeypatch.setattr("forecast.checks.main.check", answer)
    ask = ["--as-of", "2016-07-01", "--simulations", "12", "--engine", "exact"]
    runner = CliRunner()
    page, text = tmp_path / "new" / "c.html", tmp_path / "c.md"
    for more in (["--out", str(page)], ["--out", str(text)], []):
        done = runner.invoke(check_command, [*ask, *more])
        assert done.exit_code == 0, done.output
    assert asked == [("TKM", "2016-07-01", 12, "exact")] * 3
    assert page.read_text() == html(checked)
    assert text.read_text() == markdown(checked) == done.stdout
    assert runner.invoke(check_command, [*ask, "--engine", "laplace"]).exit_code == 2


def test_both_kinds_of_priors_stand_beside_every_headline(checked: Check) -> None:
    (item,) = checked.questions
    assert list(item.signs["forecast"]) == list(item.sensitivity["forecast"])
    assert (item.signs["p"] != item.signs["p_informed"]).any()


def test_verdicts_follow_what_was_found(checked: Check) -> None:
    (item,) = checked.questions

    def verdict(title: str, **changed: Any) -> str:
        return {s.title: s.verdict for s in sections(replace(item, **changed))}[title]

    few = item.prior.assign(tail=0.5)
    assert verdict("How many events would the prior have us see", prior=few) == HOLDS
    none = item.prior.assign(tail=0.99)
    assert verdict("How many events would the prior have us see", prior=none) == LOOK
    worse = {**item.diagnostics, "R-hat": 1.02}
    assert verdict("Did the sampler converge") == HOLDS
    assert verdict("Did the sampler converge", diagnostics=worse) == LOOK
    sure = item.influence.assign(reliable=True)
    assert verdict("Without single past events", influence=sure) == HOLDS
    assert verdict("Without single past events", influence=sure.assign(reliable=False)) == LOOK
    # twelve simulations are shown, not judged
    assert verdict("Would the intervals cover") == ""
    even = pd.DataFrame({"forecast, 12 months": np.arange(200)})
    good = Calibration(even, DRAWS, 0, 0)
    assert verdict("Would the intervals cover", calibration=good) == HOLDS
    narrow = Calibration(even % 20 * 11, DRAWS, 0, 0)
    narrow.ranks.loc[narrow.ranks.index < 60] = 0
    assert verdict("Would the intervals cover", calibration=narrow) == LOOK


@pytest.mark.slow
def test_intervals_cover_on_the_real_design(
    real_design: tuple[Hazard, Design], at_home: Target
) -> None:
    """Calibration by simulation with the program that makes forecasts; `make slow`."""
    model, design = real_design
    found = calibrate(model, design, at_home, simulations=40, seed=20160701)
    table = found.table()
    assert found.refused <= 4
    assert (table["p_uniform"] > 0.01 / len(table)).all(), table
    assert table["cover90"].between(0.75, 1.0).all(), table


@pytest.fixture(scope="module")
def at_home() -> Target:
    """Turkmenistan at the founding origin."""
    from forecast.material import gather
    from forecast.questions import load_questions
    from indicators.tables import load
    from indicators.vintages import snapshot

    package = load()
    question = load_questions(package)["neutrality_text_revision"]
    part = gather(question, snapshot("2016-07-01", package=package), "TKM", horizon=36, seed=1)
    assert part.target is not None
    return part.target


def by_simuk(engine: Any, design: Design, *, simulations: int) -> np.ndarray:
    """Ranks of the one rate by simuk, which draws from PyMC's prior and ranks on its own."""
    simuk = importlib.import_module("simuk")
    made: list[Design] = []

    def simulator(seed: int, **raw: np.ndarray) -> dict[str, np.ndarray]:
        one = prior_draws(sizes(design), 1, 1)  # those of size 0
        one |= {name: np.asarray(value)[None] for name, value in raw.items()}
        made.append(simulated_design(FLAT, one, design, seed=int(seed)))
        return {"number": np.array([len(made) - 1])}

    class Ours(simuk.SBC):  # type: ignore[misc, name-defined]
        """Everything of simuk but the fit."""

        def _get_posterior_samples(self, replicated_data: dict[str, Any]) -> xr.Dataset:
            number = int(replicated_data["number"][0])
            drawn = thin(engine(FLAT, made[number], seed=number).flat(), DRAWS)
            dims = {k: ("sample", *(f"{k}_{i}" for i in range(v.ndim - 1)))
                    for k, v in drawn.items()}  # fmt: skip
            return xr.Dataset({k: (dims[k], v) for k, v in drawn.items()})

    with pm.Model() as prior:  # standard normals and half-normals, as the model says it has
        for name, dim, half in RAW:
            kind = pm.HalfNormal if half else pm.Normal
            shape = () if dim is None else (sizes(design)[dim],)
            if 0 not in shape:
                kind(name, shape=shape)
    ours = Ours(prior, num_simulations=simulations, seed=1, simulator=simulator,
                progress_bar=False)  # fmt: skip
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        ours.run_simulations()
    return np.asarray(ours.simulations["prior_sbc"]["alpha_raw"]).ravel()


@pytest.mark.slow
def test_simuk_finds_the_same_engines_right_and_wrong(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = lab.one_rate(2000.0, 0)
    room = design.padded(replace(design.capacity, events=64))
    laplace = sbc.Laplace(FLAT, room, Approximation(points=8, each=256, kept=1000))

    def narrow(model: Any, made: Design, *, seed: int) -> Fit:
        fit = laplace(model, made, seed=seed)
        centre = fit.raw["alpha_raw"].mean()
        drawn = centre + 0.25 * (fit.raw["alpha_raw"] - centre)
        return Fit(fit.raw | {"alpha_raw": drawn}, fit.diagnostics)

    u = (by_simuk(laplace, design, simulations=40) + 0.5) / (DRAWS + 1)
    assert uniformity(u, seed=1) > 0.01
    assert 0.8 <= (np.abs(u - 0.5) <= 0.45).mean() <= 1.0
    monkeypatch.setattr(sbc, "Laplace", lambda *_: laplace)
    ours = calibrate(FLAT, design, target(), simulations=40, seed=1)
    assert ours.table().set_index("quantity").loc["log rate", "p_uniform"] > 0.01
    u = (by_simuk(narrow, design, simulations=40) + 0.5) / (DRAWS + 1)
    assert uniformity(u, seed=1) < 0.01


def test_there_is_room_for_columns_that_hold_events_only(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = lab.one_rate(400.0, 1)
    apart = replace(design, event_column=np.array([4]))  # no quiet month was ever in it
    monkeypatch.setattr(sbc, "Laplace", stub(told=NEAR))
    found = calibrate(FLAT, apart, target(), simulations=2, seed=1)
    assert len(found.ranks) == 2
