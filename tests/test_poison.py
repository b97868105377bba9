"""Nothing that became known after the origin can move a forecast by one bit; what was known can.

The figures, outcomes, stages and memberships of the shipped package are replaced or deleted where
they were made public after the origin, and the whole run is repeated from files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forecast.run import RunResult, run
from indicators.vintages import snapshot

# A share of what is later is deleted, the rest is garbage; 1.0 deletes all of it.
MIXED, NOTHING = 0.3, 1.0
HORIZONS = (6, 24)
Folder = Callable[[str, float], Path]

CLOSED_FORM = [
    ("2003-06-01", "KGZ", "foreign_base", "base_rate", MIXED),
    ("2003-06-01", "UKR", "bloc_accession", "glm", MIXED),
    ("2012-03-01", "MDA", "neutrality_weakening", "process_table", NOTHING),
    ("2016-07-01", "TJK", "foreign_base", "glm", MIXED),
    ("2020-01-01", "UZB", "bloc_accession", "base_rate", NOTHING),
]
HAZARD = [
    ("2003-06-01", "KGZ", "foreign_base", MIXED),
    ("2012-03-01", "MDA", "neutrality_text_revision", NOTHING),
    ("2016-07-01", "TKM", "all", MIXED),
]


@pytest.fixture(scope="module")
def dirty(bundled_draft: Any, poisoned: Any, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Folder of the poisoned package of an origin, written once."""
    made: dict[tuple[str, float], Path] = {}

    def folder(origin: str, gone: float) -> Path:
        if (origin, gone) not in made:
            draft = poisoned(bundled_draft, origin, gone=gone)
            made[origin, gone] = draft.write(tmp_path_factory.mktemp("poisoned"))
        return made[origin, gone]

    return folder


def ask(origin: str, state: str, question: str, **options: Any) -> RunResult:
    return run(
        state=state, as_of=origin, questions=(question,), horizons=HORIZONS, cache=False, **options
    )


def same_bits(one: RunResult, other: RunResult) -> None:
    """Payload, snapshot and every draw."""
    assert one.snapshot.hash == other.snapshot.hash
    assert one.payload["provenance"]["strict_hash"] == other.payload["provenance"]["strict_hash"]
    assert one.payload["forecasts"]
    assert one.to_json() == other.to_json()
    assert len(one.forecasts) == len(other.forecasts)
    for a, b in zip(one.forecasts, other.forecasts, strict=True):
        np.testing.assert_array_equal(a.p, b.p)
        assert a.marks.keys() == b.marks.keys()
        for name, draws in a.marks.items():
            np.testing.assert_array_equal(draws, b.marks[name])


@pytest.mark.parametrize(("origin", "state", "question", "model", "gone"), CLOSED_FORM)
def test_poison_of_a_closed_form_run(
    dirty: Folder, origin: str, state: str, question: str, model: str, gone: float
) -> None:
    clean = ask(origin, state, question, model=model)
    same_bits(clean, ask(origin, state, question, model=model, data_dir=dirty(origin, gone)))


@pytest.mark.parametrize(("origin", "state", "question", "gone"), HAZARD)
def test_poison_of_all_that_the_hazard_model_is_given(
    dirty: Folder, cheap: Any, origin: str, state: str, question: str, gone: float
) -> None:
    """Designs, targets, keys of the cache and the payload around them, without sampling."""
    clean = ask(origin, state, question)
    fitted = list(cheap.asked)
    cheap.asked.clear()
    same_bits(clean, ask(origin, state, question, data_dir=dirty(origin, gone)))
    assert fitted
    assert cheap.asked == fitted


def test_poison_of_a_sampled_run(dirty: Folder, quick: None) -> None:
    origin = "2016-07-01"
    options = {"allow_poor_fit": True}
    clean = ask(origin, "TKM", "neutrality_weakening", **options)
    found = ask(origin, "TKM", "neutrality_weakening", data_dir=dirty(origin, MIXED), **options)
    same_bits(clean, found)
    assert clean.payload["provenance"]["draws"] > 0


@pytest.mark.parametrize("gone", [MIXED, NOTHING])
def test_the_poison_is_not_idle(dirty: Folder, gone: float) -> None:
    """The same poisoned files were not the same to a later day."""
    folder = dirty("2016-07-01", gone)
    assert snapshot("2020-01-01", data_dir=folder).hash != snapshot("2020-01-01").hash


def test_what_is_deleted_is_missed_later(dirty: Folder, cheap: Any) -> None:
    folder = dirty("2016-07-01", NOTHING)
    later, moved = (
        ask("2020-01-01", "TKM", "neutrality_text_revision", data_dir=d) for d in (None, folder)
    )
    for one, other in zip(later.payload["forecasts"], moved.payload["forecasts"], strict=True):
        assert one["p"] != other["p"]
        assert one["base_rate"] != other["base_rate"]


def change_figure(draft: Any) -> None:
    """Deaths in Afghanistan, in the newest month public by then, as the default vintage has it."""
    rows = draft.tables["observations"]
    here = (rows["indicator"] == "violence_deaths") & (rows["state"] == "AFG")
    here &= (rows["start"] >= "2015-06-01") & (rows["published"] <= "2016-07-01")
    assert here.any()
    rows.loc[here, "value"] = "0.0"


def change_event(draft: Any) -> None:
    """The revision of the constitution of Turkmenistan of 2008, moved by five years."""
    rows = draft.tables["neutrality_events"]
    here = (rows["broad_event"] == "1") & (rows["event_date"] < "2016-01-01")
    here &= (rows["event_date"] > "1995-01-01") & (rows["state"] != "TKM")
    assert here.sum() > 2
    rows.loc[here, "broad_event"] = "0"
    rows.loc[here, "strict_event"] = "0"


def change_stage(draft: Any) -> None:
    """The draft of the Turkmen constitution was never published."""
    rows = draft.tables["reform_processes"]
    here = (rows["state"] == "TKM") & (rows["draft_public"] == "2016-02-15")
    assert here.sum() == 1
    rows.loc[here, ["draft_public", "draft_precision"]] = ""


@pytest.mark.parametrize(
    ("change", "model"),
    [
        (change_figure, "hazard"),
        (change_event, "base_rate"),
        (change_stage, "process_table"),
    ],
)
def test_what_was_known_before_the_origin_changes_both(
    change: Callable[[Any], None], model: str, bundled_draft: Any, cheap: Any, tmp_path: Path
) -> None:
    draft = bundled_draft.copy()
    change(draft)
    question = "neutrality_text_revision"
    before = ask("2016-07-01", "TKM", question, model=model)
    after = ask("2016-07-01", "TKM", question, model=model, data_dir=draft.write(tmp_path))
    assert before.snapshot.hash != after.snapshot.hash
    for found in (before, after):
        assert found.payload["provenance"]["data_hash"] == found.snapshot.hash
    for one, other in zip(before.payload["forecasts"], after.payload["forecasts"], strict=True):
        assert one["p"] != other["p"]
