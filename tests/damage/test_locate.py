from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data
from sklearn.datasets import load_sample_image

from ensemble.arrays import Gray, luma
from ensemble.damage.draw import MIN_PIXELS, apply_damage, draw_damage
from ensemble.damage.locate import Located, locate_hole
from ensemble.errors import ArrayError

Outcome = tuple[float, Located, int]


def _photographs(side: int) -> list[Gray]:
    pictures = [
        skimage.data.astronaut(),
        skimage.data.coffee(),
        skimage.data.chelsea(),
        skimage.data.rocket(),
        load_sample_image("china.jpg"),
        load_sample_image("flower.jpg"),
    ]
    crops = []
    for picture in pictures:
        edge = min(picture.shape[:2])
        for crop in (picture[:edge, :edge], picture[-edge:, -edge:]):
            small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
            crops.append(luma(small))
    return crops


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    found = []
    for index, gray in enumerate(_photographs(256)):
        for turn in range(6):
            damage = draw_damage(size=gray.shape, seed=100 * turn + index)
            located = locate_hole(apply_damage(gray, damage))
            mask = damage.lost_mask()
            overlap = (mask & located.lost_mask).sum() / (mask | located.lost_mask).sum()
            found.append((float(overlap), located, damage.fill))
    return found


def test_finds_fresh_damage_in_photographs_it_never_saw(outcomes: list[Outcome]) -> None:
    overlaps = np.array([overlap for overlap, _, _ in outcomes])
    assert (overlaps >= 0.99).mean() >= 0.95, np.sort(overlaps)[:6]
    assert overlaps.mean() >= 0.99


def test_the_doubtful_are_few_and_among_them_the_misses(outcomes: list[Outcome]) -> None:
    doubtful = np.array([located.doubtful for _, located, _ in outcomes])
    assert doubtful.mean() <= 0.1
    for overlap, located, _ in outcomes:
        assert located.doubtful or overlap >= 0.95


def test_the_fill_is_the_gray_of_the_mask(outcomes: list[Outcome]) -> None:
    for overlap, located, fill in outcomes:
        assert overlap < 0.5 or located.fill == fill
        assert 0.0 <= located.confidence <= 1.0


def test_a_picture_without_a_hole_is_doubtful() -> None:
    for gray in _photographs(192):
        assert locate_hole(gray).doubtful


def test_no_flat_region_at_all_gives_an_empty_doubtful_mask() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    located = locate_hole(noise)
    assert not located.lost_mask.any()
    assert (located.fill, located.confidence, located.doubtful) == (-1, 0.0, True)


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (64, 48), (96, 130)])
def test_small_and_oblong_pictures(size: tuple[int, int]) -> None:
    gray = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    damage = draw_damage(size=size, seed=1)
    located = locate_hole(apply_damage(gray, damage))
    assert located.lost_mask.shape == size
    assert located.lost_mask.dtype == np.bool_
    assert located.lost_mask.sum() >= MIN_PIXELS or located.fill == -1


def test_most_loose_dots_of_spikes_are_found() -> None:
    found = loose = 0
    for index, gray in enumerate(_photographs(256)):
        for seed in range(1000 * index, 1000 * index + 20):
            damage = draw_damage(size=gray.shape, seed=seed)
            mask = damage.lost_mask()
            _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
            areas = np.bincount(labels.ravel())
            areas[0] = 0
            dots = mask & (labels != areas.argmax())
            answer = locate_hole(apply_damage(gray, damage)).lost_mask
            loose += np.count_nonzero(dots)
            found += np.count_nonzero(dots & answer)
    assert loose > 250
    assert found >= 0.6 * loose


def test_the_input_is_left_alone_and_the_answer_is_repeatable() -> None:
    gray = _photographs(128)[0]
    damaged = apply_damage(gray, draw_damage(size=gray.shape, seed=0))
    before = damaged.copy()
    one, other = locate_hole(damaged), locate_hole(damaged)
    np.testing.assert_array_equal(damaged, before)
    np.testing.assert_array_equal(one.lost_mask, other.lost_mask)
    assert one.confidence == other.confidence


def test_color_is_refused() -> None:
    with pytest.raises(ArrayError, match=r"`damaged` must have the shape \(H, W\)"):
        locate_hole(np.zeros((16, 16, 3), np.uint8))
