from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from ensemble.damage.locate.pixels import (
    PIXEL_FEATURES,
    GrayMap,
    describe_pixels,
    find_undecided_pixels,
    map_gray,
    measure_lines,
)
from ensemble.damage.locate.regions import find_flat_regions

Case = tuple[np.ndarray, GrayMap]


@pytest.fixture(scope="module")
def case() -> Case:
    picture = np.random.default_rng(0).integers(60, 90, (60, 70), dtype=np.uint8)
    picture[20:36, 20:40] = 75
    picture[38, 41:60:3] = 75  # dots in line
    found = [c for c in find_flat_regions(picture) if c.value == 75]
    return picture, map_gray(picture, max(found, key=lambda c: c.area))


def test_the_map_is_every_pixel_of_the_gray_by_region(case: Case) -> None:
    picture, gray_map = case
    labels, count = ndimage.label(picture == 75, structure=np.ones((3, 3)))
    np.testing.assert_array_equal(gray_map.equal, picture == 75)
    assert len(gray_map.areas) == count + 1
    assert gray_map.areas[0] == 0
    np.testing.assert_array_equal(gray_map.labels == gray_map.main, labels == labels[25, 25])


def test_undecided_are_those_with_another_gray_within_two_pixels(case: Case) -> None:
    picture, gray_map = case
    deep = ndimage.minimum_filter(picture == 75, size=5, mode="nearest")
    near = np.zeros(picture.shape, bool)
    x0, y0, x1, y1 = gray_map.box
    margin = max(x1 - x0, y1 - y0)
    near[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin] = True
    expected = np.argwhere((picture == 75) & ~deep & near)
    np.testing.assert_array_equal(find_undecided_pixels(gray_map), expected)


def test_undecided_where_the_region_touches_every_edge_of_the_picture() -> None:
    rng = np.random.default_rng(3)
    picture = np.full((31, 37), 75, np.uint8)
    picture[rng.random(picture.shape) < 0.03] = 20
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        edge[::9] = 20
    found = [c for c in find_flat_regions(picture) if c.value == 75]
    gray_map = map_gray(picture, max(found, key=lambda c: c.area))
    deep = ndimage.minimum_filter(picture == 75, size=5, mode="nearest")
    expected = np.argwhere((picture == 75) & ~deep)
    assert len(expected) < (picture == 75).sum()
    np.testing.assert_array_equal(find_undecided_pixels(gray_map), expected)


def test_distance_from_the_main_region_equals_a_slow_walk(case: Case) -> None:
    picture, gray_map = case
    pixels = np.argwhere(gray_map.equal)
    column = PIXEL_FEATURES.index("distance from the main region")
    found = describe_pixels(picture, gray_map, pixels)[:, column]
    main = gray_map.labels == gray_map.main
    x0, y0, x1, y1 = gray_map.box
    longer = max(x1 - x0, y1 - y0)
    ways = [(v, u) for v in (-1, 0, 1) for u in (-1, 0, 1) if (v, u) != (0, 0)]
    height, width = main.shape
    expected = []
    for y, x in pixels:
        steps = [
            k
            for v, u in ways
            for k in range(1, longer + 1)
            if 0 <= y + k * v < height and 0 <= x + k * u < width and main[y + k * v, x + k * u]
        ]
        expected.append(0.0 if main[y, x] else min([longer, *steps]) / longer)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.min() >= 0
    assert found.max() == 1
    assert len(np.unique(found)) > 5


def test_counts_in_squares_equal_a_slow_count(case: Case) -> None:
    picture, gray_map = case
    pixels = find_undecided_pixels(gray_map)
    features = describe_pixels(picture, gray_map, pixels)
    assert np.isfinite(features).all()
    named = dict(zip(PIXEL_FEATURES, features.T, strict=True))
    for i, (y, x) in enumerate(pixels):
        for name, reach in (("3 x 3", 1), ("5 x 5", 2), ("9 x 9", 4)):
            square = picture[
                max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1
            ].astype(int)
            step = np.abs(square - 75)
            others = max(int((step > 0).sum()), 1)
            equal = (int((step == 0).sum()) - 1) / (step.size - 1)
            near = int(((step > 0) & (step <= 2)).sum()) / others
            assert named[f"equal in {name}"][i] == pytest.approx(equal)
            assert named[f"near in {name}"][i] == pytest.approx(near)


def test_lines_equal_a_slow_walk_of_rays_turned_all_ways() -> None:
    mask = np.random.default_rng(1).random((40, 50)) < 0.4
    mask[20, 10:45] = True
    pixels = np.argwhere(mask)
    one_sided, two_sided = measure_lines(mask, pixels).T
    for i, (y, x) in enumerate(pixels):
        hits = []
        for turn in range(32):
            angle = math.tau * turn / 32
            steps = range(1, 15)
            at = [(y + round(k * math.sin(angle)), x + round(k * math.cos(angle))) for k in steps]
            hits.append(sum(bool(mask[v, u]) for v, u in at if 0 <= v < 40 and 0 <= u < 50))
        assert one_sided[i] == max(hits) / 14
        assert two_sided[i] == max(hits[turn] + hits[turn - 16] for turn in range(32)) / 28
    assert one_sided.max() == two_sided.max() == 1.0


def test_blocks_regions_and_lines(case: Case) -> None:
    picture, gray_map = case
    rows = np.array([[20, 20], [38, 50]])  # a corner of the rectangle, a dot of the dotted line
    corner, dot = (
        dict(zip(PIXEL_FEATURES, row, strict=True))
        for row in describe_pixels(picture, gray_map, rows)
    )
    assert (corner["in an equal 3 x 3"], dot["in an equal 3 x 3"]) == (1, 0)
    assert (corner["in the main region"], dot["in the main region"]) == (1, 0)
    assert corner["one-sided line"] == 1.0
    assert dot["two-sided line"] >= 6 / 28
    assert dot["distance from the main region"] > 0 == corner["distance from the main region"]
