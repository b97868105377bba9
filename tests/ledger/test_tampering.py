"""Whatever is changed behind the ledger's back is found, and named: record and column."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecast.ledger import Ledger, LedgerError
from forecast.ledger.chain import hash_of, marks_of
from forecast.ledger.draws import path_of
from indicators.store.main import Store
from indicators.store.records import CONTENT, triggers

# what `small` holds: records 1 to 4, 5 to 7, 8 and 9
PLACES = [
    (table, seq, column)
    for table, numbers in (
        ("forecasts", range(1, 5)),
        ("resolutions", range(5, 8)),
        ("scores", range(8, 10)),
    )
    for seq in numbers
    for column in (*CONTENT[table], "marks", "previous", "hash")
]
MARKS = ("marks", "previous", "hash")


@contextmanager
def behind(home: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection past the triggers, which are put back as they were."""
    with closing(sqlite3.connect(home / "tocsin.db", isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=OFF")
        db.execute("BEGIN")
        for name in triggers("sqlite"):
            db.execute(f"DROP TRIGGER {name}")
        try:
            yield db
        finally:
            for statement in triggers("sqlite").values():
                db.execute(statement)
            db.execute("COMMIT")


def get(db: sqlite3.Connection, table: str, seq: int, column: str) -> bytes:
    query = f"SELECT CAST({column} AS BLOB) FROM {table} WHERE seq = ?"
    found: bytes = db.execute(query, (seq,)).fetchone()[0]
    return found


def put(db: sqlite3.Connection, table: str, seq: int, column: str, content: bytes) -> None:
    db.execute(f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE seq = ?", (content, seq))


def named(home: Path) -> list[tuple[str, int | None, str]]:
    with Ledger.open(home=home) as ledger:
        return [(d.table, d.record, d.column) for d in ledger.verify()]


@pytest.fixture
def bare(small: Path) -> Iterator[tuple[sqlite3.Connection, Ledger]]:
    """Ledger whose triggers are gone, which the tests below do not look at: a change costs less."""
    with (
        closing(sqlite3.connect(small / "tocsin.db", isolation_level=None)) as db,
        Ledger.open(home=small) as ledger,
    ):
        db.execute("PRAGMA synchronous=OFF")
        for name in triggers("sqlite"):
            db.execute(f"DROP TRIGGER {name}")
        yield db, ledger


def seen(ledger: Ledger) -> list[tuple[str, int | None, str]]:
    return [(d.table, d.record, d.column) for d in ledger.verify() if d.table != "triggers"]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), data=st.data())
def test_any_changed_byte_is_found_and_named(bare: Any, place: Any, data: st.DataObject) -> None:
    db, ledger = bare
    table, seq, column = place
    before = get(db, table, seq, column)
    spot = data.draw(st.integers(0, len(before)), label="spot")
    ways = ["insert"] if spot == len(before) else ["insert", "change", "remove"]
    way = data.draw(st.sampled_from(ways), label="way")
    byte = data.draw(st.integers(0, 255), label="byte")
    if way == "change" and byte == before[spot]:
        byte ^= 1
    new = b"" if way == "remove" else bytes([byte])
    put(db, table, seq, column, before[:spot] + new + before[spot + (way != "insert") :])
    found = seen(ledger)
    put(db, table, seq, column, before)
    # the record's own damage comes first, and there is one of it
    assert found[0] == (table, seq, column)
    assert [f for f in found if f[:2] == (table, seq)] == found[:1]
    rest = {f[0] if f[2] != "previous" else f[2] for f in found[1:]}
    assert rest <= {"hash": {"previous", "head"}, "draws": {"draws"}}.get(column, set())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=st.sampled_from(PLACES), two=st.sampled_from(PLACES))
def test_two_changes_are_both_named(bare: Any, one: Any, two: Any) -> None:
    db, ledger = bare
    before = {place: get(db, *place) for place in (one, two) if place[2] not in MARKS}
    for place, content in before.items():
        put(db, *place, content + b"!")
    found = seen(ledger)
    for place, content in before.items():
        put(db, *place, content)
    assert {place for place in found if place[0] in CONTENT} == set(before)
    assert seen(ledger) == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_of_draws_is_found(small: Path, bare: Any, data: st.DataObject) -> None:
    paths = sorted((small / "draws").rglob("*.npz"))
    assert len(paths) == 2
    path = data.draw(st.sampled_from(paths))
    before = path.read_bytes()
    spot = data.draw(st.integers(0, len(before) - 1))
    changed = bytearray(before)
    changed[spot] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    try:
        assert [(t, c) for t, _, c in seen(bare[1])] == [("draws", path.name)]
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("change", [b"", b"x"])
def test_cut_and_grown_draws_are_found(small: Path, change: bytes) -> None:
    path = min((small / "draws").rglob("*.npz"))
    path.write_bytes(path.read_bytes() + change if change else path.read_bytes()[:-1])
    with Ledger.open(home=small) as ledger:
        assert [d.what for d in ledger.verify()] == ["the file was changed"]
    path.unlink()
    with Ledger.open(home=small) as ledger:
        assert [d.what for d in ledger.verify()] == ["the file is missing"]
        number = ledger.verify()[0].record
        assert path_of(small, ledger.record(int(number or 0))["draws"]) == path


def test_the_letters_moved_between_columns_are_named(small: Path) -> None:
    """Columns side by side whose texts together stay the same."""
    with behind(small) as db:
        question, state = get(db, "forecasts", 2, "question"), get(db, "forecasts", 2, "state")
        put(db, "forecasts", 2, "question", question + state[:1])
        put(db, "forecasts", 2, "state", state[1:])
    assert named(small) == [("forecasts", 2, "question"), ("forecasts", 2, "state")]


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["DELETE FROM forecasts WHERE seq = 3"], ("forecasts", 4, "seq")),
        (["DELETE FROM forecasts WHERE seq = 1"], ("forecasts", 2, "seq")),
        (["DELETE FROM resolutions"], ("scores", 8, "seq")),
        (["DELETE FROM scores WHERE seq = 9"], ("head", 9, "ledger.head")),
        (["DELETE FROM scores"], ("head", 9, "ledger.head")),
        (
            ["DELETE FROM scores", "DELETE FROM resolutions", "DELETE FROM forecasts"],
            ("head", 9, "ledger.head"),
        ),
        (["UPDATE scores SET seq = 10 WHERE seq = 9"], ("scores", 10, "seq")),
        (["UPDATE forecasts SET seq = -7 WHERE seq = 1"], ("forecasts", -7, "seq")),
        (["UPDATE scores SET seq = 4 WHERE seq = 8"], ("scores", 4, "seq")),
        (
            [
                "UPDATE forecasts SET seq = 99 WHERE seq = 2",
                "UPDATE forecasts SET seq = 2 WHERE seq = 3",
                "UPDATE forecasts SET seq = 3 WHERE seq = 99",
            ],
            ("forecasts", 2, "previous"),
        ),
    ],
)
def test_records_removed_renumbered_and_exchanged(
    small: Path, statements: list[str], found: Any, records: Any
) -> None:
    with behind(small) as db:
        for statement in statements:
            db.execute(statement)
    assert found in named(small)


def rewritten(home: Path, first: int) -> None:
    """Write the chain anew from a record on, as one who knows how it is made would."""
    with behind(home) as db:
        previous = b""
        for seq in range(1, 10):
            table = next(t for t, s, _ in PLACES if s == seq)
            if seq >= first:
                texts = [get(db, table, seq, name) for name in CONTENT[table]]
                marks = marks_of(texts).encode()
                end = hash_of(table, seq, [*texts, marks, previous]).encode()
                for name, content in zip(MARKS, (marks, previous, end), strict=True):
                    put(db, table, seq, name, content)
            previous = get(db, table, seq, "hash")


def test_a_chain_written_anew_is_told_by_the_head_outside(small: Path, records: Any) -> None:
    with behind(small) as db:
        put(db, "forecasts", 3, "p", b"0.99")
    rewritten(small, 3)
    assert named(small) == [("head", 9, "ledger.head")]
    with Ledger.open(home=small) as ledger, pytest.raises(LedgerError, match="is damaged"):
        ledger.issue([records.forecast(7)])


def test_nothing_is_added_to_a_cut_off_chain(small: Path, records: Any) -> None:
    with behind(small) as db:
        db.execute("DELETE FROM scores WHERE seq = 9")
    with Ledger.open(home=small) as ledger:
        with pytest.raises(LedgerError, match="8 records") as caught:
            ledger.issue([records.forecast(7)])
        assert caught.value.exit_code == 6
        assert "tocsin ledger verify" in str(caught.value)
        assert ledger.counts()["last"] == 8
        with pytest.raises(LedgerError, match="cut off"):
            ledger.anchor()
        (small / "ledger.head").unlink()  # whoever accepts the loss says so
        ledger.anchor()
        assert ledger.issue([records.forecast(7)]).new == (9,)
        assert ledger.verify() == []


def test_a_database_made_anew_is_told(small: Path, records: Any) -> None:
    for path in small.glob("tocsin.db*"):
        path.unlink()
    with pytest.raises(LedgerError, match="its head is still here"):
        Ledger.open(home=small)
    assert not (small / "tocsin.db").exists()
    (small / "tocsin.db").touch()  # cut to nothing is no better
    for create in (True, False):
        with pytest.raises(LedgerError, match="found: a database without it"):
            Ledger.open(home=small, create=create)
    assert (small / "tocsin.db").stat().st_size == 0
    Store.open(home=small).close()
    with Ledger.open(home=small) as ledger:
        assert [d.what for d in ledger.verify()] == ["records 1 to 9 are gone: cut off"]
        with pytest.raises(LedgerError, match="0 records"):
            ledger.issue([records.forecast(0)])


def test_the_head_itself(small: Path, records: Any) -> None:
    path = small / "ledger.head"
    whole = path.read_bytes()
    assert json.loads(whole)["seq"] == 9
    for content in (b"", b"{}", b'{"seq": "x", "hash": 1}', b"\xff\xfe", b"[]"):
        path.write_bytes(content)
        assert ("head", None, "ledger.head") in named(small)
        with Ledger.open(home=small) as ledger, pytest.raises(LedgerError, match="cannot be read"):
            ledger.issue([records.forecast(7)])
    path.unlink()
    assert named(small) == [("head", None, "ledger.head")]
    with Ledger.open(home=small) as ledger:
        with pytest.raises(LedgerError, match="--anchor"):
            ledger.issue([records.forecast(7)])
        ledger.anchor()
        assert path.read_bytes() == whole
        assert ledger.verify() == []
        assert ledger.issue([records.forecast(7)]).new == (10,)


@pytest.mark.parametrize("name", triggers("sqlite"))
@pytest.mark.parametrize("empty", [False, True])
def test_triggers_that_are_gone_or_do_nothing(small: Path, name: str, empty: bool) -> None:
    table = next(table for table in CONTENT if name.startswith(table))
    with closing(sqlite3.connect(small / "tocsin.db")) as db:
        db.execute(f"DROP TRIGGER {name}")
        if empty:
            db.execute(f"CREATE TRIGGER {name} BEFORE UPDATE ON {table} BEGIN SELECT 1; END")
        db.commit()
    assert named(small) == [("triggers", None, name)]


def test_a_damaged_page_is_told(small: Path) -> None:
    path = small / "tocsin.db"
    content = bytearray(path.read_bytes())
    spot = content.find(b"0.0625")
    assert spot > 0
    page = spot // 4096 * 4096
    content[page : page + 100] = b"\xff" * 100
    path.write_bytes(content)
    found = named(small)
    assert found
    assert "database" in {table for table, _, _ in found}


@pytest.mark.parametrize(
    "where", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_changes_in_postgresql_are_named(where: str, filled: Ledger) -> None:
    def execute(*statements: str) -> None:
        with filled.engine.begin() as held:
            for statement in statements:
                held.execute(sa.text(statement))

    def change(table: str, statement: str) -> None:
        execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL", statement,
                f"ALTER TABLE {table} ENABLE TRIGGER ALL")  # fmt: skip

    change("forecasts", "UPDATE forecasts SET p = '0.9' WHERE seq = 2")
    assert [str(d) for d in filled.verify()] == ["forecasts record 2, p: was changed"]
    change("forecasts", "UPDATE forecasts SET p = '0.125' WHERE seq = 2")
    assert filled.verify() == []
    change("scores", "DELETE FROM scores WHERE seq = 9")
    assert [d.table for d in filled.verify()] == ["head"]
    execute("ALTER TABLE scores DISABLE TRIGGER scores_no_change")
    assert "scores_no_change" in {d.column for d in filled.verify()}
    execute("ALTER TABLE scores ENABLE TRIGGER scores_no_change",
            "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN NULL; END $$")  # fmt: skip
    assert "ledger_refuse" in {d.column for d in filled.verify()}
