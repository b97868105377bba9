"""data/INDICATORS.md is what `make docs` makes of the tables, and its links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from indicators.errors import DataError
from indicators.tables import DataPackage


@pytest.fixture(scope="module")
def script(ci_script: Callable[[str], ModuleType], bundled: DataPackage) -> ModuleType:
    module = ci_script("indicators_page")
    module.load = lambda _: bundled  # type: ignore[attr-defined]
    return module


@pytest.fixture(scope="module")
def made(script: ModuleType) -> str:
    return str(script.page())


@pytest.fixture(scope="module")
def text(checkout: Path) -> str:
    return (checkout / "data" / "INDICATORS.md").read_text(encoding="utf-8")


def test_the_page_is_current(made: str, text: str) -> None:
    assert text == made, "the registry has changed: run make docs"


def test_make_docs_makes_it(checkout: Path) -> None:
    makefile = (checkout / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^docs:.*\n\t(.*)$", makefile, re.MULTILINE)
    assert ".ci/indicators_page.py" in recipe


def test_every_indicator_has_its_place_and_its_signs(text: str, bundled: DataPackage) -> None:
    names = sorted(bundled.table("indicators")["indicator"])
    parts = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", text, re.MULTILINE | re.DOTALL))
    assert sorted(parts) == names
    signs = bundled.table("indicator_signs")
    breaks = bundled.table("indicator_breaks").groupby("indicator").size()
    for name, part in parts.items():
        rows = re.findall(r"^\| `(\w+)` \| ([+−0]) \| (.+?) \| (.+?) \|$", part, re.MULTILINE)
        assert [row[0] for row in rows] == list(signs[signs["indicator"] == name]["question"])
        dated = re.findall(r"^\| (\d{4}[\d-]*) \|", part, re.MULTILINE)
        assert len(dated) == breaks.get(name, 0)
        assert ("No dated break is known." in part) == (not dated)


def test_the_contents_lead_to_every_part(text: str, bundled: DataPackage) -> None:
    linked = re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\)", text, re.MULTILINE)
    assert sorted(name for name, _ in linked) == sorted(bundled.table("indicators")["indicator"])
    assert all(name == anchor for name, anchor in linked)
    heads = {
        head.lower().replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    anchors = re.findall(r"\]\(#([\w-]+)\)", text)
    assert set(anchors) <= heads


def test_references_are_links(script: ModuleType, text: str) -> None:
    assert script.linked("A 2013, doi:10.1177/002; B") == (
        "A 2013, [doi:10.1177/002](https://doi.org/10.1177/002); B"
    )
    assert script.linked("see https://a.org/b, c") == "see <https://a.org/b>, c"
    assert script.linked("judgement") == "judgement"
    assert not re.search(r"(?<!\[)doi:10", text)


def test_tables_keep_their_columns(text: str) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(counts) == 1, block[:200]


def test_no_page_is_made_of_a_registry_that_is_not_whole(
    script: ModuleType, bundled: DataPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = dict(bundled.tables)
    rows: pd.DataFrame = tables["observations"]
    tables["observations"] = rows[rows["indicator"] != "polyarchy"]
    broken: Any = DataPackage(bundled.path, tables, bundled.descriptor)
    monkeypatch.setattr(script, "load", lambda _: broken)
    with pytest.raises(DataError, match="polyarchy"):
        script.page()
