from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.submission.frame import Frame

SIZE = 32


def frame(height: int, width: int, hole: tuple[slice, slice] | None = None) -> Frame:
    rng = np.random.default_rng(height * 1000 + width)
    gray = rng.integers(0, 256, (height, width), dtype=np.uint8)
    lost_mask = np.zeros((height, width), dtype=bool)
    if hole is not None:
        lost_mask[hole] = True
    return Frame(gray, lost_mask, SIZE)


def test_a_photograph_of_the_trained_size_is_shown_whole_and_as_it_is() -> None:
    one = frame(SIZE, SIZE, np.s_[:2, :3])
    colors = np.zeros((SIZE, SIZE, 3), np.float32)
    assert one.window == (slice(0, SIZE), slice(0, SIZE))
    assert one.reduce(one.damaged) is one.damaged
    assert np.array_equal(one.colored_mask, one.lost_mask)
    assert one.enlarge(colors) is colors


@pytest.mark.parametrize(
    ("hole", "window"),
    [
        (np.s_[40:44, 70:90], np.s_[24:60, 54:106]),  # 16 px on every side
        (np.s_[0:4, 0:4], np.s_[0:36, 0:36]),  # moved into the picture
        (np.s_[96:100, 196:200], np.s_[64:100, 164:200]),
        (np.s_[0:100, 10:12], np.s_[0:100, 0:34]),  # no larger than the picture
    ],
)
def test_restoration_is_shown_the_hole_and_half_a_size_around_it(hole, window) -> None:
    assert frame(100, 200, hole).window == window


@settings(max_examples=60)
@given(
    *[st.integers(1, 90)] * 2,
    *[st.integers(0, 89)] * 2,
    st.integers(1, 9),
)
def test_the_window_holds_the_hole_and_lies_in_the_picture(
    height: int, width: int, top: int, left: int, side: int
) -> None:
    top, left = min(top, height - 1), min(left, width - 1)
    one = frame(height, width, np.s_[top : top + side, left : left + side])
    for span, length in zip(one.window, (height, width), strict=True):
        assert span.start >= 0
        assert span.stop <= length
        assert span.stop - span.start >= min(SIZE, length)
    assert one.lost_mask[one.window].sum() == one.lost_mask.sum()


def test_restoration_changes_the_hole_alone() -> None:
    one = frame(100, 200, np.s_[40:44, 70:90])
    blend = np.full((36, 52), 9.4, np.float32)
    restored = one.restore(blend)
    assert (restored[one.lost_mask] == 9).all()
    assert np.array_equal(restored[~one.lost_mask], one.damaged[~one.lost_mask])


@pytest.mark.parametrize("shape", [(100, 200), (20, 10), (1, 300), (31, 33)])
def test_colorization_is_shown_the_whole_photograph_with_as_many_pixels(shape) -> None:
    one = frame(*shape, np.s_[:1, :1])
    height, width = one.colored_shape
    assert height * width == pytest.approx(SIZE**2, rel=0.15)
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.2)
    assert one.reduce(one.damaged).shape == one.colored_mask.shape == (height, width)
    colors = np.full((height, width, 3), (10.0, 20.0, 30.0), np.float32)
    enlarged = one.enlarge(colors)
    assert enlarged.shape == (*shape, 3)
    assert enlarged.dtype == np.float32
    np.testing.assert_allclose(enlarged, np.broadcast_to((10, 20, 30), enlarged.shape), rtol=1e-6)


def test_what_is_shown_and_enlarged_is_where_it_was() -> None:
    ramp = np.linspace(0, 255, 200).astype(np.uint8)
    one = Frame(np.tile(ramp, (100, 1)), np.zeros((100, 200), dtype=bool), SIZE)
    reduced = one.reduce(one.damaged)
    back = one.enlarge(np.stack([reduced] * 3, axis=-1).astype(np.float32))
    assert np.abs(back[..., 0] - one.damaged).max() < 4
