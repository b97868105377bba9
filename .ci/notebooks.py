"""Execute every notebook of a folder in a temporary folder; the first error fails.

Usage: notebooks.py FOLDER [--store]

With ``--store`` the outputs are kept in the notebooks themselves.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

TIMEOUT = 600


def execute(path: Path, out: Path, *, store: bool = False) -> bool:
    """Execute one notebook in ``out``; its executed copy lands there, or in its own place."""
    begun = time.perf_counter()
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(out)}}
    client = NotebookClient(
        notebook, timeout=TIMEOUT, kernel_name="python3", resources=where, record_timing=False
    )
    try:
        client.execute()
    except CellExecutionError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return False
    # the version of whoever executed it last says nothing about the notebook
    notebook.metadata.get("language_info", {}).pop("version", None)
    nbformat.write(notebook, path if store else out / path.name)
    pictures = sum(
        "image/png" in output.get("data", {})
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    seconds = time.perf_counter() - begun
    print(f"{path}: {len(notebook.cells)} cells, {pictures} pictures, {seconds:.0f} s")
    return True


def main(folder: Path, *, store: bool) -> int:
    """Execute all and count."""
    paths = sorted(folder.glob("*.ipynb"))
    with tempfile.TemporaryDirectory() as out:
        good = sum(execute(path, Path(out), store=store) for path in paths)
    print(f"notebooks: {good} passed, {len(paths) - good} failed")
    return 0 if paths and good == len(paths) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), store="--store" in sys.argv[2:]))
