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
from ensemble.compiled import kernel
from ensemble.metric.ssim import WINDOW, Planes, add_windows, constants, moments_of

BLOCK = 512
"""Windows summed at a time, so that their sums stay in the first cache."""

Runs = NDArray[np.int64]
"""(R, 2) int64: where each run of lost pixels starts in the raster, and where it ends."""


def runs_of(lost_mask: Mask) -> Runs:
    """The runs of lost pixels of a (H, W) mask, in raster order.

    A hole is a few hundred runs: cheaper to keep, and to copy by, than its pixels' positions.

    >>> runs_of(np.array([[False, True, True], [True, False, True]])).tolist()
    [[1, 4], [5, 6]]
    """
    return _runs(np.ascontiguousarray(lost_mask).ravel())


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
    return 4 * float(_quarter_along(target, pred, c1, c2)) / (channels * (lost - WINDOW + 1))


@kernel
def _runs(lost: Any) -> Any:
    edges = 0
    before = False
    for j in range(lost.shape[0]):
        edges += lost[j] != before
        before = lost[j]
    runs = np.full(edges + edges % 2, lost.shape[0], dtype=np.int64)
    edge = 0
    before = False
    for j in range(lost.shape[0]):
        if lost[j] != before:
            runs[edge] = j
            edge += 1
            before = lost[j]
    return runs.reshape(-1, 2)


@kernel
def _gather(planes: Any, runs: Any) -> Any:
    lost = 0
    for run in range(runs.shape[0]):
        lost += runs[run, 1] - runs[run, 0]
    pixels = np.empty((planes.shape[0], lost), dtype=np.uint8)
    for channel in range(planes.shape[0]):
        at = 0
        for run in range(runs.shape[0]):
            found = planes[channel, runs[run, 0] : runs[run, 1]]
            _copy(pixels[channel, at : at + found.shape[0]], found)
            at += found.shape[0]
    return pixels


@kernel
def _copy(to: Any, source: Any) -> None:
    for j in range(to.shape[0]):
        to[j] = source[j]


@kernel
def _quarter_along(x: Any, y: Any, c1: float, c2: float) -> float:
    channels, lost = x.shape
    windows = lost - WINDOW + 1
    moments = moments_of(min(BLOCK, windows))
    products = np.empty((2, min(BLOCK, windows) + WINDOW - 1), dtype=np.float32)
    for channel in range(channels):
        for start in range(0, windows, BLOCK):
            a = x[channel, start : start + BLOCK + WINDOW - 1]
            b = y[channel, start : start + BLOCK + WINDOW - 1]
            multiply(products[0], products[1], a, b)
            add_windows(moments, a, b, products[0], products[1], 7.0, c1, c2)
    return moments[2].sum()


@kernel
def multiply(squares: Any, cross: Any, x: Any, y: Any) -> None:
    """Fill (N,) float32 with x^2 + y^2 and with x y of (N,) uint8."""
    for j in range(x.shape[0]):
        a, b = np.float32(x[j]), np.float32(y[j])
        squares[j] = a * a + b * b
        cross[j] = a * b
