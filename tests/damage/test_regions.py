from __future__ import annotations

import numpy as np
import pytest

from ensemble.arrays import Gray
from ensemble.damage.locate.regions import (
    REGION_FEATURES,
    describe_region,
    find_flat_regions,
)


def _noise(size: tuple[int, int]) -> Gray:
    """Even grays, no two neighbors equal: odd ones are free for the test to lay."""
    rows, columns = np.indices(size)
    base = np.random.default_rng(0).integers(0, 20, size)
    return (2 * base + 40 * (rows % 2) + 80 * (columns % 2)).astype(np.uint8)


def test_a_region_with_its_box_area_and_gray() -> None:
    picture = _noise((40, 50))
    picture[5:9, 10:17] = 201
    picture[30, 30] = 201
    (region,) = find_flat_regions(picture)
    assert (region.value, region.area, region.equal_area) == (201, 28, 29)
    assert region.box == (10, 5, 17, 9)
    expected = np.zeros(picture.shape, bool)
    expected[5:9, 10:17] = True
    np.testing.assert_array_equal(region.mask(), expected)


def test_corners_connect_but_near_grays_do_not() -> None:
    picture = _noise((40, 40))
    picture[4:10, 4:10] = 201
    for step in range(5):
        picture[10 + step, 10 + step] = 201
    picture[4:10, 10:20] = 203
    by_value = {region.value: region for region in find_flat_regions(picture)}
    assert by_value[201].area == 41
    assert by_value[203].area == 60


def test_two_regions_of_one_gray_are_two_regions() -> None:
    picture = _noise((40, 40))
    picture[2:8, 2:8] = 201
    picture[20:30, 20:30] = 201
    assert sorted(region.area for region in find_flat_regions(picture)) == [36, 100]


def test_a_small_sharp_patch_is_not_crowded_out_by_bands_of_a_sky() -> None:
    rows = np.arange(120)[:, None] + np.zeros((1, 120))
    picture = (100 + rows // 6).astype(np.uint8)  # 20 bands of 720 pixels, a level apart
    picture[50:60, 50:60] = 11
    assert 11 in {region.value for region in find_flat_regions(picture)}


def test_nothing_flat_gives_nothing() -> None:
    assert find_flat_regions(_noise((30, 30))) == []


def _describe(picture: Gray, value: int) -> dict[str, float]:
    (region,) = (c for c in find_flat_regions(picture) if c.value == value)
    features = describe_region(picture, region)
    assert np.isfinite(features).all()
    return dict(zip(REGION_FEATURES, features, strict=True))


def test_a_rectangle_in_a_flat_surrounding() -> None:
    picture = np.full((64, 64), 90, np.uint8)
    picture[10:20, 12:32] = 95
    facts = _describe(picture, 95)
    assert facts["log share of the picture"] == pytest.approx(np.log(200 / 4096))
    assert facts["log area over the least allowed"] == pytest.approx(np.log(200 / 10))
    assert facts["shorter side over the least allowed"] == pytest.approx(np.log(10 / 6))
    assert facts["share of its box"] == 1.0
    assert facts["share left by a 3 x 3 opening"] == 1.0
    assert (facts["rim: within 2 grays"], facts["rim: within 8 grays"]) == (0.0, 1.0)
    assert facts["rim: mean difference"] == pytest.approx(5 / 64)
    assert facts["rim at the border"] == 0.0
    assert (facts["gap area"], facts["solidity"]) == (0.0, 1.0)
    assert facts["log vertices"] == pytest.approx(np.log(4))
    assert facts["misfit of the polygon"] == 0.0


def test_gaps_border_and_near_rim_are_seen() -> None:
    picture = np.full((64, 64), 90, np.uint8)
    picture[:10, 12:32] = 91
    picture[4:6, 20:22] = 200
    facts = _describe(picture, 91)
    assert facts["gap area"] == pytest.approx(4 / 196)
    assert facts["rim at the border"] == pytest.approx(20 / (60 + 8))
    assert facts["rim: within 2 grays"] == pytest.approx(40 / 48)


def test_a_ragged_region_has_more_vertices_and_misfit_than_a_triangle() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.indices((64, 64))
    triangle = np.where(columns + rows < 50, 77, rng.integers(150, 250, (64, 64)))
    ragged = np.where(
        columns + rows + 8 * np.sin(columns) + rng.integers(-3, 3, (64, 64)) < 50, 77, triangle
    )
    ragged[columns + rows >= 62] = 200
    sharp = _describe(triangle.astype(np.uint8), 77)
    rough = _describe(ragged.astype(np.uint8), 77)
    assert rough["log vertices"] > sharp["log vertices"]
    assert rough["misfit of the polygon"] > sharp["misfit of the polygon"] + 0.05
    assert rough["share left by a 3 x 3 opening"] < sharp["share left by a 3 x 3 opening"]
