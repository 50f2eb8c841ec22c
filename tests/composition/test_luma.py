from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from ensemble.arrays import luma
from ensemble.composition.luma import lock_luma
from ensemble.errors import ArrayError

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


def test_leaves_any_of_many_random_colours_alone() -> None:
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


def test_refuses_what_does_not_fit() -> None:
    gray = np.zeros((4, 5), dtype=np.uint8)
    with pytest.raises(ArrayError, match=r"must be \(4, 5, 3\) like `gray`"):
        lock_luma(rgb=np.zeros((5, 4, 3), dtype=np.uint8), gray=gray)
    with pytest.raises(ArrayError, match="finite"):
        lock_luma(rgb=np.full((4, 5, 3), np.nan), gray=gray)
