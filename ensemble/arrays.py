"""The arrays that rooms hand to each other, and the checks at their doors.

Pictures are uint8 in data, metric, composition and submission: `Rgb` (H, W, 3), `Gray` (H, W).
A `Mask` is bool (H, W), True where the picture is lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import ArrayError

Rgb = NDArray[np.uint8]
Gray = NDArray[np.uint8]
Mask = NDArray[np.bool_]

LUMA_WEIGHTS = (19595, 38470, 7471)
"""Of red, green and blue in Pillow's `convert("L")`, in 1/65536; they sum to 65536."""

LUMA_HALF = 32768
"""Added before the division by 65536, to round."""


def check_rgb(array: NDArray[Any], *, name: str) -> Rgb:
    """Return `array` if it is an RGB picture, (H, W, 3) uint8.

    Raises:
        ArrayError: It has another shape or dtype; it is called `name`, a file or an image id.
    """
    if array.ndim != 3 or array.shape[-1] != 3:
        raise ArrayError(f"`{name}` must be RGB of shape (H, W, 3), but got shape {array.shape}")
    return _check_dtype(array, np.uint8, name)


def check_gray(array: NDArray[Any], *, name: str) -> Gray:
    """Return `array` if it is a gray picture, (H, W) uint8; see `check_rgb`."""
    _check_two_dimensions(array, name)
    return _check_dtype(array, np.uint8, name)


def check_mask(array: NDArray[Any], *, shape: tuple[int, ...], name: str) -> Mask:
    """Return `array` if it is a mask, (H, W) bool, of the height and width that begin `shape`."""
    _check_two_dimensions(array, name)
    if array.shape != tuple(shape[:2]):
        raise ArrayError(
            f"`{name}` must be as large as its picture, {tuple(shape[:2])}, but is {array.shape}"
        )
    return _check_dtype(array, np.bool_, name)


def luma(rgb: Rgb) -> Gray:
    """PIL's `convert("L")`: Rec. 601 luma in 16-bit fixed point, rounded.

    Args:
        rgb: (..., 3) uint8.

    Returns:
        (...) uint8.

    Source: Pillow's `L24` macro; equal on all 2^24 colors (asserted in the tests).

    >>> int(luma(np.array([255, 0, 0], dtype=np.uint8)))
    76
    """
    red, green, blue = (
        weight * rgb[..., channel].astype(np.uint32) for channel, weight in enumerate(LUMA_WEIGHTS)
    )
    return ((red + green + blue + LUMA_HALF) >> 16).astype(np.uint8)


def _check_two_dimensions(array: NDArray[Any], name: str) -> None:
    if array.ndim != 2:
        raise ArrayError(f"`{name}` must have the shape (H, W), but got shape {array.shape}")


def _check_dtype(array: NDArray[Any], dtype: type, name: str) -> NDArray[Any]:
    if array.dtype != dtype:
        raise ArrayError(f"`{name}` must be {np.dtype(dtype)}, but is {array.dtype}")
    return array
