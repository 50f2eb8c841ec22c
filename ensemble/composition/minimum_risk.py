"""The picture that agrees best with all predictions by the masked SSIM: minimum Bayes risk.

The mean has the least squared error, but SSIM does not reward that: a mean of unsure predictions
is flatter than any of them. If each prediction is what the truth may be, the best answer has the
greatest expected masked SSIM to them. Only lost pixels are decided, and their SSIM is along the
scan line, so the ascent is one-dimensional.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Mask
from ensemble.compiled import kernel
from ensemble.composition.weighted_mean import weighted_mean
from ensemble.metric.ssim import WINDOW, constants, sum_windows

STEPS = 30
RATE = 0.5
"""Gray levels of the first step."""

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-12
_RIM = WINDOW - 1
_C1, _C2 = constants(255, WINDOW)


def minimum_risk(
    pictures: Sequence[NDArray[Any]], shares: NDArray[np.float32], lost_mask: Mask
) -> NDArray[np.float32]:
    """Ascend the expected masked SSIM to some pictures, from their mean, for `STEPS` steps.

    The data range of SSIM is 255, since the answer that is sent spans it (`fill_data_range`). Takes
    K pictures (H, W) on the scale 0..255, shares (K,) of sum 1, which say how likely each is, and
    the hole (H, W). The mean is kept outside the hole, and everywhere where there is one picture,
    or the hole is smaller than a window.

    Raises:
        ArrayError: There is no picture, or they differ in shape.

    Source: the steps are those of Kingma, Ba, "Adam: a method for stochastic optimization" (2015).
    """
    mean = weighted_mean(pictures, shares)
    if len(pictures) < 2 or int(lost_mask.sum()) < WINDOW:
        return mean
    answers = np.stack([picture[lost_mask] for picture in pictures]).astype(np.float64)
    start = mean[lost_mask].astype(np.float64)
    mean[lost_mask] = _ascend(start, answers, shares.astype(np.float64), STEPS)
    return mean


@kernel
def _ascend(pixels: Any, answers: Any, shares: Any, steps: int) -> Any:
    """Adam, upwards; each pixel is kept within 0..255."""
    count = pixels.shape[0]
    first, second, gradient = np.zeros(count), np.zeros(count), np.zeros(count)
    sums = _prepare(answers)
    for step in range(1, steps + 1):
        _differentiate(gradient, pixels, answers, sums, shares)
        of_first, of_second = 1.0 - _FIRST**step, 1.0 - _SECOND**step
        for i in range(count):
            first[i] = _FIRST * first[i] + (1.0 - _FIRST) * gradient[i]
            second[i] = _SECOND * second[i] + (1.0 - _SECOND) * gradient[i] * gradient[i]
            move = (first[i] / of_first) / (np.sqrt(second[i] / of_second) + _TINY)
            pixels[i] = min(max(pixels[i] + RATE * move, 0.0), 255.0)
    return pixels


@kernel
def _prepare(answers: Any) -> Any:
    """(2, K, N - 6): sums over each window of the answers, and of their squares."""
    count, lost = answers.shape
    sums = np.empty((2, count, lost - _RIM))
    for k in range(count):
        sum_windows(sums[0, k], answers[k])
        sum_windows(sums[1, k], answers[k] * answers[k])
    return sums


@kernel
def _differentiate(gradient: Any, y: Any, answers: Any, sums: Any, shares: Any) -> float:
    """Fill the gradient; the expected SSIM is returned.

    The SSIM of a window to an answer x changes with a pixel y_i of it by p + q x_i - r y_i, where
    p, q and r are the window's.

    Source: the formula in `ensemble.metric.ssim` for a data range of 255, and its derivative.
    """
    n, lost, windows = WINDOW, y.shape[0], sums.shape[2]
    sy, syy, sxy = np.empty(windows), np.empty(windows), np.empty(windows)
    sum_windows(sy, y)
    sum_windows(syy, y * y)
    # Padded, so that the windows which hold a pixel are 7 neighbors, too.
    padded = windows + 2 * _RIM
    p, q, r = np.zeros(padded), np.zeros(padded), np.zeros(padded)
    total, around = np.zeros(windows), np.empty(lost)
    gradient[:] = 0.0
    for k in range(answers.shape[0]):
        x, sx, sxx, share = answers[k], sums[0, k], sums[1, k], shares[k] / windows
        sum_windows(sxy, x * y)
        for j in range(windows):
            light = 2.0 * sx[j] * sy[j] + _C1
            top = 2.0 * (n * sxy[j] - sx[j] * sy[j]) + _C2
            power = sx[j] * sx[j] + sy[j] * sy[j] + _C1
            bottom = n * (sxx[j] + syy[j]) - sx[j] * sx[j] - sy[j] * sy[j] + _C2
            scale = 2.0 * share / (power * bottom)
            value = light * top / (power * bottom)
            total[j] += share * value
            along, against = scale * light, 2.0 * share * value / bottom
            q[_RIM + j] = n * along
            r[_RIM + j] += n * against
            level = scale * sx[j] * top - 2.0 * share * value * sy[j] / power
            p[_RIM + j] += level - along * sx[j] + against * sy[j]
        sum_windows(around, q)
        for i in range(lost):
            gradient[i] += around[i] * x[i]
    sum_windows(around, p)
    for i in range(lost):
        gradient[i] += around[i]
    sum_windows(around, r)
    for i in range(lost):
        gradient[i] -= around[i] * y[i]
    return total.sum()
