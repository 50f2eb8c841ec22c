"""Give a picture in floats its uint8 levels: rounding, paste-back, luma lock, data range.

Luma lock: with y the luma of a color, its chroma is (R - y, G - y, B - y). Luma is a weighted mean
of the channels, so gray + t * chroma has the luma `gray` for every t; the largest t <= 1 inside the
gamut keeps the hue. Rounding moves the luma by at most half a level, which `convert("L")` rounds
away; only an exact tie comes out one level too high, and one step of one channel mends it.

Data range: the competition computes SSIM with data_range = pred.max() - pred.min(), so C1 and C2
grow with the range of the *answer*, and a picture that spans 0..255 scores higher. Two pixels are
enough. They keep their luma, so nobody sees it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import (
    LUMA_HALF,
    LUMA_WEIGHTS,
    Gray,
    Mask,
    Rgb,
    check_gray,
    check_mask,
    check_rgb,
)
from ensemble.compiled import kernel
from ensemble.errors import ArrayError
from ensemble.metric.ssim import data_range

RED, GREEN, BLUE = LUMA_WEIGHTS

_LEVELS = 2 + 65536 // BLUE
"""The most levels of one channel, the others fixed, that one luma has, and one below them."""


def quantize(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """Clip to 0..255 and round to the nearest level, halves to the even one; uint8 stays as it is.

    Raises:
        ArrayError: Some value is not finite.

    >>> quantize(np.array([-3.0, 0.5, 1.5, 254.6, 300.0])).tolist()
    [0, 0, 2, 255, 255]
    """
    if picture.dtype == np.uint8:
        return picture
    if not np.isfinite(picture).all():
        bad = int(picture.size - np.isfinite(picture).sum())
        raise ArrayError(
            f"a picture must be finite, but {bad} of its {picture.size} values are not"
        )
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def paste_back(*, restored: Gray, damaged: Gray, lost_mask: Mask) -> Gray:
    """Take the restored (H, W) uint8 inside the hole and the damaged input outside it.

    The input outside the hole is exactly `convert("L")` of the truth; no network can do better.

    Raises:
        ArrayError: A shape or dtype is not as due.
    """
    check_gray(restored, name="restored")
    check_gray(damaged, name="damaged")
    if restored.shape != damaged.shape:
        raise ArrayError(
            "`restored` and `damaged` must have the same shape, "
            f"but got {restored.shape} and {damaged.shape}"
        )
    check_mask(lost_mask, shape=damaged.shape, name="lost_mask")
    return np.where(lost_mask, restored, damaged)


def lock_luma(*, rgb: NDArray[Any], gray: Gray) -> Rgb:
    """Give each color the luma of `gray`, keeping its hue and as much chroma as the gamut allows.

    A color that has the wanted luma once it is rounded is only rounded, so locking twice is locking
    once. Takes (H, W, 3) uint8 or float on the scale 0..255, which may stray outside it, and (H, W)
    uint8.

    Returns:
        (H, W, 3) uint8 whose `ensemble.arrays.luma` equals `gray` at every pixel.

    Raises:
        ArrayError: The shapes differ, a dtype is not as due, or a value is not finite.
    """
    check_gray(gray, name="gray")
    if rgb.shape != (*gray.shape, 3):
        raise ArrayError(f"`rgb` must be {(*gray.shape, 3)} like `gray`, but is {rgb.shape}")
    colors = np.ascontiguousarray(rgb, dtype=np.float32)
    if not np.isfinite(colors).all():
        raise ArrayError("`rgb` must be finite, but holds NaN or infinity")
    out = np.empty(rgb.shape, dtype=np.uint8)
    _lock(colors.reshape(-1, 3), np.ascontiguousarray(gray).reshape(-1), out.reshape(-1, 3))
    return out


def fill_data_range(rgb: Rgb) -> Rgb:
    """Set one channel of one pixel to 0, and one of another to 255, at the same luma.

    Of all pixels the two are taken whose colors change least. (H, W, 3) uint8 that spans 0..255
    already, or has fewer than two pixels, comes back as it is.
    """
    check_rgb(rgb, name="rgb")
    if data_range(rgb) == 255 or rgb.shape[0] * rgb.shape[1] < 2:
        return rgb
    full = np.ascontiguousarray(rgb).copy()
    flat = full.reshape(-1, 3)
    dark, bright = _find_extremes(flat)
    _recolor(flat[dark], 0)
    _recolor(flat[bright], 255)
    return full


@kernel
def _lock(colors: Any, gray: Any, out: Any) -> None:
    """(N, 3) float32 and (N,) uint8 into (N, 3) uint8."""
    for i in range(gray.size):
        red, green, blue = float(colors[i, 0]), float(colors[i, 1]), float(colors[i, 2])
        wanted = float(gray[i])
        if _round_to_luma(red, green, blue) != gray[i]:
            own = (RED * red + GREEN * green + BLUE * blue) / 65536.0
            red, green, blue = red - own, green - own, blue - own
            t = min(_find_room(wanted, red), _find_room(wanted, green), _find_room(wanted, blue))
            red, green, blue = wanted + t * red, wanted + t * green, wanted + t * blue
        out[i, 0] = np.uint8(np.floor(red + 0.5))
        out[i, 1] = np.uint8(np.floor(green + 0.5))
        out[i, 2] = np.uint8(np.floor(blue + 0.5))
        _mend_tie(out[i], int(gray[i]))


@kernel
def _round_to_luma(red: float, green: float, blue: float) -> int:
    """`convert("L")` of the rounded color, or -1 where that is outside the gamut."""
    if min(red, green, blue) < 0.0 or max(red, green, blue) > 255.0:
        return -1
    return _luma_of(int(red + 0.5), int(green + 0.5), int(blue + 0.5))


@kernel
def _luma_of(red: int, green: int, blue: int) -> int:
    """`convert("L")` of one color, inside kernels."""
    return (RED * red + GREEN * green + BLUE * blue + LUMA_HALF) >> 16


@kernel
def _find_room(gray: float, chroma: float) -> float:
    """The largest t <= 1 with gray + t * chroma in 0..255."""
    if chroma > 255.0 - gray:
        return (255.0 - gray) / chroma
    if chroma < -gray:
        return -gray / chroma
    return 1.0


@kernel
def _mend_tie(color: Any, wanted: int) -> None:
    """Step down one channel where halves were rounded up and the luma with them."""
    for channel in (2, 0, 1):
        luma = _luma_of(int(color[0]), int(color[1]), int(color[2]))
        if luma > wanted and color[channel] > 0:
            color[channel] -= 1


@kernel
def _find_extremes(colors: Any) -> tuple[int, int]:
    """Rows of the least channel of all, and of the greatest of any other pixel."""
    dark, bright, least, greatest = 0, 0, 256, -1
    for i in range(colors.shape[0]):
        low = min(colors[i, 0], min(colors[i, 1], colors[i, 2]))
        if low < least:
            dark, least = i, low
    for i in range(colors.shape[0]):
        high = max(colors[i, 0], max(colors[i, 1], colors[i, 2]))
        if i != dark and high > greatest:
            bright, greatest = i, high
    return dark, bright


@kernel
def _recolor(color: Any, extreme: int) -> None:
    """Make it the nearest color of its luma with a channel at `extreme`, if there is any."""
    weights = (RED, GREEN, BLUE)
    old = (int(color[0]), int(color[1]), int(color[2]))
    wanted = _luma_of(old[0], old[1], old[2])
    least = 3 * 256 * 256
    for fixed in range(3):
        second, third = (1 if fixed == 0 else 0), (1 if fixed == 2 else 2)
        for one in range(256):
            rest = (wanted << 16) - LUMA_HALF - weights[fixed] * extreme - weights[second] * one
            first = max(rest // weights[third], 0)  # about what the luma leaves for the third
            for two in range(first, min(first + _LEVELS, 256)):
                red = extreme if fixed == 0 else one
                green = extreme if fixed == 1 else two if fixed == 2 else one
                blue = extreme if fixed == 2 else two
                if _luma_of(red, green, blue) == wanted:
                    apart = (red - old[0]) ** 2 + (green - old[1]) ** 2 + (blue - old[2]) ** 2
                    if apart < least:
                        least = apart
                        color[0], color[1], color[2] = red, green, blue
