"""The house rules that a machine can check: order of modules, sizes, no open signatures.

Copied out of the checkout, the tests read the sources of the installed packages.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import forecast
import indicators

# One total order: a module imports only from those above it. A new module gets its place here.
ORDER = (
    "indicators.errors",
    "indicators.dates",
    "indicators.reading",
    "indicators.tables",
    "indicators.entries",
    "indicators.catalog",
    "indicators.masks",
    "indicators.merging",
    "indicators.vintages",
    "indicators.timeliness",
    "indicators.transforms",
    "indicators.lookup",
    "indicators.windows",
    "indicators.panel",
    "indicators.home",
    "indicators.store.schema",
    "indicators.store.records",
    "indicators.store.migrations",
    "indicators.store.migrations.versions",
    "indicators.store.migrations.versions.v0001_vintages",
    "indicators.store.migrations.versions.v0002_ledger",
    "indicators.store.migrations.env",
    "indicators.store.engine",
    "indicators.store.append",
    "indicators.store.main",
    "indicators.store.use",
    "indicators.sources.base",
    "indicators.sources.http",
    "indicators.sources.acled",
    "indicators.sources.comtrade",
    "indicators.sources.eia",
    "indicators.sources.gdelt",
    "indicators.sources.pinksheet",
    "indicators.sources.ucdp",
    "indicators.sources.worldbank",
    "indicators.sources.registry",
    "indicators.completeness",
    "indicators.refresh",
    "indicators.signals.segments",
    "indicators.signals.changepoints",
    "indicators.signals.regular",
    "indicators.signals.scales",
    "indicators.signals.findings",
    "indicators.signals.changes",
    "indicators.signals.slowing_down",
    "indicators.signals.false_alarms",
    "indicators.signals.reports",
    "indicators.signals.silences",
    "indicators.signals.thresholds",
    "indicators.signals.events",
    "indicators.signals.records",
    "indicators.signals.series",
    "indicators.signals.watching",
    "indicators.indices.recipes",
    "indicators.indices.inputs",
    "indicators.indices.kalman",
    "indicators.indices.factor",
    "indicators.indices.results",
    "indicators.indices.main",
    "indicators.nowcast.regular",
    "indicators.nowcast.methods",
    "indicators.nowcast.comparing",
    "indicators.nowcast.main",
    "indicators.nowcast.updates",
    "indicators.nowcast.frequencies",
    "indicators.nowcast.reporting",
    "forecast.files",
    "forecast.priors",
    "forecast.reader",
    "forecast.criteria",
    "forecast.definitions",
    "forecast.refusals",
    "forecast.compiling",
    "forecast.questions",
    "forecast.episodes",
    "forecast.bounds",
    "forecast.stages",
    "forecast.risk",
    "forecast.reference",
    "forecast.models.base_rate",
    "forecast.models.waves",
    "forecast.models.reporting",
    "forecast.models.tallies",
    "forecast.models.design",
    "forecast.models.chain",
    "forecast.models.process_table",
    "forecast.models.glm",
    "forecast.models.shrinkage",
    "forecast.models.limits",
    "forecast.models.hazard",
    "forecast.models.linked",
    "forecast.models.power",
    "forecast.models.pool",
    "forecast.scores",
    "forecast.calibration",
    "forecast.words",
    "forecast.signal_words",
    "forecast.drawing",
    "forecast.overview",
    "forecast.plots",
    "forecast.series_plots",
    "forecast.sampling",
    "forecast.approximate",
    "forecast.plain",
    "forecast.cache",
    "forecast.programs",
    "forecast.engine",
    "forecast.paths",
    "forecast.levels",
    "forecast.counts",
    "forecast.periods",
    "forecast.copula",
    "forecast.scenarios",
    "forecast.futures",
    "forecast.predict",
    "forecast.links",
    "forecast.forecasts",
    "forecast.prior_table",
    "forecast.asking",
    "forecast.material",
    "forecast.rivals",
    "forecast.reweighing",
    "forecast.hindsight",
    "forecast.influence",
    "forecast.likelihood",
    "forecast.evidence",
    "forecast.answers",
    "forecast.joined",
    "forecast.mixture",
    "forecast.powers",
    "forecast.contested",
    "forecast.toggled",
    "forecast.standing",
    "forecast.variants",
    "forecast.workers",
    "forecast.backtest",
    "forecast.naive",
    "forecast.agreement",
    "forecast.labels",
    "forecast.outcomes",
    "forecast.hub",
    "forecast.voids",
    "forecast.resolution",
    "forecast.trials",
    "forecast.pooling",
    "forecast.learned",
    "forecast.checks.futures",
    "forecast.checks.predictive",
    "forecast.checks.sensitivity",
    "forecast.checks.ranks",
    "forecast.checks.simulated",
    "forecast.checks.main",
    "forecast.checks.pictures",
    "forecast.checks.sections",
    "forecast.telling",
    "forecast.honesty",
    "forecast.skill",
    "forecast.selection",
    "forecast.joint",
    "forecast.watched",
    "forecast.track",
    "forecast.context",
    "forecast.payload",
    "forecast.beside",
    "forecast.run",
    "forecast.ledger.chain",
    "forecast.ledger.entries",
    "forecast.ledger.guard",
    "forecast.ledger.draws",
    "forecast.ledger.placing",
    "forecast.ledger.frames",
    "forecast.ledger.writing",
    "forecast.ledger.verifying",
    "forecast.ledger.main",
    "forecast.ledger.issuing",
    "forecast.ledger.export",
    "forecast.settling",
    "forecast.record",
    "forecast.schemas",
    "forecast.schema",
    "forecast.report.laying",
    "forecast.report.pictures",
    "forecast.checks.page",
    "forecast.report.seen",
    "forecast.report.signals",
    "forecast.report.view",
    "forecast.report.page",
    "forecast.report",
    "forecast.scheduled",
    "forecast.schedule",
    "forecast.doctor",
    "forecast.cli_options",
    "forecast.cli_indicators",
    "forecast.cli_format",
    "forecast.cli_entries",
    "forecast.cli_backtest",
    "forecast.cli_check",
    "forecast.cli_refresh",
    "forecast.cli_pressures_view",
    "forecast.cli_pressures",
    "forecast.cli_signals_view",
    "forecast.cli_signals",
    "forecast.cli_ledger_view",
    "forecast.cli_ledger",
    "forecast.cli_resolve_view",
    "forecast.cli_resolve",
    "forecast.cli_schedule",
    "forecast.cli_score",
    "forecast.cli",
)
# facades: they name what the modules below hold, lazily, and are imported by nobody above
FACADES = (
    "indicators",
    "indicators.store",
    "indicators.sources",
    "indicators.nowcast",
    "indicators.signals",
    "indicators.indices",
    "forecast",
    "forecast.checks",
    "forecast.models",
    "forecast.ledger",
)
FOREIGN = {"data", "tests", "notebooks"}
MAX_FILE, MAX_FUNCTION = 400, 50

ROOTS = {package.__name__: Path(str(package.__file__)).parent for package in (indicators, forecast)}


def module_files() -> dict[str, Path]:
    """Name and file of every module of the two packages."""
    found = {}
    for name, root in ROOTS.items():
        for path in sorted(root.rglob("*.py")):
            if "_data" in path.parts:
                continue
            parts = path.relative_to(root).with_suffix("").parts
            dotted = ".".join((name, *parts)).removesuffix(".__init__")
            found[dotted] = path
    return found


MODULES = module_files()


def imported(module: str, tree: ast.Module) -> Iterator[str]:
    """Yield every module of ours that a file imports, those inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import in line {node.lineno}"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def place(module: str) -> int | None:
    return ORDER.index(module) if module in ORDER else None


def test_every_module_has_a_place() -> None:
    missing = [name for name in MODULES if name not in FACADES and place(name) is None]
    assert not missing, f"give these a place in ORDER: {missing}"


def test_every_place_has_a_module() -> None:
    assert [name for name in ORDER if name not in MODULES] == []


@pytest.mark.parametrize("module", [name for name in MODULES if name not in FACADES])
def test_imports_go_one_way(module: str) -> None:
    own = place(module)
    for name in imported(module, tree_of(MODULES[module])):
        if name.split(".")[0] not in ROOTS or name in FACADES:
            continue
        other = place(name)
        assert own is not None, f"{module} has no place"
        assert other is not None, f"{name} has no place"
        assert other < own, f"{module} imports {name}, which stands below it"


def test_the_page_shows_the_order(checkout: Path) -> None:
    page = (checkout / "ARCHITECTURE.md").read_text(encoding="utf-8")
    block = page.split("```order\n")[1].split("```")[0]
    shown = []
    for line in block.splitlines():
        package, _, names = line.partition(":")
        shown += [f"{package.strip()}.{name}" for name in names.split()]
    assert shown == list(ORDER)


def python_files(root: Path) -> list[Path]:
    folders = ("forecast", "indicators", "data", "tests", "notebooks", ".ci")
    return sorted(path for folder in folders for path in (root / folder).rglob("*.py"))


@pytest.mark.parametrize("module", list(MODULES))
def test_packages_import_no_other_folder(module: str) -> None:
    names = {name.split(".")[0] for name in imported(module, tree_of(MODULES[module]))}
    assert not names & FOREIGN


def test_files_and_functions_are_short(checkout: Path) -> None:
    long = []
    for path in python_files(checkout):
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > MAX_FILE:
            long.append(f"{path.relative_to(checkout)}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = code_lines(node)
                if size > MAX_FUNCTION:
                    long.append(f"{path.relative_to(checkout)}: {node.name} has {size} lines")
    assert not long, "\n".join(long)


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its docstring: that one says the science."""
    size = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is not None:
        size -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
    return size


def public_functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield inner


@pytest.mark.parametrize("module", list(MODULES))
def test_no_open_signatures(module: str) -> None:
    opened = [f.name for f in public_functions(tree_of(MODULES[module])) if f.args.kwarg]
    assert not opened, f"**kwargs in {opened}: a misspelt argument would pass in silence"
