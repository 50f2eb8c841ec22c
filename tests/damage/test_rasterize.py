from __future__ import annotations

import numpy as np
import pytest
import skimage.draw
from hypothesis import given
from hypothesis import strategies as st

from ensemble.damage.rasterize import rasterize

vertex = st.tuples(st.integers(-3, 23), st.integers(-3, 19))


@given(st.lists(vertex, min_size=3, max_size=20))
def test_equals_polygon2mask_also_where_it_touches_itself_or_leaves_the_mask(
    vertices: list[tuple[int, int]],
) -> None:
    xy = np.array(vertices)
    expected = skimage.draw.polygon2mask((17, 21), xy[:, ::-1])
    covered = np.zeros((17, 21), dtype=bool)
    assert rasterize(xy, covered) == expected.sum()
    np.testing.assert_array_equal(covered, expected)


@pytest.mark.parametrize(
    ("vertices", "covered"),
    [
        ([(1, 1), (4, 1), (4, 3), (1, 3)], 12),  # both far sides count
        ([(0, 0), (4, 0), (0, 4)], 15),  # the slope's own pixels count
        ([(0, 0), (4, 1), (0, 2)], 7),  # a spike: row 1 whole, its neighbors their vertex alone
        ([(0, 0), (4, 4), (2, 2)], 3),  # folded onto itself: the even-odd rule keeps the vertices
    ],
)
def test_which_border_pixels_count(vertices: list[tuple[int, int]], covered: int) -> None:
    assert rasterize(np.array(vertices), np.zeros((5, 5), dtype=bool)) == covered


def test_into_a_view_counts_what_it_sets() -> None:
    whole = np.zeros((9, 9), dtype=bool)
    count = rasterize(np.array([[0, 0], [3, 0], [3, 2], [0, 2]]), whole[2:6, 1:6])
    assert count == whole.sum() == 12
    assert whole[2:5, 1:5].all()
