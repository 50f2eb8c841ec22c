from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from ensemble.arrays import Gray, Mask
from ensemble.damage.harmonic import fill_harmonically
from ensemble.damage.polygons import sample_damage


@pytest.fixture(scope="module")
def gray() -> Gray:
    return np.ascontiguousarray(skimage.data.camera()[100:231, 150:299])


def _exact(gray: Gray, lost: Mask) -> np.ndarray:
    """The same equations, solved directly."""
    number = {(int(y), int(x)): k for k, (y, x) in enumerate(np.argwhere(lost))}
    matrix, right = lil_matrix((len(number), len(number))), np.zeros(len(number))
    for (y, x), k in number.items():
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        around = [(a, b) for a, b in around if 0 <= a < lost.shape[0] and 0 <= b < lost.shape[1]]
        matrix[k, k] = len(around)
        for place in around:
            if place in number:
                matrix[k, number[place]] = -1
            else:
                right[k] += gray[place]
    return np.asarray(spsolve(matrix.tocsr(), right))


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_solves_the_laplace_equation(gray: Gray, seed: int) -> None:
    lost = sample_damage(size=gray.shape, seed=seed).lost_mask()
    apart = np.abs(fill_harmonically(gray, lost)[lost] - _exact(gray, lost))
    assert apart.max() < 1
    assert apart.mean() < 0.4


def test_solves_it_where_the_hole_meets_the_edge(gray: Gray) -> None:
    lost = np.zeros(gray.shape, dtype=bool)
    lost[:90, 60:] = True
    apart = np.abs(fill_harmonically(gray, lost)[lost] - _exact(gray, lost))
    assert apart.max() < 2.5
    assert apart.mean() < 1.2


def test_stays_within_the_rims_values(gray: Gray) -> None:
    lost = np.zeros(gray.shape, dtype=bool)
    lost[40:90, 50:100] = True
    rim = np.concatenate([gray[[39, 90], 50:100].ravel(), gray[40:90, [49, 100]].ravel()])
    inside = fill_harmonically(gray, lost)[lost]
    assert rim.min() <= inside.min()
    assert inside.max() <= rim.max()


def test_one_known_pixel_is_enough() -> None:
    lost = np.ones((20, 13), dtype=bool)
    lost[3, 4] = False
    assert np.array_equal(
        fill_harmonically(np.full((20, 13), 77, np.uint8), lost), np.full((20, 13), 77)
    )
