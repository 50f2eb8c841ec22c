from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from ensemble.composition.hue_assignment import KEYS, UNASSIGNED, apportion, assign

STEP = KEYS // 180


def _cost(hues: np.ndarray, bins: np.ndarray) -> float:
    apart = np.abs(hues.astype(float)[:, None] - bins[None])
    return np.minimum(apart, 180 - apart)


@given(st.lists(st.floats(0, 10), min_size=180, max_size=180).filter(any), st.integers(0, 5000))
def test_apportions_whole_numbers_to_the_total(shares: list[float], total: int) -> None:
    counts = apportion(np.array(shares), total)
    assert counts.sum() == total
    assert np.abs(counts - np.array(shares) * total / sum(shares)).max() < 1


def test_assigns_the_exact_counts_at_the_least_cost() -> None:
    rng = np.random.default_rng(0)
    for centre in (5, 90, 176):
        hues = np.round(rng.normal(centre, 12, 150)) % 180
        wanted = np.round(rng.normal(centre + 20, 20, 150)) % 180
        counts = np.bincount(wanted.astype(int), minlength=180)
        bins = np.full(150, UNASSIGNED, dtype=np.uint8)
        assign(keys=(hues * STEP).astype(np.uint16), bins=bins, counts=counts)
        assert np.array_equal(np.bincount(bins, minlength=180), counts)
        costs = _cost(hues, wanted)
        best = costs[linear_sum_assignment(costs)].sum()
        got = np.diagonal(_cost(hues, bins)).sum()
        assert got <= best * 1.05 + 3


def test_leaves_a_picture_alone_that_has_the_wanted_histogram() -> None:
    hues = np.random.default_rng(1).integers(0, 180, 4000)
    bins = np.full(4000, UNASSIGNED, dtype=np.uint8)
    assign(keys=(hues * STEP).astype(np.uint16), bins=bins, counts=np.bincount(hues, minlength=180))
    assert np.array_equal(bins, hues)


def test_keeps_what_is_assigned_already_and_the_order_of_equal_keys() -> None:
    bins = np.array([7, UNASSIGNED, UNASSIGNED, 9, UNASSIGNED], dtype=np.uint8)
    counts = np.zeros(180, dtype=np.int64)
    counts[[20, 30, 40]] = 1
    assign(keys=np.full(5, 30 * STEP, dtype=np.uint16), bins=bins, counts=counts)
    fixed, moved = bins[[0, 3]], bins[[1, 2, 4]].tolist()
    assert fixed.tolist() == [7, 9]
    assert moved in ([20, 30, 40], [30, 40, 20], [40, 20, 30])
