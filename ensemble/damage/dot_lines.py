"""Whether a pixel is a dot of a spike: pixels in line with it, up to the body of the hole.

A spike of the polygon thinner than a pixel is sampled as dots, sometimes many pixels apart, on a
line that ends in the hole's body. How much such a line says depends on how often the photograph
has the same gray by chance, so each step along it counts as a likelihood ratio.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Mask
from ensemble.compiled import kernel
from ensemble.damage.rays import ray_offsets

DOT_FEATURES = (
    "evidence of the line to the body",
    "length of the line to the body",
    "evidence of that line's other end",
    "evidence of any line, one-sided",
    "evidence of any line, two-sided",
    "evidence of one dot",
)
SPIKE_SHARE = 0.3  # of the steps along a spike that are dots, roughly
GIVE_UP = -6.0
NO_BODY = -10.0
_BODY, _BODY_STEPS = 0.95, 3
_TURNS, _REACH = 256, 64
_OUTSIDE = 3  # ground: 0 another gray, 1 the hole's, 2 the body's


def dot_lines(
    equal: Mask,
    hopes: NDArray[np.float32],
    pixels: NDArray[np.int64],
    frequency: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Sum the evidence along the best lines through each pixel.

    Args:
        equal: (H, W) bool, the hole's gray.
        hopes: (H, W) float32 in [0, 1], how sure each pixel is of the hole.
        pixels: (N, 2) int64, (y, x) a row.
        frequency: (N,) float64 in (0, 1), how often pixels outside the hole have its gray there.

    Returns:
        (N, len(DOT_FEATURES)) float32, finite; evidence in nats. A ray takes 64 steps in one of
        256 directions. It reaches the body at three pixels in a row with hopes above 0.95, and
        counts the steps before them; `NO_BODY` where no ray gets there. Of equal rays the one with
        the best other end is taken. Other evidence is the largest sum over a ray's first steps,
        from none on.
    """
    found = np.empty((len(pixels), len(DOT_FEATURES)), dtype=np.float32)
    chance = np.clip(frequency, 0.003, 0.9)
    dot, gap = np.log(SPIKE_SHARE / chance), np.log((1.0 - SPIKE_SHARE) / (1.0 - chance))
    height, width = equal.shape
    ground = np.full((height + 2 * _REACH, width + 2 * _REACH), _OUTSIDE, dtype=np.uint8)
    np.add(equal, hopes > _BODY, out=ground[_REACH:-_REACH, _REACH:-_REACH], dtype=np.uint8)
    row_length = ground.shape[1]
    starts = (pixels[:, 0] + _REACH) * row_length + pixels[:, 1] + _REACH
    _follow(ground.ravel(), starts, ray_offsets(_TURNS, _REACH, row_length), dot, gap, found)
    return found


@kernel
def _follow(
    ground: NDArray[Any],
    starts: NDArray[Any],
    rays: NDArray[Any],
    dot: NDArray[Any],
    gap: NDArray[Any],
    found: NDArray[Any],
) -> None:
    turns = len(rays)
    ends = np.empty((turns, 3))
    for i in range(len(starts)):
        for turn in range(turns):
            _walk(ground, starts[i], rays[turn], dot[i], gap[i], ends[turn])
        best, opposite, two_sided = 0, 0.0, 0.0
        for turn in range(turns):
            other = ends[(turn + turns // 2) % turns, 2]
            two_sided = max(two_sided, ends[turn, 2] + other)
            lead = ends[turn, 0] - ends[best, 0]
            if lead > 0.0 or (lead == 0.0 and other > opposite):
                best, opposite = turn, other
        found[i, 0] = ends[best, 0]
        found[i, 1] = ends[best, 1] / 32.0
        found[i, 2] = opposite
        found[i, 3] = ends[:, 2].max()
        found[i, 4] = two_sided
        found[i, 5] = dot[i]


@kernel
def _walk(
    ground: NDArray[Any],
    start: int,
    ray: NDArray[Any],
    dot: float,
    gap: float,
    end: NDArray[Any],
) -> None:
    """Fill `end`: evidence before the body, steps to it (-1: none), largest sum of first steps."""
    total, before, most, in_a_row = 0.0, 0.0, 0.0, 0
    end[0], end[1] = NO_BODY, -1.0
    for k in range(len(ray)):
        there = ground[start + ray[k]]
        if there == _OUTSIDE or total < GIVE_UP:
            break
        total += gap if there == 0 else dot
        if there < 2:
            in_a_row, before = 0, total
        else:
            in_a_row += 1
        if in_a_row == _BODY_STEPS:
            end[0], end[1] = before, k + 1 - _BODY_STEPS
            break
        most = max(most, total)
    end[2] = most
