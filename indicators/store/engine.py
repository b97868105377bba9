"""Connections: SQLite in WAL mode or PostgreSQL, one way to read and one way to write.

Nothing here waits for ever and nothing shows a locked database: a writer takes its lock when it
begins, waits for another for up to a minute, and is tried again before it gives up.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc

from indicators.errors import TocsinError
from indicators.home import DATABASE, home_dir

__all__ = ["HEAD", "StoreError", "engine_of", "holds", "prepare", "reading", "told", "writing"]

HEAD = "0002"
WAIT_MS = 60_000
# one lock for all writers of a PostgreSQL store
LOCK = 0x70C51


class StoreError(TocsinError, RuntimeError):
    """A store that cannot be opened, read or written."""

    exit_code = 6


def engine_of(where: str | Path | None, home: str | Path | None) -> sa.Engine:
    """Return an engine for a path, a URL, or the home folder's own store.

    Parameters
    ----------
    where : str, Path or None
        A file, ``sqlite:///…`` or ``postgresql://…``.
    home : str, Path or None
        Folder of the store where `where` is None.

    Raises
    ------
    StoreError
        The URL cannot be read, or names another kind of database.
    """
    text = str(where) if where is not None else str(home_dir(home) / DATABASE)
    if "://" not in text:
        url = sa.URL.create("sqlite", database=str(Path(text).expanduser().absolute()))
    else:
        try:
            url = sa.make_url(text)
        except exc.ArgumentError as error:
            raise _unknown("something that is no URL") from error
    kind = url.get_backend_name()
    if kind == "sqlite":
        return _sqlite(url)
    if kind != "postgresql":
        raise _unknown(kind)
    try:
        return sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreError(
            "PostgreSQL needs its driver",
            place="store",
            found="no psycopg",
            remedy="install tocsin[postgres].",
        ) from error


def _unknown(found: str) -> StoreError:
    return StoreError(
        "not a store",
        place="store",
        found=found,
        allowed="a file, sqlite:///FILE or postgresql://USER@HOST/NAME",
    )


def _sqlite(url: sa.URL) -> sa.Engine:
    wait = WAIT_MS / 1000
    engine = sa.create_engine(url, connect_args={"timeout": wait})
    if _sealed_off(path := Path(url.database or "").absolute()):

        def connect() -> sqlite3.Connection:
            place = f"{path.as_uri()}?immutable=1"
            return sqlite3.connect(place, wait, check_same_thread=False, uri=True)

        engine = sa.create_engine(url, creator=connect)

    @event.listens_for(engine, "connect")
    def _settings(connection: object, _record: object) -> None:
        # transactions are begun here, not by the driver
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for name, value in (
            ("busy_timeout", WAIT_MS),
            ("synchronous", "FULL"),
            ("foreign_keys", "ON"),
            ("recursive_triggers", "ON"),
            ("cache_size", -65536),
        ):
            cursor.execute(f"PRAGMA {name}={value}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _sealed_off(path: Path) -> bool:
    """Whether a file can only be read: it is where no file beside it can be made, and none is.

    SQLite would want to make its log there, if only to see that there is none.
    """
    beside = path.with_name(f"{path.name}-wal")
    return path.is_file() and not os.access(path.parent, os.W_OK) and not beside.exists()


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection that sees one state of the store throughout."""
    with told(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection whose work is kept whole or not at all; one writer at a time."""
    with told(engine), engine.connect() as plain:
        connection = plain.execution_options(write=True)
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
            yield connection


@contextmanager
def told(engine: sa.Engine) -> Iterator[None]:
    """Turn errors of the database into ones that name the store and a remedy."""
    try:
        yield
    except exc.DBAPIError as error:
        place = engine.url.render_as_string(hide_password=True)
        if engine.dialect.name == "sqlite":
            place = str(engine.url.database)
        # the driver's message may repeat the URL, never the statement's values
        found = str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__
        raise StoreError(
            "the store cannot be used", place=place, found=found, remedy=_remedy(found)
        ) from None


def _remedy(found: str) -> str:
    remedies = {
        "locked": "another program has held it for a minute: end it, or try again.",
        "readonly": "make the file and its folder writable.",
        "unable to open": "make the folder, and make it writable.",
        "not a database": "move the file away: it was not written by tocsin.",
        "malformed": "move the file away but keep it, its ledger is in it; bring back a copy.",
        "disk": "make room on the disk: nothing of this change was kept.",
        "full": "make room on the disk: nothing of this change was kept.",
        "only grows": "append a new vintage instead.",
        "connection": "check the address and that the server runs.",
        "password": "set PGPASSWORD, or give the user a password in the URL.",
    }
    return next((text for word, text in remedies.items() if word in found.lower()), "see above.")


def prepare(engine: sa.Engine, *, create: bool = True) -> None:
    """Bring the schema up to date; safe when several processes do so at once.

    Parameters
    ----------
    engine : Engine
        Of the store.
    create : bool, optional
        Whether a store that is not there yet is made.

    Raises
    ------
    StoreError
        There is none and none shall be made, it cannot be made, it is another program's, or it is
        of a newer version.
    """
    name = engine.url.database or ""
    if engine.dialect.name == "sqlite" and name:
        if not create and not Path(name).exists():
            raise StoreError("there is no store", place=name, found="no file",
                             remedy="tocsin indicators refresh makes one.")  # fmt: skip
        try:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            remedy = "make the folder writable, or choose another."
            raise StoreError(
                "the store cannot be made", place=name, found=str(error.strerror), remedy=remedy
            ) from error
    with reading(engine) as connection:
        found = _version(connection)
        others = [] if found else sa.inspect(connection).get_table_names()
    if found == HEAD:
        return
    if found is None:
        _may_be_made(engine, others, create=create)
    if engine.dialect.name == "sqlite":
        _write_ahead(engine)
    with writing(engine) as connection:
        found = _version(connection)
        if found == HEAD:
            return
        if found is not None and found > HEAD:
            raise StoreError("the store is newer than this tocsin", place=name, found=found,
                             allowed=f"up to version {HEAD}", remedy="upgrade tocsin.")  # fmt: skip
        _upgrade(connection)


def _may_be_made(engine: sa.Engine, others: list[str], *, create: bool) -> None:
    """Refuse a database without a store where none shall be made, or a file of something else.

    A PostgreSQL database may hold tables of other programs beside ours.
    """
    name = engine.url.database or ""
    if others and engine.dialect.name == "sqlite":
        raise StoreError("not a store", place=name, found=f"tables of another program: {others[0]}",
                         allowed="a store that tocsin made, or a new file",
                         remedy="choose another file: this one is left as it is.")  # fmt: skip
    if not create:
        raise StoreError("there is no store", place=name, found="a database without one",
                         remedy="tocsin indicators refresh makes one.")  # fmt: skip


def holds(engine: sa.Engine) -> bool:
    """Return whether there is a store, of any version, without making one.

    Parameters
    ----------
    engine : Engine
        Of its database.

    Raises
    ------
    StoreError
        It cannot be read.
    """
    name = engine.url.database or ""
    if engine.dialect.name == "sqlite" and not Path(name).exists():
        return False
    with reading(engine) as connection:
        return _version(connection) is not None


def _write_ahead(engine: sa.Engine) -> None:
    """Readers and a writer beside each other; kept in the file, so set once."""
    with told(engine), engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
