"""The page: what it says, that it is safe, that it is the same every time."""

from __future__ import annotations

import copy
import itertools
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from forecast import report, sampling
from forecast.report import page as page_module
from forecast.report import view as view_module
from forecast.report.view import answer, marks_are, view
from indicators.errors import DataError, FitError

SAMPLE = Path(__file__).parent / "fixtures" / "forecast-sample.json"
Payload = dict[str, Any]


@pytest.fixture(scope="module")
def sample() -> Payload:
    return json.loads(SAMPLE.read_text(encoding="utf-8"))


@pytest.fixture
def payload(sample: Payload) -> Payload:
    return copy.deepcopy(sample)


@pytest.fixture(scope="module")
def html(sample: Payload) -> str:
    return report.render(sample)


class _Reader(HTMLParser):
    VOID = ("meta", "link", "br", "hr", "img", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture(scope="module")
def read(html: str) -> _Reader:
    return _Reader(html)


def test_every_element_is_closed(read: _Reader) -> None:
    assert read.open == []


def test_the_answer_comes_first_in_plain_words(read: _Reader) -> None:
    wanted = (
        "By 1 July 2019: between 1.4% and 6.7%, best estimate 3.1% (about 1 in 32). "
        "The base rate is 8.5% (4.7% to 13%): the estimate is 0.36 of the base rate. "
        "9 events in 318 years of exposure stand behind it; "
        "the data left 68% of the prior's uncertainty."
    )
    assert wanted in read.text
    assert read.text.index(wanted) < read.text.index("The same question, asked otherwise")


@pytest.mark.parametrize(
    "part",
    [
        "Without any process",
        "Strict vintages",
        "Baseline: penalised regression",
        "Prior alone, before any event",
        "Five Central Asian states",
        "prior only: no event",
        "Whose base",
        "In which direction",
        "reported negotiation",
        "15 February 2016",
        "Share of the main partner in gas exports",
        "sample case: draft published, then dropped",
        "The outcome record stops on 31 March 2016",
        "Deaths in June 2016: not yet public at the origin.",
        "Method in ten lines",
        "5a5a5a5a",
        "20160701",
        "R-hat at most 1.004",
    ],
)
def test_the_page_says(read: _Reader, part: str) -> None:
    assert part in read.text


def test_every_reference_class_is_printed_with_every_horizon(
    read: _Reader, sample: Payload
) -> None:
    for row in sample["forecasts"]:
        for entry in row["reference_classes"]:
            assert entry["label"] in read.text


def test_the_method_has_ten_lines(html: str) -> None:
    inside = html.split('class="method"')[1].split("</ol>", maxsplit=1)[0]
    assert inside.count("<li>") == 10


def test_headings_descend_one_level_at_a_time(read: _Reader) -> None:
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_every_picture_has_a_name_and_ids_are_unique(read: _Reader) -> None:
    pictures = [attrs for tag, attrs in read.tags if tag == "svg"]
    assert len(pictures) >= 15
    assert all(p["role"] == "img" and len(p["aria-label"] or "") > 20 for p in pictures)
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_links_and_references_lead_somewhere_on_the_page(read: _Reader) -> None:
    ids = {attrs["id"] for _, attrs in read.tags if "id" in attrs}
    targets = [attrs["href"] or "" for tag, attrs in read.tags if tag in ("a", "use")]
    labels = [attrs["aria-labelledby"] for _, attrs in read.tags if "aria-labelledby" in attrs]
    assert targets
    assert {target.removeprefix("#") for target in targets} | set(labels) <= ids


def test_nothing_is_asked_of_the_network(html: str, read: _Reader) -> None:
    assert not [tag for tag, _ in read.tags if tag in ("script", "img", "iframe", "object")]
    assert "@import" not in html
    assert not re.search(r"(src|href)=\"(https?:)?//", html)
    assert not re.search(r"url\((?!#)", html)


def test_pictures_take_their_colours_from_the_page(html: str) -> None:
    pictures = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert not re.search(r"(fill|stroke): #", pictures)
    assert "var(--accent)" in pictures
    assert not re.search(r"<metadata|dc:date|<style", pictures)


def test_the_same_payload_gives_the_same_bytes_in_another_process(
    html: str, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    code = (
        "import json, pathlib, forecast.report as r;"
        f"r.write(json.loads(pathlib.Path({str(SAMPLE)!r}).read_text('utf-8')), {str(out)!r})"
    )
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    assert out.read_text("utf-8") == html


def test_text_of_the_payload_cannot_become_markup(payload: Payload) -> None:
    bad = "<script>alert('1')</script>\"><img src=x onerror=y>&amp;$x$"
    payload["state_name"] = bad
    payload["not_seen"] = [bad]
    for row in payload["forecasts"]:
        row["title"] = bad
        for driver in row["drivers"]:
            driver["label"] = bad
    payload["indicators"][0]["meaning"] = bad
    payload["processes"][0]["kind"] = bad
    read = _Reader(report.render(payload))
    assert not [tag for tag, attrs in read.tags if tag in ("script", "img") or "onerror" in attrs]
    assert bad in read.text


def test_a_broken_payload_is_refused_and_nothing_written(payload: Payload, tmp_path: Path) -> None:
    payload["forecasts"][0]["p"] = 7
    with pytest.raises(DataError):
        report.write(payload, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_write_replaces_in_one_move(
    sample: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "page.html"
    assert report.write(sample, path) == path
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(page_module.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        report.write(sample, path)
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["page.html"]


def test_a_question_that_cannot_be_asked_says_so(payload: Payload) -> None:
    empty = ("p", "lo90", "hi90", "ratio", "prior_share", "no_process", "strict", "marks_detail")
    for row in payload["forecasts"]:
        if row["question"] == "bloc_accession":
            row.update(dict.fromkeys(empty))
    text = _Reader(report.render(payload)).text
    assert "the question cannot be put to this state at this date" in text


def test_a_bare_run_has_a_page(payload: Payload) -> None:
    row = payload["forecasts"][0]
    keep = ("question", "title", "state", "origin", "horizon", "closes", "model", "p")
    payload["forecasts"] = [{key: row[key] if key in keep else None for key in row}]
    for key in ("processes", "indicators", "not_seen"):
        payload[key] = []
    payload["gap"] = None
    text = _Reader(report.render(payload)).text
    assert "best estimate 1.8% (about 1 in 56)" in text


def test_the_gap_speaks_for_itself_where_the_run_has_words(payload: Payload) -> None:
    payload["gap"]["text"] = "Nobody has read the papers since."
    assert "Nobody has read the papers since." in report.render(payload)
    payload["gap"] = {"feed_ends": "2024-12-31", "months_unobserved": 0, "text": None}
    assert "The outcome record stops" not in report.render(payload)


def test_a_poor_fit_is_said_before_any_number(payload: Payload) -> None:
    payload["provenance"]["rhat_max"] = 1.2
    text = _Reader(report.render(payload)).text
    assert "R-hat 1.2 (limit 1.01)" in text
    assert text.index("did not pass its diagnostics") < text.index("best estimate")


def test_the_limits_of_the_gate_are_those_of_the_sampler(
    payload: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = (
        f"R-hat reaches {sampling.RHAT_MAX:g}, an effective sample size falls below "
        f"{sampling.ESS_MIN:g}, more than {100 * sampling.DIVERGENT_MAX:g}% of the draws diverge, "
        f"or E-BFMI falls below {sampling.BFMI_MIN:g}."
    )
    assert said in _Reader(report.render(payload)).text
    monkeypatch.setattr(view_module, "ESS_MIN", 901.0)
    payload["provenance"]["ess_min"] = 900.5
    assert "effective sample size 900.5 (limit 901)" in report.render(payload)


def test_a_poor_fit_is_refused_with_options_that_exist() -> None:
    poor = sampling.Diagnostics(1.2, 900.0, 0, 0.0, 1.0)
    with pytest.raises(FitError, match="--allow-poor-fit") as caught:
        sampling.gate(poor, what="a question")
    assert "tune" not in str(caught.value)


def test_what_rounds_to_nothing_has_no_sign(payload: Payload) -> None:
    for row in payload["forecasts"]:
        for driver in row["drivers"]:
            driver.update(log_odds=-0.004, lo90=-0.2, hi90=0.004)
    html = report.render(payload)
    assert "−0.00" not in html
    assert "-0.00" not in html
    assert "−0.20" in html


def test_a_strict_run_says_so_on_top(payload: Payload) -> None:
    said = "by recorded publication dates alone"
    assert said not in report.render(payload | {"strict_vintages": False})
    assert said in report.render(payload | {"strict_vintages": True})
    with pytest.raises(DataError):
        report.render(payload | {"strict_vintages": "yes"})


def test_marks_are_told_apart_by_arithmetic_unless_stated() -> None:
    assert marks_are({"p": 0.1, "marks": {"RUS": 0.7, "CHN": 0.3}}) == "given_event"
    assert marks_are({"p": 0.1, "marks": {"RUS": 0.07, "CHN": 0.03}}) == "joint"
    assert (
        marks_are({"p": 0.1, "marks": {"RUS": 0.07}, "marks_are": "given_event"}) == "given_event"
    )


def test_no_event_behind_it_is_said(payload: Payload) -> None:
    row = dict(payload["forecasts"][0], base_rate_events=0)
    assert answer(row)["behind"].startswith("No event in 256 years of exposure stands behind it")


def test_the_weakening_shows_the_processes_of_the_revision(sample: Payload) -> None:
    found = {question["id"]: question for question in view(sample)["questions"]}
    assert found["neutrality_weakening"]["processes"][0]["id"] == "XSL-constitution-2014"


def test_ended_and_stale_sources_are_flagged(sample: Payload) -> None:
    states = {row["name"]: row["state"] for row in view(sample)["ages"]}
    assert states["leader trips"] == "stale"
    assert (
        states["Coded diplomatic interaction; the source ended in 2014 (United States)"] == "ended"
    )
    assert next(row["age"] for row in view(sample)["ages"]) == 18
