"""Backtests: outcomes by hand, no look-ahead, same digits however it is run, honest tables."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

import forecast
from forecast import variants
from forecast.backtest import Grid, GridError, at_origin, backtest
from forecast.cli import main
from forecast.outcomes import OutcomeError, outcomes, read_outcomes
from forecast.questions import load_questions
from forecast.risk import risk_set
from forecast.skill import Skill, headline_rows, rps_table, skill_table
from forecast.telling import windows_to_tell
from indicators.dates import months
from indicators.errors import DataError, UnknownNameError
from indicators.tables import DataPackage, load
from indicators.vintages import snapshot

SCORE = Path(forecast.__file__).parent / "schemas" / "score-1.json"
ALL = ("bloc_accession", "foreign_base", "neutrality_text_revision", "neutrality_weakening")
PLAIN = ("base_rate", "climatology", "process_table", "glm")


def grid(*origins: str, questions: tuple[str, ...] = ALL, models: tuple[str, ...] = PLAIN) -> Grid:
    return Grid(tuple(map(pd.Timestamp, origins)), questions, (6, 12, 36), models, 1)


@pytest.fixture(scope="module")
def made() -> pd.DataFrame:
    return backtest(grid("2001-07-01", "2016-07-01"))


@pytest.fixture(scope="module")
def resolved(made: pd.DataFrame) -> pd.DataFrame:
    return outcomes(made)


def test_one_row_a_forecast(made: pd.DataFrame) -> None:
    assert not made.duplicated(["question", "state", "origin", "horizon", "model"]).any()
    assert made["p"].between(0, 1, inclusive="neither").all()
    states = made[made["question"] == "foreign_base"].groupby("origin")["state"].nunique()
    assert list(states) == [14, 14]


def test_probabilities_rise_with_the_horizon_and_parts_stay_below_wholes(
    made: pd.DataFrame,
) -> None:
    wide = made.pivot_table(index=["question", "state", "origin", "model"], columns="horizon")["p"]
    assert (wide[6] <= wide[12]).all()
    assert (wide[12] <= wide[36]).all()
    whole, part = wide.loc["neutrality_text_revision"], wide.loc["neutrality_weakening"]
    drawn = part.index.get_level_values("model").isin(["glm", "process_table"])
    assert (part[drawn] <= whole.loc[part.index[drawn]]).all().all()


def test_base_rate_by_hand() -> None:
    package = load()
    seen = snapshot("2016-07-01", package=package)
    risk = risk_set(load_questions(package)["neutrality_text_revision"], seen)
    k, years = len(risk.events), len(risk.rows) / 12
    ask = grid("2016-07-01", questions=("neutrality_text_revision",), models=("base_rate",))
    found = at_origin(ask, seen, package).set_index(["state", "horizon"])["p"]
    assert found["TKM", 36] == pytest.approx(1 - (years / (years + 3)) ** (k + 0.5), rel=1e-9)


@pytest.mark.parametrize(
    ("question", "state", "origin", "horizon", "y", "campaign"),
    [
        ("neutrality_text_revision", "TKM", "2016-07-01", 6, 1, "TKM-1995@2016-09-14"),
        ("neutrality_weakening", "TKM", "2016-07-01", 36, 0, ""),
        ("foreign_base", "UZB", "2001-07-01", 6, 1, "afghanistan_2001"),
        ("foreign_base", "TJK", "2016-07-01", 6, 1, "china_outposts_2015"),
        ("foreign_base", "LTU", "2016-07-01", 6, 0, ""),
        ("foreign_base", "LTU", "2016-07-01", 12, 1, "nato_eastern_flank_2017"),
        ("bloc_accession", "LVA", "2001-07-01", 36, 1, "NATO 2004-03-29"),
        ("bloc_accession", "LVA", "2001-07-01", 12, 0, ""),
    ],
)
def test_outcomes_by_hand(
    resolved: pd.DataFrame, question: str, state: str, origin: str, horizon: int, y: int,
    campaign: str,
) -> None:  # fmt: skip
    row = resolved.set_index(["question", "state", "origin", "horizon", "model"]).loc[
        question, state, pd.Timestamp(origin), horizon, "glm"
    ]
    assert (row["y"], row["campaign"]) == (y, campaign)


def test_a_window_that_is_not_over_has_no_outcome() -> None:
    ask = grid("2023-07-01", questions=("foreign_base",), models=("base_rate",))
    late = outcomes(backtest(ask)).groupby("horizon")["y"]
    assert late.count().to_dict() == {6: 14, 12: 14, 36: 0}


def test_outcomes_as_known_then(made: pd.DataFrame) -> None:
    # the outpost of 2016 became public in 2019
    then = outcomes(made, as_of="2018-01-01")
    at = (then["question"] == "foreign_base") & (then["state"] == "TJK") & (then["horizon"] == 6)
    assert (then[at & (then["origin"] == pd.Timestamp("2016-07-01"))]["y"] == 0).all()


def test_outcomes_as_known_when_each_window_closed(made: pd.DataFrame) -> None:
    some = made[(made["question"] == "foreign_base") & (made["model"] == "glm")]
    end, then, later = outcomes(some), *(outcomes(some, delay_months=n) for n in (0, 36))
    at = (some["state"] == "TJK") & (some["origin"] == pd.Timestamp("2016-07-01"))
    at &= some["horizon"] == 6
    # the outpost of 2016 became public in 2019: not when the window closed, but in 36 months more
    assert [frame.loc[at, "y"].item() for frame in (end, then, later)] == [1, 0, 1]
    assert (then["y"] <= end["y"]).all()
    assert set(then["campaign"]) <= set(end["campaign"])


def whole(draft: Any, poisoned: Any, day: pd.Timestamp, folder: Path) -> DataPackage:
    """All tables, with garbage in whatever became known after a day."""
    bad: DataPackage = poisoned(draft, f"{day:%Y-%m-%d}").load(folder / f"{day:%Y-%m}")
    return bad


@pytest.mark.parametrize("origin", ["2001-07-01", "2009-01-01", "2016-07-01"])
def test_garbage_after_an_origin_changes_nothing(
    origin: str, bundled_draft: Any, poisoned: Any, tmp_path: Path
) -> None:
    ask, day, package = grid(origin), pd.Timestamp(origin), load()
    other = whole(bundled_draft, poisoned, day, tmp_path)
    right = at_origin(ask, snapshot(day, package=package), package)
    exactly(right, at_origin(ask, snapshot(day, package=other), other))
    # the same files were not the same to a later day
    then, later = ({snapshot(when, package=p).hash for p in (package, other)}
                   for when in (day, day + pd.DateOffset(years=6)))  # fmt: skip
    assert (len(then), len(later)) == (1, 2)


@pytest.mark.slow
def test_garbage_after_each_origin_of_the_whole_backtest_changes_nothing(
    bundled_draft: Any, poisoned: Any, tmp_path: Path
) -> None:
    """Fitted models, too, at a few origins all of them; the same content is fitted once."""
    package, usual = load(), (*PLAIN, "hazard", "hazard_carried", "hazard_map", "linked")
    every = tuple(name for name in variants.VARIANTS if name != "hazard_waves")
    for i, day in enumerate(months("2000-07", "2023-07", step=6)):
        ask = replace(grid(f"{day:%Y-%m-%d}", models=usual if i % 16 else every),
                      engine="approximate")  # fmt: skip
        other = whole(bundled_draft, poisoned, day, tmp_path)
        home = tmp_path / f"{day:%Y-%m}" / "home"
        right, wrong = (at_origin(ask, snapshot(day, package=p), p, home=home)
                        for p in (package, other))  # fmt: skip
        assert right["p"].notna().all()
        exactly(right, wrong)
        shutil.rmtree(tmp_path / f"{day:%Y-%m}")


def exactly(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Equal to the bit, missing values included."""
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_the_same_digits_from_two_processes_and_after_a_stop(
    made: pd.DataFrame, tmp_path: Path
) -> None:
    ask = grid("2001-07-01", "2016-07-01")
    exactly(backtest(ask, out=tmp_path, workers=2), made)
    kept = sorted((tmp_path / "parts").glob("*.parquet"))
    assert len(kept) == 2 * len(PLAIN)
    # one lost, one left half-written, one cut off: these are done again, the others are not
    kept[0].rename(kept[0].with_suffix(".1.part"))
    kept[1].write_bytes(kept[1].read_bytes()[:100])
    before = [path.stat().st_mtime_ns for path in kept[2:]]
    exactly(backtest(ask, out=tmp_path), made)
    assert [path.stat().st_mtime_ns for path in kept[2:]] == before


def test_finished_origins_are_not_mixed_with_other_questions_of_the_grid(tmp_path: Path) -> None:
    one = backtest(grid("2016-07-01", questions=("foreign_base",), models=("glm",)), out=tmp_path)
    two = backtest(grid("2016-07-01", questions=("foreign_base",), models=PLAIN), out=tmp_path)
    assert set(one["model"]) == {"glm"}
    assert set(two["model"]) == set(PLAIN)


def test_the_hierarchical_model_takes_part(cheap: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "HAZARD_DRAWS", 50)
    monkeypatch.setattr(variants, "HAZARD_PATHS", 5)
    ask = grid("2016-07-01", questions=("foreign_base",), models=("base_rate", "hazard"))
    found = backtest(ask)
    p = found[found["model"] == "hazard"].set_index(["state", "horizon"])["p"]
    assert len(p) == 14 * 3
    assert p.between(0, 1).all()


def test_a_refused_fit_leaves_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    from indicators.errors import FitError

    def refuse(*_: object, **__: object) -> None:
        raise FitError("not converged")

    monkeypatch.setattr(variants, "fit_all", refuse)
    ask = grid("2016-07-01", questions=("foreign_base",), models=("base_rate", "hazard"))
    resolved = outcomes(backtest(ask))
    assert resolved.loc[resolved["model"] == "hazard", "p"].isna().all()
    assert set(skill_table(resolved, seed=1)["model"]) == set()


def test_hindsight_is_carried_into_whatever_had_a_process() -> None:
    ask = grid("2016-07-01", models=("base_rate", "hazard", "hazard_carried"))
    ask = replace(ask, questions=("foreign_base", "bloc_accession"), engine="approximate")
    made = backtest(ask).pivot_table(
        index=["question", "state", "horizon"], columns="model", values="p"
    )
    both = made["hazard_carried"] / made["hazard"]
    assert np.allclose(both["bloc_accession"], 1.0)  # nobody coded a process
    live = both["foreign_base"].xs("TKM")
    # a process under way says less where failures are missing; no process says a little more
    assert (live < 0.9).all()
    assert both["foreign_base"].max() > 1.0


def test_grids_that_cannot_be_worked() -> None:
    with pytest.raises(GridError, match="found: 2016-07-02"):
        grid("2016-07-02")
    with pytest.raises(GridError, match="origins"):
        grid()
    with pytest.raises(UnknownNameError, match="hazzard"):
        grid("2016-07-01", models=("hazzard",))
    for horizon in (6.5, "6", True, 0, 601):
        with pytest.raises(GridError, match="whole months ahead"):
            Grid(("2016-07-01",), ALL, (6, horizon), PLAIN, 1)
    with pytest.raises(GridError, match="does the last origin come after the first"):
        Grid((), ALL, (6,), PLAIN, 1)
    with pytest.raises(DataError, match="origins"):
        Grid(("soon",), ALL, (6,), PLAIN, 1)
    plain = Grid("2016-07-01", "foreign_base", 6, "glm", 1)
    assert plain == Grid((pd.Timestamp("2016-07-01"),), ("foreign_base",), (6,), ("glm",), 1)
    with pytest.raises(UnknownNameError, match="coup"):
        backtest(grid("2016-07-01", questions=("coup",)))


def test_turkmenistan_is_left_out_of_the_headline(resolved: pd.DataFrame) -> None:
    kept = headline_rows(resolved)
    own = kept[kept["state"] == "TKM"]
    assert len(own)
    assert (own["closes"] <= pd.Timestamp("2016-07-01")).all()


def test_skill_by_hand() -> None:
    frame = pd.DataFrame(
        {
            "question": "q", "horizon": 6, "origin": pd.Timestamp("2000-01-01"),
            "closes": pd.Timestamp("2000-07-01"), "campaign": ["c", "", "c", ""],
            "state": ["AAA", "BBB"] * 2, "model": ["base_rate"] * 2 + ["glm"] * 2,
            "p": [0.1, 0.1, 0.4, 0.1], "y": [1.0, 0.0] * 2, "prior_share": [0.5, 0.5, 0.2, 0.4],
        }
    )  # fmt: skip
    row = skill_table(frame, seed=1, repeats=50).iloc[0]
    assert (row["n"], row["events"], row["campaigns"]) == (2, 1, 1)
    assert row["brier_skill"] == pytest.approx(1 - (0.36 + 0.01) / (0.81 + 0.01))
    assert row["log_gain"] == pytest.approx(np.log(0.4 / 0.1))
    assert row["observed_expected"] == pytest.approx(1 / 0.5)
    assert row["prior_share"] == pytest.approx(0.3)
    assert row["auc"] == 1.0
    # one window every six months, at 40% against 10%; the other tells nothing
    assert windows_to_tell(0.4, 0.1) == 13
    assert row["tells"] == "2006-07"
    flipped = skill_table(frame.assign(p=[0.1, 0.1, 0.1, 0.4]), seed=1, repeats=50).iloc[0]
    assert flipped["auc"] == 0.0
    assert np.isinf(flipped["needed"])


def test_rps_by_hand() -> None:
    """Two horizons: the event comes after the first, in one state of two."""
    frame = pd.DataFrame(
        [
            ("q", state, pd.Timestamp("2000-01-01"), h, model, p, y, pd.Timestamp("2003-01-01"),
             "c" if y else "")
            for model, ps in (("base_rate", (0.1, 0.2)), ("glm", (0.1, 0.6)))
            for state, ys in (("AAA", (0.0, 1.0)), ("BBB", (0.0, 0.0)))
            for h, p, y in zip((6, 36), ps, ys, strict=True)
        ],
        columns=["question", "state", "origin", "horizon", "model", "p", "y", "closes", "campaign"],
    )  # fmt: skip
    row = rps_table(frame, seed=1, repeats=50).iloc[0]
    ours, theirs = (0.1**2 + 0.4**2, 0.1**2 + 0.6**2), (0.1**2 + 0.8**2, 0.1**2 + 0.2**2)
    assert row["rps"] == pytest.approx(sum(ours) / 2)
    assert row["rps_skill"] == pytest.approx(1 - sum(ours) / sum(theirs))
    assert (row["n"], row["events"], row["horizons"]) == (2, 1, 2)
    assert row["rps_skill_lo90"] <= row["rps_skill"] <= row["rps_skill_hi90"]


def test_no_score_without_its_company() -> None:
    with pytest.raises(ValueError, match="detectable"):
        Skill("q", "glm", "base_rate", 6, 9, 1, 1, *[0.1] * 8, float("nan"), *[1.0] * 3,
              0.5, 9.0, "2030-01", None)  # fmt: skip


def test_the_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    args = ["--from", "2001-07", "--to", "2002-01", "--question", "foreign_base", "--horizon", "6"]
    out = ["--out", str(tmp_path / "bt")]
    done = runner.invoke(main, ["backtest", *args, *out, "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert "from 2 origins" in done.output
    told = runner.invoke(main, ["score", "--backtest", str(tmp_path / "bt"), "--json"])
    payload = json.loads(told.stdout)
    schema = json.loads(SCORE.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    known = Draft202012Validator(schema)
    known.validate(payload)
    rows = payload["scores"]
    for key in ("detectable", "brier_skill_lo90", "events"):
        assert not known.is_valid(
            {**payload, "scores": [{k: rows[0][k] for k in rows[0] if k != key}]}
        )
    assert not known.is_valid({**payload, "scores": [rows[0] | {"brier": 1.5}]})
    assert {row["model"] for row in rows} == {"climatology", "glm", "process_table"}
    wanted = "question horizon model n events brier log brier_skill brier_skill_lo90 detectable"
    assert set(wanted.split()) <= set(rows[0])
    shown = runner.invoke(main, ["score", "--backtest", str(tmp_path / "bt")])
    assert "detectable" in shown.output
    wrong = runner.invoke(main, ["score", "--backtest", str(tmp_path / "bt"), "--against", "x"])
    assert wrong.exit_code == 2


def test_files_that_are_no_backtest(tmp_path: Path) -> None:
    with pytest.raises(OutcomeError, match="no backtest here"):
        read_outcomes(tmp_path / "none.csv")
    (tmp_path / "x.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(OutcomeError, match="no Parquet"):
        read_outcomes(tmp_path / "x.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "y.parquet")
    with pytest.raises(OutcomeError, match="no question"):
        read_outcomes(tmp_path / "y.parquet")
    shutil.rmtree(tmp_path)
