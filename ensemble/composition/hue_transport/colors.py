"""The uint8 colors that have a given luma and a given OpenCV hue, both exactly.

Write a color as its least channel m plus steps (r, g, b), of which one is 0 and the greatest is
the chroma d = max - min. OpenCV's 8-bit hue depends on the steps alone. The weights of
`convert("L")` sum to 65536, so adding m to every channel adds exactly m to the luma: steps with
the luma s have the luma L at m = L - s and nowhere else, and fit into the gamut for every L in
s .. 255 - d + s. So all 2^24 colors are about 200,000 steps, each with an interval of lumas, and
two tables find them by luma and hue.

Source: the tests compare with brute force over all 2^24 colors.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import luma
from ensemble.compiled import kernel
from ensemble.composition.hue_transport.assign import sector_of
from ensemble.metric.hue import find_hues
from ensemble.vocabulary import HUE_BINS

Table = NDArray[np.int32]

_SECTORS = ((2, 1, 0), (1, 2, 0), (0, 2, 1), (0, 1, 2), (1, 0, 2), (2, 0, 1))
"""Of red, green, blue: which is the least (0), the middle (1), the greatest (2)."""


class ColorTables(NamedTuple):
    """Steps and where to find them; -1 in a table says that there are none."""

    steps: NDArray[np.int16]  # (T, 3), red, green, blue above the least channel; row 0 is gray
    shift: NDArray[np.int16]  # (T,), luma of the steps: the least channel of luma L is L - shift
    chroma: NDArray[np.int16]  # (T,), the greatest step
    least: Table  # (256, 180), by luma and hue: the steps of least chroma. Gray for hue 0
    by_chroma: Table  # (180, 256), by hue and chroma: steps nearest the middle of the hue's bin


@cache
def make_color_tables() -> ColorTables:
    """Make the tables, once a process, in a few milliseconds."""
    steps = _list_steps()
    hues = find_hues(np.ascontiguousarray(steps.T[:, :, None].astype(np.uint8)))[:, 0]
    chroma = steps.max(axis=1)
    order = np.lexsort((_measure_offset(steps, hues), chroma))
    steps, hues, chroma = steps[order], hues[order], chroma[order]
    shift = luma(steps.astype(np.uint8)).astype(np.int16)
    least = np.full((256, HUE_BINS), -1, dtype=np.int32)
    by_chroma = np.full((HUE_BINS, 256), -1, dtype=np.int32)
    _fill_tables(hues, chroma, shift, least, by_chroma)
    return ColorTables(steps, shift, chroma, least, by_chroma)


def _list_steps() -> NDArray[np.int16]:
    """(T, 3): gray, then for each chroma and each of six sectors every middle channel."""
    steps = [np.zeros((1, 3), dtype=np.int16)]
    for chroma in range(1, 256):
        middle = np.arange(chroma + 1, dtype=np.int16)
        channels = (np.zeros_like(middle), middle, np.full_like(middle, chroma))
        steps += [np.stack([channels[k] for k in sector], axis=1) for sector in _SECTORS]
    return np.concatenate(steps)


@kernel
def _measure_offset(steps: Any, hues: Any) -> Any:
    """How far the unrounded hue, in bins, is from the rounded one."""
    apart = np.empty(hues.size)
    for i in range(hues.size):
        red, green, blue = float(steps[i, 0]), float(steps[i, 1]), float(steps[i, 2])
        distance = abs(30.0 * sector_of(red - green, blue - green) - hues[i])
        apart[i] = min(distance, HUE_BINS - distance)
    return apart


@kernel
def _fill_tables(hues: Any, chroma: Any, shift: Any, least: Any, by_chroma: Any) -> None:
    """Steps come by chroma, then by offset from the middle of the bin: the first one stays."""
    for index in range(hues.size):
        bin_ = hues[index]
        if by_chroma[bin_, chroma[index]] < 0:
            by_chroma[bin_, chroma[index]] = index
        for wanted in range(shift[index], 256 - chroma[index] + shift[index]):
            if least[wanted, bin_] < 0:
                least[wanted, bin_] = index
