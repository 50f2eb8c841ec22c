"""The arithmetic of a trial: terms of the score from sufficient statistics and weights.

For a window with target mean ux and variance vx, member-view means m, covariances with the target
c and among themselves V (all with the sample correction), the blend with weights w has

    uy = w . m        vxy = w . c        vy = w' V w  (+ 1/12 for rounding to whole levels)

so SSIM is a closed formula of a few sums. Weights that are 0 cost nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ensemble.compiled import kernel

HEAD = 3
"""Rows of a photograph's window statistics before the means: target mean, variance, rounding."""


def rows_of(terms: int) -> int:
    """Rows of the window statistics for K member-views: head, means, cross, packed covariances."""
    return HEAD + 2 * terms + terms * (terms + 1) // 2


@kernel
def window_statistics(x: Any, y: Any, out: Any) -> None:
    """Fill (Q, n) with the statistics of n windows: x (n, P) target, y (K, n, P), float32."""
    terms, windows, pixels = y.shape
    centred = np.empty((terms + 1, pixels), dtype=np.float64)
    for j in range(windows):
        for k in range(terms + 1):
            values = x[j] if k == 0 else y[k - 1, j]
            mean = np.float64(0.0)
            for p in range(pixels):
                mean += values[p]
            mean /= pixels
            for p in range(pixels):
                centred[k, p] = values[p] - mean
            out[0 if k == 0 else HEAD + k - 1, j] = mean
        out[1, j] = _covariance(centred[0], centred[0])
        row = HEAD + 2 * terms
        for a in range(terms):
            out[HEAD + terms + a, j] = _covariance(centred[0], centred[a + 1])
            for b in range(a, terms):
                out[row, j] = _covariance(centred[a + 1], centred[b + 1])
                row += 1


@kernel
def _covariance(a: Any, b: Any) -> float:
    total = 0.0
    for p in range(a.shape[0]):
        total += a[p] * b[p]
    return total / (a.shape[0] - 1)


@kernel
def blend_range(extremes: Any, weights: Any, used: Any) -> float:
    """Brightest less darkest rounded blend over the candidate values, (K, E) uint8; at least 1."""
    high, low = 0.0, 255.0
    for e in range(extremes.shape[1]):
        value = np.float32(0.0)
        for k in used:
            value += weights[k] * np.float32(extremes[k, e])
        high, low = max(high, np.rint(value)), min(low, np.rint(value))
    return max(high - low, 1.0)


@kernel
def windows_ssim(stats: Any, shares: Any, weights: Any, used: Any, data_range: float) -> float:
    """Weighted mean SSIM over windows: stats (Q, C * n), shares (n,), repeated a channel."""
    count = stats.shape[1]
    terms = weights.shape[0]
    mean, cross = np.zeros(count, dtype=np.float32), np.zeros(count, dtype=np.float32)
    variance = stats[2].copy() if used.size > 1 else np.zeros(count, dtype=np.float32)
    for at in range(used.size):
        a = used[at]
        _accumulate(mean, stats[HEAD + a], weights[a])
        _accumulate(cross, stats[HEAD + terms + a], weights[a])
        first = HEAD + 2 * terms + a * terms - a * (a - 1) // 2
        for other in range(at, used.size):
            b = used[other]
            factor = weights[a] * weights[b] * np.float32(1 if a == b else 2)
            _accumulate(variance, stats[first + b - a], factor)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    total = 0.0
    for j in range(count):
        ux, uy = np.float64(stats[0, j]), np.float64(mean[j])
        top = (2 * ux * uy + c1) * (2 * np.float64(cross[j]) + c2)
        spread = np.float64(stats[1, j]) + np.float64(variance[j]) + c2
        total += shares[j % shares.shape[0]] * top / ((ux * ux + uy * uy + c1) * spread)
    return total * shares.shape[0] / count


@kernel
def _accumulate(total: Any, row: Any, factor: Any) -> None:
    for j in range(total.shape[0]):
        total[j] += factor * row[j]


@kernel
def blend_pixels(pixels: Any, weights: Any, used: Any, out: Any) -> None:
    """The rounded blend of (K, n) uint8 into (n,) float32, exactly as a picture is rounded."""
    for j in range(out.shape[0]):
        out[j] = 0
    for k in used:
        for j in range(out.shape[0]):
            out[j] += weights[k] * np.float32(pixels[k, j])
    for j in range(out.shape[0]):
        out[j] = np.rint(out[j])


@kernel
def runs_ssim(runs: Any, length: int, weights: Any, used: Any, data_range: float) -> float:
    """Mean SSIM along runs of lost pixels: (C, K + 1, R, L) uint8, the target first."""
    channels, slots, count, size = runs.shape
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    pred = np.empty(count * size, dtype=np.float32)
    windows = length - 6
    total = 0.0
    for channel in range(channels):
        flat = runs[channel].reshape(slots, count * size)
        blend_pixels(flat[1:], weights, used, pred)
        for run in range(count):
            for start in range(run * size, run * size + windows):
                total += _seven(flat[0], pred, start, c1, c2)
    return total / (channels * count * windows)


@kernel
def _seven(target: Any, pred: Any, start: int, c1: float, c2: float) -> float:
    sx, sy, squares, cross = (np.float32(0), np.float32(0), np.float32(0), np.float32(0))
    for j in range(start, start + 7):
        x, y = np.float32(target[j]), pred[j]
        sx += x
        sy += y
        squares += x * x + y * y
        cross += x * y
    both, power = np.float64(sx) * sy, np.float64(sx) * sx + np.float64(sy) * sy
    top = (2 * both + 49 * c1) * (2 * (7 * np.float64(cross) - both) + 42 * c2)
    return top / ((power + 49 * c1) * (7 * np.float64(squares) - power + 42 * c2))


@kernel
def blend_planes(pixels: Any, weights: Any, used: Any) -> Any:
    """The blend of (3, K, n) uint8 as (3, 1, n) float32, not rounded."""
    blended = np.zeros((3, 1, pixels.shape[2]), dtype=np.float32)
    for channel in range(3):
        for k in used:
            for j in range(pixels.shape[2]):
                blended[channel, 0, j] += weights[k] * np.float32(pixels[channel, k, j])
    return blended
