from __future__ import annotations

import cv2
import numpy as np
import pytest

from ensemble.arrays import luma
from ensemble.composition.blend import Colors, blend_colors, blend_gray, compose_answer
from ensemble.composition.compose import compose_rgb
from ensemble.composition.hue_target import hue_target
from ensemble.composition.recipe import SLIDES, Composition, StageRecipe
from ensemble.vocabulary import VIEWS

RECIPE = StageRecipe(
    weights={"b": 0.7, "a": 0.3}, views={"a": ("identity",), "b": ("hvflip", "identity", "vflip")}
)
TERMS = [
    ("a", "identity", 0.3),
    *(("b", view, 0.7 / 3) for view in ("identity", "vflip", "hvflip")),
]
LOST = np.ones((6, 7), dtype=bool)
LOST[0] = False


class Predictions:
    """Distinct random predictions of every member and view; remembers what was read."""

    def __init__(self, *shape: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.arrays = {
            (member, view): rng.integers(0, 256, shape, dtype=np.uint8)
            for member in ("a", "b", "votes")
            for view in VIEWS
        }
        self.was_read: list[tuple[str, str]] = []

    def __call__(self, member: str, view: str) -> np.ndarray:
        self.was_read.append((member, view))
        return self.arrays[member, view]


def mean(predictions: Predictions) -> np.ndarray:
    return sum(weight * predictions.arrays[m, view].astype(float) for m, view, weight in TERMS)


def opencv_hues(rgb: np.ndarray) -> np.ndarray:
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    return cv2.calcHist([hsv], [0], None, [180], [0, 180]).ravel()


def test_gray_is_the_mean_over_members_of_the_mean_over_their_views() -> None:
    predictions = Predictions(6, 7)
    blend = blend_gray(RECIPE, predictions, LOST)
    assert blend.dtype == np.float32
    np.testing.assert_allclose(blend, mean(predictions), atol=1e-3)


def test_minimum_risk_decides_in_the_hole_alone() -> None:
    predictions = Predictions(6, 7)
    decoded = RECIPE.model_copy(update={"decode": "minimum-risk"})
    plain, ours = (blend_gray(recipe, predictions, LOST) for recipe in (RECIPE, decoded))
    assert np.array_equal(ours[~LOST], plain[~LOST])
    assert np.abs(ours - plain)[LOST].min() > 0


def test_only_what_takes_part_is_read_and_once() -> None:
    predictions = Predictions(6, 7)
    blend_gray(RECIPE, predictions, LOST)
    assert sorted(predictions.was_read) == sorted((member, view) for member, view, _ in TERMS)
    colored = Predictions(6, 7, 3)
    blend_colors(RECIPE, colored, Composition(chroma="mean"))
    assert sorted(colored.was_read) == sorted(predictions.was_read)


def test_colors_are_the_mean_picture_and_every_vote() -> None:
    predictions = Predictions(6, 7, 3)
    colors = blend_colors(RECIPE, predictions, Composition(chroma="mean"))
    np.testing.assert_allclose(colors.picture, mean(predictions), atol=1e-3)
    votes = [opencv_hues(predictions.arrays[member, view]) for member, view, _ in TERMS]
    np.testing.assert_array_equal(colors.histograms, votes)
    np.testing.assert_allclose(colors.weights, [weight for *_, weight in TERMS])
    assert colors.folds == 1


def test_the_mode_is_heeded() -> None:
    predictions = Predictions(6, 7, 3)
    median = blend_colors(
        StageRecipe.single("b", VIEWS), predictions, Composition(chroma="median")
    ).picture
    chroma = [
        p.astype(float) - luma(p)[..., None] for (m, _), p in predictions.arrays.items() if m == "b"
    ]
    expected = np.median(chroma, axis=0)
    spread = [picture - picture.mean(axis=-1, keepdims=True) for picture in (median, expected)]
    np.testing.assert_allclose(*spread, atol=1.0)
    preserving = blend_colors(
        StageRecipe.single("b", VIEWS), predictions, Composition(chroma="preserving")
    ).picture
    assert preserving.std(axis=-1).mean() > 1.5 * median.std(axis=-1).mean()


def test_a_member_of_histograms_votes_and_has_no_picture() -> None:
    predictions = Predictions(6, 7, 3)
    vote = np.random.default_rng(1).random(180).astype(np.float32)
    predictions.arrays["votes", "identity"] = vote
    recipe = StageRecipe(
        weights={"a": 0.2, "b": 0.3, "votes": 0.5},
        views=dict.fromkeys(("a", "b", "votes"), ("identity",)),
    )
    colors = blend_colors(recipe, predictions, Composition(chroma="mean"))
    first, second = (predictions.arrays[member, "identity"].astype(float) for member in "ab")
    np.testing.assert_allclose(colors.picture, 0.4 * first + 0.6 * second, atol=1e-3)
    assert colors.histograms.shape == (3, 180)
    np.testing.assert_array_equal(colors.histograms[2], vote.astype(float))
    np.testing.assert_array_equal(colors.weights, [0.2, 0.3, 0.5])


@pytest.fixture
def folds() -> list[Colors]:
    return [
        blend_colors(RECIPE, Predictions(24, 24, 3, seed=seed), Composition(chroma="mean"))
        for seed in range(3)
    ]


@pytest.fixture
def gray() -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (24, 24), dtype=np.uint8)


def test_folds_add_up(folds: list[Colors]) -> None:
    both = folds[0] + folds[1]
    total = both + folds[2]
    np.testing.assert_array_equal(both.picture, folds[0].picture + folds[1].picture)
    np.testing.assert_array_equal(total.histograms, np.concatenate([f.histograms for f in folds]))
    np.testing.assert_array_equal(total.weights, np.concatenate([f.weights for f in folds]))
    assert (both.folds, total.folds, (folds[0] + both).folds) == (2, 3, 3)


def test_the_slides_answer_is_the_rounded_mean_over_folds(
    folds: list[Colors], gray: np.ndarray
) -> None:
    total = folds[0] + folds[1] + folds[2]
    given = compose_answer(total, gray=gray, prior=np.ones(180), options=SLIDES)
    assert given.dtype == np.uint8
    mean_over_folds = np.mean([fold.picture.astype(float) for fold in folds], axis=0)
    assert np.abs(given - mean_over_folds).max() < 0.501


def test_hues_are_moved_to_what_members_and_prior_want(
    folds: list[Colors], gray: np.ndarray
) -> None:
    total, prior = folds[0] + folds[1], np.random.default_rng(2).random(180)
    options = Composition(prior_weight=0.4)
    wanted = hue_target(
        histograms=np.concatenate([folds[0].histograms, folds[1].histograms]),
        weights=np.array([weight for *_, weight in TERMS] * 2),
        prior=prior,
        prior_weight=0.4,
    )
    blend = (folds[0].picture + folds[1].picture) / np.float32(2)
    given = compose_answer(total, gray=gray, prior=prior, options=options)
    expected = compose_rgb(blend=blend, gray=gray, hue_target=wanted, options=options)
    np.testing.assert_array_equal(given, expected)
    assert np.abs(luma(given).astype(int) - gray).max() <= 1
    without_prior = compose_answer(total, gray=gray, prior=None, options=options)
    assert (without_prior != given).any()


def test_hues_that_are_left_alone_need_no_votes(folds: list[Colors], gray: np.ndarray) -> None:
    options = Composition(hue="none", data_range="as-is")
    voteless = Colors(folds[0].picture, np.zeros((0, 180)), np.zeros(0))
    given = compose_answer(voteless, gray=gray, prior=None, options=options)
    assert np.abs(luma(given).astype(int) - gray).max() <= 1
    moved = compose_answer(folds[0], gray=gray, prior=None, options=Composition())
    assert (given != moved).any()
