"""Content-addressed cache of fits: same data, model, seed and software, same file."""

import ast
import hashlib
import json
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from forecast.models.design import Array

SOFTWARE = (
    "arviz-stats", "blackjax", "jax", "jaxlib", "numpy", "pandas", "pymc", "pytensor", "scipy",
    "statsmodels",
)  # fmt: skip

OURS = ("forecast", "indicators")


@cache
def code(*modules: str) -> str:
    """SHA-256 of the source of some modules: other code, other key."""
    h = hashlib.sha256()
    for name in sorted(modules):
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name)
        h.update(Path(spec.origin).read_bytes())
    return h.hexdigest()


@cache
def reach(*modules: str, stop: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Modules of ours that some modules import, directly or not, themselves included, sorted.

    Imports inside functions count. What is only reached through `stop` does not, nor do facades,
    which hold no code.
    """
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or name in stop:
            continue
        found.add(name)
        waiting += _imported(name)
    return tuple(sorted(found))


@cache
def _imported(name: str) -> tuple[str, ...]:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    asked: set[str] = set()
    for node in ast.walk(ast.parse(Path(spec.origin).read_bytes())):
        if isinstance(node, ast.Import):
            asked |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            asked |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return tuple(one for one in asked if one.split(".")[0] in OURS and _is_module(one))


@cache
def _is_module(name: str) -> bool:
    """Whether a name is a module's, and not a facade's or that of a thing in a module."""
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:  # a thing in a module that is no package
        return False
    return spec is not None and spec.submodule_search_locations is None


def versions() -> dict[str, str]:
    """Versions of the software that decides the bits of a fit."""
    return {name: version(name) for name in SOFTWARE}


def digest(*parts: object) -> str:
    """SHA-256 of the canonical text of some plain values and dataclass reprs."""
    return hashlib.sha256(json.dumps([repr(p) for p in parts]).encode()).hexdigest()


def load(home: Path, key: str) -> dict[str, Array] | None:
    """Arrays stored under a key, or None; an unreadable file counts as absent."""
    path = _path(home, key)
    if not path.exists():
        return None
    try:
        # opened here: numpy leaves a file that is no archive open
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, BadZipFile):  # cut off by a full disk: compute again
        return None


def save(home: Path, key: str, arrays: Mapping[str, Array]) -> None:
    """Store arrays under a key, whole or not at all."""
    path = _path(home, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as handle:
        try:
            np.savez(handle, allow_pickle=False, **arrays)
            handle.flush()
            Path(handle.name).replace(path)
        except BaseException:
            Path(handle.name).unlink(missing_ok=True)
            raise


def _path(home: Path, key: str) -> Path:
    return home / "cache" / f"{key}.npz"
