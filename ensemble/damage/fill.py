"""The hole filled by classical inpainting, before any network.

Two methods are OpenCV's. Three are surfaces of least energy (see `surface`): harmonic, biharmonic,
and the spline in tension that lies between them. Photographs are rougher than a plate and smoother
than a soap film, so the spline has the highest masked SSIM of all (`benchmarks/fill.py`). `rows`
joins the ends of each row by a line. Alone it is the worst; but the masked SSIM reads the hole row
by row, so beside the others it tells what they do not (`ensemble.composition.minimum_risk`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, check_gray, check_mask
from ensemble.damage.surface import Energy, fit_surface
from ensemble.errors import ArrayError, ConfigError
from ensemble.vocabulary import FILLS

_RADIUS = 3
_TENSION = 0.4


def fill_hole(damaged: Gray, lost_mask: Mask, *, method: str = "spline") -> Gray:
    """Fill the hole from its rim.

    Args:
        damaged: (H, W) uint8.
        lost_mask: (H, W) bool, True = lost.
        method: One of `FILLS`: OpenCV's Navier-Stokes or Telea; a surface: harmonic,
            biharmonic (as scikit-image's, to a gray level), or the spline in tension; or rows.

    Returns:
        (H, W) uint8, a new array, equal to `damaged` outside the hole. Without a hole, a copy.

    Raises:
        ArrayError: Another shape or dtype, or every pixel is lost.
        ConfigError: An unknown method.

    >>> gray = np.full((8, 8), 90, dtype=np.uint8)
    >>> lost_mask = np.zeros((8, 8), dtype=bool)
    >>> lost_mask[2:5, 2:5] = True
    >>> damaged = np.where(lost_mask, np.uint8(7), gray)
    >>> np.array_equal(fill_hole(damaged, lost_mask, method="harmonic"), gray)
    True
    """
    check_gray(damaged, name="damaged")
    check_mask(lost_mask, shape=damaged.shape, name="lost_mask")
    fill = _METHODS.get(method)
    if fill is None:
        raise ConfigError(f"`method` must be one of {', '.join(FILLS)}, but is {method!r}")
    if lost_mask.all():
        raise ArrayError("filling needs at least one pixel that is not lost, but all are")
    if not lost_mask.any():
        return damaged.copy()
    return np.where(lost_mask, fill(damaged, lost_mask), damaged)


def fill_in_ways(damaged: Gray, lost_mask: Mask, methods: Sequence[str]) -> NDArray[np.uint8]:
    """Fill the hole in several ways: (H, W, K) uint8, a plane for each method of `fill_hole`."""
    planes = [fill_hole(damaged, lost_mask, method=method) for method in methods]
    return np.stack(planes, axis=-1)


def _opencv(damaged: Gray, lost_mask: Mask, *, algorithm: int) -> Gray:
    return np.asarray(
        cv2.inpaint(damaged, lost_mask.astype(np.uint8), _RADIUS, algorithm), dtype=np.uint8
    )


def _surface(damaged: Gray, lost_mask: Mask, *, energy: Energy) -> Gray:
    """A surface, held within the known grays: one that bends can overshoot them without bound."""
    known = damaged[~lost_mask]
    filled = damaged.copy()
    lost = np.rint(fit_surface(damaged.astype(np.float64), lost_mask, energy))
    filled[lost_mask] = np.clip(lost, known.min(), known.max()).astype(np.uint8)
    return filled


def _rows(damaged: Gray, lost_mask: Mask) -> Gray:
    """Each row by itself, linear between its known pixels; a row without any as the spline has it.

    At the picture's border the nearest known pixel of the row is repeated.
    """
    filled, empty = damaged.copy(), lost_mask.all(axis=1)
    cut = lost_mask.any(axis=1) & ~empty
    filled[cut] = _join_ends(damaged[cut], lost_mask[cut])
    if empty.any():
        filled[empty] = _METHODS["spline"](damaged, lost_mask)[empty]
    return filled


def _join_ends(damaged: Gray, lost_mask: Mask) -> Gray:
    width = damaged.shape[1]
    x = np.arange(width)
    left = np.maximum.accumulate(np.where(lost_mask, -1, x), axis=1)
    right = np.minimum.accumulate(np.where(lost_mask, width, x)[:, ::-1], axis=1)[:, ::-1]
    start, end = np.where(left < 0, right, left), np.where(right == width, left, right)
    first, last = (
        np.take_along_axis(damaged, side, axis=1).astype(np.float64) for side in (start, end)
    )
    # Of integers, so that the line is the same from both sides to the last bit.
    line = (first * (end - x) + last * (x - start)) / np.maximum(end - start, 1)
    line = np.where(start == end, first, line)
    return np.where(lost_mask, np.rint(line).astype(np.uint8), damaged)


_METHODS = MappingProxyType[str, Callable[[Gray, Mask], Gray]](
    {
        "navier-stokes": partial(_opencv, algorithm=cv2.INPAINT_NS),
        "telea": partial(_opencv, algorithm=cv2.INPAINT_TELEA),
        "harmonic": partial(_surface, energy=Energy(bending=0.0, tension=1.0)),
        "biharmonic": partial(_surface, energy=Energy(bending=1.0, tension=0.0)),
        "spline": partial(_surface, energy=Energy(bending=1.0, tension=_TENSION)),
        "rows": _rows,
    }
)
