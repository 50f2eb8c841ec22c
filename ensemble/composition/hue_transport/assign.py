"""Which pixel gets which hue bin: optimal transport on the circle, in an order smooth in space.

SSIM hardly minds wrong hues; it minds colored noise: similar neighbors that are sent to different
hues. So a pixel is ordered by the hue of its wide neighborhood (its key). Where that is weakly
colored, a fixed ramp from top to bottom is mixed in: blue at the top of the picture, through green
and yellow to brown below, as outdoors. Measured in docs/composition.md.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Rgb
from ensemble.compiled import kernel
from ensemble.vocabulary import HUE_BINS

KEYS = HUE_BINS * 256
"""Keys are hues in 1/256 of a bin."""

UNASSIGNED = 255

NEIGHBORHOOD = 8
"""The shorter side of the picture over the side of a neighborhood."""

WEAK = 64.0
"""Below this chroma the ramp is mixed in, the more the weaker the neighborhood's color is."""

TOP = 130.0
"""The hue of the ramp at the picture's upper edge; it goes once round the circle from there."""

Bins = NDArray[np.uint8]


def find_keys(rgb: Rgb) -> NDArray[np.uint16]:
    """Find the hue that each pixel of (H, W, 3) uint8 is ordered by: (H * W,) uint16 below KEYS."""
    height, width = rgb.shape[:2]
    planes = np.empty((2, height, width), dtype=np.float32)
    _subtract_green(np.ascontiguousarray(rgb), planes)
    window = min(height, width) // NEIGHBORHOOD | 1
    for plane in planes if planes.any() else ():  # a gray picture has nothing to blur
        for _ in range(2):
            cv2.blur(plane, (window, window), plane, borderType=cv2.BORDER_REFLECT)
    keys = np.empty((height, width), dtype=np.uint16)
    _fill_keys(planes, _make_ramp(height), keys)
    return keys.reshape(-1)


def apportion(shares: NDArray[Any], total: int) -> NDArray[np.int64]:
    """Whole numbers that sum to `total`, as proportional to `shares` as whole numbers can be.

    Largest remainders (Hamilton's method); equal remainders go to the lower index.
    """
    if total == 0:
        return np.zeros(len(shares), dtype=np.int64)
    # Shares first: the total over a sum of the smallest numbers there are would overflow.
    ideal = np.asarray(shares, dtype=np.float64) / np.sum(shares) * total
    counts = np.floor(ideal).astype(np.int64)
    missing = total - int(counts.sum())
    counts[np.argsort(counts - ideal, kind="stable")[:missing]] += 1
    return counts


def assign(*, keys: NDArray[np.uint16], bins: Bins, counts: NDArray[np.int64]) -> None:
    """Give each unassigned pixel a bin, so that the bins come out with `counts`.

    The cheapest way to move mass along a circle keeps its order. What remains is where to cut the
    circle; the best cut is the median difference of the two cumulative distributions. Pixels with
    equal keys keep their order. Takes keys (N,) from `find_keys`, bins (N,), of which those
    `UNASSIGNED` are filled in place, and counts (180,) that sum to their number.

    Source: Rabin, Delon, Gousseau, "Transportation distances on the circle" (2011), for cost |x|.
    """
    have = _count_keys(keys, bins)
    if have.sum() == 0:
        return
    before = have.reshape(HUE_BINS, -1).sum(axis=1).cumsum()
    cut = int(np.median(before - np.cumsum(counts)))
    wanted: Bins = np.repeat(np.arange(HUE_BINS, dtype=np.uint8), counts)
    _hand_out(keys, bins, np.cumsum(have) - have, wanted, cut)


def _make_ramp(height: int) -> NDArray[np.float32]:
    """(H, 2): R - G and B - G of the color of each row, its chroma about `WEAK`."""
    angle = 2 * np.pi * (TOP / 180 - (np.arange(height) + 0.5) / height)
    x, y = WEAK * np.cos(angle), WEAK * np.sin(angle) / np.sqrt(3)
    return np.stack([x - y, -2 * y], axis=1).astype(np.float32)


@kernel
def _subtract_green(rgb: Any, planes: Any) -> None:
    for i in range(rgb.shape[0]):
        for j in range(rgb.shape[1]):
            green = np.float32(rgb[i, j, 1])
            planes[0, i, j] = np.float32(rgb[i, j, 0]) - green
            planes[1, i, j] = np.float32(rgb[i, j, 2]) - green


@kernel
def _fill_keys(planes: Any, ramp: Any, keys: Any) -> None:
    for i in range(keys.shape[0]):
        for j in range(keys.shape[1]):
            red, blue = float(planes[0, i, j]), float(planes[1, i, j])
            weak = max(1.0 - chroma_of(red, blue) / WEAK, 0.0)
            hue = sector_of(red + weak * ramp[i, 0], blue + weak * ramp[i, 1])
            keys[i, j] = min(int(hue * (KEYS / 6.0)), KEYS - 1)


@kernel
def chroma_of(red: float, blue: float) -> float:
    """Max - min of the differences (red, 0, blue) to green."""
    return max(red, max(blue, 0.0)) - min(red, min(blue, 0.0))


@kernel
def sector_of(red: float, blue: float) -> float:
    """Hexagonal hue in 0 <= h < 6 of the differences (red, 0, blue) to green; 0 for gray.

    Source: the definition of HSV (Smith 1978).
    """
    chroma = chroma_of(red, blue)
    if chroma <= 0.0:
        return 0.0
    if red >= max(blue, 0.0):
        return -blue / chroma if blue <= 0.0 else 6.0 - blue / chroma
    if blue <= 0.0:
        return 2.0 + (blue - red) / chroma
    return 4.0 + red / chroma


@kernel
def _count_keys(keys: Any, bins: Any) -> Any:
    counts = np.zeros(KEYS, dtype=np.int64)
    for i in range(keys.size):
        if bins[i] == UNASSIGNED:
            counts[keys[i]] += 1
    return counts


@kernel
def _hand_out(keys: Any, bins: Any, places: Any, wanted: Any, cut: int) -> None:
    """Give the pixel at each place of the present order the bin at that place, less the cut."""
    for i in range(keys.size):
        if bins[i] == UNASSIGNED:
            bins[i] = wanted[(places[keys[i]] - cut) % wanted.size]
            places[keys[i]] += 1
