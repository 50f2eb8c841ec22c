from __future__ import annotations

import numpy as np
import pytest

from ensemble.composition.chroma import blend_chroma, weighted_median
from ensemble.composition.luma import lock_luma
from ensemble.composition.weighted_mean import weighted_mean
from ensemble.errors import ArrayError

W = np.array([19595, 38470, 7471]) / 65536


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (4, 7, 6, 3), dtype=np.uint8)


def _chroma(picture: np.ndarray) -> np.ndarray:
    return picture - (picture @ W)[..., None]


@pytest.mark.parametrize("mode", ["mean", "median", "preserving"])
def test_luma_is_the_mean_luma_in_every_mode(pictures: np.ndarray, mode: str) -> None:
    weights = np.array([1.0, 2.0, 0.5, 3.0])
    got = blend_chroma(pictures=pictures, weights=weights, mode=mode)  # type: ignore[arg-type]
    expected = np.average(pictures @ W, axis=0, weights=weights)
    assert got.dtype == np.float32
    assert np.allclose(got @ W, expected, atol=1e-3)


@pytest.mark.parametrize("mode", ["mean", "median", "preserving"])
def test_one_picture_is_itself_in_every_mode(pictures: np.ndarray, mode: str) -> None:
    one = blend_chroma(pictures=pictures[:1], weights=np.ones(1), mode=mode)  # type: ignore[arg-type]
    assert np.allclose(one, pictures[0], atol=1e-3)


def test_mean_is_the_weighted_mean_of_colors(pictures: np.ndarray) -> None:
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    expected = np.average(pictures.astype(float), axis=0, weights=weights)
    got = blend_chroma(pictures=pictures, weights=weights, mode="mean")
    assert np.allclose(got, expected, atol=1e-3)


def test_preserving_has_the_means_direction_and_the_members_strength(pictures: np.ndarray) -> None:
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    got = _chroma(blend_chroma(pictures=pictures, weights=weights, mode="preserving"))
    mean = _chroma(np.average(pictures.astype(float), axis=0, weights=weights))
    strengths = np.linalg.norm(_chroma(pictures.astype(float)), axis=-1)
    wanted = np.average(strengths, axis=0, weights=weights)
    assert np.allclose(np.linalg.norm(got, axis=-1), wanted, rtol=1e-3)
    assert np.allclose(
        got / wanted[..., None], mean / np.linalg.norm(mean, axis=-1, keepdims=True), atol=1e-3
    )


def test_preserving_does_not_invent_a_hue_where_members_cancel() -> None:
    gray = np.full((2, 1, 1, 3), 100, dtype=np.uint8)
    got = blend_chroma(pictures=gray, weights=np.ones(2), mode="preserving")
    assert np.allclose(got, 100, atol=1e-2)


def test_median_is_numpys_where_weights_are_equal(pictures: np.ndarray) -> None:
    for count in (3, 4):
        got = blend_chroma(pictures=pictures[:count], weights=np.ones(count), mode="median")
        expected = np.median(_chroma(pictures[:count].astype(float)), axis=0)
        assert np.allclose(_chroma(got), _chroma(expected), atol=1e-3)


def test_median_is_the_repeated_median_where_weights_are_whole(pictures: np.ndarray) -> None:
    weights = np.array([3, 1, 2, 1])
    got = blend_chroma(pictures=pictures, weights=weights, mode="median")
    repeated = np.repeat(_chroma(pictures.astype(float)), weights, axis=0)
    assert np.allclose(_chroma(got), _chroma(np.median(repeated, axis=0)), atol=1e-3)


def test_folds_blend_as_floats_and_lock_once(pictures: np.ndarray) -> None:
    halves = [
        blend_chroma(pictures=p, weights=np.ones(2), mode="mean") for p in np.split(pictures, 2)
    ]
    gray = np.full(pictures.shape[1:3], 90, dtype=np.uint8)
    both = lock_luma(rgb=np.mean(halves, axis=0), gray=gray)
    whole = blend_chroma(pictures=pictures, weights=np.ones(4), mode="mean")
    assert np.array_equal(both, lock_luma(rgb=whole, gray=gray))


RNG = np.random.default_rng(0)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_a_median_of_equal_weights_is_numpys(count):
    planes = RNG.integers(-9, 10, (count, 11, 13)).astype(np.float32)
    shares = np.full(count, 1 / count, dtype=np.float32)
    assert np.array_equal(weighted_median(planes, shares), np.median(planes, axis=0))


def test_whole_weights_of_a_median_are_copies():
    planes = RNG.normal(size=(3, 9, 9)).astype(np.float32)
    shares = np.array([3, 1, 2], dtype=np.float32) / 6
    copies = np.repeat(planes, [3, 1, 2], axis=0)
    assert np.array_equal(weighted_median(planes, shares), np.median(copies, axis=0))


def test_more_than_half_the_weight_decides():
    planes = RNG.normal(size=(4, 9, 9)).astype(np.float32)
    shares = np.array([0.1, 0.6, 0.2, 0.1], dtype=np.float32)
    assert np.array_equal(weighted_median(planes, shares), planes[1])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_mean_is_the_sum_of_shares(dtype):
    pictures = RNG.integers(0, 256, (5, 140, 150, 3)).astype(dtype)
    shares = RNG.dirichlet(np.ones(5)).astype(np.float32)
    due = np.tensordot(shares.astype(np.float64), pictures.astype(np.float64), axes=1)
    assert np.abs(weighted_mean(pictures, shares) - due).max() < 1e-4


def test_pictures_that_lie_apart_have_the_same_mean_bit_for_bit():
    pictures = RNG.integers(0, 256, (5, 140, 150, 3), dtype=np.uint8)
    shares = np.array([0.2, 0, 0.3, 0.1, 0.4], dtype=np.float32)
    apart = weighted_mean([picture.copy() for picture in pictures], shares)
    assert np.array_equal(apart, weighted_mean(pictures, shares))


def test_a_mean_of_nothing_is_refused():
    with pytest.raises(ArrayError, match="one picture or more, but got none"):
        weighted_mean([], np.empty(0, dtype=np.float32))


def test_pictures_of_another_shape_are_refused():
    pictures = [np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)]
    with pytest.raises(ArrayError, match=r"one shape, but got \(4, 4\) and \(4, 5\)"):
        weighted_mean(pictures, np.full(2, 0.5, np.float32))
