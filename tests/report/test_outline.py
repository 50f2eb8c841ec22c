from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from ensemble.report.outline import RED, outline

GRAY = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_only_the_rim_is_drawn(scale: int):
    mask = np.zeros(GRAY.shape, dtype=bool)
    mask[4:12, 6:21] = True
    mask[15:18, 2:8] = True
    large_mask = np.kron(mask, np.ones((scale, scale), dtype=bool))
    rim = large_mask & ~binary_erosion(large_mask)
    picture = outline(GRAY, mask, scale=scale)
    red = (picture == RED).all(axis=-1)
    np.testing.assert_array_equal(red, rim)
    large = np.kron(GRAY, np.ones((scale, scale), dtype=np.uint8))
    np.testing.assert_array_equal(picture[~rim], np.repeat(large[~rim][:, None], 3, axis=1))


def test_no_hole_leaves_the_picture(tmp_path):
    picture = outline(GRAY, np.zeros(GRAY.shape, dtype=bool), scale=1)
    np.testing.assert_array_equal(picture, np.stack([GRAY] * 3, axis=-1))
