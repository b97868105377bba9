"""Compiled programs, kept beside the fits: another process need not compile them again."""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

__all__ = ["kept"]

ENTRY = "*-cache"
"""Names that JAX gives to what it keeps."""
DAY = 86_400.0


@contextmanager
def kept(home: Path | None) -> Iterator[None]:
    """Compile inside with what was compiled before, and keep what is new, whole or not at all.

    JAX writes an entry in place and never again, so it is given a folder of its own, begun with
    copies; what it added is moved beside the fits at the end. Where somebody told JAX a folder
    (``JAX_COMPILATION_CACHE_DIR``), or nothing can be written, compiling goes on without.

    Parameters
    ----------
    home : Path or None
        Where the cache is. Programs hold code that is run, as packages do: nobody else should be
        able to write there. None keeps nothing.
    """
    import jax

    if home is None or jax.config.jax_compilation_cache_dir:
        yield
        return
    folder = home / "programs" / _processor()
    with ExitStack() as stack:
        try:
            own = _own(folder, stack)
        except (OSError, ImportError, AttributeError):  # a program not kept is no fault of the fit
            yield
            return
        known = {path.name for path in own.glob(ENTRY)}
        spoilt: list[warnings.WarningMessage] = []
        with _noting(spoilt):
            yield
        for path in own.glob(ENTRY):
            with suppress(OSError):
                if spoilt:  # which one is not said: the next process compiles them again
                    (folder / path.name).unlink(missing_ok=True)
                elif path.name not in known:
                    path.replace(folder / path.name)


def _own(folder: Path, stack: ExitStack) -> Path:
    """Folder of this process with copies of what is kept, JAX told of it until the stack ends."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(".*"):  # of processes that were killed
        if time.time() - old.stat().st_mtime > DAY:
            shutil.rmtree(old, ignore_errors=True)
    made = tempfile.TemporaryDirectory(prefix=".", dir=folder, ignore_cleanup_errors=True)
    own = Path(stack.enter_context(made))
    for path in folder.glob(ENTRY):
        shutil.copy2(path, own)
    _tell(str(own))
    stack.callback(_tell, None)
    return own


def _tell(folder: str | None) -> None:
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    compilation_cache.reset_cache()
    jax.config.update("jax_compilation_cache_dir", folder)  # type: ignore[no-untyped-call]


@contextmanager
def _noting(spoilt: list[warnings.WarningMessage]) -> Iterator[None]:
    """Note what JAX says of entries that it cannot read or write; say everything else again."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
    for said in told:
        if "persistent compilation cache" in str(said.message):
            spoilt.append(said)
        else:
            warnings.warn_explicit(said.message, said.category, said.filename, said.lineno)


def _processor() -> str:
    """Short hash of what the processor can do: a program of another one is of no use."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    can = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(f"{platform.machine()} {can}".encode()).hexdigest()[:12]
