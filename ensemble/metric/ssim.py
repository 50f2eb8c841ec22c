"""SSIM as scikit-image computes it, from exact integer window sums.

For a window of n pixels of x (target) and y (pred), scikit-image's uniform filter and sample
covariance give, with C1 = (0.01 R)^2, C2 = (0.03 R)^2 and R the data range of pred,

    (2 ux uy + C1) (2 vxy + C2) / ((ux^2 + uy^2 + C1) (vx + vy + C2)).

Multiplied by n^4 and by the sample correction, every moment is an integer below 2^31:

          (2 Sx Sy + c1) (2 (n Sxy - Sx Sy) + c2)
    ---------------------------------------------------
    (Sx^2 + Sy^2 + c1) (n (Sxx + Syy) - Sx^2 - Sy^2 + c2)

where c1 = n^2 C1 and c2 = n (n - 1) C2. The sums of 8-bit pixels are exact, so only this closing
formula rounds.

Source: `skimage.metrics.structural_similarity` with its defaults. Tolerance: 1e-12, and 3e-8 / R^2
where that is more: with so small an R, scikit-image's running sums round visibly over smooth areas,
while these sums stay within 1e-14 of the formula in rational numbers (both asserted in the tests).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.compiled import kernel

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
    values = np.zeros((2, width), dtype=np.int16)
    products = np.zeros((2, width), dtype=np.int32)
    sums = np.zeros(width - WINDOW + 1, dtype=np.float64)
    for row in range(WINDOW):
        _enter_row(values, products, x[row], y[row])
    _add_windows(sums, values, products, c1, c2)
    for row in range(WINDOW, height):
        _slide_row(values, products, x[row], y[row], x[row - WINDOW], y[row - WINDOW])
        _add_windows(sums, values, products, c1, c2)
    return sums.sum()


@kernel
def _enter_row(values: Any, products: Any, x: Any, y: Any) -> None:
    for j in range(x.shape[0]):
        a, b = np.int32(x[j]), np.int32(y[j])
        values[0, j] += a
        values[1, j] += b
        products[0, j] += a * a + b * b
        products[1, j] += a * b


@kernel
def _slide_row(values: Any, products: Any, x: Any, y: Any, x_gone: Any, y_gone: Any) -> None:
    for j in range(x.shape[0]):
        a, b, c, d = np.int32(x[j]), np.int32(y[j]), np.int32(x_gone[j]), np.int32(y_gone[j])
        values[0, j] += a - c
        values[1, j] += b - d
        products[0, j] += (a - c) * (a + c) + (b - d) * (b + d)
        products[1, j] += a * b - c * d


@kernel
def _add_windows(sums: Any, values: Any, products: Any, c1: float, c2: float) -> None:
    of_x, of_y, of_squares, of_cross = values[0], values[1], products[0], products[1]
    for j in range(sums.shape[0]):
        sx, sy = np.float64(seven(of_x, j)), np.float64(seven(of_y, j))
        squares, cross = np.float64(seven(of_squares, j)), np.float64(seven(of_cross, j))
        sums[j] += closing(sx, sy, squares, cross, 49.0, c1, c2)


@kernel
def seven(sums: Any, j: int) -> Any:
    """The sum of 7 neighbours from `j` on, as int32: 32-bit lanes are twice as many as 64-bit."""
    return np.int32(
        sums[j] + sums[j + 1] + sums[j + 2] + sums[j + 3] + sums[j + 4] + sums[j + 5] + sums[j + 6]
    )


@kernel
def closing(
    sx: float, sy: float, squares: float, cross: float, n: float, c1: float, c2: float
) -> float:
    """The closing formula, from Sx, Sy, Sxx + Syy and Sxy of one window of `n` pixels."""
    both, power = sx * sy, sx * sx + sy * sy
    top = (2.0 * both + c1) * (2.0 * (n * cross - both) + c2)
    return top / ((power + c1) * (n * squares - power + c2))
