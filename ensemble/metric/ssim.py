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

How it is computed, so that every processor adds and multiplies as many numbers at a time as it can:
numba widens integers to 64 bits in products, which compilers do not narrow again, hence sums of
pixels are int16 (at most 12,495) and sums of products float32 (integers below 2^23, so exact). Each
loop handles numbers of one width, and only the closing formula float64.

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


def constants(data_range: float, pixels: int) -> tuple[float, float]:
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
    return 4 * float(_quarter_of_planes(target, pred, c1, c2)) / windows


@kernel
def _quarter_of_planes(x: Planes, y: Planes, c1: float, c2: float) -> float:
    total = 0.0
    for channel in range(x.shape[0]):
        total += _quarter_of_plane(x[channel], y[channel], c1, c2)
    return total


@kernel
def _quarter_of_plane(x: Any, y: Any, c1: float, c2: float) -> float:
    height, width = x.shape
    columns = np.zeros((2, width), dtype=np.int16)
    products = np.zeros((2, width), dtype=np.float32)
    moments = moments_of(width - WINDOW + 1)
    nothing = np.zeros(width, dtype=np.uint8)
    for row in range(height):
        above = row - WINDOW
        x_gone, y_gone = (x[above], y[above]) if above >= 0 else (nothing, nothing)
        _slide(columns[0], x[row], x_gone)
        _slide(columns[1], y[row], y_gone)
        _slide_products(products[0], products[1], x[row], y[row], x_gone, y_gone)
        if above >= -1:
            add_windows(moments, columns[0], columns[1], products[0], products[1], 49.0, c1, c2)
    return moments[2].sum()


@kernel
def _slide(sums: Any, values: Any, gone: Any) -> None:
    for j in range(sums.shape[0]):
        sums[j] += np.int16(values[j]) - np.int16(gone[j])


@kernel
def _slide_products(squares: Any, cross: Any, x: Any, y: Any, x_gone: Any, y_gone: Any) -> None:
    for j in range(squares.shape[0]):
        a, b = np.float32(x[j]), np.float32(y[j])
        c, d = np.float32(x_gone[j]), np.float32(y_gone[j])
        squares[j] += (a - c) * (a + c) + (b - d) * (b + d)
        cross[j] += a * b - c * d


@kernel
def moments_of(windows: int) -> Any:
    """Room for the moments of a row of windows (int16, float32), and their zeroed SSIM sums."""
    values = np.empty((2, windows), dtype=np.int16)
    products = np.empty((2, windows), dtype=np.float32)
    return values, products, np.zeros(windows, dtype=np.float64)


@kernel
def add_windows(
    moments: Any, x: Any, y: Any, squares: Any, cross: Any, n: float, c1: float, c2: float
) -> None:
    """Add a quarter of the SSIM of each 7 neighbours to the sums in `moments`.

    A quarter, because both factors above the line are halved: two operations less, the same bits.

    Args:
        moments: `moments_of` the most windows there will be.
        x: (N,) sums of the target along columns, or its pixels where windows are one pixel high.
        y: The same of pred.
        squares: (N,) float32, the same of x^2 + y^2.
        cross: (N,) float32, the same of x y.
        n: Pixels of a window.
        c1: See `constants`.
        c2: See `constants`.
    """
    values, products, sums = moments
    windows = x.shape[0] - WINDOW + 1
    _fill_sevens(values[0, :windows], x)
    _fill_sevens(values[1, :windows], y)
    _fill_sevens(products[0, :windows], squares)
    _fill_sevens(products[1, :windows], cross)
    _close(sums[:windows], values[0], values[1], products[0], products[1], n, c1, c2)


@kernel
def _fill_sevens(out: Any, x: Any) -> None:
    for j in range(out.shape[0]):
        out[j] = x[j] + x[j + 1] + x[j + 2] + x[j + 3] + x[j + 4] + x[j + 5] + x[j + 6]


@kernel
def _close(
    sums: Any, of_x: Any, of_y: Any, squares: Any, cross: Any, n: float, c1: float, c2: float
) -> None:
    half_c1, half_c2 = 0.5 * c1, 0.5 * c2
    for j in range(sums.shape[0]):
        sx, sy = np.float64(of_x[j]), np.float64(of_y[j])
        both, power = sx * sy, sx * sx + sy * sy
        top = (both + half_c1) * (n * np.float64(cross[j]) - both + half_c2)
        sums[j] += top / ((power + c1) * (n * np.float64(squares[j]) - power + c2))
