from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from ensemble.damage.depth import hole_depth
from ensemble.damage.draw import draw_damage


def test_depth_is_the_euclidean_distance_to_the_nearest_known_pixel_to_the_last_bit() -> None:
    for seed in range(40):
        mask = draw_damage(size=(96, 80), seed=seed).lost_mask()
        due = distance_transform_edt(mask).astype(np.float32)
        np.testing.assert_array_equal(hole_depth(mask), due)


def test_the_border_of_the_picture_is_no_rim() -> None:
    mask = np.zeros((3, 9), dtype=bool)
    mask[:, :5] = True
    assert hole_depth(mask)[0].tolist() == [5, 4, 3, 2, 1, 0, 0, 0, 0]
