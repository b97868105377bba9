"""A user's own package, spoilt in every way a user can, from the command line: exit code 3."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from forecast.cli import main

Spoil = Callable[[Path], None]
COMMAND = ("run", "--state", "TKM", "--question", "bloc_accession", "--model", "base_rate")
AS_OF = "2016-07-01"


@pytest.fixture
def folder(bundled: Any, tmp_path: Path) -> Path:
    """Copy of the shipped package."""
    return Path(shutil.copytree(bundled.path, tmp_path / "mine"))


def ask(folder: Path, *words: str, as_of: str = AS_OF) -> Result:
    return CliRunner().invoke(main, [*COMMAND, "--as-of", as_of, "--data", str(folder), *words])


def refused(done: Result) -> list[str]:
    """Lines of the failures; each with its place, what was found and allowed, and a remedy."""
    assert done.exit_code == 3
    assert done.stdout == ""
    head, *lines = done.stderr.removesuffix("\n").split("\n")
    assert re.fullmatch(r"tocsin: \d+ failures? in the data", head)
    assert int(head.split()[1]) == len(lines)
    for line in lines:
        assert re.fullmatch(r"  [^:]+: found .+; allowed: .+\. .+", line), line
    return lines


def in_table(name: str, change: Callable[[list[str], dict[str, int]], int]) -> Spoil:
    """Change cells of the first data line of a table that fits; `change` returns its number."""

    def spoil(folder: Path) -> None:
        path = folder / "tables" / f"{name}.csv"
        lines = path.read_text(encoding="utf-8").splitlines()
        columns = {c: i for i, c in enumerate(lines[0].split(","))}
        change(lines, columns)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    return spoil


def cell(name: str, column: str, value: str) -> Spoil:
    """Another value in one cell of the second line."""

    def change(lines: list[str], columns: dict[str, int]) -> int:
        cells = lines[1].split(",")
        assert cells[columns[column]] != value
        cells[columns[column]] = value
        lines[1] = ",".join(cells)
        return 2

    return in_table(name, change)


def without_column(lines: list[str], columns: dict[str, int]) -> int:
    at = columns["kind"]
    assert not any('"' in line for line in lines)
    lines[:] = [",".join(c for i, c in enumerate(x.split(",")) if i != at) for x in lines]
    return 1


def twice(lines: list[str], _: dict[str, int]) -> int:
    lines.insert(2, lines[1])
    return 3


def only_header(lines: list[str], _: dict[str, int]) -> int:
    del lines[1:]
    return 1


def in_bytes(name: str, change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / "tables" / name
        path.write_bytes(change(path.read_bytes()))

    return spoil


def in_question(name: str, old: str, new: str) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / "questions" / f"{name}.toml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return spoil


BROAD = '    { column = "broad_event", equals = 1 },\n'
STRICT_AND_WEAKER = """    { column = "strict_event", equals = 1 },
    { column = "broad_event", equals = 1 },
    { column = "direction", below = 0 },
"""

# how it is spoilt, and the place, what was found and what is allowed as the message says them
CASES: dict[str, tuple[Spoil, str, str, str]] = {
    "missing column": (
        in_table("states", without_column), "states.csv, line 1, column kind",
        "state, name, cow_code", "kind",
    ),
    "wrong unit": (
        cell("observations", "unit", "bcf"), "observations.csv, line 2, column unit", "bcf", "the",
    ),
    "duplicated key": (
        in_table("states", twice), "states.csv, line 3, column state", "the key", "line 2",
    ),
    "unknown state": (
        cell("observations", "state", "QQQ"), "observations.csv, line 2, column state", "QQQ",
        "states.csv",
    ),
    "outside its range": (
        cell("memberships", "founding", "2"), "memberships.csv, line 2, column founding", "2", "1",
    ),
    "period that does not parse": (
        cell("observations", "start", "1990-13-01"), "observations.csv, line 2, column start",
        "1990-13-01", "YYYY-MM-DD",
    ),
    "published before its period ended": (
        cell("observations", "published", "1960-01-01"),
        "observations.csv, line 2, column published", "1960-01-01", "end",
    ),
    "wrong encoding": (
        in_bytes("sources.csv", lambda b: b[:-30] + b"\xff" + b[-30:]), "sources.csv, line",
        "0xff", "UTF-8",
    ),
    "empty table": (
        in_table("contiguity", only_header), "contiguity.csv, line 1", "column names only",
        "at least one row",
    ),
    "truncated file": (
        in_bytes("observations.csv", lambda b: b[:-40]), "observations.csv, line", "", "",
    ),
    "question that fires on a near miss": (
        in_question("neutrality_weakening", STRICT_AND_WEAKER, BROAD),
        "neutrality_weakening.toml, column event.where", "TKM", "no near miss counts",
    ),
    "question of a column that is not there": (
        in_question("foreign_base", 'column = "is_base"', 'column = "is_a_base"'),
        "foreign_base.toml, column event.where[1].column", "is_a_base", "is_base",
    ),
    "question that is no TOML": (
        in_question("bloc_accession", "horizons = [6, 12, 24, 36]", "horizons = [6"),
        "bloc_accession.toml, line", "", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_the_message_says_place_found_allowed_and_remedy(
    case: tuple[Spoil, str, str, str], folder: Path
) -> None:
    spoil, place, found, allowed = case
    spoil(folder)
    lines = refused(ask(folder))
    here = [line for line in lines if line.strip().startswith(place)]
    assert here, lines
    said_found, said_allowed = here[0].split("; allowed: ")
    assert found in said_found
    assert allowed in said_allowed


def test_the_unspoilt_copy_is_accepted(folder: Path) -> None:
    done = ask(folder)
    assert done.exit_code == 0
    assert "bloc accession" in done.stdout.lower().replace("_", " ")


def test_all_at_once(folder: Path) -> None:
    names = ["missing column", "wrong unit", "outside its range", "wrong encoding", "empty table"]
    for name in names:
        CASES[name][0](folder)
    lines = refused(ask(folder))
    for name in names:
        assert any(line.strip().startswith(CASES[name][1]) for line in lines), name


def test_all_questions_at_once(folder: Path) -> None:
    names = [name for name in CASES if name.startswith("question")]
    for name in names:
        CASES[name][0](folder)
    lines = refused(ask(folder))
    said = {line.split(".toml")[0].strip() for line in lines}
    assert {"bloc_accession", "foreign_base"} <= said


def test_a_horizon_past_the_end_of_a_closed_feed(folder: Path) -> None:
    in_question("bloc_accession", 'status = "open"', 'status = "closed"')(folder)
    assert ask(folder, "--horizon", "36", as_of="2021-12-01").exit_code == 0
    lines = refused(ask(folder, "--horizon", "6,36", as_of="2022-03-01"))
    assert len(lines) == 1
    assert "bloc_accession.toml" in lines[0]
    assert "36 months" in lines[0]
    # another question's feed is its own matter
    done = ask(folder, "--horizon", "36", "--question", "foreign_base", as_of="2022-03-01")
    assert done.exit_code == 0


def test_a_folder_that_is_no_package(tmp_path: Path) -> None:
    (line,) = refused(ask(tmp_path))
    assert "datapackage.json" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--state", "XYZ"), "no state is called 'XYZ'"),
        (("--state", "SCO"), "no state is called"),
        (("--question", "foreign_bases"), "did you mean foreign_base"),
        (("--model", "oracle"), "hazard"),
    ],
)
def test_an_unknown_name_is_a_matter_of_usage(words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(main, [*COMMAND, "--as-of", AS_OF, *words])
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""
