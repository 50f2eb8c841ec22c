from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.blending.weights import LEAST_DRAW, round_weights, to_draws, to_weights

DRAWS = st.lists(st.floats(LEAST_DRAW, 1.0), min_size=1, max_size=12)
WEIGHTS = st.lists(st.floats(0, 100), min_size=1, max_size=12).filter(lambda w: sum(w) > 1e-6)


@given(DRAWS)
def test_any_draws_give_a_point_of_the_simplex(draws):
    weights = to_weights(draws)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-12)


def test_uniform_draws_give_the_flat_dirichlet():
    draws = np.random.default_rng(0).uniform(size=(4000, 3))
    points = np.array([to_weights(row) for row in draws])
    # Flat Dirichlet(1, 1, 1): mean 1/3, variance 1/18; normalized uniforms have less spread.
    assert points.mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.01)
    assert points.var(axis=0) == pytest.approx([1 / 18] * 3, abs=0.003)


def test_draws_that_are_all_one_give_the_center():
    assert to_weights([1.0, 1.0]).tolist() == [0.5, 0.5]


@given(WEIGHTS)
def test_to_draws_is_the_inverse_of_to_weights(weights):
    draws = to_draws(weights)
    assert min(draws) >= LEAST_DRAW
    assert max(draws) <= 1
    assert to_weights(draws) == pytest.approx(np.array(weights) / sum(weights), abs=1e-9)


@given(WEIGHTS)
def test_rounded_weights_sum_to_exactly_one_in_units_of_the_last_decimal(weights):
    rounded = round_weights(weights)
    units = np.round(rounded * 10_000)
    assert units.sum() == 10_000
    assert np.array_equal(units / 10_000, rounded)
    assert rounded.min() >= 0


@given(WEIGHTS)
def test_rounding_moves_no_kept_weight_by_a_unit(weights):
    shares = np.array(weights) / sum(weights)
    large = np.where((shares >= 0.01) | (shares == shares.max()), shares, 0)
    rounded = round_weights(weights)
    kept = rounded > 0
    assert np.abs(rounded - large / large[kept].sum())[kept].max() < 1e-4


def test_rounding_drops_small_weights_and_scales_the_rest():
    assert round_weights([0.009, 0.4955, 0.4955]).tolist() == [0, 0.5, 0.5]


def test_rounding_is_idempotent():
    once = round_weights([0.123456, 0.654321, 0.2])
    assert round_weights(once.tolist()).tolist() == once.tolist()


def test_a_tie_of_remainders_goes_to_the_first():
    assert round_weights([1, 1, 1]).tolist() == [0.3334, 0.3333, 0.3333]
