from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from ensemble.arrays import check_gray, check_mask, check_rgb, luma
from ensemble.errors import ArrayError


@pytest.mark.parametrize("red", range(0, 256, 32))
def test_luma_is_pillows_on_every_color(red: int):
    """All 2^24 colors, in eight slabs of 2^21."""
    reds = np.arange(red, red + 32, dtype=np.uint8)
    levels = np.arange(256, dtype=np.uint8)
    grid = np.stack(np.meshgrid(reds, levels, levels, indexing="ij"), axis=-1)
    picture = np.ascontiguousarray(grid.reshape(32 * 256, 256, 3))
    expected = np.asarray(Image.fromarray(picture).convert("L"))
    np.testing.assert_array_equal(luma(picture), expected)


def test_luma_takes_any_number_of_axes():
    pixels = np.array([[10, 200, 30], [255, 255, 255]], dtype=np.uint8)
    assert luma(pixels).shape == (2,)
    assert luma(pixels[None, None]).shape == (1, 1, 2)
    assert luma(pixels)[1] == 255
    assert luma(pixels).dtype == np.uint8


def test_what_is_due_passes_unchanged():
    rgb = np.zeros((4, 5, 3), dtype=np.uint8)
    assert check_rgb(rgb, name="a") is rgb
    gray = rgb[..., 0]
    assert check_gray(gray, name="a") is gray
    mask = gray > 0
    assert check_mask(mask, shape=rgb.shape, name="a") is mask


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 5), np.uint8), "`x` must be RGB of shape (H, W, 3), but got shape (4, 5)"),
        (np.zeros((4, 5, 4), np.uint8), "must be RGB of shape (H, W, 3), but got shape (4, 5, 4)"),
        (np.zeros((1, 4, 5, 3), np.uint8), "must be RGB of shape (H, W, 3)"),
        (np.zeros((4, 5, 3), np.float32), "`x` must be uint8, but is float32"),
    ],
)
def test_anything_but_rgb_is_refused(array, message: str):
    with pytest.raises(ArrayError, match=re.escape(message)):
        check_rgb(array, name="x")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 5, 3), np.uint8), "`x` must have the shape (H, W), but got shape (4, 5, 3)"),
        (np.zeros((4, 5), np.int16), "`x` must be uint8, but is int16"),
        (np.zeros((4, 5), np.bool_), "`x` must be uint8, but is bool"),
    ],
)
def test_anything_but_gray_is_refused(array, message: str):
    with pytest.raises(ArrayError, match=re.escape(message)):
        check_gray(array, name="x")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((5, 4), np.bool_), "`x` must be as large as its picture, (4, 5), but is (5, 4)"),
        (np.zeros((4, 5), np.uint8), "`x` must be bool, but is uint8"),
        (np.zeros((4, 5, 1), np.bool_), "`x` must have the shape (H, W)"),
    ],
)
def test_anything_but_a_mask_is_refused(array, message: str):
    with pytest.raises(ArrayError, match=re.escape(message)):
        check_mask(array, shape=(4, 5, 3), name="x")
