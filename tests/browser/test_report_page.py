"""The page in a real browser: self-contained, readable on a phone, legible light and dark."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forecast import report

pytestmark = pytest.mark.browser

SAMPLE = Path(__file__).parents[1] / "fixtures" / "forecast-sample.json"
CHROMIUM = os.environ.get("TOCSIN_CHROMIUM", "/usr/bin/chromium")
SIZES = {"phone": (375, 800), "desktop": (1280, 900)}

# Contrast of each text with what lies behind it, by the formula of WCAG 2.2.
CONTRAST = """() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const lin = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const lum = c => 0.2126 * lin(c[0]) + 0.7152 * lin(c[1]) + 0.0722 * lin(c[2]);
  const back = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    const text = walk.currentNode.textContent.trim();
    if (!text || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const a = lum(parse(e.closest('svg') ? style.fill : style.color)), b = lum(back(e));
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text]);
  }
  return found;
}"""


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    payload = json.loads(SAMPLE.read_text(encoding="utf-8"))
    return report.write(payload, tmp_path_factory.mktemp("page") / "page.html").as_uri()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Opened:
    """One page, with all that it asked for and complained about."""

    def __init__(self, browser: Any, url: str, *, size: str, scheme: str, script: bool) -> None:
        width, height = SIZES[size]
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=script,
        )
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(url)


@pytest.fixture(
    params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")], ids="-".join
)
def opened(browser: Any, url: str, request: pytest.FixtureRequest) -> Iterator[Opened]:
    size, scheme = request.param
    found = Opened(browser, url, size=size, scheme=scheme, script=True)
    yield found
    found.context.close()


def test_no_request_leaves_the_page(opened: Opened, url: str) -> None:
    assert [request for request in opened.requests if not request.startswith("data:")] == [url]


def test_the_console_is_silent(opened: Opened) -> None:
    assert opened.complaints == []


def test_the_page_does_not_scroll_sideways(opened: Opened) -> None:
    for details in opened.page.query_selector_all("summary"):
        details.click()
    width = opened.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]


def test_wide_tables_scroll_in_a_box_that_the_keyboard_reaches(opened: Opened) -> None:
    loose = opened.page.evaluate(
        "[...document.querySelectorAll('table')].filter(t => {"
        " const box = t.closest('.scroll');"
        " return !box || box.tabIndex !== 0 || !box.getAttribute('aria-label'); }).length"
    )
    assert loose == 0


def test_contrast(opened: Opened) -> None:
    found = opened.page.evaluate(CONTRAST)
    assert len(found) > 300
    assert [entry for entry in found if entry[0] < 4.5] == []


def test_text_in_pictures_is_large_enough_to_read(opened: Opened) -> None:
    heights = opened.page.evaluate(
        "[...document.querySelectorAll('svg text')].filter(t => t.getClientRects().length)"
        ".map(t => [t.getScreenCTM().d * parseFloat(getComputedStyle(t).fontSize), t.textContent])"
    )
    assert heights
    assert [entry for entry in heights if entry[0] < 8.5] == []


def test_texts_in_pictures_stay_inside_them(opened: Opened) -> None:
    outside = opened.page.evaluate(
        "[...document.querySelectorAll('svg')].filter(s => s.getClientRects().length)"
        ".flatMap(s => {"
        " const box = s.getBoundingClientRect();"
        " return [...s.querySelectorAll('text')].filter(t => { const b = t.getBoundingClientRect();"
        "  return b.left < box.left - 3 || b.right > box.right + 3; }).map(t => t.textContent); })"
    )
    assert outside == []


def test_each_picture_and_heading_is_there_for_a_screen_reader(opened: Opened) -> None:
    names = opened.page.evaluate(
        "[...document.querySelectorAll('svg, img')].map(e => e.getAttribute('aria-label') || e.alt)"
    )
    assert all(names)
    levels = opened.page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')]"
        ".filter(h => h.getClientRects().length).map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert opened.page.evaluate("document.documentElement.lang") == "en"


def test_the_dark_page_is_another_picture(browser: Any, url: str) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        found = Opened(browser, url, size="desktop", scheme=scheme, script=True)
        seen[scheme] = found.page.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('svg text')).fill]"
        )
        found.context.close()
    assert all(a != b for a, b in zip(*seen.values(), strict=True))


def test_the_page_is_whole_without_scripts(browser: Any, url: str) -> None:
    found = Opened(browser, url, size="phone", scheme="light", script=False)
    assert found.page.locator("svg.pic:visible").count() >= 15
    assert "best estimate" in found.page.inner_text("#answer")
    found.context.close()


def test_it_prints(browser: Any, url: str) -> None:
    found = Opened(browser, url, size="desktop", scheme="dark", script=True)
    found.page.emulate_media(media="print")
    assert (
        found.page.evaluate("getComputedStyle(document.body).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert len(found.page.pdf(format="A4")) > 10_000
    found.context.close()
