"""The store: vintages in, what was known out, nothing changed and nothing lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

import indicators
from indicators.errors import DataError, TocsinError
from indicators.store import Store, StoreError
from indicators.store.engine import HEAD
from indicators.tables import DataPackage, load
from indicators.vintages import SERIES_KEY


@pytest.fixture(scope="module")
def package() -> DataPackage:
    return load()


def row(value: float = 1.0, published: str = "2020-02-01", **other: object) -> dict[str, object]:
    base = {
        "indicator": "brent_price", "state": "WLD", "counterpart": "", "start": "2020-01-01",
        "end": "2020-01-31", "frequency": "M", "basis": "nominal_average", "value": value,
        "unit": "USD/bbl", "published": published, "published_rule": "retrieved",
        "source": "worldbank_pinksheet",
    }  # fmt: skip
    return base | other


def frame(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def add(store: Store, *rows: dict[str, object]) -> tuple[int, int]:
    done = store.append(frame(*rows), provider="test", retrieved="2026-01-01")
    return done.rows_new, done.rows_same


def test_a_new_figure_is_a_new_vintage(store: Store) -> None:
    assert add(store, row(1.0, "2020-02-01")) == (1, 0)
    assert add(store, row(1.0, "2020-03-01")) == (0, 1)
    assert add(store, row(2.0, "2020-04-01")) == (1, 0)
    assert add(store, row(1.0, "2020-05-01")) == (1, 0)
    assert list(store.history()["value"]) == [1.0, 2.0, 1.0]
    seen = {day: list(store.newest(day)["value"]) for day in ("2020-01-31", "2020-04-01", "2021")}
    assert seen == {"2020-01-31": [], "2020-04-01": [2.0], "2021": [1.0]}


def test_a_late_arrival_is_compared_with_its_own_day(store: Store) -> None:
    add(store, row(1.0, "2020-02-01"), row(2.0, "2020-04-01"))
    assert add(store, row(1.0, "2020-03-01")) == (0, 1)
    assert add(store, row(3.0, "2020-03-01")) == (1, 0)
    assert list(store.history()["value"]) == [1.0, 3.0, 2.0]


def test_bounds_and_missing_bounds_are_part_of_a_figure(store: Store) -> None:
    add(store, row(1.0, value_low=0.5))
    assert add(store, row(1.0, "2020-03-01", value_low=0.5)) == (0, 1)
    assert add(store, row(1.0, "2020-04-01", value_low=0.6)) == (1, 0)
    assert store.history()["value_high"].isna().all()


def test_another_value_for_the_same_day_is_refused_whole(store: Store) -> None:
    add(store, row(1.0))
    with pytest.raises(DataError, match="another value"):
        add(store, row(5.0, start="2020-02-01", end="2020-02-29"), row(2.0))
    assert list(store.history()["value"]) == [1.0]
    assert len(store.log()) == 1


def test_every_bad_row_is_named_and_nothing_is_written(store: Store) -> None:
    rows = [
        row(float("nan")), row(1.0, "2027-01-01"), row(1.0, end="2019-01-01"),
        row(1.0, frequency="W"), row(1.0, start="soon"), row(1.0, unit=""),
    ]  # fmt: skip
    with pytest.raises(DataError) as caught:
        add(store, *rows)
    columns = {(failure.row, failure.column) for failure in caught.value.failures}
    assert {(1, "value"), (2, "published"), (3, "end"), (4, "frequency"), (5, "start")} <= columns
    assert (6, "unit") in columns
    assert store.history().empty
    with pytest.raises(DataError, match="no such column"):
        store.append(frame({"indicator": "x"}), provider="t", retrieved="2026-01-01")
    with pytest.raises(DataError, match="one row a figure and day"):
        add(store, row(1.0), row(2.0))


def test_what_is_written_stays(store: Store) -> None:
    add(store, row(1.0))
    for statement in (
        "UPDATE vintages SET value = 9",
        "DELETE FROM vintages",
        "UPDATE cells SET start = 0",
        "DELETE FROM series",
        "UPDATE refreshes SET provider = 'x'",
    ):
        with pytest.raises(sa.exc.DBAPIError, match="only grows"), store.engine.begin() as held:
            held.execute(sa.text(statement))
    assert list(store.history()["value"]) == [1.0]


def test_replacing_a_row_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        add(store, row(1.0))
        statement = "INSERT OR REPLACE INTO vintages SELECT cell, published, 9, NULL, NULL, 0, 1, NULL FROM vintages"  # noqa: E501
        with pytest.raises(sa.exc.DBAPIError, match="only grows"), store.engine.begin() as held:
            held.execute(sa.text(statement))


def test_the_bundled_figures_come_back_as_a_snapshot_shows_them(
    store: Store, package: DataPackage
) -> None:
    names = ["gas_production", "gas_exports", "contacts_total"]
    everything = package.tables["observations"]
    store.append(everything[everything["indicator"].isin(names)], provider="bundle",
                 retrieved="2026-11-01")  # fmt: skip
    for day in ("2003-01-01", "2016-06-08", "2016-07-01", "2019-06-30", "2026-11-01"):
        shown = indicators.snapshot(day, package=package).observations
        shown = shown[shown["indicator"].isin(names)].reset_index(drop=True)
        found = store.newest(day)
        assert len(found) == len(shown)
        assert (found["value"] == shown["value"]).all()
        for name in SERIES_KEY:
            assert (found[name].astype(shown[name].dtype) == shown[name]).all()


def test_narrowing(store: Store) -> None:
    add(store, row(), row(indicator="gas_price_europe", unit="USD/MMBtu"),
        row(start="2020-02-01", end="2020-02-29", published="2020-03-05"))  # fmt: skip
    assert len(store.newest("2021-01-01")) == 3
    assert len(store.newest("2021-01-01", indicators=["brent_price"])) == 2
    assert len(store.newest("2021-01-01", states=["TKM"])) == 0
    assert len(store.newest("2021-01-01", start="2020-02-01")) == 1
    assert len(store.newest("2021-01-01", end="2020-01-31")) == 2
    assert len(store.history("2020-02-01")) == 2


def test_log(store: Store) -> None:
    assert store.log().empty
    store.append(frame(row()), provider="worldbank", retrieved="2026-01-01", requests=3, note="n")
    entry = store.log().iloc[0]
    assert (entry["provider"], entry["rows_new"], entry["requests"]) == ("worldbank", 1, 3)
    assert entry["retrieved"] == pd.Timestamp("2026-01-01")


def test_an_empty_refresh_is_logged(store: Store) -> None:
    assert store.append(frame(row()).head(0), provider="t", retrieved="2026-01-01").rows_new == 0
    assert len(store.log()) == 1


def test_opening_again_keeps_everything(where: str) -> None:
    with Store.open(where) as store:
        add(store, row(1.0))
    with Store.open(where, create=False) as store:
        assert len(store.history()) == 1


def test_schema_is_that_of_the_code(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from indicators.store.schema import METADATA

    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD
        assert compare_metadata(context, METADATA) == []


def test_a_newer_store_is_left_alone(where: str) -> None:
    with Store.open(where) as store, store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="upgrade tocsin"):
        Store.open(where)


def test_four_processes_make_one_store(where: str) -> None:
    code = f"from indicators.store import Store; print(len(Store.open({where!r}).log()))"
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True)
        for _ in range(4)
    ]
    for process in started:
        out, err = process.communicate(timeout=120)
        assert (out.strip(), process.returncode) == ("0", 0), err


def test_no_store_where_none_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        Store.open(tmp_path / "none.db", create=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("create", [True, False])
def test_a_file_of_another_program_is_left_as_it_is(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program: bookmarks"):
        Store.open(path, create=create)
    assert path.read_bytes() == before


def test_an_empty_file_is_made_a_store_only_where_one_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    with pytest.raises(StoreError, match="there is no store"):
        Store.open(path, create=False)
    assert path.stat().st_size == 0
    Store.open(path).close()
    with Store.open(path, create=False) as store:
        assert store.history().empty


def test_where_the_default_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_HOME", str(tmp_path / "home"))
    Store.open().close()
    assert (tmp_path / "home" / "tocsin.db").exists()
    Store.open(home=tmp_path / "other").close()
    assert (tmp_path / "other" / "tocsin.db").exists()


@pytest.mark.parametrize("content", [b"garbage" * 400, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_files_that_are_no_store(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"broken\.db") as caught:
        Store.open(path)
    assert "move the file away" in str(caught.value)
    assert path.read_bytes() == content


def test_a_damaged_page_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.open(path) as store:
        many = [row(i, start=f"{1900 + i}-01-01", end=f"{1900 + i}-12-31") for i in range(120)]
        add(store, *many)
        with store.engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = b"\xff" * (len(content) - 4096 * 2)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"store\.db"), Store.open(path) as store:
        store.history()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="writable"):
        Store.open(tmp_path / "file" / "store.db")


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "oracle://u:secret@h/d", "://secret"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)
    assert "postgresql://" in str(caught.value)


def test_passwords_are_hidden() -> None:
    with pytest.raises(StoreError) as caught:
        Store.open("postgresql://user:s3cret@127.0.0.1:9/none?connect_timeout=2")
    assert "s3cret" not in str(caught.value) + repr(caught.value)
    assert isinstance(caught.value, TocsinError)


def test_bundled_and_stored_read_as_one(store: Store, package: DataPackage) -> None:
    new = row(61.5, "2026-07-03", start="2026-06-01", end="2026-06-30")
    revised = row(99.0, "2026-08-01", start="2026-05-01", end="2026-05-31")
    again = package.tables["observations"]
    again = again[(again["indicator"] == "brent_price") & (again["end"] == "2026-04-30")]
    assert len(again) == 1
    same = row(float(again["value"].iloc[0]), "2026-08-01", start="2026-04-01", end="2026-04-30")
    add_later = store.append(frame(new, revised, same), provider="t", retrieved="2026-09-01")
    assert add_later.rows_new == 3
    seen = indicators.snapshot("2026-10-01", package=package, store=store)
    series = seen.series("brent_price", "WLD").set_index("end")["value"]
    assert series[pd.Timestamp("2026-06-30")] == 61.5
    assert series[pd.Timestamp("2026-05-31")] == 99.0
    plain = indicators.snapshot("2026-10-01", package=package)
    assert len(seen.history) == len(plain.history) + 2
    strict = indicators.snapshot("2026-10-01", package=package, store=store, strict=True)
    assert len(strict.series("brent_price", "WLD")) == 3  # the confirmed figure, too


def test_a_figure_that_a_refresh_confirms_is_a_true_vintage(
    store: Store, package: DataPackage
) -> None:
    bundled = indicators.snapshot("2020-06-01", package=package).series("brent_price", "WLD")
    known = bundled[bundled["start"] == "2020-01-01"].iloc[0]
    assert known["published_rule"] == "lag"
    add(store, row(float(known["value"]), "2020-05-05", basis=known["basis"],
                   source=known["source"], unit=known["unit"]))  # fmt: skip
    strict = indicators.snapshot("2020-06-01", package=package, store=store, strict=True)
    rows = strict.series("brent_price", "WLD")
    assert list(rows["published_rule"]) == ["retrieved"]
    # without the rule for lags, nobody had seen it the day before
    day = indicators.snapshot("2020-05-04", package=package, store=store, strict=True)
    assert day.series("brent_price", "WLD").empty


def test_nothing_stored_is_seen_before_its_day(store: Store, package: DataPackage) -> None:
    plain = indicators.snapshot("2016-07-01", package=package)
    add(store, row(1e6, "2016-07-02", start="2016-05-01", end="2016-05-31"))
    seen = indicators.snapshot("2016-07-01", package=package, store=store)
    assert seen.hash == plain.hash
    add(store, row(1e6, "2016-07-01", start="2016-04-01", end="2016-04-30"))
    assert indicators.snapshot("2016-07-01", package=package, store=store).hash != plain.hash


def test_stored_rows_that_the_catalog_does_not_know(store: Store, package: DataPackage) -> None:
    add(store, row(indicator="no_such"), row(unit="EUR/bbl"))
    with pytest.raises(DataError) as caught:
        indicators.snapshot("2026-01-01", package=package, store=store)
    assert {failure.column for failure in caught.value.failures} == {"indicator", "unit"}


def test_a_full_database(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.open(path) as store:
        add(store, row(1.0))
    with Store.open(path) as store:
        # the database's own limit stands for the disk's
        with store.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connect = sa.event.listens_for(store.engine, "begin")
        connect(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={pages}"))
        many = [row(i, start=f"{1000 + i}-01-01", end=f"{1000 + i}-12-31") for i in range(3000)]
        with pytest.raises(StoreError, match="make room"):
            add(store, *many)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM vintages").fetchone() == (1,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
