"""The page of `ens report`: its numbers, its photographs, and its controls."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ensemble.arrays import luma
from ensemble.composition.recipe import SLIDES, Composition, Recipe, StageRecipe
from ensemble.data.png import read_rgb
from ensemble.project import open_project
from ensemble.provenance import read_recipe
from ensemble.report import steps
from ensemble.report.results import EDITED
from ensemble.report.steps import INPUT, climb, list_steps, trace
from tests.reference.html import Page
from tests.reference.score import literal_score
from tests.report.conftest import COUNT, HOSTILE
from tests.report.test_pages import Opened


@pytest.fixture(scope="module")
def colorization(tiny_root: Path) -> dict:
    return json.loads((tiny_root / "oof/scores.json").read_text())["stages"]["colorization"]


@pytest.fixture(scope="module")
def climbed(tiny_root: Path):
    project = open_project(tiny_root)
    return project, climb(project, read_recipe(project), count=100)


def test_the_last_step_is_what_was_scored(climbed, colorization: dict) -> None:
    kept = {row["name"]: row for row in colorization["rows"]}[colorization["kept"]]
    last = climbed[1].rungs[-1]
    assert last.score == pytest.approx(kept["score"], abs=1e-12)
    assert dict(zip(("ssim", "masked_ssim", "hue"), last.terms, strict=True)) == pytest.approx(
        {term: kept[term] for term in ("ssim", "masked_ssim", "hue")}, abs=1e-12
    )


def test_the_slides_way_is_the_mean_of_the_networks_as_it_is(tiny_root: Path, climbed) -> None:
    project, found = climbed
    assert found.rungs[1].name == "slides' way"
    for image_id, shown in list(found.shown.items())[:4]:
        # Of one network that flips do not change the mean is its own picture.
        due = _score(project, image_id, read_rgb(tiny_root / "teammate" / f"{image_id}.png"))
        assert tuple(shown.terms["slides' way"]) == pytest.approx(due, abs=1e-6)


def _score(project, image_id: str, pred) -> tuple[float, ...]:
    sample = project.competition.train_sample(image_id)
    lost_mask = sample.damaged != luma(sample.target)
    return tuple(literal_score(pred=pred, target=sample.target, lost_mask=lost_mask))[:3]


def test_the_first_step_is_the_damaged_input(climbed) -> None:
    project, found = climbed
    for image_id, shown in list(found.shown.items())[:4]:
        sample = project.competition.train_sample(image_id)
        gray = np.repeat(sample.damaged[..., None], 3, axis=-1)
        due = _score(project, image_id, gray)
        assert tuple(shown.terms[INPUT]) == pytest.approx(due, abs=1e-6)


def test_gains_add_up_to_the_last_score(climbed) -> None:
    rungs = climbed[1].rungs
    gains = sum(rung.gain.gain for rung in rungs[1:])
    assert rungs[0].score + gains == pytest.approx(rungs[-1].score, abs=1e-12)


def test_photographs_are_made_once(climbed, monkeypatch) -> None:
    project, found = climbed

    def refuse(self, image_id):
        raise AssertionError(image_id)

    monkeypatch.setattr(steps._Maker, "_make", refuse)
    assert climb(project, read_recipe(project), count=100) == found


def test_each_step_changes_one_thing_and_one_that_changes_nothing_is_left_out(project) -> None:
    members = {stage: project.members(stage) for stage in ("restoration", "colorization")}
    tuned = StageRecipe(weights={"telea": 1.0}, views={"telea": ("identity",)})
    gray = StageRecipe.single("gray", members["colorization"][0].views)
    goal = Composition(hue="natural", data_range="as-is")
    recipe = Recipe(
        restoration=tuned, colorization=gray, composition=goal, folds=(0,), made_from={}
    )
    found = list_steps(recipe, members)
    names = ["slides' way", "paste-back", "luma lock", "moved hues", "recipe's blend"]
    assert [step.name for step in found] == names
    assert found[0].options == SLIDES
    assert found[-1][1:] == (tuned, gray, goal)
    for before, after in pairwise(found):
        assert before[1:] != after[1:]
    slides = Recipe(**{**recipe.model_dump(), "composition": SLIDES, "restoration": tuned})
    assert [step.name for step in list_steps(slides, members)] == ["slides' way", "recipe's blend"]


def test_the_head_tells_what_to_expect_and_what_was_decided(
    report_file: Path, colorization: dict
) -> None:
    text = " ".join(Page(report_file.read_text()).text.split())
    found = colorization["expected"]
    low, high = found["interval"]
    assert low < found["score"] < high
    crossed = colorization["cross_fitted"].get(colorization["kept"])
    plain = {row["name"]: row for row in colorization["rows"]}["plain mean"]
    assert found["score"] == pytest.approx((crossed or plain)["score"], abs=1e-12)
    assert f"Expect a score of {found['score']:.4f} (95 % interval {low:.4f} to {high:.4f})" in text
    assert f"colorization uses the {colorization['kept']}" in text


def test_a_recipe_that_was_edited_is_told(tiny_root: Path, ens, tmp_path: Path) -> None:
    assert EDITED not in ens(tiny_root, "report --photographs 0 --output", tmp_path / "a.html").out
    file = tiny_root / "oof/recipe.json"
    text = file.read_text()
    file.write_text(text.replace('"data_range": "full"', '"data_range": "as-is"'))
    try:
        assert file.read_text() != text
        said = ens(tiny_root, "report --photographs 0 --output", tmp_path / "b.html")
    finally:
        file.write_text(text)
    assert EDITED in said.out
    page = Page((tmp_path / "b.html").read_text())
    assert EDITED in " ".join(page.text.split())
    assert "photographs" not in page.all("id")


def test_expected_and_public_scores_of_submissions_are_there(
    tiny_root: Path, ens, tmp_path: Path
) -> None:
    assert ens(tiny_root, "history --name submission --public 0.4321").status == 0
    assert ens(tiny_root, "report --photographs 0 --output", tmp_path / "c.html").status == 0
    text = " ".join(Page((tmp_path / "c.html").read_text()).text.split())
    made = r"submission \d{4}-\d\d-\d\d \d\d:\d\d"
    assert re.search(rf"{made} 0\.\d{{4}} 0\.4321 [+−]0\.\d{{4}} up to date", text)


def test_trainings_search_submissions_and_recipe_are_there(report_file: Path) -> None:
    text = " ".join(Page(report_file.read_text()).text.split())
    for word in ("navier-stokes", "teammate", "submission", "up to date"):
        assert word in text
    assert "restoration unet-mobilenet-v2 0 3 2 0.7500 0.1250 2.0" in text
    assert "restoration: 20 trials" in text
    assert "restoration: importance" in text
    assert '"made_from"' in text


def test_the_outline_is_the_rim_of_each_part() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[3:9, 4:16] = mask[12:, 20:] = True
    parts = [np.array(part[:-1].split(), float) for part in trace(mask).split("M")[1:]]
    sides = [
        (part[::2].min(), part[::2].max(), part[1::2].min(), part[1::2].max()) for part in parts
    ]
    assert len(sides) == 2
    assert sides[0] == pytest.approx((4, 16, 3, 9), abs=0.5)
    assert sides[1] == pytest.approx((20, 30, 12, 20), abs=0.5)


@pytest.fixture
def opened(browser, report_file: Path):
    opened = Opened(browser, report_file)
    yield opened
    assert opened.said == []
    opened.tab.context.close()


def _shown_share(opened: Opened) -> float:
    """The share of the first photograph's width at which ours begins."""
    clip = "getComputedStyle(document.querySelector('.slider .ours')).clipPath"
    return float(opened.tab.evaluate(clip).rstrip(")").split()[-1].rstrip("%")) / 100


def test_the_slider_moves_by_mouse(opened: Opened) -> None:
    slider = opened.tab.locator(".slider").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert _shown_share(opened) == 0.5
    opened.tab.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2)
    assert _shown_share(opened) == pytest.approx(0.2, abs=0.05)
    opened.tab.mouse.down()
    opened.tab.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2, steps=4)
    opened.tab.mouse.up()
    assert _shown_share(opened) == pytest.approx(0.9, abs=0.05)


def test_the_slider_moves_by_keyboard(opened: Opened) -> None:
    opened.tab.locator(".slider input").first.focus()
    for key, share in (("ArrowRight", 0.51), ("Home", 0.0), ("End", 1.0), ("ArrowLeft", 0.99)):
        opened.tab.keyboard.press(key)
        assert _shown_share(opened) == pytest.approx(share)


def test_ours_is_compared_with_the_picture_that_is_chosen(opened: Opened) -> None:
    for other in ("slides", "truth", "input"):
        opened.tab.locator("#other").select_option(other)
        visible = opened.tab.locator(".slider").first.locator("figure:visible")
        classes = {figure.get_attribute("class") for figure in visible.all()}
        assert classes == {"ours", other}


def test_the_outline_can_be_hidden(opened: Opened) -> None:
    outline = opened.tab.locator(".slider .outline").first
    assert outline.is_visible()
    opened.tab.locator("#outline").uncheck()
    assert not outline.is_visible()


@pytest.mark.parametrize(
    ("order", "key", "sign"),
    [("score", "score", 1), ("-gain", "gain", -1), ("gain", "gain", 1), ("confidence",) * 2 + (1,)],
)
def test_photographs_are_sorted(opened: Opened, order: str, key: str, sign: int) -> None:
    opened.tab.locator("#order").select_option("name")
    names = [c.get_attribute("data-name") for c in opened.tab.locator(".photograph").all()]
    assert len(names) == COUNT
    assert HOSTILE in names
    opened.tab.locator("#order").select_option(order)
    cards = opened.tab.locator(".photograph").all()
    values = [sign * float(card.get_attribute(f"data-{key}")) for card in cards]
    assert values == sorted(values)


def test_without_javascript_all_four_pictures_are_seen(browser, report_file: Path) -> None:
    opened = Opened(browser, report_file, java_script_enabled=False)
    pictures = opened.tab.locator(".photograph").first.locator("img:visible")
    boxes = [picture.bounding_box() for picture in pictures.all()]
    hidden = opened.tab.locator(".tools").is_hidden()
    opened.tab.context.close()
    assert len({(box["x"], box["y"]) for box in boxes}) == 4
    assert hidden
