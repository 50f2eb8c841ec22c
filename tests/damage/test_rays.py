from __future__ import annotations

import math

import numpy as np

from ensemble.damage.rays import ray_offsets, ray_steps


def test_steps_lie_where_the_angle_says() -> None:
    down, right = ray_steps(32, 14)
    for turn in range(32):
        for k in range(14):
            angle = math.tau * turn / 32
            assert abs(down[turn, k] - (k + 1) * math.sin(angle)) <= 0.5 + 1e-9
            assert abs(right[turn, k] - (k + 1) * math.cos(angle)) <= 0.5 + 1e-9


def test_the_second_half_points_the_other_way() -> None:
    for steps in ray_steps(64, 28):
        assert np.array_equal(steps[:32], -steps[32:])


def test_offsets_are_places_in_a_raveled_picture() -> None:
    place = np.arange(41 * 57).reshape(41, 57)
    down, right = ray_steps(16, 9)
    walked = place.ravel()[place[20, 30] + ray_offsets(16, 9, 57)]
    assert np.array_equal(walked, place[20 + down, 30 + right])
