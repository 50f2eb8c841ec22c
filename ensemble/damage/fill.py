"""The hole filled by classical inpainting, before any network.

Three methods are OpenCV's and scikit-image's. The fourth solves the discrete Laplace equation: each
lost pixel is the mean of its neighbors, the rim stays as it is. That is the least-squares estimate
for pictures whose spectrum falls with the square of the frequency, as photographs' does, and of
the four it has the highest masked SSIM.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic

from ensemble.arrays import Gray, Mask, check_gray, check_mask
from ensemble.compiled import kernel
from ensemble.errors import ArrayError, ConfigError

_RADIUS = 3
_SWEEPS = 60
_RELAXATION = 1.9
_SMALLEST = 8

Plane = NDArray[np.float64]


def fill_hole(damaged: Gray, lost_mask: Mask, *, method: str = "navier-stokes") -> Gray:
    """Fill the hole from its rim.

    Args:
        damaged: (H, W) uint8.
        lost_mask: (H, W) bool, True = lost.
        method: One of `METHODS`: OpenCV's Navier-Stokes (a few ms) or Telea, scikit-image's
            biharmonic, which solves one sparse system and takes seconds on a large hole, or our
            harmonic, to about a gray level at worst.

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
        raise ConfigError(f"`method` must be one of {', '.join(METHODS)}, but is {method!r}")
    if lost_mask.all():
        raise ArrayError("filling needs at least one pixel that is not lost, but all are")
    if not lost_mask.any():
        return damaged.copy()
    return np.where(lost_mask, fill(damaged, lost_mask), damaged)


def _navier_stokes(damaged: Gray, lost_mask: Mask) -> Gray:
    return _opencv(damaged, lost_mask, cv2.INPAINT_NS)


def _telea(damaged: Gray, lost_mask: Mask) -> Gray:
    return _opencv(damaged, lost_mask, cv2.INPAINT_TELEA)


def _opencv(damaged: Gray, lost_mask: Mask, algorithm: int) -> Gray:
    return np.asarray(
        cv2.inpaint(damaged, lost_mask.astype(np.uint8), _RADIUS, algorithm), dtype=np.uint8
    )


def _biharmonic(damaged: Gray, lost_mask: Mask) -> Gray:
    filled: NDArray[np.float64] = inpaint_biharmonic(damaged / 255.0, lost_mask)
    return np.clip(np.rint(filled * 255.0), 0, 255).astype(np.uint8)


def _harmonic(damaged: Gray, lost_mask: Mask) -> Gray:
    """Solve the Laplace equation in the hole; the picture's edge is free where the hole meets it.

    Solved coarse to fine, each level by successive over-relaxation from the coarser one's solution.

    Source: Briggs, Henson, McCormick, "A Multigrid Tutorial" (2000), nested iteration.
    """
    filled = _solve(np.where(lost_mask, 0.0, damaged), lost_mask)
    return np.where(lost_mask, np.rint(filled), damaged).astype(np.uint8)


def _solve(known: Plane, lost: Mask) -> Plane:
    filled = np.where(lost, _estimate_coarsely(known, lost), known)
    rows, columns = np.nonzero(lost)
    _relax(filled, rows, columns, _SWEEPS)
    return filled


def _estimate_coarsely(known: Plane, lost: Mask) -> Plane:
    """The solution at half the size, enlarged; at the smallest size the mean of what is known."""
    if not lost.any() or min(lost.shape) <= _SMALLEST:
        return np.full(known.shape, known[~lost].mean())
    height, width = lost.shape
    weights = _halve((~lost).astype(np.float64))
    means = _halve(np.where(lost, 0.0, known)) / np.maximum(weights, 0.25)
    coarse = _solve(np.where(weights > 0, means, 0.0), weights == 0)
    rows, columns = coarse.shape
    enlarged = cv2.resize(coarse, (2 * columns, 2 * rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged[:height, :width], dtype=np.float64)


def _halve(plane: Plane) -> Plane:
    """Means of 2 x 2 pixels; an odd side is padded with zeros."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)))
    blocks = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float64)


@kernel
def _relax(filled: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any], sweeps: int) -> None:
    height, width = filled.shape
    for _ in range(sweeps):
        for k in range(rows.size):
            y, x = rows[k], columns[k]
            total, count = 0.0, 0
            if y > 0:
                total, count = total + filled[y - 1, x], count + 1
            if y < height - 1:
                total, count = total + filled[y + 1, x], count + 1
            if x > 0:
                total, count = total + filled[y, x - 1], count + 1
            if x < width - 1:
                total, count = total + filled[y, x + 1], count + 1
            filled[y, x] += _RELAXATION * (total / count - filled[y, x])


_METHODS = MappingProxyType[str, Callable[[Gray, Mask], Gray]](
    {
        "navier-stokes": _navier_stokes,
        "telea": _telea,
        "biharmonic": _biharmonic,
        "harmonic": _harmonic,
    }
)
METHODS = tuple(_METHODS)
