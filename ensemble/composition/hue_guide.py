"""The hue each pixel is taken to have before its hue is moved: smooth in space, defined everywhere.

At a chroma of a few levels the hue of an uint8 colour is mostly rounding. Sorting by it would tear
flat regions into coloured noise, so a weakly coloured pixel borrows the hue of its neighbourhood,
the more the weaker it is. Where a whole neighbourhood is gray, a faint rainbow decides: blue at the
top of the picture, through green and yellow to the browns below, as outdoors.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Rgb
from ensemble.composition.hue_assignment import KEYS
from ensemble.metric.compiled import kernel

WINDOW = 9
BORROWED = 16.0
FAINT = 4.0
TOP = 130.0
"""The hue at the picture's upper edge; the rainbow goes once round the circle from it."""


def hue_keys(*, rgb: Rgb, gray: Gray) -> NDArray[np.uint16]:
    """The guiding hue of each pixel, in 1/256 of a bin, (H * W,) uint16 in 0..KEYS-1.

    Args:
        rgb: (H, W, 3) uint8, luma-locked.
        gray: (H, W) uint8, its luma.
    """
    height, width = gray.shape
    planes = np.empty((2, height, width), dtype=np.float32)
    _differences(np.ascontiguousarray(rgb), planes)
    around = np.empty_like(planes)
    for plane, blurred in zip(planes, around, strict=True):
        cv2.blur(plane, (WINDOW, WINDOW), blurred, borderType=cv2.BORDER_REFLECT)
    keys = np.empty((height, width), dtype=np.uint16)
    _fill_keys(planes, around, _rainbow(height), keys)
    return keys.reshape(-1)


def _rainbow(height: int) -> NDArray[np.float32]:
    """(H, 2): R - G and B - G of the faint colour of each row."""
    angle = 2 * np.pi * (TOP / 180 - (np.arange(height) + 0.5) / height)
    x, y = FAINT * np.cos(angle), FAINT * np.sin(angle) / np.sqrt(3)
    return np.stack([x - y, -2 * y], axis=1).astype(np.float32)


@kernel
def _differences(rgb: Any, planes: Any) -> None:
    for i in range(rgb.shape[0]):
        for j in range(rgb.shape[1]):
            green = np.float32(rgb[i, j, 1])
            planes[0, i, j] = np.float32(rgb[i, j, 0]) - green
            planes[1, i, j] = np.float32(rgb[i, j, 2]) - green


@kernel
def _fill_keys(planes: Any, around: Any, rainbow: Any, keys: Any) -> None:
    for i in range(keys.shape[0]):
        for j in range(keys.shape[1]):
            red, blue = float(planes[0, i, j]), float(planes[1, i, j])
            near_red, near_blue = float(around[0, i, j]), float(around[1, i, j])
            own = spread_of(red, blue)
            faint = max(1.0 - spread_of(near_red, near_blue) / FAINT, 0.0)
            hue = sector_of(
                own * red + BORROWED * (near_red + faint * rainbow[i, 0]),
                own * blue + BORROWED * (near_blue + faint * rainbow[i, 1]),
            )
            keys[i, j] = min(int(hue * (KEYS / 6.0)), KEYS - 1)


@kernel
def spread_of(red: float, blue: float) -> float:
    """Chroma, max - min, of the differences (red, 0, blue) to green."""
    return max(red, max(blue, 0.0)) - min(red, min(blue, 0.0))


@kernel
def sector_of(red: float, blue: float) -> float:
    """Hexagonal hue in 0 <= h < 6 of the differences (red, 0, blue) to green; 0 for gray.

    Source: the definition of HSV (Smith 1978).
    """
    spread = spread_of(red, blue)
    if spread <= 0.0:
        return 0.0
    if red >= max(blue, 0.0):
        return -blue / spread if blue <= 0.0 else 6.0 - blue / spread
    if blue <= 0.0:
        return 2.0 + (blue - red) / spread
    return 4.0 + red / spread
