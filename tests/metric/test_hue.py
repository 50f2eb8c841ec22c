from __future__ import annotations

import cv2
import numpy as np
import pytest

from ensemble.metric.hue import count_hues, find_hues, hue_correlation, unit_hue_histogram
from ensemble.metric.ssim import to_planes
from tests.reference.corpus import Case
from tests.reference.score import literal_hue_histogram


@pytest.fixture(scope="module")
def every_color() -> np.ndarray:
    color = np.arange(1 << 24, dtype=np.uint32).reshape(4096, 4096)
    return np.dstack([color >> 16, color >> 8 & 255, color & 255]).astype(np.uint8)


def test_hue_is_opencvs_on_every_color(every_color: np.ndarray) -> None:
    due = cv2.cvtColor(every_color, cv2.COLOR_RGB2HSV)[..., 0]
    assert (find_hues(to_planes(every_color)) == due).all()


def test_counts_are_opencvs_on_every_color(every_color: np.ndarray) -> None:
    hsv = cv2.cvtColor(every_color, cv2.COLOR_RGB2HSV)
    due = cv2.calcHist([hsv], [0], None, [180], [0, 180]).ravel()
    assert (count_hues(to_planes(every_color)) == due).all()


@pytest.mark.parametrize("shape", [(3, 50), (50, 3)])
def test_hue_of_an_oblong_picture_is_opencvs(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert np.array_equal(
        find_hues(to_planes(picture)), cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)[..., 0]
    )


def test_histograms_are_opencvs_bit_by_bit(cases: list[Case]) -> None:
    for case in cases:
        assert (unit_hue_histogram(to_planes(case.pred)) == literal_hue_histogram(case.pred)).all()


def test_gray_has_the_hue_of_pure_red() -> None:
    pair = np.array([[[90, 90, 90], [255, 0, 0]]], np.uint8)
    assert find_hues(to_planes(pair)).tolist() == [[0, 0]]


def test_a_uniform_histogram_correlates_with_anything() -> None:
    uniform = np.full(180, 180**-0.5, np.float32)
    peak = np.eye(1, 180, dtype=np.float32)[0]
    assert hue_correlation(pred=uniform, target=peak) == 1
    assert hue_correlation(pred=peak, target=peak) == 1
    assert hue_correlation(pred=np.roll(peak, 5), target=peak) < 0
