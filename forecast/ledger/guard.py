"""What stands outside the database: the head of the chain, and the lock that one run holds."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from indicators.home import DATABASE
from indicators.store.engine import StoreError, told

__all__ = ["DRAWS", "Guard", "Head", "LedgerError", "on_disk", "put", "written"]

# beside the lock of the store's writers
RUN_LOCK = 0x70C52
DRAWS = "draws"
_PAUSE = 0.02
_STALE = 3600.0
_MOST_LETTERS = 63
_HOLDER = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 0 AND l.objid = :lock "
    "AND a.datname = current_database()"
)


class LedgerError(StoreError):
    """A ledger that is damaged, held by another, or cannot be written."""


class Head(NamedTuple):
    """Number and hash of the last record."""

    seq: int
    hash: str


@contextmanager
def on_disk(place: Path) -> Iterator[None]:
    """Turn errors of the disk into ones that name the place and a remedy."""
    try:
        yield
    except OSError as error:
        raise LedgerError(
            "the ledger cannot be written",
            place=str(error.filename or place),
            found=error.strerror or str(error),
            remedy="make room, or make the folder writable: nothing of this change was kept.",
        ) from error


def written(path: Path, content: bytes, folder: Path | None = None) -> Path:
    """Write a file beside a path, or in a folder, wait until it is on the disk, and return it."""
    handle, name = tempfile.mkstemp(
        dir=folder or path.parent, prefix=f"{path.name}.", suffix=".part"
    )
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def put(part: Path, path: Path) -> None:
    """Put a finished file in its place, and wait until its name is on the disk."""
    try:
        part.replace(path)
        _sync(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Guard:
    """The files of one ledger in the home folder.

    Parameters
    ----------
    engine : Engine
        Of its database.
    home : Path
        The folder.
    """

    def __init__(self, engine: sa.Engine, home: Path) -> None:
        self.engine, self.home = engine, home
        self._held, self._mutex = False, threading.RLock()
        url = engine.url
        place = url.render_as_string(hide_password=True)
        own = engine.dialect.name == "sqlite" and url.database == str((home / DATABASE).absolute())
        self.own = own
        # one home may know several databases
        name = "ledger" if own else f"ledger-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
        self.head_path, self.lock_path = home / f"{name}.head", home / f"{name}.lock"

    def head(self) -> Head | None:
        """Return the head kept here, or None where none is.

        Raises
        ------
        LedgerError
            The file cannot be read, or is none of ours.
        """
        try:
            found = json.loads(self.head_path.read_text(encoding="utf-8"))
            return Head(int(found["seq"]), str(found["hash"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                "the head of the ledger cannot be read",
                place=str(self.head_path),
                found=str(error),
                remedy="bring the file back from a copy; tocsin ledger verify tells more.",
            ) from None

    def may_begin(self, *, create: bool) -> None:
        """Refuse to begin a ledger where there was one, or where none shall be made.

        Parameters
        ----------
        create : bool
            Whether one shall be made; asked where the database holds none.

        Raises
        ------
        LedgerError
            None shall be; or the head of one that is gone is still here.
        """
        head = None
        with suppress(LedgerError):  # a head that cannot be read is for `verify` to tell
            head = self.head()
        gone = head is not None and head.seq > 0
        if create and not gone:
            return
        name = self.engine.url.database or ""
        there = self.engine.dialect.name != "sqlite" or Path(name).exists()
        loss = f"bring it back from a copy; to accept the loss, remove {self.head_path}."
        raise LedgerError(
            "the ledger is gone, its head is still here" if gone else "there is no ledger",
            place=name,
            found="a database without it" if there else "no file",
            remedy=loss if gone else "tocsin run --issue makes one.",
        )

    @contextmanager
    def moving(self) -> Iterator[Callable[[Head], None]]:
        """Yield a function that has a new head on the disk; in its place once the block is done.

        The database commits inside the block, after that call: a full disk is found before, and a
        process killed between the two leaves a head that is behind, never one that is ahead.
        """
        with on_disk(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
            self._sweep()
            if not self.head_path.exists():  # from now on a missing head is one that was removed
                put(written(self.head_path, _text(Head(0, ""))), self.head_path)
        parts: list[Path] = []

        def ready(head: Head) -> None:
            with on_disk(self.head_path):
                parts.append(written(self.head_path, _text(head)))

        try:
            yield ready
        except BaseException:
            for part in parts:
                part.unlink(missing_ok=True)
            raise
        with on_disk(self.head_path):
            for part in parts:
                put(part, self.head_path)

    def _sweep(self) -> None:
        """Remove what a killed process left; called by the one writer there can be."""
        for old in self.home.glob(f"{self.head_path.name}.*.part"):
            old.unlink(missing_ok=True)
        # draws are written without the lock: those of a living process are young
        for old in (self.home / DRAWS).glob("*.part"):
            with suppress(FileNotFoundError):
                if time.time() - old.stat().st_mtime > _STALE:
                    old.unlink()

    @contextmanager
    def run_lock(self, what: str, *, wait: float = 0.0) -> Iterator[None]:
        """Hold the ledger; another process that wants it is refused.

        Parameters
        ----------
        what : str
            What is being done, shown to the one refused.
        wait : float, optional
            Seconds to try before giving up.

        Raises
        ------
        LedgerError
            Another holds it, named; or the lock cannot be written.
        """
        with self._mutex:
            if self._held:
                yield
                return
            stop = time.monotonic() + wait
            with on_disk(self.lock_path):
                self.home.mkdir(parents=True, exist_ok=True)
                handle = os.open(self.lock_path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                self._take(handle, what, stop)
                with self._shared_lock(what, stop):
                    self._held = True
                    try:
                        yield
                    finally:
                        self._held = False
            finally:
                os.close(handle)  # gives the lock back, as the end of the process would

    def _take(self, handle: int, what: str, stop: float) -> None:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= stop:
                    raise _held_by(os.pread(handle, 1000, 0)) from None
                time.sleep(_PAUSE)
        since = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        with on_disk(self.lock_path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{_self(what)}, since {since}\n".encode(), 0)

    @contextmanager
    def _shared_lock(self, what: str, stop: float) -> Iterator[None]:
        """Hold the database's own lock as well where runs may come from several machines."""
        if self.engine.dialect.name != "postgresql":
            yield
            return
        with told(self.engine), self.engine.connect() as connection:
            held = connection.execution_options(isolation_level="AUTOCOMMIT")
            name = sa.text("SELECT set_config('application_name', :name, false)")
            held.execute(name, {"name": _self(what)[:_MOST_LETTERS]})
            while not held.scalar(sa.select(sa.func.pg_try_advisory_lock(RUN_LOCK))):
                if time.monotonic() >= stop:
                    holder = held.scalar(sa.text(_HOLDER), {"lock": RUN_LOCK})
                    raise _held_by(str(holder or "").encode())
                time.sleep(_PAUSE)
            try:
                yield
            finally:
                with suppress(sa.exc.DBAPIError):
                    held.scalar(sa.select(sa.func.pg_advisory_unlock(RUN_LOCK)))


def _text(head: Head) -> bytes:
    return (json.dumps({"schema": "tocsin/ledger-head/1", **head._asdict()}) + "\n").encode()


def _self(what: str) -> str:
    return f"{what}, process {os.getpid()} on {socket.gethostname()}"


def _held_by(said: bytes) -> LedgerError:
    holder = said.decode(errors="replace").strip()
    return LedgerError(
        "another run holds the ledger",
        place="ledger",
        found=holder or "a run that has not said its name yet",
        remedy="wait for it to end, or end it; a process that has died holds nothing.",
    )
