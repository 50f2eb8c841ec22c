from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.blending.weights import (
    LEAST_DRAW,
    bag_weights,
    blend,
    draws_of,
    on_simplex,
    one_more,
    tidy,
)
from ensemble.errors import ArrayError

DRAWS = st.lists(st.floats(LEAST_DRAW, 1.0), min_size=1, max_size=12)
WEIGHTS = st.lists(st.floats(0, 100), min_size=1, max_size=12).filter(lambda w: sum(w) > 1e-6)


@given(DRAWS)
def test_any_draws_give_a_point_of_the_simplex(draws):
    weights = on_simplex(draws)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-12)


def test_uniform_draws_give_the_flat_dirichlet():
    draws = np.random.default_rng(0).uniform(size=(4000, 3))
    points = np.array([on_simplex(row) for row in draws])
    # Flat Dirichlet(1, 1, 1): mean 1/3, variance 1/18; normalised uniforms have less spread.
    assert points.mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.01)
    assert points.var(axis=0) == pytest.approx([1 / 18] * 3, abs=0.003)


def test_draws_that_are_all_one_give_the_centre():
    assert on_simplex([1.0, 1.0]).tolist() == [0.5, 0.5]


@given(WEIGHTS)
def test_draws_of_is_the_inverse_of_on_simplex(weights):
    draws = draws_of(weights)
    assert min(draws) >= LEAST_DRAW
    assert max(draws) <= 1
    assert on_simplex(draws) == pytest.approx(np.array(weights) / sum(weights), abs=1e-9)


@given(WEIGHTS)
def test_tidy_weights_sum_to_exactly_one_in_units_of_the_last_decimal(weights):
    tidied = tidy(weights)
    units = np.round(tidied * 10_000)
    assert units.sum() == 10_000
    assert np.array_equal(units / 10_000, tidied)
    assert tidied.min() >= 0


@given(WEIGHTS)
def test_tidy_moves_no_kept_weight_by_a_unit(weights):
    shares = np.array(weights) / sum(weights)
    tidied = tidy(weights, least=0.0)
    assert np.abs(tidied - shares).max() < 1e-4


def test_tidy_drops_small_weights_and_scales_the_rest():
    assert tidy([0.009, 0.4955, 0.4955]).tolist() == [0, 0.5, 0.5]


def test_tidy_is_idempotent():
    once = tidy([0.123456, 0.654321, 0.2])
    assert tidy(once.tolist()).tolist() == once.tolist()


def test_a_tie_of_remainders_goes_to_the_first():
    assert tidy([1, 1, 1]).tolist() == [0.3334, 0.3333, 0.3333]


def test_one_more_and_bag_weights():
    assert one_more((1, 0)) == ((2, 0), (1, 1))
    assert bag_weights((2, 1, 1)).tolist() == [0.5, 0.25, 0.25]


@pytest.mark.parametrize("shape", [(3, 5, 7), (3, 130, 131, 3)])
def test_blend_is_the_weighted_mean(shape):
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, shape, dtype=np.uint8)
    weights = np.array([0.2, 0.0, 0.8])
    expected = np.tensordot(weights, pictures.astype(np.float64), axes=1)
    mean = blend(pictures, weights)
    assert mean.dtype == np.float32
    assert np.abs(mean - expected).max() < 1e-4


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_a_blend_stays_between_its_pictures(seed):
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (4, 6, 5), dtype=np.uint8)
    mean = blend(pictures, rng.uniform(size=4))
    assert (mean >= pictures.min(axis=0) - 1e-4).all()
    assert (mean <= pictures.max(axis=0) + 1e-4).all()


def test_one_picture_comes_back_exactly():
    picture = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert np.array_equal(blend(picture, [0.3]), picture[0])


@pytest.mark.parametrize("bad", [[], [0.0, 0.5], [1.5], [-0.1]])
def test_draws_out_of_range_are_refused(bad):
    with pytest.raises(ArrayError, match=r"draws must be one or more numbers in \(0, 1\]"):
        on_simplex(bad)


@pytest.mark.parametrize("bad", [[0.0, 0.0], [-1.0, 2.0], [float("nan")], []])
def test_weights_that_are_none_are_refused(bad):
    with pytest.raises(ArrayError, match="weights must not be negative nor all 0"):
        tidy(bad)


def test_blend_refuses_other_pictures():
    with pytest.raises(ArrayError, match="one of 2 weights each, but got float32"):
        blend(np.zeros((2, 4, 4), dtype=np.float32), [0.5, 0.5])
    with pytest.raises(ArrayError, match=r"but got uint8 of shape \(3, 4, 4\)"):
        blend(np.zeros((3, 4, 4), dtype=np.uint8), [0.5, 0.5])
