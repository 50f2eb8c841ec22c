from __future__ import annotations

import numpy as np
import pytest

from ensemble.composition.weighted_mean import weighted_mean
from ensemble.composition.weighted_median import weighted_median
from ensemble.errors import ArrayError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_with_equal_weights_it_is_the_median(count):
    planes = RNG.integers(-9, 10, (count, 11, 13)).astype(np.float32)
    shares = np.full(count, 1 / count, dtype=np.float32)
    assert np.array_equal(weighted_median(planes, shares), np.median(planes, axis=0))


def test_whole_weights_are_copies():
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
