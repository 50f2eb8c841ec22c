from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ensemble.arrays import Rgb, luma
from ensemble.composition.data_range import fill_data_range
from ensemble.metric.score import score


@given(hnp.arrays(np.uint8, (4, 5, 3), elements=st.integers(30, 220)))
def test_spans_everything_by_two_pixels_of_the_same_luma(rgb: Rgb) -> None:
    before = rgb.copy()
    full = fill_data_range(rgb)
    assert (full.min(), full.max()) == (0, 255)
    assert np.array_equal(luma(full), luma(rgb))
    assert (full != rgb).any(axis=-1).sum() <= 2
    assert np.array_equal(rgb, before)


@pytest.mark.parametrize("level", [0, 1, 30, 128, 226, 254, 255])
def test_spans_everything_from_any_flat_gray(level: int) -> None:
    full = fill_data_range(np.full((3, 3, 3), level, dtype=np.uint8))
    assert (luma(full) == level).all()
    assert (full.min(), full.max()) == (0, 255) or level in (0, 1, 254, 255)


def test_takes_the_pixels_that_change_least() -> None:
    rgb = np.full((4, 4, 3), 120, dtype=np.uint8)
    rgb[1, 2], rgb[3, 0] = (4, 9, 6), (247, 250, 251)
    changed = (fill_data_range(rgb) != rgb).any(axis=-1)
    assert np.argwhere(changed).tolist() == [[1, 2], [3, 0]]
    assert np.abs(fill_data_range(rgb).astype(int) - rgb).max() <= 10


def test_leaves_a_full_picture_alone() -> None:
    rgb = np.full((4, 4, 3), 120, dtype=np.uint8)
    rgb[0, 0, 1], rgb[2, 2, 0] = 0, 255
    assert fill_data_range(rgb) is rgb


def test_a_washed_out_picture_scores_higher() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(90, 150, (40, 40, 3), dtype=np.uint8)
    pred = np.clip(target + rng.normal(0, 8, target.shape), 0, 255).astype(np.uint8)
    lost = np.zeros((40, 40), dtype=bool)
    lost[10:30, 10:30] = True
    plain = score(pred=pred, target=target, lost_mask=lost)
    full = score(pred=fill_data_range(pred), target=target, lost_mask=lost)
    assert full.ssim > plain.ssim
    assert full.masked_ssim > plain.masked_ssim
