"""SSIM as scikit-image computes it, of a picture and of its lost pixels, from exact integer sums.

For a window of n pixels of x (target) and y (pred), scikit-image's uniform filter and sample
covariance give, with C1 = (0.01 R)^2, C2 = (0.03 R)^2 and R the data range of pred,

    (2 ux uy + C1) (2 vxy + C2) / ((ux^2 + uy^2 + C1) (vx + vy + C2)).

Multiplied by n^4 and by the sample correction, every moment is an integer below 2^31:

          (2 Sx Sy + c1) (2 (n Sxy - Sx Sy) + c2)
    ---------------------------------------------------
    (Sx^2 + Sy^2 + c1) (n (Sxx + Syy) - Sx^2 - Sy^2 + c2)

where c1 = n^2 C1 and c2 = n (n - 1) C2. The sums of 8-bit pixels are exact, so only this closing
formula rounds.

The competition's masked SSIM is that of `picture[mask]`, a list of pixels in raster order, so it is
one-dimensional: a window of 7 joins pixels that are no neighbors wherever a row of the hole ends,
and the term changes when a picture is transposed or flipped. The formula is the same with n = 7.

How it is computed, so that every processor adds and multiplies as many numbers at a time as it can:
numba widens integers to 64 bits in products, which compilers do not narrow again, hence sums of
pixels are int16 (at most 12,495) and sums of products float32 (integers below 2^23, so exact). Each
loop handles numbers of one width, and only the closing formula float64.

Source: `skimage.metrics.structural_similarity` with its defaults; for lost pixels, of
`target[mask], pred[mask]` with `channel_axis=-1`. Tolerance: 1e-12, and 3e-8 / R^2 where that is
more: with so small an R, scikit-image's running sums round visibly over smooth areas, while these
sums stay within 1e-14 of the formula in rational numbers (both asserted in the tests).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Mask, Rgb
from ensemble.compiled import kernel

WINDOW = 7
K1, K2 = 0.01, 0.03

_BLOCK = 512
"""Windows along the scan line that are summed at a time, so that their sums stay in the cache."""

Planes = NDArray[np.uint8]
"""(C, H, W) uint8: one plane a channel, each contiguous."""

Runs = NDArray[np.int64]
"""(R, 2) int64: where each run of lost pixels starts in the raster, and where it ends."""


def to_planes(rgb: Rgb) -> Planes:
    """The planes (3, H, W) of a picture (H, W, 3)."""
    planes = np.empty((3, *rgb.shape[:2]), dtype=np.uint8)
    cv2.split(np.ascontiguousarray(rgb), list(planes))
    return planes


def data_range(pred: NDArray[np.uint8]) -> int:
    """Brightest less darkest value of `pred`, over all channels: 0 where it is constant."""
    return int(pred.max()) - int(pred.min())


def constants(data_range: float, pixels: int) -> tuple[float, float]:
    """The two stabilizing constants (c1, c2) of the formula above, scaled for a window.

    Args:
        data_range: Brightest less darkest value of the whole pred, over all channels: 0..255.
        pixels: Pixels of a window: 49 in a picture, 7 along a scan line.
    """
    c1 = (K1 * data_range) ** 2 * pixels**2
    c2 = (K2 * data_range) ** 2 * (pixels * (pixels - 1))
    return c1, c2


def ssim(*, pred: Planes, target: Planes, pred_range: int) -> float:
    """Mean SSIM, over channels and windows, of the planes of two pictures.

    Both are (C, H, W), contiguous, H and W at least 7; `pred_range` is the `data_range` of the
    whole pred. NaN where pred is constant and target has a flat window, for which the formula is 0
    / 0.
    """
    c1, c2 = constants(pred_range, WINDOW * WINDOW)
    channels, height, width = target.shape
    windows = channels * (height - WINDOW + 1) * (width - WINDOW + 1)
    return 4 * float(_sum_over_planes(target, pred, c1, c2)) / windows


def ssim_of_lost(*, pred: NDArray[np.uint8], target: NDArray[np.uint8], pred_range: int) -> float:
    """Mean SSIM along the scan line of lost pixels.

    Both are (C, N) uint8 from `gather`, N at least 7; `pred_range` is the `data_range` of the WHOLE
    pred, not of its lost pixels. NaN where pred is constant and target has 7 equal lost pixels in a
    row.
    """
    c1, c2 = constants(pred_range, WINDOW)
    channels, lost = target.shape
    return 4 * float(_sum_along_scan(target, pred, c1, c2)) / (channels * (lost - WINDOW + 1))


def find_runs(lost_mask: Mask) -> Runs:
    """Find the runs of lost pixels of a (H, W) mask, in raster order.

    A hole is a few hundred runs: cheaper to keep, and to copy by, than its pixels' positions.

    >>> find_runs(np.array([[False, True, True], [True, False, True]])).tolist()
    [[1, 4], [5, 6]]
    """
    lost = np.zeros(lost_mask.size + 2, dtype=np.bool_)
    lost[1:-1] = lost_mask.ravel()
    return np.flatnonzero(lost[1:] != lost[:-1]).reshape(-1, 2)


def gather(planes: Planes, runs: Runs) -> NDArray[np.uint8]:
    """The lost pixels (C, N) of the planes (C, H, W), in raster order."""
    return _gather(planes.reshape(planes.shape[0], -1), runs)


@kernel
def quarter_ssim(
    product: float, covariance: float, power: float, variance: float, c1: float, c2: float
) -> float:
    """A quarter of SSIM, the closing formula: both factors above the line are halved.

    That is two operations less for the same bits. Product is ux uy, covariance vxy, power ux^2 +
    uy^2, variance vx + vy; for c1 and c2 see `constants`.
    """
    top = (product + 0.5 * c1) * (covariance + 0.5 * c2)
    return top / ((power + c1) * (variance + c2))


@kernel
def allocate(windows: int) -> Any:
    """Room for `add_ssim`: sums of a row of windows (int16, float32), and their zeroed SSIM."""
    values = np.empty((2, windows), dtype=np.int16)
    products = np.empty((2, windows), dtype=np.float32)
    return values, products, np.zeros(windows, dtype=np.float64)


@kernel
def add_ssim(
    room: Any, x: Any, y: Any, squares: Any, cross: Any, n: float, c1: Any, c2: Any
) -> None:
    """Add a quarter of the SSIM of each 7 neighbors to the last array of `room`.

    `room` is `allocate` of the most windows there will be. x and y are (N,) sums of target and pred
    along columns, or their pixels where windows are one pixel high; squares and cross, float32, the
    same of x^2 + y^2 and of x y. A window has n pixels; for c1 and c2 see `constants`.
    """
    values, products, sums = room
    windows = x.shape[0] - WINDOW + 1
    sum_windows(values[0, :windows], x)
    sum_windows(values[1, :windows], y)
    sum_windows(products[0, :windows], squares)
    sum_windows(products[1, :windows], cross)
    for j in range(windows):
        sx, sy = np.float64(values[0, j]), np.float64(values[1, j])
        product, power = sx * sy, sx * sx + sy * sy
        covariance = n * np.float64(products[1, j]) - product
        variance = n * np.float64(products[0, j]) - power
        sums[j] += quarter_ssim(product, covariance, power, variance, c1, c2)


@kernel
def multiply(squares: Any, cross: Any, x: Any, y: Any) -> None:
    """Fill (N,) float32 with x^2 + y^2 and with x y of (N,) uint8."""
    for j in range(x.shape[0]):
        a, b = np.float32(x[j]), np.float32(y[j])
        squares[j] = a * a + b * b
        cross[j] = a * b


@kernel
def sum_windows(out: Any, x: Any) -> None:
    """Fill (N - 6,) with the sums of each 7 neighbors of (N,)."""
    for j in range(out.shape[0]):
        out[j] = x[j] + x[j + 1] + x[j + 2] + x[j + 3] + x[j + 4] + x[j + 5] + x[j + 6]


@kernel
def _sum_over_planes(x: Planes, y: Planes, c1: float, c2: float) -> float:
    total = 0.0
    for channel in range(x.shape[0]):
        total += _sum_over_plane(x[channel], y[channel], c1, c2)
    return total


@kernel
def _sum_over_plane(x: Any, y: Any, c1: float, c2: float) -> float:
    height, width = x.shape
    columns = np.zeros((2, width), dtype=np.int16)
    products = np.zeros((2, width), dtype=np.float32)
    room = allocate(width - WINDOW + 1)
    nothing = np.zeros(width, dtype=np.uint8)
    for row in range(height):
        above = row - WINDOW
        x_gone, y_gone = (x[above], y[above]) if above >= 0 else (nothing, nothing)
        _slide(columns[0], x[row], x_gone)
        _slide(columns[1], y[row], y_gone)
        _slide_products(products[0], products[1], x[row], y[row], x_gone, y_gone)
        if above >= -1:
            add_ssim(room, columns[0], columns[1], products[0], products[1], 49.0, c1, c2)
    return room[2].sum()


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
def _sum_along_scan(x: Any, y: Any, c1: float, c2: float) -> float:
    channels, lost = x.shape
    windows = lost - WINDOW + 1
    room = allocate(min(_BLOCK, windows))
    products = np.empty((2, min(_BLOCK, windows) + WINDOW - 1), dtype=np.float32)
    for channel in range(channels):
        for start in range(0, windows, _BLOCK):
            a = x[channel, start : start + _BLOCK + WINDOW - 1]
            b = y[channel, start : start + _BLOCK + WINDOW - 1]
            multiply(products[0], products[1], a, b)
            add_ssim(room, a, b, products[0], products[1], 7.0, c1, c2)
    return room[2].sum()


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
