"""README shows what exists: its commands, its Python, its markers, its links."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner

from forecast.cli import main

CHEAP = 'questions=["foreign_base"], horizons=[12, 36]'


@pytest.fixture(scope="module")
def readme(checkout: Path) -> str:
    return (checkout / "README.md").read_text()


@pytest.fixture(scope="module")
def founding(ci_script: Callable[[str], ModuleType]) -> ModuleType:
    return ci_script("founding")


@pytest.fixture(scope="module")
def payload(checkout: Path) -> dict[str, Any]:
    return json.loads((checkout / "tests" / "fixtures" / "forecast-sample.json").read_text())


def command_lines(text: str) -> list[list[str]]:
    """Words of every `tocsin` command shown, from blocks and from cron."""
    shown = re.findall(r"^    (tocsin .+)$", text, re.MULTILINE)
    for line in re.findall(r"^[\d*/ ]+ (\$TOCSIN .+)$", text, re.MULTILINE):
        shown += [part for part in line.split(" && ") if part.startswith("$TOCSIN")]
    return [shlex.split(line.split(" > ")[0], comments=True)[1:] for line in shown]


def test_every_command_shown_exists_with_its_options(readme: str) -> None:
    lines = command_lines(readme)
    assert len(lines) >= 9
    for words in lines:
        command: click.Command = main
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words[0])
            assert found is not None, words
            command, words = found, words[1:]
        # parsing alone: nothing is run
        with command.make_context(command.name, list(words), resilient_parsing=True) as context:
            assert context.args == [], words
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, words


def test_every_make_target_shown_exists(readme: str, checkout: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (checkout / "Makefile").read_text(), re.MULTILINE))
    shown = re.findall(r"(?:`|^    )make ([a-z-]+)", readme, re.MULTILINE)
    assert {"forecast", "test", "docs"} <= set(shown) <= targets


def test_commands_that_do_not_exist_are_not_shown(readme: str) -> None:
    verbs = set(re.findall(r"tocsin ([a-z]+)", readme)) - {"in"}
    answers = {verb: CliRunner().invoke(main, [verb, "--help"]).exit_code for verb in verbs}
    assert set(answers.values()) == {0}, answers


def test_the_python_shown_runs(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "\n".join(re.findall(r"^```python\n(.+?)^```", readme, re.MULTILINE | re.DOTALL))
    assert code.count(CHEAP) == 1
    code = code.replace(CHEAP, f'{CHEAP}, model="process_table"')
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert list(names["result"].table["horizon"]) == [12, 36]
    assert (tmp_path / "tkm.html").stat().st_size > 20_000


def test_every_file_linked_is_there(readme: str, checkout: Path) -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", readme)
    assert "notebooks/pictures/founding.svg" in linked
    assert [path for path in linked if "://" not in path and not (checkout / path).exists()] == []


def test_the_founding_table_stands_between_its_markers(readme: str, founding: ModuleType) -> None:
    head, _, rest = readme.partition(founding.BEGIN)
    table, end, _ = rest.partition(founding.END)
    assert head
    assert end
    for question in founding.ORDER:
        assert f"`{question}`" in table
    assert len(re.findall(r"^\| \d+ months \|", table, re.MULTILINE)) == 4 * len(founding.HORIZONS)


def test_the_table_is_made_from_a_payload(founding: ModuleType, payload: dict[str, Any]) -> None:
    made = founding.block(payload)
    old = f"before\n{founding.BEGIN}\nold\n{founding.END}\nafter\n"
    new = founding.replaced(old, made)
    assert "old" not in new
    assert new.startswith("before\n")
    assert new.endswith("\nafter\n")
    assert founding.replaced(new, made) == new
    with pytest.raises(SystemExit, match="are missing"):
        founding.replaced("no markers", made)


def test_the_error_of_sampling_stands_beside_p(
    founding: ModuleType, payload: dict[str, Any], readme: str
) -> None:
    row = payload["forecasts"][0]
    row = row | {"p": 0.031, "ratio": 2.46, "monte_carlo_error": 0.0012}
    cells = founding._cells(row)
    assert cells[1] == "**3.1%** ± 0.12%"
    assert cells[founding.COLUMNS.index("ratio")] == "2.5"
    assert founding._cells(row | {"monte_carlo_error": None})[1] == "**3.1%**"
    assert "`monte_carlo_error`" in readme


def test_only_tables_with_a_source_are_said_to_name_it(checkout: Path) -> None:
    text = (checkout / "data" / "README.md").read_text()
    tables = sorted((checkout / "data" / "tables").glob("*.csv"))
    columns = {path.stem: path.read_text().split("\n", 1)[0].split(",") for path in tables}
    for name in (name for name, found in columns.items() if "source" not in found):
        assert f"`{name}`" in text.partition("have no source column")[0], name


def test_the_picture_repeats_byte_for_byte(
    founding: ModuleType, payload: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("a.svg", "b.svg"):
        founding.draw(payload, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_notebook_is_stored_with_its_pictures_and_no_path(checkout: Path) -> None:
    text = (checkout / "notebooks" / "01-quickstart.ipynb").read_text()
    outputs = [o for c in json.loads(text)["cells"] for o in c.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 5
    assert [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"] == []
    assert not re.search(r"/(?:home|root|tmp|usr|work|Users)/", text)
