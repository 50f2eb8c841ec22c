"""The hole as a soap film: each lost pixel the mean of its neighbours, the rim as it is.

That is the discrete Laplace equation. It is the least-squares guess for pictures whose spectrum
falls with the square of the frequency, as photographs' does, and of the classical fills the one
with the highest masked SSIM.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.compiled import kernel

_SWEEPS = 60
_RELAXATION = 1.9
_SMALLEST = 8

Plane = NDArray[np.float64]


def fill_harmonically(damaged: Gray, lost_mask: Mask) -> Gray:
    """Solve the Laplace equation in the hole; the picture's edge is free where the hole meets it.

    Solved coarse to fine, each level by successive over-relaxation from the coarser one's
    solution, to about a gray level at worst.

    Args:
        damaged: (H, W) uint8.
        lost_mask: (H, W) bool, not wholly True.

    Returns:
        (H, W) uint8, equal to `damaged` outside the hole.

    Source: Briggs, Henson, McCormick, "A Multigrid Tutorial" (2000), nested iteration.
    """
    filled = _solve(np.where(lost_mask, 0.0, damaged), lost_mask)
    return np.where(lost_mask, np.rint(filled), damaged).astype(np.uint8)


def _solve(known: Plane, lost: Mask) -> Plane:
    filled = np.where(lost, _first_guess(known, lost), known)
    rows, columns = np.nonzero(lost)
    _relax(filled, rows, columns, _SWEEPS)
    return filled


def _first_guess(known: Plane, lost: Mask) -> Plane:
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
