"""The hue each pixel is taken to have before its hue is moved: smooth in space, defined everywhere.

What SSIM pays for moved hues is hardly the hues, it is coloured noise: neighbours that are alike
and are sent to different hues. So the order in which pixels are given hues must be smooth, and a
pixel is taken to have the hue of its wide neighbourhood. The weaker that is coloured, the more a
rainbow decides: blue at the top of the picture, through green and yellow to the browns below, as
outdoors. Measured in docs/composition.md.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Rgb
from ensemble.compiled import kernel
from ensemble.composition.hue_assignment import KEYS

NEIGHBOURHOOD = 8
"""The shorter side of the picture over the side of a neighbourhood."""

WEAK = 64.0
"""Below this chroma the neighbourhood shares its say with the rainbow."""

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
    window = min(height, width) // NEIGHBOURHOOD | 1
    for plane in planes:
        for _ in range(2):
            cv2.blur(plane, (window, window), plane, borderType=cv2.BORDER_REFLECT)
    keys = np.empty((height, width), dtype=np.uint16)
    _fill_keys(planes, _rainbow(height), keys)
    return keys.reshape(-1)


def _rainbow(height: int) -> NDArray[np.float32]:
    """(H, 2): R - G and B - G of the colour of each row, its chroma about `WEAK`."""
    angle = 2 * np.pi * (TOP / 180 - (np.arange(height) + 0.5) / height)
    x, y = WEAK * np.cos(angle), WEAK * np.sin(angle) / np.sqrt(3)
    return np.stack([x - y, -2 * y], axis=1).astype(np.float32)


@kernel
def _differences(rgb: Any, planes: Any) -> None:
    for i in range(rgb.shape[0]):
        for j in range(rgb.shape[1]):
            green = np.float32(rgb[i, j, 1])
            planes[0, i, j] = np.float32(rgb[i, j, 0]) - green
            planes[1, i, j] = np.float32(rgb[i, j, 2]) - green


@kernel
def _fill_keys(planes: Any, rainbow: Any, keys: Any) -> None:
    for i in range(keys.shape[0]):
        for j in range(keys.shape[1]):
            red, blue = float(planes[0, i, j]), float(planes[1, i, j])
            weak = max(1.0 - spread_of(red, blue) / WEAK, 0.0)
            hue = sector_of(red + weak * rainbow[i, 0], blue + weak * rainbow[i, 1])
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
