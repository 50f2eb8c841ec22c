from __future__ import annotations

import numpy as np
import pytest

from ensemble.composition.paste_back import paste_back
from ensemble.errors import ArrayError


def test_takes_the_hole_from_the_restored_and_the_rest_from_the_input() -> None:
    rng = np.random.default_rng(0)
    restored, damaged = rng.integers(0, 256, (2, 9, 11), dtype=np.uint8)
    lost = rng.random((9, 11)) < 0.4
    before = restored.copy(), damaged.copy()
    answer = paste_back(restored=restored, damaged=damaged, lost_mask=lost)
    assert np.array_equal(answer[lost], restored[lost])
    assert np.array_equal(answer[~lost], damaged[~lost])
    answer[:] = 0
    assert np.array_equal(restored, before[0])
    assert np.array_equal(damaged, before[1])


def test_refuses_what_does_not_fit() -> None:
    gray = np.zeros((4, 5), dtype=np.uint8)
    with pytest.raises(ArrayError, match=r"the same shape, but got \(4, 5\) and \(5, 4\)"):
        paste_back(restored=gray, damaged=gray.T.copy(), lost_mask=gray > 0)
    with pytest.raises(ArrayError, match="lost_mask"):
        paste_back(restored=gray, damaged=gray, lost_mask=(gray > 0).T)
    with pytest.raises(ArrayError, match="must be bool"):
        paste_back(restored=gray, damaged=gray, lost_mask=gray)
