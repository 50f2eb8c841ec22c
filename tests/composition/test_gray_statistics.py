from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data

from ensemble.arrays import Gray, luma
from ensemble.composition.gray_statistics import gray_statistics
from ensemble.errors import ArrayError


@pytest.fixture(scope="module")
def gray() -> Gray:
    return luma(skimage.data.astronaut())


def test_are_the_same_for_the_mirror_image(gray: Gray) -> None:
    mirrored = np.ascontiguousarray(gray[:, ::-1])
    assert np.allclose(gray_statistics(gray), gray_statistics(mirrored), atol=1e-3)


def test_tell_up_from_down_and_flat_from_textured(gray: Gray) -> None:
    known = gray_statistics(gray)
    for other in (gray[::-1], cv2.GaussianBlur(gray, (0, 0), 2), 255 - gray):
        assert np.abs(gray_statistics(np.ascontiguousarray(other)) - known).max() > 0.1


def test_hardly_depend_on_the_size(gray: Gray) -> None:
    half = cv2.resize(gray, (256, 256), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(gray_statistics(gray), gray_statistics(half))[0, 1] > 0.999


@pytest.mark.parametrize("shape", [(1, 1), (7, 500), (300, 200)])
def test_are_finite_for_any_shape(shape: tuple[int, int]) -> None:
    assert np.isfinite(gray_statistics(np.full(shape, 255, dtype=np.uint8))).all()


def test_refuse_colour() -> None:
    with pytest.raises(ArrayError, match=r"\(H, W\)"):
        gray_statistics(np.zeros((4, 4, 3), dtype=np.uint8))
