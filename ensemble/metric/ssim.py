"""SSIM as scikit-image computes it, from exact integer window sums.

For a window of n pixels of x (target) and y (pred), scikit-image's uniform filter and sample
covariance give, with C1 = (0.01 R)^2, C2 = (0.03 R)^2 and R the data range of pred,

    (2 ux uy + C1) (2 vxy + C2) / ((ux^2 + uy^2 + C1) (vx + vy + C2)).

Multiplied by n^4 and by the sample correction, every moment is an integer below 2^31:

    (2 Sx Sy + c1) (2 (n Sxy - Sx Sy) + c2) / ((Sx^2 + Sy^2 + c1) (n (Sxx + Syy) - Sx^2 - Sy^2 + c2))

where c1 = n^2 C1 and c2 = n (n - 1) C2. The sums of 8-bit pixels are exact, so only this closing
formula rounds.

Source: `skimage.metrics.structural_similarity` with its defaults. Tolerance: 1e-12.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.metric.compiled import kernel

WINDOW = 7
K1, K2 = 0.01, 0.03

Planes = NDArray[np.uint8]
"""(C, H, W) uint8: one plane a channel, each contiguous."""


def constants(data_range: int, pixels: int) -> tuple[float, float]:
    """The two stabilising constants, scaled for a window of `pixels` pixels.

    Args:
        data_range: Brightest less darkest value of the whole pred, over all channels: 0..255.
        pixels: Pixels of a window: 49 in a picture, 7 along a scan line.

    Returns:
        (c1, c2) as in the formula above.
    """
    c1 = (K1 * data_range) ** 2 * pixels**2
    c2 = (K2 * data_range) ** 2 * (pixels * (pixels - 1))
    return c1, c2


def data_range(pred: NDArray[np.uint8]) -> int:
    """Brightest less darkest value of `pred`, over all channels: 0 where it is constant."""
    return int(pred.max()) - int(pred.min())


def ssim(*, pred: Planes, target: Planes, pred_range: int) -> float:
    """Mean SSIM of the planes of two pictures.

    Args:
        pred: (C, H, W) uint8, contiguous, H and W at least 7.
        target: The same shape.
        pred_range: `data_range` of the whole pred.

    Returns:
        The mean over channels and windows; NaN where pred is constant and target has a flat
        window, for which the formula is 0 / 0.
    """
    c1, c2 = constants(pred_range, WINDOW * WINDOW)
    channels, height, width = target.shape
    windows = channels * (height - WINDOW + 1) * (width - WINDOW + 1)
    return float(_sum_of_planes(target, pred, c1, c2)) / windows


@kernel
def _sum_of_planes(x: Planes, y: Planes, c1: float, c2: float) -> float:
    total = 0.0
    for channel in range(x.shape[0]):
        total += _sum_of_plane(x[channel], y[channel], c1, c2)
    return total


@kernel
def _sum_of_plane(x: Any, y: Any, c1: float, c2: float) -> float:
    height, width = x.shape
    columns = np.zeros((4, width), dtype=np.int32)
    sums = np.zeros(width - WINDOW + 1, dtype=np.float64)
    for row in range(WINDOW - 1):
        _enter_row(columns, x[row], y[row])
    for row in range(WINDOW - 1, height):
        _enter_row(columns, x[row], y[row])
        _add_windows(sums, columns, c1, c2)
        _leave_row(columns, x[row - WINDOW + 1], y[row - WINDOW + 1])
    return sums.sum()


@kernel
def _enter_row(columns: Any, x: Any, y: Any) -> None:
    for j in range(x.shape[0]):
        a, b = np.int32(x[j]), np.int32(y[j])
        columns[0, j] += a
        columns[1, j] += b
        columns[2, j] += a * a + b * b
        columns[3, j] += a * b


@kernel
def _leave_row(columns: Any, x: Any, y: Any) -> None:
    for j in range(x.shape[0]):
        a, b = np.int32(x[j]), np.int32(y[j])
        columns[0, j] -= a
        columns[1, j] -= b
        columns[2, j] -= a * a + b * b
        columns[3, j] -= a * b


@kernel
def _add_windows(sums: Any, columns: Any, c1: float, c2: float) -> None:
    for j in range(sums.shape[0]):
        sx, sy, squares, products = np.int32(0), np.int32(0), np.int32(0), np.int32(0)
        for k in range(WINDOW):
            sx += columns[0, j + k]
            sy += columns[1, j + k]
            squares += columns[2, j + k]
            products += columns[3, j + k]
        fx, fy = np.float64(sx), np.float64(sy)
        cross, power = fx * fy, fx * fx + fy * fy
        top = (2.0 * cross + c1) * (2.0 * (49.0 * products - cross) + c2)
        sums[j] += top / ((power + c1) * (49.0 * squares - power + c2))
