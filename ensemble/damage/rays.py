"""Straight rows of pixels that lead from a pixel all ways."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def ray_steps(turns: int, reach: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pixels on rays turned in equal angles: how far down and how far right each step is.

    Args:
        turns: How many rays; ray i + turns / 2 points the other way than ray i.
        reach: Steps of a ray, each one pixel's side long.

    Returns:
        Two (turns, reach) int64.
    """
    angles = 2.0 * np.pi * np.arange(turns) / turns
    steps = np.arange(1, reach + 1)
    down, right = (np.rint(np.outer(f(angles), steps)) for f in (np.sin, np.cos))
    return down.astype(np.int64), right.astype(np.int64)


def ray_offsets(turns: int, reach: int, row_length: int) -> NDArray[np.int64]:
    """`ray_steps` as (turns, reach) int64 offsets in a raveled picture of that row length."""
    down, right = ray_steps(turns, reach)
    return down * row_length + right
