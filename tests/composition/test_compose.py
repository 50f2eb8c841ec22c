from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import skimage.data

from ensemble.arrays import Rgb, luma
from ensemble.composition.compose import compose_gray, compose_rgb
from ensemble.composition.hue_target import centered, hue_histogram
from ensemble.composition.hue_transport import transport_hue
from ensemble.composition.luma import fill_data_range, lock_luma
from ensemble.composition.recipe import SLIDES, Composition


@pytest.fixture(scope="module")
def blend() -> np.ndarray:
    photograph = skimage.data.astronaut()[::4, ::4].astype(np.float32)
    return photograph + np.random.default_rng(0).normal(0, 3, photograph.shape).astype(np.float32)


@pytest.fixture(scope="module")
def target() -> np.ndarray:
    return hue_histogram(np.ascontiguousarray(skimage.data.coffee()))


def test_gray_is_pasted_back_unless_told_otherwise() -> None:
    rng = np.random.default_rng(0)
    blend = rng.uniform(-10, 265, (8, 9)).astype(np.float32)
    damaged = rng.integers(0, 256, (8, 9), dtype=np.uint8)
    lost = rng.random((8, 9)) < 0.5
    rounded = np.rint(np.clip(blend, 0, 255)).astype(np.uint8)
    ours = compose_gray(blend=blend, damaged=damaged, lost_mask=lost, options=Composition())
    assert np.array_equal(ours, np.where(lost, rounded, damaged))
    slides = compose_gray(blend=blend, damaged=damaged, lost_mask=lost, options=SLIDES)
    assert np.array_equal(slides, rounded)


def test_the_slides_composition_only_rounds(blend: np.ndarray, target: np.ndarray) -> None:
    gray = np.full(blend.shape[:2], 77, dtype=np.uint8)
    got = compose_rgb(blend=blend, gray=gray, hue_target=target, options=SLIDES)
    assert np.array_equal(got, np.rint(np.clip(blend, 0, 255)).astype(np.uint8))


@pytest.mark.parametrize("hue", ["none", "score", "natural"])
@pytest.mark.parametrize("data_range", ["as-is", "full"])
def test_takes_the_steps_in_their_order(
    blend: np.ndarray, target: np.ndarray, hue: Any, data_range: Any
) -> None:
    gray = luma(np.clip(blend + 20, 0, 255).astype(np.uint8))
    options = Composition(hue=hue, data_range=data_range)
    got = compose_rgb(blend=blend, gray=gray, hue_target=target, options=options)
    expected: Rgb = lock_luma(rgb=blend, gray=gray)
    if hue != "none":
        expected = transport_hue(rgb=expected, gray=gray, target=target, mode=hue)
    if data_range == "full":
        expected = fill_data_range(expected)
    assert np.array_equal(got, expected)
    assert np.array_equal(luma(got), gray)
    if hue != "none":
        assert centered(hue_histogram(got)) @ centered(target) > 0.98


def test_without_a_target_hues_stay(blend: np.ndarray) -> None:
    gray = luma(np.clip(blend, 0, 255).astype(np.uint8))
    options = Composition(hue="score", data_range="as-is")
    got = compose_rgb(blend=blend, gray=gray, hue_target=None, options=options)
    assert np.array_equal(got, lock_luma(rgb=blend, gray=gray))


def test_without_the_lock_hues_move_at_the_blends_own_luma(
    blend: np.ndarray, target: np.ndarray
) -> None:
    gray = np.zeros(blend.shape[:2], dtype=np.uint8)
    options = Composition(luma_lock=False)
    got = compose_rgb(blend=blend, gray=gray, hue_target=target, options=options)
    assert np.array_equal(luma(got), luma(np.rint(np.clip(blend, 0, 255)).astype(np.uint8)))
    assert centered(hue_histogram(got)) @ centered(target) > 0.98
