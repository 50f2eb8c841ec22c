"""Draw damage at training speed: polygons drawn once, placed and rasterized for every sample.

polygenerator takes about a third of a millisecond until a damage passes the rule, and the public
generator's rasterizer several times that. A `PolygonBank` holds a fixed number of polygenerator's
unit polygons of every kind and number of points. Each draw picks one and applies the rule (box,
least number of pixels, fill) anew, so kind, points, box, area and fill keep their distribution.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Mask
from ensemble.compiled import kernel
from ensemble.damage.draw import (
    KINDS,
    MAX_POINTS,
    MIN_POINTS,
    Box,
    Damage,
    DamageRule,
    cover,
    draw_unit_polygon,
    place,
)

EACH = 128  # polygons of every kind and number of points: 6912 in all
_COUNTS = MAX_POINTS - MIN_POINTS + 1
_BLOCK = 7  # uniform numbers a try needs: four corners, kind, points, which polygon


@dataclass(frozen=True, eq=False)
class PolygonBank:
    """Unit polygons by kind and number of points; make it with `make_bank`."""

    # one (EACH, P, 2) float64 array in [0, 1], (x, y) a row, for every kind and every P from 3 to
    # 20; indexed `[kind][P - 3]`.
    polygons: tuple[tuple[NDArray[np.float64], ...], ...]

    def draw(self, rng: np.random.Generator, *, size: tuple[int, int]) -> tuple[Damage, Mask]:
        """Draw one damage and its (H, W) bool lost mask; a pure function of the generator's state.

        The generator moves on by a varying number of draws: give every sample its own where order
        may vary.

        Raises:
            ArrayError: A side of `size` is under 8.
        """
        rule = DamageRule.at(size)
        while True:
            uniform = rng.random(_BLOCK)
            box = _draw_box(uniform[:4], size, rule.min_sides)
            if box[2] - box[0] < rule.min_sides[1] or box[3] - box[1] < rule.min_sides[0]:
                continue
            kind = int(uniform[4] * len(KINDS))
            shelf = self.polygons[kind][int(uniform[5] * _COUNTS)]
            points = place(shelf[int(uniform[6] * len(shelf))], box)
            mask = np.zeros(size, dtype=np.bool_)
            if cover(points, box, mask) >= rule.min_pixels:
                return Damage(KINDS[kind], points, box, int(rng.integers(256)), size), mask


def make_bank(seed: int) -> PolygonBank:
    """Draw a bank, in about half a second; equal for equal seeds, any int."""
    rng = random.Random(seed)
    return PolygonBank(
        tuple(
            tuple(
                np.stack([_draw_unit(rng, kind, count) for _ in range(EACH)])
                for count in range(MIN_POINTS, MAX_POINTS + 1)
            )
            for kind in KINDS
        )
    )


def _draw_unit(rng: random.Random, kind: str, count: int) -> NDArray[np.float64]:
    while (unit := draw_unit_polygon(rng, kind, count)) is None:
        pass
    return unit


@kernel
def _draw_box(
    uniform: NDArray[np.float64], size: tuple[int, int], min_sides: tuple[int, int]
) -> Box:
    """Both corners, the second uniform from the first to the picture's end, the end included."""
    height, width = size
    y0 = int(uniform[0] * (height - min_sides[0] + 1))
    x0 = int(uniform[1] * (width - min_sides[1] + 1))
    y1 = y0 + int(uniform[2] * (height - y0 + 1))
    x1 = x0 + int(uniform[3] * (width - x0 + 1))
    return x0, y0, x1, y1
