"""The door: good packages become typed tables, bad ones say all that is wrong at once."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from indicators import tables as door
from indicators.catalog import Catalog
from indicators.errors import DataError, Failure, UnknownNameError
from indicators.tables import DataPackage, load


def failures_of(folder: Path) -> list[Failure]:
    with pytest.raises(DataError) as caught:
        load(folder)
    assert caught.value.exit_code == 3
    for failure in caught.value.failures:
        assert all([failure.file, failure.found, failure.allowed, failure.remedy])
        assert str(failure) in str(caught.value)
    return list(caught.value.failures)


@dataclass
class Case:
    """One way to spoil the file of a table, and what must be said about it."""

    table: str
    spoil: Callable[[bytes], bytes]
    row: int | None
    column: str | None
    found: str
    allowed: str


def cell(line: int, old: str, new: str) -> Callable[[bytes], bytes]:
    """Replace text on one line of a file; lines count from 1."""

    def spoil(content: bytes) -> bytes:
        lines = content.decode().splitlines(keepends=True)
        assert old in lines[line - 1]
        lines[line - 1] = lines[line - 1].replace(old, new, 1)
        return "".join(lines).encode()

    return spoil


def repeat_line(content: bytes) -> bytes:
    """Add the second line again at the end."""
    return content + content.splitlines(keepends=True)[1]


CASES = {
    "missing column": Case(
        "memberships", cell(1, "organisation", "org"), 1, "organisation", "membership_id, org", ""
    ),
    "unexpected column": Case("memberships", cell(1, "organisation", "org"), 1, "org", "org", ""),
    "wrong unit": Case("observations", cell(2, ",deaths,", ",people,"), 2, "unit", "people", "of"),
    "duplicated key": Case("memberships", repeat_line, 4, "membership_id", "NATO-UZB", "line 2"),
    "unknown state": Case(
        "observations", cell(3, "deaths,AFG", "deaths,XXX"), 3, "state", "'XXX'", "states.csv"
    ),
    "unknown counterpart": Case(
        "observations", lambda b: b.replace(b",CHN,", b",QQQ,"), None, "counterpart", "QQQ", "state"
    ),
    "above its range": Case(
        "neutrality_events", cell(2, "day,1", "day,2"), 2, "broad_event", "'2'", "1"
    ),
    "below its range": Case(
        "observations", cell(2, "M,best,", "M,best,-"), 2, "value", "-", "at least 0"
    ),
    "not a number": Case("observations", cell(2, "M,best,", "M,best,x"), 2, "value", "x", "number"),
    "not finite": Case("features", cell(2, "12,2,1.5", "12,inf,1.5"), 2, "centre", "inf", "finite"),
    "not whole": Case(
        "features", cell(2, "12,2,1.5", "1.5,2,1.5"), 2, "window_months", "1.5", "whole"
    ),
    "unparsable period": Case(
        "observations", cell(2, "2010-01-31", "2010-02-31"), 2, "end", "2010-02-31", "YYYY-MM-DD"
    ),
    "short date": Case(
        "observations", cell(2, "2010-01-31", "2010-1-31"), 2, "end", "2010-1-31", "YYYY-MM-DD"
    ),
    "period that ends before it starts": Case(
        "observations", cell(2, "2010-01-01", "2010-02-01"), 2, "end", "2010-01-31", "start"
    ),
    "published before the period ends": Case(
        "observations", cell(2, "2010-03-03", "2010-01-30"), 2, "published", "2010-01-30", "end"
    ),
    "outside the list": Case(
        "neutrality_spells", cell(2, ",day,", ",weekly,"), 2, "start_precision", "weekly", "month"
    ),
    "required": Case("sources", cell(2, "gaz", ""), 2, "source", "nothing", "required"),
    "wrong encoding": Case(
        "states",
        lambda b: b.replace(b"China", "Chin\u00e4".encode("latin-1")),
        6,
        None,
        "0xe4",
        "UTF-8",
    ),
    "empty table": Case(
        "contiguity", lambda b: b.splitlines(keepends=True)[0], 1, None, "only", "row"
    ),
    "empty file": Case("contiguity", lambda b: b"", 1, None, "empty file", "column names"),
    "truncated inside a line": Case(
        "states", lambda b: b[:-25], 7, None, "without a line break", "complete"
    ),
    "truncated to few fields": Case("states", lambda b: b[:-20], 8, None, "fields", "4 fields"),
    "too many fields": Case(
        "states", cell(3, "asia", "asia,asia"), 3, None, "5 fields", "4 fields"
    ),
    "open quote": Case("states", cell(3, "Afghanistan", '"Afghanistan'), 3, None, "fields", "4"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_bad_input(case: Case, synthetic: Any, tmp_path: Path) -> None:
    folder = synthetic.write(tmp_path)
    file = folder / "tables" / f"{case.table}.csv"
    file.write_bytes(case.spoil(file.read_bytes()))
    assert any(
        failure.file == file.name
        and (case.row is None or failure.row == case.row)
        and failure.column == case.column
        and case.found in failure.found
        and case.allowed in failure.allowed
        for failure in failures_of(folder)
    ), failures_of(folder)


def test_all_at_once(synthetic: Any, tmp_path: Path) -> None:
    folder = synthetic.write(tmp_path)
    names = ["missing column", "wrong unit", "unknown state", "unparsable period", "empty table"]
    names += ["wrong encoding", "outside the list", "above its range"]
    for name in names:
        file = folder / "tables" / f"{CASES[name].table}.csv"
        file.write_bytes(CASES[name].spoil(file.read_bytes()))
    said = {(failure.file, failure.column) for failure in failures_of(folder)}
    # With states.csv unreadable the state codes cannot be judged: all else is.
    for name in set(names) - {"unknown state"}:
        assert (f"{CASES[name].table}.csv", CASES[name].column) in said


def test_a_column_wrong_throughout_is_counted(synthetic: Any, tmp_path: Path) -> None:
    draft = synthetic.copy()
    draft.tables["observations"]["unit"] = "furlongs"
    found = failures_of(draft.write(tmp_path))
    assert len(found) == 26
    rest = len(draft.tables["observations"]) - 25
    assert any(failure.found.startswith(f"{rest} more rows") for failure in found)


def test_plans_may_be_published_before_their_period(package: DataPackage) -> None:
    frame = package.table("observations")
    early = frame[frame["published"] < frame["end"]]
    assert early["basis"].tolist() == ["plan"]


def test_declared_foreign_keys(synthetic: Any, tmp_path: Path) -> None:
    draft = synthetic.copy()
    for item in draft.descriptor["resources"]:
        if item["name"] == "memberships":
            item["schema"]["foreignKeys"] = [
                {"fields": "organisation", "reference": {"resource": "states", "fields": "state"}}
            ]
    draft.tables["memberships"].loc[1, "organisation"] = "OTAN"
    (only,) = failures_of(draft.write(tmp_path))
    assert (only.row, only.column, only.found) == (3, "organisation", "'OTAN'")


def test_pattern_unique_and_boolean(synthetic: Any, tmp_path: Path) -> None:
    draft = synthetic.copy()
    for item in draft.descriptor["resources"]:
        if item["name"] == "states":
            fields = {spec["name"]: spec for spec in item["schema"]["fields"]}
            fields["state"]["constraints"] = {"pattern": "[A-Z]{3}"}
            fields["kind"]["constraints"] = {"unique": True}
            fields["region"]["type"] = "boolean"
    found = failures_of(draft.write(tmp_path))
    assert {failure.column for failure in found} == {"state", "kind", "region"}
    (pattern,) = [failure for failure in found if failure.column == "state"]
    assert (pattern.row, pattern.found) == (8, "'NATO'")


def test_line_numbers_count_lines_of_the_file(synthetic: Any, tmp_path: Path) -> None:
    draft = synthetic.copy()
    draft.tables["incidents"].loc[0, "note"] = "two\nlines"
    draft.tables["incidents"].loc[1, "published"] = "soon"
    (only,) = failures_of(draft.write(tmp_path))
    assert (only.row, only.column) == (4, "published")


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda folder: (folder / "datapackage.json").unlink(), "no such file"),
        (lambda folder: (folder / "datapackage.json").write_text("{"), "Expecting property"),
        (lambda folder: (folder / "datapackage.json").write_text("[]"), "no list of resources"),
        (lambda folder: (folder / "tables" / "states.csv").unlink(), "no readable file"),
    ],
)
def test_package_itself(
    spoil: Callable[[Path], Any], found: str, synthetic: Any, tmp_path: Path
) -> None:
    folder = synthetic.write(tmp_path)
    spoil(folder)
    assert any(found in failure.found for failure in failures_of(folder))


def test_descriptor_must_be_complete_and_stay_inside(synthetic: Any, tmp_path: Path) -> None:
    draft = synthetic.copy()
    resources = draft.descriptor["resources"]
    resources[:] = [item for item in resources if item["name"] != "states"]
    resources[0]["path"] = "../observations.csv"
    found = [failure.found for failure in failures_of(draft.write(tmp_path))]
    assert "no resource named states" in found
    assert any("'../observations.csv'" in text for text in found)


def test_types(package: DataPackage) -> None:
    frame = package.table("observations")
    assert frame["start"].dtype == "datetime64[us]"
    assert frame["value"].dtype == "float64"
    assert frame["state"].dtype == "str"
    assert (frame["counterpart"] == "").any()
    assert frame["value_low"].isna().all()
    assert package.table("features")["window_months"].dtype == "Int64"
    assert package.table("neutrality_spells")["end_mechanism"].isna().any()


def test_tables_are_copies(package: DataPackage) -> None:
    frame = package.table("states")
    frame.loc[:, "state"] = "XXX"
    assert "TKM" in set(package.table("states")["state"])
    with pytest.raises(UnknownNameError, match="did you mean states"):
        package.table("state")
    assert package.questions_dir == package.path / "questions"
    again = pickle.loads(pickle.dumps(package))
    pd.testing.assert_frame_equal(again.table("states"), package.table("states"))


def test_byte_order_mark_and_crlf_are_read(
    synthetic: Any, package: DataPackage, tmp_path: Path
) -> None:
    folder = synthetic.write(tmp_path)
    file = folder / "tables" / "states.csv"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    pd.testing.assert_frame_equal(load(folder).table("states"), package.table("states"))


def test_where_the_bundled_package_is_looked_for(
    synthetic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "site" / "indicators" / "tables.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(door, "__file__", str(module))
    with pytest.raises(DataError, match="no data package"):
        door.default_data_dir()
    beside = synthetic.write(tmp_path / "site" / "data")
    with pytest.raises(DataError, match="no data package"):
        door.default_data_dir()  # a folder called data that is somebody else's
    text = json.dumps({**synthetic.descriptor, "name": "tocsin-data"})
    (beside / "datapackage.json").write_text(text, encoding="utf-8")
    assert door.default_data_dir() == beside.resolve()
    inside = synthetic.write(module.parent / "_data")
    assert door.default_data_dir() == inside.resolve()


def test_catalog(package: DataPackage) -> None:
    catalog = Catalog.from_package(package)
    assert catalog.indicator("deaths").absent_is_zero
    assert catalog.indicator("gas_production").lag_days == 180
    assert catalog.feature("trips").indicators == ("trips_in", "trips_out")
    assert catalog.feature("violence_own").signs == {"neutrality": 0, "base": 1, "bloc": 0}
    with pytest.raises(UnknownNameError, match="did you mean deaths"):
        catalog.indicator("death")
    with pytest.raises(UnknownNameError, match="no feature"):
        catalog.feature("deaths")
    then = catalog.known_at(pd.Timestamp("2016-07-01")).indicator("deaths")
    assert then.coverage_end is None
    assert then.known_breaks == ""


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("indicators", "deaths+nothing"),
        ("scope", "ours"),
        ("transform", "log"),
        ("transform", "share_max"),
        ("scale", 0.0),
        ("window_months", 0),
    ],
)
def test_features_that_cannot_be_made(package: DataPackage, column: str, value: object) -> None:
    features = package.table("features").head(1)
    features[column] = value
    with pytest.raises(DataError, match=r"features.csv, line 2") as caught:
        Catalog.from_tables(package.table("indicators"), features)
    assert len(caught.value.failures) == 1
