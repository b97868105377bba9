"""The tables of README: every stage that was run is in them, the others are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from forecast.backtest import Grid, backtest
from forecast.outcomes import outcomes

ORIGINS = ("2001-07-01", "2002-01-01", "2004-01-01", "2013-07-01", "2014-01-01", "2022-01-01")
ROOTS = ("bloc_accession", "foreign_base", "neutrality_text_revision")


@pytest.fixture(scope="module")
def script(ci_script: Callable[[str], ModuleType]) -> ModuleType:
    return ci_script("skill")


@pytest.fixture(scope="module")
def said() -> pd.DataFrame:
    models = ("base_rate", "climatology", "process_table", "glm")
    return outcomes(backtest(Grid(ORIGINS, ROOTS, (6,), models, 1)))


def named(said: pd.DataFrame, name: str, times: float = 1.0) -> pd.DataFrame:
    """Forecasts of the regression under another name, times a factor."""
    own = said[said["model"] == "glm"]
    return own.assign(model=name, p=times * own["p"], prior_share=0.5)


def keep(folder: Path, stage: str, *frames: pd.DataFrame) -> None:
    (folder / stage).mkdir(parents=True)
    table = pd.concat(frames, ignore_index=True)
    table.to_parquet(folder / stage / "forecasts.parquet", index=False)


@pytest.fixture
def folder(tmp_path: Path, said: pd.DataFrame) -> Path:
    base = said[said["model"] == "base_rate"]
    keep(tmp_path, "main", said, named(said, "hazard"), named(said, "pool"))
    keep(tmp_path, "variant-hazard_map", base, named(said, "hazard_map"))
    keep(tmp_path, "variant-hazard_r2d2", base, named(said, "hazard_r2d2", 0.5))
    keep(tmp_path, "bound-all", said)
    keep(tmp_path, "bound-missing_2", said)  # processes alone: the regression is what it was
    keep(tmp_path, "bound-central_asia", base, named(said, "glm", 0.5))
    keep(tmp_path, "bound-all-hazard", base, named(said, "hazard"))
    return tmp_path


def test_a_regression_stands_only_where_a_bound_changes_it(
    script: ModuleType, folder: Path
) -> None:
    found = {stage: [name for name, _ in rows] for stage, rows, _ in script.under_bounds(folder)}
    assert list(found) == ["bound-all", "bound-all-hazard", "bound-central_asia", "bound-missing_2"]
    assert [name.split(",")[0] for name in found["bound-all"]] == ["`process_table`", "`glm`"]
    assert [name.split(",")[0] for name in found["bound-missing_2"]] == ["`process_table`"]
    assert any("`glm`" in name for name in found["bound-central_asia"])
    assert [name.split(",")[0] for name in found["bound-all-hazard"]] == ["`hazard`"]


def test_families_are_told_against_the_hazard_with_what_they_expected(
    script: ModuleType, folder: Path
) -> None:
    lines = list(script.family_lines(folder))
    rows = [line for line in lines if line.startswith("| `hazard")]
    same, half = (next(r for r in rows if name in r) for name in ("hazard_map", "hazard_r2d2"))
    assert same.count("+0.0 [+0.0, +0.0]") == 3  # the very forecasts of the hazard
    assert "+0.0 [+0.0, +0.0]" not in half
    ratios = {row.split("|")[1].strip(): row.split("|")[2:5] for row in rows[2:]}
    for own, doubled in zip(ratios["`hazard`"], ratios["`hazard_r2d2`"], strict=True):
        one, two = (float(cell.split("[")[0]) for cell in (own, doubled))
        assert two == pytest.approx(2 * one, abs=0.02)  # half as many were expected
    assert ratios["`hazard_map`"] == ratios["`hazard`"]
    assert any(line.startswith("Selected: ") for line in lines)


def test_no_variant_no_comparison(script: ModuleType, tmp_path: Path, said: pd.DataFrame) -> None:
    keep(tmp_path, "main", said, named(said, "hazard"))
    assert list(script.family_lines(tmp_path)) == []


def test_what_was_not_run_is_named(script: ModuleType, folder: Path) -> None:
    (line,) = [line for line in script.missing_lines(folder) if line]
    assert "`variant-linked`" in line
    assert "`bound-visible_0.5`" in line
    assert "`variant-hazard_map`" not in line
    for stage in script.expected_stages():
        path = folder / stage / "forecasts.parquet"
        if not path.exists():
            path.parent.mkdir(parents=True)
            path.touch()
    assert list(script.missing_lines(folder)) == []


def test_only_what_stands_between_the_markers_is_written(
    script: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = folder / "README.md"
    readme.write_text(f"before\n{script.BEGIN}\nold\n{script.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(script, "README", readme)
    assert script.main([str(folder), "none"]) == 0
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{script.BEGIN}\n| question |")
    assert text.endswith(f"{script.END}\nafter\n")
    assert "\nold\n" not in text
    kept = pd.read_csv(folder / "skill.csv")
    assert set(kept["stage"]) == {p.parent.name for p in folder.glob("*/forecasts.parquet")}
