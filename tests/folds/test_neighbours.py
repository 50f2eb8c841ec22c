from __future__ import annotations

import numpy as np
import pytest

from ensemble.folds import neighbours
from ensemble.folds.neighbours import cosine_neighbours, unique_pairs


def unit(n: int, d: int = 5, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("block", [3, 1024])
def test_nearest_equal_those_of_a_full_sort(monkeypatch, block: int) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    queries, rows = unit(11), unit(40, seed=1)
    query, row, cosine = cosine_neighbours(queries=queries, rows=rows, n_nearest=4, floor=0.3)
    expected = {
        (q, int(r))
        for q in range(11)
        for r in np.argsort(-(queries[q] @ rows.T))[:4]
        if queries[q] @ rows[r] >= 0.3
    }
    assert set(zip(query.tolist(), row.tolist(), strict=True)) == expected
    assert len(query) == len(expected)
    np.testing.assert_allclose(cosine, np.sum(queries[query] * rows[row], axis=1), atol=1e-6)


def test_unique_pairs_keep_the_greatest_similarity() -> None:
    one = (np.array([2, 0, 1]), np.array([0, 2, 1]), np.array([0.4, 0.9, 1.0], np.float32))
    other = (np.array([0, 1]), np.array([2, 0]), np.array([0.5, 0.1], np.float32))
    first, second, similarity = unique_pairs(one, other)
    assert first.tolist() == [0, 0]
    assert second.tolist() == [1, 2]
    np.testing.assert_allclose(similarity, [0.1, 0.9])
