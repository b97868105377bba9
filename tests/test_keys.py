"""What is kept is found again only where nothing that it depends on has changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import answers, cache, watched
from forecast.backtest import EXEMPT, Grid, GridError, backtest
from forecast.material import gather
from forecast.questions import load_questions
from indicators.tables import DataPackage
from indicators.vintages import snapshot

MODULE = import_module("forecast.backtest")  # its function has its name
GRID = Grid((pd.Timestamp("2016-07-01"),), ("neutrality_weakening",), (36,), ("process_table",), 1)
LOADED = """
import json, sys
import pandas as pd
from forecast.backtest import Grid, backtest
backtest(Grid((pd.Timestamp("2016-07-01"),), ("neutrality_weakening",), (36,),
              ("base_rate", "process_table", "glm"), 1))
import forecast.engine, forecast.models.linked, forecast.futures
names = [name for name, one in sys.modules.items()
         if name.split(".")[0] in ("forecast", "indicators") and not hasattr(one, "__path__")]
print(json.dumps(sorted(names)))
"""


def shorter(package: DataPackage, to: Path) -> Path:
    """Copy a package whose processes are over after 6 months in place of 24."""
    folder = Path(shutil.copytree(package.path, to))
    path = folder / "questions" / "neutrality_text_revision.toml"
    text = path.read_text(encoding="utf-8")
    assert "expiry_months = 24" in text
    path.write_text(text.replace("expiry_months = 24", "expiry_months = 6"), encoding="utf-8")
    return folder


def test_finished_origins_are_those_of_the_questions_as_they_read_now(
    bundled: DataPackage, tmp_path: Path
) -> None:
    """The parent's clock decides the part that is asked about."""
    changed = shorter(bundled, tmp_path / "mine")
    out = tmp_path / "out"
    before = backtest(GRID, data_dir=bundled.path, out=out)
    after = backtest(GRID, data_dir=changed, out=out)
    pd.testing.assert_frame_equal(after, backtest(GRID, data_dir=changed), check_exact=True)
    assert not after.equals(before)


def test_a_worker_with_other_questions_is_refused(bundled: DataPackage, tmp_path: Path) -> None:
    origin = GRID.origins[0]
    seen = snapshot(origin, package=bundled)
    keys = MODULE.keys_of(GRID, seen, load_questions(bundled))
    changed = shorter(bundled, tmp_path / "mine")
    with pytest.raises(GridError, match="other data or questions"):
        MODULE._task(GRID, origin, keys, changed, None)


def test_other_versions_of_packages_are_other_forecasts(
    bundled: DataPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, known = snapshot("2016-07-01", package=bundled), load_questions(bundled)
    here = MODULE.keys_of(GRID, seen, known)
    monkeypatch.setattr(MODULE, "versions", lambda: {"numpy": "0"})
    assert MODULE.keys_of(GRID, seen, known) != here


def test_the_code_of_a_backtest_is_all_that_it_loads() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=300
    )
    loaded = set(json.loads(done.stdout))
    assert {"forecast.criteria", "forecast.models.tallies", "indicators.panel"} <= loaded
    assert loaded - set(EXEMPT) <= set(cache.reach("forecast.backtest", stop=EXEMPT))


def test_what_is_reached() -> None:
    assert cache.reach("forecast.files") == ("forecast.files", "indicators.errors")
    assert cache.reach("forecast.files", stop=("indicators.errors",)) == ("forecast.files",)
    # what a function imports when it is called counts as well
    assert "forecast.cli_format" in cache.reach("forecast.cli")
    with pytest.raises(ModuleNotFoundError):
        cache.reach("forecast.nothing")


def test_the_code_of_an_answer_is_all_that_weighs_its_draws() -> None:
    found = cache.reach("forecast.answers")
    assert {"forecast.material", "forecast.models.tallies", "forecast.reweighing"} <= set(found)


def test_an_answer_is_that_of_the_question_as_it_reads_now(
    bundled: DataPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States searched for failures too enter no design, but weigh the draws."""
    known = load_questions(bundled)
    seen = snapshot("2016-07-01", package=bundled)
    part = gather(known["foreign_base"], seen, "TKM", horizon=6, seed=1)
    assert part.question.process is not None
    raw = {"alpha_raw": np.zeros((1, 4))}
    fit = SimpleNamespace(raw=raw, flat=lambda: {"alpha_raw": np.zeros(4)})
    fitted: Any = {"q (default)": SimpleNamespace(key="k", design=part.design, fit=fit)}
    asked = []

    def answer(*_: object, **__: object) -> answers.Answer:
        asked.append(1)
        return answers.Answer(None, None, None, None, {}, raw, part.design, {})

    monkeypatch.setattr(answers, "answer", answer)
    how: dict[str, Any] = {"horizon": 6, "seed": 1, "model": "hazard"}
    for _ in range(2):
        answers.recall(tmp_path, "q", {"default": part}, fitted, **how)
    assert len(asked) == 1
    process = replace(part.question.process, searched=("KGZ",))
    other = replace(part, question=replace(part.question, process=process))
    answers.recall(tmp_path, "q", {"default": other}, fitted, **how)
    assert len(asked) == 2


def test_the_code_of_a_watch_list_is_all_that_it_reaches() -> None:
    """Less what reads questions and snapshots: those are in its key themselves."""
    content = (
        "forecast.definitions", "forecast.priors", "forecast.questions", "forecast.reader",
        "indicators.catalog", "indicators.entries", "indicators.errors", "indicators.masks",
        "indicators.merging", "indicators.reading", "indicators.tables", "indicators.vintages",
    )  # fmt: skip
    # of material only its rounding is used
    reached = cache.reach(
        "forecast.watched", stop=("forecast.cache", "forecast.material", *content)
    )
    assert "forecast.signal_words" in reached
    assert set(reached) <= set(watched._CODE)
