from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from ensemble.arrays import Rgb, luma
from ensemble.composition.luma import fill_data_range, lock_luma, paste_back, quantize
from ensemble.errors import ArrayError
from ensemble.metric.score import score


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_clips_and_rounds_to_the_nearest_level(dtype: type) -> None:
    levels = np.arange(256)
    picture = np.concatenate([levels - 0.49, levels + 0.49, [-1e9, 1e9]]).astype(dtype)
    expected = [*levels.tolist(), *levels.tolist(), 0, 255]
    assert quantize(picture).tolist() == expected
    assert quantize(picture).dtype == np.uint8


def test_rounds_halves_to_even_so_that_it_has_no_bias() -> None:
    halves = np.arange(255) + 0.5
    error = quantize(halves).astype(float) - halves
    assert abs(error.mean()) < 0.01


def test_rounding_keeps_uint8_as_it_is() -> None:
    picture = np.arange(256, dtype=np.uint8)
    assert np.array_equal(quantize(picture), picture)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rounding_refuses_what_is_not_finite(bad: float) -> None:
    with pytest.raises(ArrayError, match="1 of its 3 values are not"):
        quantize(np.array([0.0, bad, 3.0]))


def test_takes_the_hole_from_the_restored_and_the_rest_from_the_input() -> None:
    rng = np.random.default_rng(0)
    restored, damaged = rng.integers(0, 256, (2, 9, 11), dtype=np.uint8)
    lost = rng.random((9, 11)) < 0.4
    before = restored.copy(), damaged.copy()
    answer = paste_back(restored=restored, damaged=damaged, lost_mask=lost)
    assert np.array_equal(answer[lost], restored[lost])
    assert np.array_equal(answer[~lost], damaged[~lost])
    answer[:] = 0
    assert np.array_equal(restored, before[0])
    assert np.array_equal(damaged, before[1])


def test_paste_back_refuses_what_does_not_fit() -> None:
    gray = np.zeros((4, 5), dtype=np.uint8)
    with pytest.raises(ArrayError, match=r"the same shape, but got \(4, 5\) and \(5, 4\)"):
        paste_back(restored=gray, damaged=gray.T.copy(), lost_mask=gray > 0)
    with pytest.raises(ArrayError, match="lost_mask"):
        paste_back(restored=gray, damaged=gray, lost_mask=(gray > 0).T)
    with pytest.raises(ArrayError, match="must be bool"):
        paste_back(restored=gray, damaged=gray, lost_mask=gray)


ALL_GRAYS = np.arange(256, dtype=np.uint8)[:, None]


def _pil_luma(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(rgb).convert("L"))


@pytest.mark.parametrize("corner", list(itertools.product((0, 255), repeat=3)))
def test_locks_every_corner_of_the_gamut_at_every_gray(corner: tuple[int, ...]) -> None:
    rgb = np.broadcast_to(np.array(corner, dtype=np.uint8), (256, 1, 3)).copy()
    assert np.array_equal(_pil_luma(lock_luma(rgb=rgb, gray=ALL_GRAYS)), ALL_GRAYS)


@given(
    hnp.arrays(np.float64, (24, 1, 3), elements=st.floats(-200, 500)),
    hnp.arrays(np.uint8, (24, 1)),
)
def test_locks_any_floats_even_outside_the_gamut(rgb: np.ndarray, gray: np.ndarray) -> None:
    assert np.array_equal(_pil_luma(lock_luma(rgb=rgb, gray=gray)), gray)


def test_locks_floats_outside_the_gamut_whose_own_luma_is_the_wanted_one() -> None:
    rgb = np.random.default_rng(0).uniform(-60, 316, (200, 300, 3))
    own = rgb @ np.array([19595, 38470, 7471]) / 65536
    rgb = rgb[(own >= 0) & (own <= 255)][None]
    gray = np.rint(rgb @ np.array([19595, 38470, 7471]) / 65536).astype(np.uint8)
    outside = (rgb.min(axis=-1) < 0) | (rgb.max(axis=-1) > 255)
    assert outside.mean() > 0.5
    assert np.array_equal(_pil_luma(lock_luma(rgb=rgb, gray=gray)), gray)


def test_locks_halves_where_rounding_ties() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(0, 12.1, 0.5)] * 3), axis=-1).reshape(1, -1, 3)
    for gray in (0, 1, 6, 128, 254, 255):
        wanted = np.full(grid.shape[:2], gray, dtype=np.uint8)
        assert np.array_equal(_pil_luma(lock_luma(rgb=grid, gray=wanted)), wanted)


@given(hnp.arrays(np.uint8, (8, 8, 3)))
def test_leaves_a_picture_of_the_right_luma_alone(rgb: np.ndarray) -> None:
    assert np.array_equal(lock_luma(rgb=rgb, gray=luma(rgb)), rgb)


@given(hnp.arrays(np.uint8, (8, 8, 3)), hnp.arrays(np.uint8, (8, 8)))
def test_locking_twice_is_locking_once(rgb: np.ndarray, gray: np.ndarray) -> None:
    once = lock_luma(rgb=rgb, gray=gray)
    assert np.array_equal(lock_luma(rgb=once, gray=gray), once)


def test_leaves_any_of_many_random_colors_alone() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (500, 1000, 3), dtype=np.uint8)
    assert np.array_equal(lock_luma(rgb=rgb, gray=luma(rgb)), rgb)


def test_keeps_the_chroma_where_the_gamut_has_room() -> None:
    rgb = np.full((1, 1, 3), (150.0, 100.0, 90.0))
    gray = np.array([[140]], dtype=np.uint8)
    own = (19595 * 150 + 38470 * 100 + 7471 * 90) / 65536
    expected = np.array([150, 100, 90]) - own + 140
    assert np.abs(lock_luma(rgb=rgb, gray=gray)[0, 0] - expected).max() <= 0.5


def test_shrinks_the_chroma_along_its_hue_where_it_has_none() -> None:
    rgb = np.array([[[255.0, 0.0, 0.0]]])
    got = lock_luma(rgb=rgb, gray=np.array([[200]], dtype=np.uint8))[0, 0].astype(float)
    assert got[0] == 255
    assert abs(got[1] - got[2]) <= 1
    assert np.isclose(got[1], 200 - 55 * 76.245 / (255 - 76.245), atol=1)


def test_gives_gray_for_gray() -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    got = lock_luma(rgb=np.full((16, 16, 3), 77, dtype=np.uint8), gray=gray)
    assert np.array_equal(got, np.repeat(gray[..., None], 3, axis=2))


def test_a_lock_refuses_what_does_not_fit() -> None:
    gray = np.zeros((4, 5), dtype=np.uint8)
    with pytest.raises(ArrayError, match=r"must be \(4, 5, 3\) like `gray`"):
        lock_luma(rgb=np.zeros((5, 4, 3), dtype=np.uint8), gray=gray)
    with pytest.raises(ArrayError, match="finite"):
        lock_luma(rgb=np.full((4, 5, 3), np.nan), gray=gray)


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


def test_the_two_pixels_are_two_where_one_has_both_extremes() -> None:
    """A pixel as dark as (0, 0, 40) cannot have a channel at 255."""
    rgb = np.full((3, 3, 3), 31, dtype=np.uint8)
    rgb[1, 1] = (1, 1, 40)
    full = fill_data_range(rgb)
    assert (full.min(), full.max()) == (0, 255)
    assert np.array_equal(luma(full), luma(rgb))


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
