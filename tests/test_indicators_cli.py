"""``tocsin indicators list`` and ``show``: what people see, what machines get, what is not told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

import forecast
from forecast import cli
from forecast.cli_entries import delay_words, rule_words, show_indicators, sign_word
from forecast.cli_indicators import listing
from indicators.tables import DataPackage

SCHEMAS = Path(forecast.__file__).parent / "schemas"
RULE = {"lag_days": None, "edition_day": None, "period_from": None, "period_to": None}
FAMILIES = ("Border", "Gas", "Diplomatic contacts", "Context")


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def ask(*words: str) -> Result:
    done = CliRunner().invoke(cli.main, ["indicators", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done


@pytest.fixture(scope="module", autouse=True)
def _read_once(bundled: DataPackage) -> Iterator[None]:
    """Every call reads the bundled package: once is enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indicators.tables.load", lambda _=None: bundled)
        yield


@pytest.fixture(scope="module")
def rows(_own_home: None) -> dict[str, dict[str, Any]]:
    return {row["indicator"]: row for row in listing(db="none")}


@pytest.fixture(scope="module")
def shown(_own_home: None) -> Callable[[str, str, str], dict[str, Any]]:
    made: dict[tuple[str, ...], dict[str, Any]] = {}

    def show(name: str, state: str, as_of: str) -> dict[str, Any]:
        key = (name, state, as_of)
        if key not in made:
            done = ask("show", name, "--state", state, "--as-of", as_of, "--db", "none", "--json")
            made[key] = json.loads(done.stdout)
        return made[key]

    return show


def test_list_follows_its_schema_and_tells_every_entry(
    rows: dict[str, Any], bundled: DataPackage
) -> None:
    payload = {"schema": "tocsin/indicators/1", "indicators": list(rows.values())}
    jsonschema.validate(payload, schema("indicators-1.json"))
    assert set(rows) == set(bundled.table("indicators")["indicator"])
    gas = rows["gas_production"]
    assert gas["delay"] == {"median_days": 181.0, "publications": 24, "assumed_share": 0.0}
    assert gas["newest"] == {"period": "2025", "published": "2026-06-30"}
    assert [item["date"] for item in gas["breaks"]][:2] == ["2018-06", "2019-06"]
    assert list(gas["signs"]) == [
        "neutrality_text_revision", "neutrality_weakening", "foreign_base", "bloc_accession",
    ]  # fmt: skip


def test_what_only_a_refresh_brings_has_no_delay_yet(rows: dict[str, Any]) -> None:
    customs = rows["customs_gas_imports_mass"]
    assert customs["delay"] is customs["newest"] is None
    assert customs["figures"] == 0
    assert customs["sources"][0]["provider"] == "comtrade"
    assert delay_words(customs) == "not measured: no figure; the registry expects 45 days"


def test_list_is_grouped_by_family(
    rows: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    show_indicators(list(rows.values()))
    text = capsys.readouterr().out
    lines = text.splitlines()
    heads = [line.strip() for line in lines if line and not line.startswith(" ")]
    assert [head for head in heads if head in FAMILIES] == list(FAMILIES)
    at = next(i for i, line in enumerate(lines) if line.strip().startswith("gas_production "))
    assert "Natural gas production of Turkmenistan" in lines[at]
    facts = lines[at + 1].strip()
    assert facts == "by year | delay 181 d | newest 2025 | statistical_review"
    assert "delay ~5 d" in text  # an assumed rule, marked as such
    assert "worldbank_rents, refresh worldbank" in text
    assert "no figure yet | refresh comtrade" in text
    assert max(map(len, lines)) <= 100


def test_list_of_a_family_as_json_is_the_listing(rows: dict[str, Any]) -> None:
    done = ask("list", "--family", "context", "--db", "none", "--json")
    payload = json.loads(done.stdout)
    assert payload["schema"] == "tocsin/indicators/1"
    assert {row["family"] for row in payload["indicators"]} == {"context"}
    for row in payload["indicators"]:
        assert row == rows[row["indicator"]]


def test_an_unknown_family_is_refused() -> None:
    done = CliRunner().invoke(cli.main, ["indicators", "list", "--family", "gaz"])
    assert done.exit_code == 2
    assert "did you mean gas" in done.stderr


@pytest.mark.parametrize("as_of", ["2016-07-01", "2020-07-01"])
def test_show_follows_its_schema(
    shown: Callable[[str, str, str], dict[str, Any]], as_of: str
) -> None:
    record = shown("gas_production", "TKM", as_of)
    jsonschema.validate(record, schema("indicator-1.json"))
    assert record["schema"] == "tocsin/indicator/1"
    assert all(row["published"] <= as_of for row in record["observations"])
    assert all(item["known_from"] <= as_of for item in record["breaks"])
    assert record["newest"]["published"] <= as_of


def test_show_tells_no_break_before_it_could_be_known(
    shown: Callable[[str, str, str], dict[str, Any]],
) -> None:
    then, later = (shown("gas_production", "TKM", day) for day in ("2016-07-01", "2020-07-01"))
    assert then["breaks"] == []
    assert [item["date"] for item in later["breaks"]] == ["2018-06", "2019-06"]
    assert then["known_breaks"] is None
    assert then["delay"]["publications"] == 15  # editions 2002 to 2016
    assert then["newest"] == {"period": "2015", "published": "2016-06-08"}


def test_show_tells_no_reason_that_was_published_later(
    shown: Callable[[str, str, str], dict[str, Any]],
) -> None:
    then, later = (shown("un_ideal_point", "TKM", day) for day in ("2016-07-01", "2020-07-01"))
    empty = {"sign": 0, "reason": "", "reference": ""}
    assert then["signs"]["foreign_base"] == empty
    assert "doi:10.1177/0022002715595700" in later["signs"]["foreign_base"]["reference"]


def test_show_for_people() -> None:
    done = ask("show", "gas_production", "--as-of", "2020-07-01", "--last", "2", "--db", "none")
    text = " ".join(done.stdout.split())
    for said in (
        "gas_production, TKM, bcm",
        "as of 2020-07-01, all publication rules",
        "with the yearly edition, 30 June of the next year",
        "181 days from the end of the newest period (median of 19 publications",
        "expected sign of a higher figure",
        "foreign_base 0 no expectation because",
        "breaks known by 2020-07-01 2018-06 definition: Edition 2018",
        "2019 – 63.16 standardised_40MJ 2020-06-30 edition statistical_review",
        "earlier rows not shown (--last)",
    ):
        assert said in text, said
    assert done.stdout.index("expected sign") < done.stdout.index("breaks known by")
    assert done.stdout.index("breaks known by") < done.stdout.index("\nfigures\n")
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_show_says_whose_figures_there_are(
    shown: Callable[[str, str, str], dict[str, Any]],
) -> None:
    assert shown("brent_price", "TKM", "2016-07-01")["elsewhere"] == ["WLD"]
    done = ask("show", "brent_price", "--as-of", "2016-07-01", "--db", "none")
    assert "figures of others were: --state WLD" in done.stdout


def test_show_of_what_has_no_figure_still_tells_the_entry() -> None:
    done = ask("show", "customs_gas_imports_mass", "--as-of", "2016-07-01", "--db", "none")
    assert "nothing of TKM was public by then" in done.stdout
    assert "figures of others" not in done.stdout
    assert "refresh comtrade" in done.stdout


def test_show_says_where_support_came_later() -> None:
    done = ask("show", "un_ideal_point", "--as-of", "2016-07-01", "--db", "none", "--last", "1")
    assert "what supports it was published later" in done.stdout
    assert "breaks known by 2016-07-01\nnone" in done.stdout


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "edition", "edition_day": "06-30"},
         "with the yearly edition, 30 June of the next year"),
        ({"rule": "lag", "lag_days": 31, "period_from": "2018-01-01"},
         "31 days after the period (assumed); periods from 2018-01-01"),
        ({"rule": "lag_reconstructed", "lag_days": 31, "period_to": "2017-12-31"},
         ("31 days after the period (assumed), from what was public then: the data set came later; "
          "periods to 2017-12-31")),
        ({"rule": "dated"}, "on the report's own date, not before the end of its period"),
        ({"rule": "retrieved"},
         "refreshed figures: the provider's day of release, or the day they were read"),
    ],
)  # fmt: skip
def test_rules_in_words(rule: dict[str, Any], said: str) -> None:
    assert rule_words(RULE | rule) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "dates on record or by edition)"),
        (1.0, "all dated by the assumed rule)"),
        (0.88, "88% dated by the assumed rule)"),
    ],
)  # fmt: skip
def test_delays_in_words(share: float, said: str) -> None:
    delay = {"median_days": 31.0, "publications": 1200, "assumed_share": share}
    head = "31 days from the end of the newest period (median of 1,200 publications, "
    assert delay_words({"delay": delay}) == head + said


def test_signs_in_words() -> None:
    assert [sign_word(sign) for sign in (1, 0, -1)] == ["+", "0", "−"]
