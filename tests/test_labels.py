"""A file of forecasts says what it is, and is refused where it is something else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from forecast.backtest import Grid, software
from forecast.cli import main
from forecast.labels import label, labelled, origin_of
from forecast.learned import learned
from forecast.outcomes import OutcomeError, outcomes, read_outcomes
from forecast.track import BACKTEST, track_record
from indicators.tables import DataPackage

ORIGIN = pd.Timestamp("2001-07-01")
MODELS = ("base_rate", "climatology")
GRID = Grid((ORIGIN,), ("foreign_base",), (6,), MODELS, 1)


def said(**changed: object) -> pd.DataFrame:
    """One forecast a model."""
    rows: dict[str, Any] = {
        "question": "foreign_base", "state": "UZB", "origin": ORIGIN.as_unit("us"), "horizon": 6,
        "model": list(MODELS), "p": [0.1, 0.2], "prior_share": 0.5,
    }  # fmt: skip
    return pd.DataFrame(rows | changed)


def about(grid: Grid) -> dict[str, Any]:
    return label(grid, models=MODELS, data_hash="d", code_hash="c", judged="end")


@pytest.fixture(scope="module")
def table(bundled: DataPackage) -> pd.DataFrame:
    return outcomes(said(), package=bundled)


def kept(folder: Path, table: pd.DataFrame, grid: Grid = GRID) -> Path:
    path = folder / BACKTEST
    path.write_bytes(labelled(table, about(grid)))
    return path


def test_a_file_says_what_it_is(tmp_path: Path, table: pd.DataFrame) -> None:
    path = kept(tmp_path, table)
    found = origin_of(path)
    assert found == about(GRID)
    assert found["origins"] == ["2001-07-01"]
    pd.testing.assert_frame_equal(read_outcomes(path, bound="all"), table, check_exact=True)
    table.to_parquet(path, index=False)
    assert origin_of(path) is None
    assert len(read_outcomes(path, bound="all")) == 2


def test_another_reading_of_the_processes_is_no_record_and_teaches_no_pool(
    tmp_path: Path, table: pd.DataFrame, bundled: DataPackage
) -> None:
    grid = Grid(GRID.origins, GRID.questions, GRID.horizons, MODELS, 1, bound="missing_2")
    path = kept(tmp_path, table, grid)
    assert len(read_outcomes(path)) == 2
    how: dict[str, Any] = {"origin": pd.Timestamp("2010-01-01"), "seed": 1}
    with pytest.raises(OutcomeError, match="found: bound missing_2"):
        track_record(tmp_path, bundled, questions=GRID.questions, horizons=(6,),
                     model="climatology", **how)  # fmt: skip
    with pytest.raises(OutcomeError, match="found: bound missing_2"):
        learned("pool", tmp_path, bundled, **how)


def test_nothing_came_of_states_that_the_data_do_not_have(
    tmp_path: Path, table: pd.DataFrame, bundled: DataPackage
) -> None:
    with pytest.raises(OutcomeError, match="found: QQQ"):
        outcomes(said(state=["UZB", "QQQ"]), package=bundled)
    kept(tmp_path, table.assign(state="QQQ"))
    with pytest.raises(OutcomeError, match="found: QQQ"):
        track_record(tmp_path, bundled, origin=pd.Timestamp("2010-01-01"), horizons=(6,),
                     questions=GRID.questions, model="climatology", seed=1)  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"p": ["0.1", "0.2"]}, "p of type"),
        ({"origin": "2001-07"}, "origin of type"),
        ({"horizon": 6.0}, "horizon of type float64"),
        ({"state": 1}, "state of type int64"),
    ],
)
def test_columns_of_another_kind(
    changed: Mapping[str, Any], found: str, table: pd.DataFrame, tmp_path: Path
) -> None:
    path = kept(tmp_path, table.assign(**changed))
    with pytest.raises(OutcomeError, match=found) as caught:
        read_outcomes(path)
    assert caught.value.exit_code == 3


def test_a_second_backtest_into_a_folder_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    words = ["backtest", "--from", "2001-07", "--to", "2001-07", "--question", "foreign_base",
             "--horizon", "6", "--workers", "1", "--out", str(tmp_path)]  # fmt: skip
    first = CliRunner().invoke(main, [*words, "--models", ",".join(MODELS)])
    assert first.exit_code == 0, first.output
    outputs = tmp_path / "hub" / "model-output"
    assert len(list(outputs.rglob("*.parquet"))) == 2
    optional = [tmp_path / n for n in ("pool.parquet", "joint.parquet", "naive.csv", "naive.txt")]
    for path in optional:
        path.touch()
    other = outputs / "team-model" / "2001-07-01-team-model.parquet"
    other.parent.mkdir()
    other.touch()
    second = CliRunner().invoke(main, [*words, "--models", "base_rate"])
    assert second.exit_code == 0, second.output
    assert not [path for path in optional if path.exists()]
    left = {path.name for path in outputs.rglob("*.parquet")}
    assert left == {"2001-07-01-tocsin-base_rate.parquet", other.name}
    found = origin_of(tmp_path / BACKTEST)
    assert found is not None
    assert (found["models"], found["bound"]) == (["base_rate"], "all")
    assert found["code_hash"] == software()[0]
    assert len(found["data_hash"]) == 64
