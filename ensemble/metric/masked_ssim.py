"""SSIM of the lost pixels, taken in raster order and windowed along that scan line.

`picture[mask]` is a list of pixels: the competition's masked SSIM is therefore one-dimensional. A
window of 7 joins pixels that were no neighbours wherever a row of the hole ends, so the term
changes when a picture is transposed or flipped.

Source: `skimage.metrics.structural_similarity(target[mask], pred[mask], channel_axis=-1)`.
Tolerance: 1e-12. The formula is that of `ensemble.metric.ssim` with n = 7.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Mask
from ensemble.metric.compiled import kernel
from ensemble.metric.ssim import WINDOW, Planes, constants

Runs = NDArray[np.int64]
"""(R, 2) int64: where each run of lost pixels starts in the raster, and where it ends."""


def runs_of(lost_mask: Mask) -> Runs:
    """The runs of lost pixels of a (H, W) mask, in raster order.

    A hole is a few hundred runs: cheaper to keep, and to copy by, than its pixels' positions.

    >>> runs_of(np.array([[False, True, True], [True, False, True]])).tolist()
    [[1, 4], [5, 6]]
    """
    edges = np.diff(lost_mask.ravel().view(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges).reshape(-1, 2)


def gather(planes: Planes, runs: Runs) -> NDArray[np.uint8]:
    """The lost pixels (C, N) of the planes (C, H, W), in raster order."""
    return _gather(planes.reshape(planes.shape[0], -1), runs)


def masked_ssim(*, pred: NDArray[np.uint8], target: NDArray[np.uint8], pred_range: int) -> float:
    """Mean SSIM along the scan line of lost pixels.

    Args:
        pred: The lost pixels of pred, (C, N) uint8 from `gather`, N at least 7.
        target: Those of the target, the same shape.
        pred_range: `data_range` of the WHOLE pred, not of its lost pixels.

    Returns:
        The mean over channels and windows; NaN where pred is constant and target has 7 equal
        lost pixels in a row.
    """
    c1, c2 = constants(pred_range, WINDOW)
    channels, lost = target.shape
    return float(_sum_along(target, pred, c1, c2)) / (channels * (lost - WINDOW + 1))


@kernel
def _gather(planes: Any, runs: Any) -> Any:
    lost = 0
    for run in range(runs.shape[0]):
        lost += runs[run, 1] - runs[run, 0]
    pixels = np.empty((planes.shape[0], lost), dtype=np.uint8)
    for channel in range(planes.shape[0]):
        at = 0
        for run in range(runs.shape[0]):
            for j in range(runs[run, 0], runs[run, 1]):
                pixels[channel, at] = planes[channel, j]
                at += 1
    return pixels


@kernel
def _sum_along(x: Any, y: Any, c1: float, c2: float) -> float:
    channels, lost = x.shape
    windows = lost - WINDOW + 1
    sums = np.zeros(windows, dtype=np.float64)
    for channel in range(channels):
        _add_line(sums, x[channel], y[channel], c1, c2)
    return sums.sum()


@kernel
def _add_line(sums: Any, x: Any, y: Any, c1: float, c2: float) -> None:
    for j in range(sums.shape[0]):
        sx, sy, squares, products = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
        for k in range(WINDOW):
            a, b = np.int32(x[j + k]), np.int32(y[j + k])
            sx += a
            sy += b
            squares += a * a + b * b
            products += a * b
        fx, fy = np.float64(sx), np.float64(sy)
        cross, power = fx * fy, fx * fx + fy * fy
        top = (2.0 * cross + c1) * (2.0 * (7.0 * products - cross) + c2)
        sums[j] += top / ((power + c1) * (7.0 * squares - power + c2))
