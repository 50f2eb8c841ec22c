from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest

from ensemble.report.page import build_page
from tests.reference.summary import summary


class Page(HTMLParser):
    """The text of a page, its tags that were left open, and its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.open, self.images = "", [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page() -> str:
    return build_page(
        title="ens: <demo> & co",
        stages={"restoration": summary("restoration"), "colorization": summary("colorization")},
        recipe='{"weights": {"a<b>": 1.0}}',
        pictures=[('sheet "one"', b"\x89PNG one"), ("two", b"\x89PNG two")],
    )


def test_the_page_is_well_formed_and_needs_no_other_file(page: str) -> None:
    read = Page(page)
    assert read.open == []
    assert page.startswith("<!doctype html>")
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "http" not in page


def test_it_tells_scores_verdicts_and_recipe_of_both_stages(page: str) -> None:
    text = Page(page).text
    for stage in ("restoration", "colorization"):
        assert f"{stage}: exact scores on 10 photographs" in text
        assert f"{stage}: keep the tuned <blend> & send it" in text
    for number in ("0.4321", "0.5678", "0.5432", "+0.1678", "0.5578"):
        assert text.count(number) >= 2
    assert "tuned <blend> (kept)" in text
    assert "Only five photographs a fold." in text
    assert '{"weights": {"a<b>": 1.0}}' in text


def test_names_are_text_not_markup(page: str) -> None:
    assert "<blend>" not in page
    assert "<demo>" not in page
    assert Page(page).text.count("ens: <demo> & co") == 2


def test_pictures_are_inside_with_their_captions(page: str) -> None:
    images = Page(page).images
    assert [image["alt"] for image in images] == ['sheet "one"', "two"]
    contents = [base64.b64decode(image["src"].partition("base64,")[2]) for image in images]
    assert contents == [b"\x89PNG one", b"\x89PNG two"]
    assert all(image["src"].startswith("data:image/png;") for image in images)


def test_without_stages_and_pictures_there_is_still_the_recipe() -> None:
    page = build_page(title="t", stages={}, recipe="{}", pictures=[])
    assert Page(page).open == []
    assert "<pre>{}</pre>" in page
    assert "<img" not in page
