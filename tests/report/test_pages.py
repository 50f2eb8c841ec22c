"""What holds of every page: one file, escaped, with a text for every picture; then in a browser."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.reference.html import Page
from tests.report.conftest import HOSTILE

PAGES = ["report_file", "explore_file"]


@pytest.fixture(params=PAGES)
def file(request) -> Path:
    return request.getfixturevalue(request.param)


@pytest.fixture
def page(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def test_it_is_well_formed_and_one_file(page: str) -> None:
    read = Page(page)
    assert read.open == []
    assert page.startswith("<!doctype html>")
    assert all(re.match("data:image/|#", url) for url in [*read.all("src"), *read.all("href")])
    assert not re.search(r"https?:|url\((?!#)|@import", page)


def test_every_link_has_its_one_target(page: str) -> None:
    read = Page(page)
    names = Counter(read.all("id"))
    assert {name: count for name, count in names.items() if count > 1} == {}
    assert {url[1:] for url in read.all("href") if url.startswith("#")} <= names.keys()


def test_names_of_files_are_text_not_markup(page: str) -> None:
    assert HOSTILE in Page(page).text
    assert HOSTILE not in page
    assert "alert(1)<" not in page
    assert "<i>&" not in page
    assert "ws <i>&" in Page(page).text


def test_every_picture_has_a_text(page: str) -> None:
    read = Page(page)
    pictures = [attrs for tag, attrs in read.tags if tag == "img"]
    assert pictures
    assert all(picture["alt"].strip() for picture in pictures)
    plots = [attrs for _, attrs in read.tags if attrs.get("role") == "img"]
    assert plots
    assert all(plot["aria-label"].strip() for plot in plots)


def test_no_number_is_missing(page: str) -> None:
    assert not re.search(r"\b(nan|None|inf|Undefined)\b", Page(page).text)


class Opened:
    """A page in a browser, with what it said and asked for."""

    def __init__(self, browser, file: Path, *, width: int = 1280, **context) -> None:
        viewport = {"width": width, "height": 900}
        self.tab = browser.new_context(viewport=viewport, **context).new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.goto(file.as_uri())


@pytest.fixture
def opened(browser, file: Path):
    opened = Opened(browser, file)
    yield opened
    opened.tab.context.close()


def test_it_asks_for_nothing_and_complains_of_nothing(opened: Opened, file: Path) -> None:
    outside = [url for url in opened.asked if not url.startswith("data:")]
    assert outside == [file.as_uri()]
    assert opened.said == []
    broken = "[...document.images].filter(image => !image.naturalWidth).length"
    opened.tab.wait_for_function("[...document.images].every(image => image.complete)")
    assert opened.tab.evaluate(broken) == 0


@pytest.mark.parametrize("javascript", [True, False])
def test_a_phone_never_scrolls_sideways(browser, file: Path, javascript: bool) -> None:
    phone = Opened(browser, file, width=390, java_script_enabled=javascript)
    width = phone.tab.evaluate("document.documentElement.scrollWidth")
    phone.tab.context.close()
    assert width == 390


def test_it_is_dark_where_the_system_is(browser, file: Path) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        opened = Opened(browser, file, color_scheme=scheme)
        color = opened.tab.evaluate("getComputedStyle(document.body).backgroundColor")
        opened.tab.context.close()
        brightness[scheme] = sum(map(int, re.findall(r"\d+", color)))
    assert brightness["dark"] < 150 < 600 < brightness["light"]


def test_a_table_is_sorted_by_the_column_that_is_clicked(opened: Opened) -> None:
    table = opened.tab.locator("table.sortable:has(button)").first
    column = table.locator("thead th").count() - 1
    cells = table.locator(f"tbody tr > :nth-child({column + 1})")

    def values() -> list[float]:
        found = [one.get_attribute("data-value") for one in cells.all()]
        return [float(one) for one in found if one]

    before = values()
    assert len(set(before)) > 1
    button = table.locator("thead button").nth(column)
    button.click()
    assert values() == sorted(before, reverse=True)
    assert cells.last.get_attribute("data-value") == "" or len(before) == cells.count()
    button.press("Enter")
    assert values() == sorted(before)
    assert table.locator("thead th").nth(column).get_attribute("aria-sort") == "ascending"
