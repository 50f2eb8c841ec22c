from __future__ import annotations

import cv2
import numpy as np
import pytest

from ensemble.arrays import luma
from ensemble.composition.hue_transport.colors import ColorTables, make_color_tables


@pytest.fixture(scope="module")
def tables() -> ColorTables:
    return make_color_tables()


@pytest.fixture(scope="module")
def brute_force() -> np.ndarray:
    """Least chroma by luma and hue over all 2^24 colors, 999 where there is none."""
    least = np.full(256 * 180, 999, dtype=np.int16)
    green, blue = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    for red in range(256):
        rgb = np.stack([np.full_like(green, red), green, blue], axis=-1).astype(np.uint8)
        hues = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)[..., 0].astype(np.int64)
        cell = (luma(rgb).astype(np.int64) * 180 + hues).reshape(-1)
        chroma = (rgb.max(axis=-1).astype(np.int16) - rgb.min(axis=-1)).reshape(-1)
        order = np.argsort(-chroma, kind="stable")
        nearest = np.full_like(least, 999)
        nearest[cell[order]] = chroma[order]
        least = np.minimum(least, nearest)
    return least.reshape(256, 180)


def test_least_chroma_is_that_of_brute_force(tables: ColorTables, brute_force: np.ndarray) -> None:
    reached = tables.least >= 0
    assert np.array_equal(reached, brute_force < 999)
    assert np.array_equal(tables.chroma[tables.least[reached]], brute_force[reached])
    assert reached.mean() == pytest.approx(0.97, abs=0.005)
    assert (np.median(brute_force[128]), brute_force[128].max()) == (7, 21)


def test_every_cell_of_both_tables_is_a_color_of_its_luma_and_hue(tables: ColorTables) -> None:
    level, hue = np.nonzero(tables.least >= 0)
    _check(tables, tables.least[level, hue], level, hue)
    hue, _ = np.nonzero(tables.by_chroma >= 0)
    index = tables.by_chroma[tables.by_chroma >= 0]
    for share in (0.0, 0.37, 1.0):
        room = 255 - tables.chroma[index]
        _check(tables, index, tables.shift[index] + np.floor(share * room).astype(int), hue)


def test_by_chroma_has_the_chroma_it_says(tables: ColorTables) -> None:
    hue, chroma = np.nonzero(tables.by_chroma >= 0)
    assert np.array_equal(tables.chroma[tables.by_chroma[hue, chroma]], chroma)
    assert (tables.by_chroma[:, 30:] >= 0).all()


def test_gray_is_the_least_of_hue_0_at_every_luma(tables: ColorTables) -> None:
    assert (tables.least[:, 0] == 0).all()
    assert not tables.steps[0].any()


def _check(tables: ColorTables, index: np.ndarray, level: np.ndarray, hue: np.ndarray) -> None:
    colors = tables.steps[index].astype(int) + (level - tables.shift[index])[:, None]
    assert colors.min() >= 0
    assert colors.max() <= 255
    rgb = colors.astype(np.uint8)[None]
    assert np.array_equal(luma(rgb)[0], level)
    assert np.array_equal(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)[0, :, 0], hue)
