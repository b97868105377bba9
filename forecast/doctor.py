"""Is this installation sound? Versions, data package, clashes of names, cache.

A distribution called ``forecast`` exists elsewhere and owns the same module name; a user's own
``forecast.py`` beside a notebook hides ours. Both are found and named here.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from forecast import __version__
from indicators.errors import DataError, TocsinError

__all__ = ["Check", "examine"]

DISTRIBUTION = "tocsin"
IMPORT_NAMES = ("forecast", "indicators")
PACKAGES = (
    "arviz",
    "blackjax",
    "jax",
    "jaxlib",
    "matplotlib",
    "numpy",
    "pandas",
    "pymc",
    "pytensor",
    "scipy",
    "statsmodels",
    "xarray",
)
COMPILERS = ("cc", "gcc", "clang", "g++")
CLOCK_AND_HOME = ("TOCSIN_HOME", "TOCSIN_TODAY")
CREDENTIALS = ("ACLED_EMAIL", "ACLED_PASSWORD", "COMTRADE_API_KEY", "PGPASSWORD")
MOST_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Parameters
    ----------
    name : str
        What was looked at.
    status : {"ok", "note", "warn", "fail"}
        ``fail`` keeps tocsin from working, ``warn`` may.
    found : str
        What stands there.
    remedy : str
        What to do about it; empty where nothing is to be done.
    """

    name: str
    status: Literal["ok", "note", "warn", "fail"]
    found: str
    remedy: str = ""

    def as_row(self) -> dict[str, str]:
        """Return the finding as a plain record.

        Returns
        -------
        dict
            Field and text.
        """
        return asdict(self)


def examine(*, data_dir: Path | None, home: Path | None, cwd: Path) -> list[Check]:
    """Examine the installation.

    Parameters
    ----------
    data_dir : Path or None
        Data package, where not the bundled one.
    home : Path or None
        Folder of the cache, where not the platform's.
    cwd : Path
        Folder whose files may hide our modules.

    Returns
    -------
    list of Check
        Every finding, good ones included; values of credentials are never read into one.
    """
    checks = [_tocsin(), _python(), *_packages(), _compilers(), _machine(), _data(data_dir)]
    return [*checks, *_clashes(cwd), _settings(), _credentials(), _home(home)]


def _tocsin() -> Check:
    where = Path(__file__).resolve().parents[1]
    try:
        installed = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        remedy = "install it, or go on where the folder is on the path on purpose."
        return Check("tocsin", "warn", f"{__version__} in {where}, not installed", remedy)
    if installed != __version__:
        found = f"{__version__} in {where}, but {installed} is what was installed"
        return Check("tocsin", "warn", found, "install it again.")
    return Check("tocsin", "ok", f"{__version__} in {where}")


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} ({sys.executable})")


def _packages() -> Iterator[Check]:
    versions, missing = [], []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    yield Check("packages", "ok", ", ".join(versions))
    if missing:
        remedy = "install tocsin again, with its dependencies."
        yield Check("packages", "fail", f"missing: {', '.join(missing)}", remedy)


def _compilers() -> Check:
    found = [f"{name} ({path})" for name in COMPILERS if (path := shutil.which(name))]
    if not found:
        return Check("compilers", "note", "none; recorded forecasts need none (JAX)")
    return Check("compilers", "ok", ", ".join(found))


def _machine() -> Check:
    return Check(
        "machine", "ok", f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    )


def _data(data_dir: Path | None) -> Check:
    try:
        from indicators.tables import load

        package = load(data_dir)
    except DataError as error:
        shown = [str(failure) for failure in error.failures[:MOST_FAILURES]]
        more = len(error.failures) - len(shown)
        lines = [*shown, *([f"and {more} more"] if more else [])]
        return Check("data package", "fail", "\n".join(lines), "put the rows right, or use --data.")
    except (TocsinError, OSError, ImportError) as error:
        return Check("data package", "fail", str(error), "install tocsin again, or use --data.")
    rows = sum(len(table) for table in package.tables.values())
    return Check("data package", "ok", f"{package.path}: {len(package.tables)} tables, {rows} rows")


def _clashes(cwd: Path) -> Iterator[Check]:
    """Find other owners of our module names, and files that hide them."""
    owners = metadata.packages_distributions()
    clean = True
    for name in IMPORT_NAMES:
        others = sorted(set(owners.get(name, ())) - {DISTRIBUTION})
        if others:
            clean = False
            remedy = f"pip uninstall {' '.join(others)}, then install tocsin again."
            yield Check(
                "clash", "fail", f"{', '.join(others)} also installs the module {name}", remedy
            )
        ours = Path(str(importlib.import_module(name).__file__)).resolve().parent
        for path in (cwd / f"{name}.py", cwd / name):
            if path.exists() and path.resolve() != ours:
                clean = False
                found = f"{path} hides the module {name} from Python started in this folder"
                remedy = "the tocsin command is not affected; notebooks and python -m are: rename."
                yield Check("clash", "warn", found, remedy)
    if clean:
        yield Check("clash", "ok", "no other owner of the modules " + ", ".join(IMPORT_NAMES))


def _settings() -> Check:
    found = [f"{name}={os.environ[name]}" for name in CLOCK_AND_HOME if name in os.environ]
    return Check("settings", "note", ", ".join(found) or "none in the environment")


def _credentials() -> Check:
    found = [name for name in CREDENTIALS if os.environ.get(name)]
    text = ", ".join(found) + " set" if found else "none set"
    return Check("credentials", "note", f"{text}; only `tocsin indicators refresh` asks for any")


def _home(home: Path | None) -> Check:
    try:
        from indicators.home import home_dir
    except ImportError as error:
        return Check("cache", "fail", str(error), "install tocsin again, with its dependencies.")
    home = home_dir(home)
    if not home.exists():
        return Check("cache", "ok", f"{home}: not made yet")
    if not os.access(home, os.W_OK):
        return Check("cache", "fail", f"{home}: not writable", "set TOCSIN_HOME or use --home.")
    sizes = [path.stat().st_size for path in home.rglob("*") if path.is_file()]
    return Check("cache", "ok", f"{home}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB")
