"""SSIM in rational numbers: what scikit-image would return if it never rounded."""

from __future__ import annotations

from fractions import Fraction
from statistics import mean

import numpy as np
from numpy.typing import NDArray

WINDOW = 7


def exact_ssim(*, pred: NDArray[np.uint8], target: NDArray[np.uint8], data_range: int) -> Fraction:
    """Mean SSIM of one channel, (H, W) or (N,), over every window that fits."""
    shape = tuple(side - WINDOW + 1 for side in target.shape)
    return mean(
        _window_ssim(target[window].ravel().tolist(), pred[window].ravel().tolist(), data_range)
        for corner in np.ndindex(shape)
        for window in [tuple(slice(at, at + WINDOW) for at in corner)]
    )


def _window_ssim(x: list[int], y: list[int], data_range: int) -> Fraction:
    n = len(x)
    c1, c2 = (Fraction(1, 100) * data_range) ** 2, (Fraction(3, 100) * data_range) ** 2
    ux, uy = Fraction(sum(x), n), Fraction(sum(y), n)
    variances = sum((a - ux) ** 2 for a in x) + sum((b - uy) ** 2 for b in y)
    covariance = sum((a - ux) * (b - uy) for a, b in zip(x, y, strict=True)) / (n - 1)
    top = (2 * ux * uy + c1) * (2 * covariance + c2)
    return top / ((ux**2 + uy**2 + c1) * (variances / (n - 1) + c2))
