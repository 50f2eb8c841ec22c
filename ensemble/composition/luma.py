"""The luma lock: colours whose `convert("L")` is exactly the known gray.

With y the luma of a colour, its chroma is (R - y, G - y, B - y). Luma is a weighted mean of the
channels, so gray + t * chroma has the luma `gray` for every t, and the largest t <= 1 that stays
in the gamut keeps the hue. Rounding each channel moves the luma by at most half a level (a
weighted mean of three errors of at most a half), which `convert("L")` rounds away; only an exact
tie can fall to the other side, and a step of one level in one channel settles it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Rgb, check_gray
from ensemble.compiled import kernel
from ensemble.errors import ArrayError

RED, GREEN, BLUE = 19595, 38470, 7471
"""Weights of Pillow's `convert("L")`, in 1/65536; they sum to 65536."""

HALF = 32768


def lock_luma(*, rgb: NDArray[Any], gray: Gray) -> Rgb:
    """Give each colour the luma of `gray`, keeping its hue and as much chroma as the gamut allows.

    A colour that has the wanted luma once it is rounded is only rounded, so locking twice is
    locking once.

    Args:
        rgb: (H, W, 3) uint8 or float on the scale 0..255 (may stray outside it).
        gray: (H, W) uint8, the wanted `convert("L")`.

    Returns:
        (H, W, 3) uint8 whose `ensemble.arrays.luma` equals `gray` at every pixel.

    Raises:
        ArrayError: The shapes differ, a dtype is not as due, or a value is not finite.
    """
    check_gray(gray, name="gray")
    if rgb.shape != (*gray.shape, 3):
        raise ArrayError(f"`rgb` must be {(*gray.shape, 3)} like `gray`, but is {rgb.shape}")
    colours = np.ascontiguousarray(rgb, dtype=np.float32)
    if not np.isfinite(colours).all():
        raise ArrayError("`rgb` must be finite, but holds NaN or infinity")
    out = np.empty(rgb.shape, dtype=np.uint8)
    _lock(colours.reshape(-1, 3), np.ascontiguousarray(gray).reshape(-1), out.reshape(-1, 3))
    return out


@kernel
def _lock(colours: Any, gray: Any, out: Any) -> None:
    """(N, 3) float32 and (N,) uint8 into (N, 3) uint8."""
    for i in range(gray.size):
        red, green, blue = float(colours[i, 0]), float(colours[i, 1]), float(colours[i, 2])
        wanted = float(gray[i])
        if _rounded_luma(red, green, blue) != gray[i]:
            own = (RED * red + GREEN * green + BLUE * blue) / 65536.0
            red, green, blue = red - own, green - own, blue - own
            fits = min(_fit(wanted, red), _fit(wanted, green), _fit(wanted, blue))
            red, green, blue = wanted + fits * red, wanted + fits * green, wanted + fits * blue
        out[i, 0] = np.uint8(np.floor(red + 0.5))
        out[i, 1] = np.uint8(np.floor(green + 0.5))
        out[i, 2] = np.uint8(np.floor(blue + 0.5))
        _settle(out[i], int(gray[i]))


@kernel
def _rounded_luma(red: float, green: float, blue: float) -> int:
    """`convert("L")` of the rounded colour, or -1 where that is outside the gamut."""
    if min(red, green, blue) < 0.0 or max(red, green, blue) > 255.0:
        return -1
    return luma_of(int(red + 0.5), int(green + 0.5), int(blue + 0.5))


@kernel
def luma_of(red: int, green: int, blue: int) -> int:
    """`convert("L")` of one colour, inside kernels; `ensemble.arrays.luma` elsewhere."""
    return (RED * red + GREEN * green + BLUE * blue + HALF) >> 16


@kernel
def _fit(gray: float, chroma: float) -> float:
    """The largest t <= 1 with gray + t * chroma in 0..255."""
    if chroma > 255.0 - gray:
        return (255.0 - gray) / chroma
    if chroma < -gray:
        return -gray / chroma
    return 1.0


@kernel
def _settle(colour: Any, wanted: int) -> None:
    """Undo a tie that rounding decided the other way: step one channel until the luma is met."""
    for channel in (2, 0, 1):
        luma = luma_of(int(colour[0]), int(colour[1]), int(colour[2]))
        if luma > wanted and colour[channel] > 0:
            colour[channel] -= 1
        elif luma < wanted and colour[channel] < 255:
            colour[channel] += 1
