"""What a question says, and what it is refused for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from forecast.definitions import Feed
from forecast.questions import load_questions, pick, question
from indicators.errors import DataError, UnknownNameError
from indicators.tables import DataPackage, load

Edited = Callable[..., DataPackage]


@pytest.fixture(scope="module")
def package() -> DataPackage:
    return load()


@pytest.fixture
def edited(package: DataPackage, tmp_path: Path) -> Edited:
    """Same tables, questions with some of their text replaced."""

    def make(name: str, *changes: tuple[str, str]) -> DataPackage:
        (tmp_path / "questions").mkdir()
        for file in package.questions_dir.glob("*.toml"):
            text = file.read_text(encoding="utf-8")
            for old, new in changes if file.stem == name else ():
                assert old in text
                if old == "where = [":  # the whole list, of the event only
                    text = re.sub(r"(?s)where = \[\n.*?\n\]\n", new, text, count=1)
                text = text.replace(old, new) if old != "where = [" else text
            (tmp_path / "questions" / file.name).write_text(text, encoding="utf-8")
        return replace(package, path=tmp_path)

    return make


def refused(package: DataPackage, **options: str) -> DataError:
    with pytest.raises(DataError) as caught:
        load_questions(package, **options)
    assert caught.value.exit_code == 3
    return caught.value


def test_the_four_questions(package: DataPackage) -> None:
    found = load_questions(package)
    assert list(found) == [
        "bloc_accession",
        "foreign_base",
        "neutrality_text_revision",
        "neutrality_weakening",
    ]
    revision, weakening = found["neutrality_text_revision"], found["neutrality_weakening"]
    assert weakening.parent == revision.id
    assert weakening.risk == revision.risk
    assert weakening.process == revision.process
    assert weakening.cleared_by == revision.event
    assert revision.slots == ("",)
    assert found["foreign_base"].slots == ("RUS", "CHN", "USA", "OTH")
    assert found["bloc_accession"].slots == ("CSTO", "SCO", "NATO")
    assert revision.prior_rate == pytest.approx((1 / 500, 1 / 30))
    assert found["foreign_base"].prior_rate == pytest.approx((1 / 1000, 1 / 60))
    assert found["bloc_accession"].prior_rate == pytest.approx((1 / 1000, 1 / 50))
    for item in found.values():
        assert item.priors.live_multiplier == (1, 30)
        assert item.priors.late_multiplier == (2, 100)
        assert item.feed == Feed(open=True, censor=pd.Timestamp("2024-12-31"))


def test_weakening_is_a_part_of_revision(package: DataPackage) -> None:
    found = load_questions(package)
    events = package.table("neutrality_events")
    revised = found["neutrality_text_revision"].event.where.mask(events)
    weakened = found["neutrality_weakening"].event.where.mask(events)
    assert not (weakened & ~revised).any()
    ids = set(events.loc[revised, "event_id"])
    assert {"TKM-1995@2016-09-14", "TKM-1995@2025-09-19"} <= ids
    assert "TKM-1995@2008-09-26" not in ids  # carried over
    assert not events.loc[weakened, "state"].isin(["TKM"]).any()


def test_the_wide_hosts_are_labelled_as_selected(package: DataPackage) -> None:
    sets = load_questions(package)["foreign_base"].risk.sets
    assert len(sets["primary"].states("RUS")) == 14
    assert sets["primary"].complete
    assert "selected" in sets["wide"].label
    assert not sets["wide"].complete
    hosts = set(package.table("base_episodes")["host"]) | set(
        package.table("base_processes")["host"]
    )
    assert set(sets["wide"].states("RUS")) == hosts - {"RUS"}


def test_every_near_miss_stands_for_a_refusal(package: DataPackage) -> None:
    # the library is a test-suite: it covers each question that has one, and none of it fires
    library = package.table("near_misses")
    found = load_questions(package)
    tested = {kind for item in found.values() for kind in item.near_misses}
    assert set(library["question"]) - tested == {"termination"}
    contested = library.loc[library["kind"] == "contested_event", "id"]
    assert set(contested) <= set(found["foreign_base"].contested)


IS_BASE = '{ column = "is_base", equals = 1 }'
OPENING = '{ column = "opening_type", in = ["new", "reopened"] }'
CONSENT = '{ column = "host_consent", above = 0 }'
BROAD = '{ column = "broad_event", equals = 1 }'
WEAKER = '{ column = "direction", below = 0 }'
NO_COPY = '{ column = "event_type", not_in = ["text_carryover"] }'


def where(*conditions: str) -> tuple[str, str]:
    """Change of the criteria of a question's event; the pattern finds the old ones."""
    return "where = [", "where = [\n    " + ",\n    ".join(conditions) + ",\n]\n"


@pytest.mark.parametrize(
    ("name", "change", "fires"),
    [
        ("neutrality_weakening", where(WEAKER), "CHE-1993-REPORT"),
        ("neutrality_weakening", where(BROAD), "TKM-2016-NEWED"),
        ("neutrality_text_revision", where(NO_COPY), "MDA-2017-COURT"),
        ("foreign_base", where(OPENING, CONSENT), "TKM-USA-ASHGABAT"),
    ],
)
@pytest.mark.parametrize("as_of", [None, "2016-07-01"])
def test_criteria_that_fire_on_a_near_miss(
    edited: Edited, name: str, change: tuple[str, str], fires: str, as_of: str | None
) -> None:
    options = {} if as_of is None else {"as_of": as_of}
    error = refused(edited(name, change), **options)
    assert fires in str(error)
    first = error.failures[0]
    assert (first.file, first.column) == (f"{name}.toml", "event.where")
    assert first.allowed == "no near miss counts"
    assert first.remedy


@pytest.mark.parametrize(
    ("change", "key", "says"),
    [
        (('counts = "onset"', 'counts = "incidence"'), "event.counts", "onset"),
        (('date = "open_date"', 'date = "close_date"'), "event.date", "open_date"),
        (where(IS_BASE, CONSENT), "event.where", "opening_type in new, reopened"),
        (
            where(OPENING.replace('"new"', '"new", "expansion"'), IS_BASE),
            "event.where",
            "(expansion)",
        ),
    ],
)
def test_onset_confused_with_incidence(
    edited: Edited, change: tuple[str, str], key: str, says: str
) -> None:
    error = refused(edited("foreign_base", change))
    assert key in {f.column for f in error.failures}
    assert says in str(error)


def test_a_process_is_no_outcome(edited: Edited) -> None:
    columns = {
        "episode_id": "process_id",
        "open_date": "started",
        "open_precision": "started_precision",
    }
    lines = ("table", "counts", "id", "state", "slot", "date", "precision")

    def head(table: str, key: str, date: str, precision: str) -> str:
        values = (table, "onset", key, "host", "user", date, precision)
        return "\n".join(f'{k} = "{v}"' for k, v in zip(lines, values, strict=True))

    other = edited(
        "foreign_base",
        (head("base_episodes", *columns), head("base_processes", *columns.values())),
        ('campaign = "campaign"\n', ""),
        where('{ column = "kind", equals = "offer" }'),
    )
    assert "processes under way are indicators" in str(refused(other))


def test_horizon_beyond_a_closed_feed(edited: Edited, package: DataPackage) -> None:
    closed = edited("bloc_accession", ('status = "open"', 'status = "closed"'))
    found = load_questions(closed, as_of="2021-12-01")["bloc_accession"]
    assert found.closes(pd.Timestamp("2022-01-01"), 36) == pd.Timestamp("2025-01-01")
    with pytest.raises(DataError, match="feed of outcomes was closed"):
        found.closes(pd.Timestamp("2022-02-01"), 36)
    # an open feed goes on being coded
    asked = load_questions(package, as_of="2026-11-01")["bloc_accession"]
    assert asked.closes(pd.Timestamp("2026-11-01"), 36) == pd.Timestamp("2029-11-01")


def test_a_closed_feed_too_short_for_any_window(edited: Edited) -> None:
    closed = ('status = "open"\ncensor = 2024-12-31', 'status = "closed"\ncensor = 1994-06-30')
    error = refused(edited("foreign_base", closed))
    assert [f.column for f in error.failures] == ["horizons"]
    assert error.failures[0].found.startswith("36 months from 1992-01-01")


def test_everything_wrong_is_said_at_once(edited: Edited) -> None:
    other = edited(
        "neutrality_text_revision",
        ('family = "neutrality"', 'family = "Neutral states"'),
        ("horizons = [6, 12, 24, 36]", "horizons = [12, 6]"),
        ('rate = ["1/500", "1/30"]', 'rate = ["1/30", "1/500"]'),
        ('column = "broad_event", equals = 1 },\n    { column = "event_type", not',
         'column = "broad", equals = 1 },\n    { column = "event_type", not'),
        ('["text_carryover"]', '["text_carry_over"]'),
        ("[near_misses]", "[near_miss]"),
        ("expiry_months = 24", 'expiry_months = "two years"'),
        ("window_start = 1990-01-01", 'window_start = "1990"'),
    )  # fmt: skip
    error = refused(other)
    keys = {f.column for f in error.failures if f.file == "neutrality_text_revision.toml"}
    assert {
        "family",
        "horizons",
        "priors.rate",
        "event.where[0].column",
        "event.where[1].not_in",
        "near_miss",
        "process.expiry_months",
        "window_start",
    } <= keys
    for failure in error.failures:
        assert failure.found
        assert failure.allowed
        assert failure.remedy


def test_broken_toml_says_the_line(edited: Edited) -> None:
    error = refused(edited("bloc_accession", ("horizons = [6, 12, 24, 36]", "horizons = [6,, 12]")))
    assert [(f.file, f.row) for f in error.failures] == [("bloc_accession.toml", 9)]


def test_near_misses_cannot_be_left_out(edited: Edited) -> None:
    error = refused(edited("foreign_base", ('kinds = ["base"]', "kinds = []")))
    assert [f.column for f in error.failures] == ["near_misses.kinds"]


def test_states_must_exist(edited: Edited) -> None:
    error = refused(edited("foreign_base", ('"ARM", "AZE", "BLR", "EST", "GEO",', '"ARX",')))
    assert "ARX" in str(error)
    assert "risk.sets.primary.states" in str(error)


def test_a_contested_event_must_be_listed(edited: Edited) -> None:
    alone = ('belarus_2022 = ["BLR-RUS-2022"]\n', "")
    error = refused(edited("foreign_base", ('    "BLR-RUS-2022",\n', ""), alone))
    assert [f.column for f in error.failures] == ["contested"]
    assert "BLR-RUS-2022" in error.failures[0].found


def test_later_rows_cannot_stop_a_forecast(package: DataPackage) -> None:
    # the shipped criteria, with the outcome of a later near miss turned round
    events = package.table("neutrality_events")
    later = events["event_date"] > "2016-07-01"
    events.loc[later, ["strict_event", "broad_event"]] = 1
    events.loc[later, "direction"] = -1
    poisoned = replace(package, tables={**package.tables, "neutrality_events": events})
    assert "TKM-2016-NEWED" in str(refused(poisoned))
    assert load_questions(poisoned, as_of="2016-07-01").keys() == load_questions(package).keys()


def test_unknown_names(package: DataPackage) -> None:
    with pytest.raises(UnknownNameError, match="foreign_base"):
        question("foreign_bases", package=package)
    assert list(pick(load_questions(package), ["all"])) == list(load_questions(package))
    assert question("foreign_base", package=package).family == "base"


def test_no_question_at_all(package: DataPackage, tmp_path: Path) -> None:
    assert "no TOML file" in str(refused(replace(package, path=tmp_path)))
