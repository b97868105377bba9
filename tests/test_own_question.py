"""A question on a table of the package's own: accepted, refused, forecast in closed form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from forecast.backtest import Grid, backtest
from forecast.models.base_rate import BaseRate
from forecast.outcomes import outcomes
from forecast.questions import question
from forecast.reference import reference_classes
from forecast.risk import risk_set
from forecast.run import run
from forecast.skill import headline_rows
from forecast.standing import stand
from indicators.errors import DataError
from indicators.tables import DataPackage, load
from indicators.vintages import snapshot

KEYS = {
    "states": ["state"],
    "indicators": ["indicator"],
    "features": ["feature"],
    "observations": [
        "indicator", "state", "counterpart", "start", "end", "basis", "source", "published",
    ],
    "floods": ["flood"],
    "watch": ["spell"],
}  # fmt: skip
TABLES = {
    "states": "state,name,region,kind\nAAA,Aland,north,state\nBBB,Bland,south,state\n",
    "indicators": (
        "indicator,family,meaning,unit,frequency,aggregation,absent_is_zero,coverage_start,"
        "lag_days,strict_lag,source,fed_by\n"
        "rain,weather,Rain of the year,mm,A,last,0,1990-01-01,181,none,gauge,bundled\n"
    ),
    "features": (
        "feature,indicators,scope,transform,window_months,centre,scale,sign_weather,reason,family\n"
        "rain,rain,own,identity,12,500,100,1,Rain feeds floods,weather\n"
    ),
    "observations": (
        "indicator,state,counterpart,start,end,frequency,basis,value,unit,published,"
        "published_rule,source\n"
        "rain,AAA,,1990-01-01,1990-12-31,A,gauge,520,mm,1991-06-30,lag,gauge\n"
        "rain,BBB,,1990-01-01,1990-12-31,A,gauge,480,mm,1991-06-30,lag,gauge\n"
    ),
    "floods": (
        "flood,state,seen,ended,spell\n"
        "F1,AAA,1995-03-01,1995-04-01,W1\n"
        "F2,BBB,2002-07-01,2002-08-01,W2\n"
    ),
    "watch": "spell,state,start,ended\nW1,AAA,1990-01-01,\nW2,BBB,1990-01-01,\n",
}
DATES = {"start", "end", "ended", "published", "coverage_start", "seen"}
WHOLE = {"absent_is_zero", "lag_days", "window_months", "sign_weather"}
REAL = {"value", "centre", "scale"}
QUESTION = """
id = "flood"
title = "Does the river flood?"
definition = "A flood is seen in the state."
family = "weather"
horizons = [12, 36]
window_start = 1990-01-01
void = ["The river is dammed."]
sources = ["The gauge."]

[feed]
status = "open"
censor = 2009-12-31

[event]
table = "floods"
counts = "onset"
id = "flood"
state = "state"
date = "seen"
instrument = "spell"

[marks]
names = ["flood"]

[risk]
table = "watch"
at_risk = "while"
id = "spell"
state = "state"
start = "start"
end = "ended"

[risk.sets.primary]
label = "both states"
complete = true
states = ["AAA", "BBB"]

[near_misses]
kinds = []

[priors]
rate = ["1/200", "1/10"]

[priors.spread]
region = 2
state = 2

[priors.sizes]
rain = "large"

[priors.reasons]
rate = "Floods are seldom."
spread = "Rivers differ by a factor, not by orders of magnitude."
effects = "Rain feeds floods."
sizes = "Much rain is much water."

[[reference_classes]]
id = "all"
label = "both states"
"""


def written(
    folder: Path,
    *,
    known: bool = True,
    text: str = QUESTION,
    tables: Mapping[str, str] = MappingProxyType(TABLES),
) -> DataPackage:
    """Write a package of two states with floods of its own, and read it back."""
    told = {
        "floods": {"visible": [["seen"]]},
        "watch": {"visible": [["start"]], "later": [["ended"]]},
    }
    if not known:
        del told["floods"]
    resources = []
    for name, content in tables.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
        fields = [{"name": c, **kind(c)} for c in content.split("\n")[0].split(",")]
        schema = {"fields": fields, "missingValues": [""], "primaryKey": KEYS[name]}
        resource = {"name": name, "path": f"{name}.csv", "schema": schema}
        resources.append(resource | ({"known": told[name]} if name in told else {}))
    descriptor = json.dumps({"name": "floods", "resources": resources})
    (folder / "datapackage.json").write_text(descriptor, encoding="utf-8")
    (folder / "questions").mkdir()
    (folder / "questions" / "flood.toml").write_text(text, encoding="utf-8")
    return load(folder)


def kind(column: str) -> dict[str, str]:
    if column in DATES:
        return {"type": "date", "format": "%Y-%m-%d"}
    return {"type": "integer" if column in WHOLE else "number" if column in REAL else "string"}


@pytest.mark.parametrize(
    ("day", "days", "counted"),
    [("1994-12-31", 1826, ()), ("1999-12-31", 3652, ("F1",)), ("2004-12-31", 5479, ("F1", "F2"))],
)
def test_own_events_are_forecast_by_what_was_known(
    tmp_path: Path, day: str, days: int, counted: tuple[str, ...]
) -> None:
    package = written(tmp_path)
    asked = question("flood", package=package)
    table = reference_classes(asked, snapshot(day, package=package), state="AAA")
    row = table.set_index("class_id").loc["all"]
    assert row["counted"] == counted
    # two states, from 1 January 1990 to the day asked, both included
    years = 2 * days / 365.25
    assert row["exposure_years"] == pytest.approx(years)
    expected = 1 - (years / (years + 3)) ** (len(counted) + 0.5)
    assert BaseRate(row["events"], row["exposure_years"]).p(3) == pytest.approx(expected)


def test_a_table_that_does_not_say_when_it_is_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"under 'known' in datapackage\.json") as caught:
        question("flood", package=written(tmp_path, known=False))
    (failure,) = caught.value.failures
    assert (failure.column, failure.found) == ("event.table", "floods")
    assert "floods" not in str(failure.allowed)
    assert "watch" in str(failure.allowed)


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ('counts = "onset"', 'counts = "presence"', "event.counts"),
        ('date = "seen"', 'date = "ended"', "event.date"),
    ],
)
def test_only_the_onset_counts(tmp_path: Path, old: str, new: str, column: str) -> None:
    text = QUESTION.replace(old, new)
    assert text != QUESTION
    with pytest.raises(DataError) as caught:
        question("flood", package=written(tmp_path, text=text))
    assert column in [f.column for f in caught.value.failures]


def test_a_record_from_before_1990_is_used_with_its_figures(tmp_path: Path) -> None:
    """The panel begins with the question's own window, however old."""
    tables = dict(TABLES)
    for name, old, new in (
        ("watch", "1990-01-01", "1970-01-01"),
        ("indicators", "1990-01-01", "1970-01-01"),
        ("observations", "1990", "1970"),
        ("observations", "1991", "1971"),
        ("floods", "1995", "1975"),
    ):
        tables[name] = tables[name].replace(old, new)
    text = QUESTION.replace("window_start = 1990", "window_start = 1970")
    package = written(tmp_path, text=text, tables=tables)
    asked = question("flood", package=package)
    seen = snapshot("1980-01-01", package=package)
    (standing,) = stand([asked], seen)
    assert str(standing.part.panel.values.index.get_level_values("month").min())[:7] == "1970-01"
    found = standing.part.panel.values.xs("AAA")["rain"].dropna()
    assert len(found) > 0
    said = run(
        state="AAA", as_of="1980-01-01", questions="flood", horizons=[12], model="base_rate",
        data_dir=tmp_path, home=tmp_path / "home",
    )  # fmt: skip
    # one flood in twenty years of exposure, half an event of the prior
    assert said.table["p"].item() == pytest.approx(1 - (20 / 21) ** 1.5, abs=1e-4)


def test_what_came_is_looked_up_past_the_last_covariate(tmp_path: Path) -> None:
    """Figures end in 1991, floods are coded to 2009."""
    written(tmp_path)
    grid = Grid(("1994-07-01", "2002-01-01", "2009-07-01"), "flood", 12, "base_rate", 1)
    told = outcomes(backtest(grid, data_dir=tmp_path), data_dir=tmp_path)
    y = told.set_index(["origin", "state"])["y"]
    assert y["1994-07-01"].to_dict() == {"AAA": 1.0, "BBB": 0.0}
    assert y["2002-01-01"].to_dict() == {"AAA": 0.0, "BBB": 1.0}
    assert y["2009-07-01"].isna().all()  # nobody coded 2010
    assert len(headline_rows(told)) == 4


@pytest.mark.usefixtures("cheap")
def test_a_question_needs_no_covariate(tmp_path: Path) -> None:
    text = QUESTION.replace('[priors.sizes]\nrain = "large"\n', "")
    text = text.replace('sizes = "Much rain is much water."\n', "")
    tables = {name: table for name, table in TABLES.items() if name != "features"}
    written(tmp_path, text=text, tables=tables)
    ask = {"state": "AAA", "as_of": "2005-01-01", "questions": "flood", "horizons": 12}
    for model in ("base_rate", "glm", "hazard"):
        found = run(**ask, model=model, data_dir=tmp_path, home=tmp_path / "home", cache=False)
        assert 0 < found.table["p"].item() < 1, model


@pytest.mark.parametrize(
    ("table", "column", "kind", "wanted"),
    [("observations", "published", "string", "date"), ("observations", "value", "string", "number"),
     ("indicators", "coverage_start", "string", "date"), ("features", "scale", "string", "number")],
)  # fmt: skip
def test_a_column_declared_as_something_else_is_refused_when_loaded(
    tmp_path: Path, table: str, column: str, kind: str, wanted: str
) -> None:
    written(tmp_path)
    path = tmp_path / "datapackage.json"
    told = json.loads(path.read_text())
    (fields,) = [r["schema"]["fields"] for r in told["resources"] if r["name"] == table]
    (own,) = [f for f in fields if f["name"] == column]
    own["type"] = kind
    path.write_text(json.dumps(told))
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    said = {f.column: (f.found, f.allowed) for f in caught.value.failures}
    assert said[f"{table}.{column}"] == (f"type {kind}", f"type {wanted}")


NO_INSTRUMENT = QUESTION.replace('instrument = "spell"\n', "")


def both_count(folder: Path, text: str, *, tables: dict[str, str] | None = None) -> set[str]:
    """Events of the base rate, which must be those of the risk set."""
    package = written(folder, text=text, tables={**TABLES, **(tables or {})})
    asked, seen = question("flood", package=package), snapshot("2009-12-31", package=package)
    row = reference_classes(asked, seen, state="AAA").set_index("class_id").loc["all"]
    risk = risk_set(asked, seen)
    assert set(row["counted"]) == set(risk.events["event_id"])
    # months at risk against days in force: no more than a month at either end of a spell apart
    assert row["exposure_years"] == pytest.approx(len(risk.rows) / 12, abs=0.35)
    return set(row["counted"])


@pytest.mark.parametrize("text", [QUESTION, NO_INSTRUMENT])
def test_events_without_an_instrument_are_those_of_the_spell_in_force(
    tmp_path: Path, text: str
) -> None:
    assert (text == QUESTION) == ("instrument" in text)
    assert both_count(tmp_path, text) == {"F1", "F2"}


def test_an_event_outside_the_spells_counts_nowhere(tmp_path: Path) -> None:
    ended = TABLES["watch"].replace("W2,BBB,1990-01-01,", "W2,BBB,1990-01-01,2001-05-20")
    later = TABLES["watch"].replace("W2,BBB,1990-01-01,", "W2,BBB,2002-07-15,")
    month = TABLES["watch"].replace("W2,BBB,1990-01-01,", "W2,BBB,1990-01-01,2002-07-01")
    for i, (watch, counted) in enumerate([(ended, {"F1"}), (later, {"F1"}), (month, {"F1", "F2"})]):
        folder = tmp_path / str(i)
        folder.mkdir()
        assert both_count(folder, NO_INSTRUMENT, tables={"watch": watch}) == counted


def test_an_instrument_that_is_no_spell_leaves_the_date_to_decide(tmp_path: Path) -> None:
    floods = TABLES["floods"].replace("W1", "dam").replace("W2", "dyke")
    assert both_count(tmp_path, QUESTION, tables={"floods": floods}) == {"F1", "F2"}


def test_an_event_of_a_spell_that_puts_nobody_at_risk_counts_nowhere(tmp_path: Path) -> None:
    # both spells of BBB are in force when F2 comes, and F2 is an event of the other one
    watch = TABLES["watch"] + "W3,BBB,1990-01-01,\n"
    floods = TABLES["floods"].replace("W2", "W3")
    text = QUESTION.replace(
        'end = "ended"\n', 'end = "ended"\nwhere = [{ column = "spell", not_in = ["W3"] }]\n'
    )
    assert text != QUESTION
    assert both_count(tmp_path, text, tables={"watch": watch, "floods": floods}) == {"F1"}


def test_a_state_that_is_not_eligible_is_in_neither(tmp_path: Path) -> None:
    text = NO_INSTRUMENT.replace('states = ["AAA", "BBB"]', 'states = ["AAA"]')
    assert both_count(tmp_path, text) == {"F1"}


def test_a_state_is_at_risk_from_the_day_it_exists(tmp_path: Path) -> None:
    text = NO_INSTRUMENT.replace(
        "[risk.sets.primary]", "[risk.since]\nBBB = 2000-01-01\n\n[risk.sets.primary]"
    )
    assert both_count(tmp_path, text) == {"F1", "F2"}


def test_an_own_question_has_its_own_marks_or_none(tmp_path: Path) -> None:
    """One mark is nothing to tell apart, and no direction of a revision comes in."""
    written(tmp_path)
    found = run(
        state="AAA", as_of="2004-01-01", questions="flood", horizons=[12], model="glm",
        data_dir=tmp_path, home=tmp_path / "home",
    )  # fmt: skip
    (row,) = found.payload["forecasts"]
    assert row["marks"] is None
    assert row["marks_detail"] is None
    assert found.forecasts[0].marks == {}
    assert row["p"] > 0
