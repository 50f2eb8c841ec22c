from __future__ import annotations

import numpy as np

from ensemble.arrays import Gray
from ensemble.damage.candidates import find_candidates


def _noise(size: tuple[int, int]) -> Gray:
    """Even grays, no two neighbours equal: odd ones are free for the test to lay."""
    rows, columns = np.indices(size)
    base = np.random.default_rng(0).integers(0, 20, size)
    return (2 * base + 40 * (rows % 2) + 80 * (columns % 2)).astype(np.uint8)


def test_a_region_with_its_box_area_and_gray() -> None:
    picture = _noise((40, 50))
    picture[5:9, 10:17] = 201
    picture[30, 30] = 201
    (candidate,) = find_candidates(picture)
    assert (candidate.value, candidate.area, candidate.equal_area) == (201, 28, 29)
    assert candidate.box == (10, 5, 17, 9)
    expected = np.zeros(picture.shape, bool)
    expected[5:9, 10:17] = True
    np.testing.assert_array_equal(candidate.region(), expected)


def test_corners_connect_but_near_grays_do_not() -> None:
    picture = _noise((40, 40))
    picture[4:10, 4:10] = 201
    for step in range(5):
        picture[10 + step, 10 + step] = 201
    picture[4:10, 10:20] = 203
    by_value = {candidate.value: candidate for candidate in find_candidates(picture)}
    assert by_value[201].area == 41
    assert by_value[203].area == 60


def test_two_regions_of_one_gray_are_two_candidates() -> None:
    picture = _noise((40, 40))
    picture[2:8, 2:8] = 201
    picture[20:30, 20:30] = 201
    assert sorted(candidate.area for candidate in find_candidates(picture)) == [36, 100]


def test_a_small_sharp_patch_is_not_crowded_out_by_bands_of_a_sky() -> None:
    rows = np.arange(120)[:, None] + np.zeros((1, 120))
    picture = (100 + rows // 6).astype(np.uint8)  # 20 bands of 720 pixels, a level apart
    picture[50:60, 50:60] = 11
    assert 11 in {candidate.value for candidate in find_candidates(picture)}


def test_nothing_flat_gives_nothing() -> None:
    assert find_candidates(_noise((30, 30))) == []
