"""The competition's damage rule, spelled out slowly: global `random`, scikit-image, whole masks."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import polygenerator
import skimage.draw
from numpy.typing import NDArray

FUNCTIONS = (
    polygenerator.random_polygon,
    polygenerator.random_star_shaped_polygon,
    polygenerator.random_convex_polygon,
)


@dataclass(frozen=True)
class LiteralDamage:
    kind: int
    n_points: int
    corners: tuple[int, int, int, int]  # rows then columns: (r0, r1, c0, c1)
    mask: NDArray[np.bool_]
    fill: int


def literal_damage(*, side: int, min_side: int) -> LiteralDamage:
    """One damage of a `side` x `side` picture, drawn from the global `random`."""
    while True:
        r0 = random.randint(0, side - min_side)
        c0 = random.randint(0, side - min_side)
        r1 = random.randint(r0, side)
        c1 = random.randint(c0, side)
        if min(r1 - r0, c1 - c0) < min_side:
            continue
        n_points = random.randint(3, 20)
        function = random.choice(FUNCTIONS)
        vertices = [
            (round(r * (r1 - r0)), round(c * (c1 - c0))) for r, c in function(num_points=n_points)
        ]
        inside = skimage.draw.polygon2mask((r1 - r0, c1 - c0), vertices)
        if inside.sum() > (min_side // 2) ** 2:
            break
    mask = np.zeros((side, side), dtype=bool)
    mask[r0:r1, c0:c1] = inside
    return LiteralDamage(
        FUNCTIONS.index(function), n_points, (r0, r1, c0, c1), mask, random.randint(0, 255)
    )
