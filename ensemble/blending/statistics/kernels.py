"""Compute the terms of a blend from its weights and a photograph's statistics.

For a window with target mean ux and variance vx, member-view means m, covariances with the target
c and among themselves V (all with the sample correction), the blend with weights w has

    uy = w . m        vxy = w . c        vy = w' V w  (+ 1/12 for rounding to whole levels)

and SSIM is a closed formula of these. Weights of 0 are skipped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ensemble.compiled import kernel
from ensemble.metric.hue import round_small
from ensemble.metric.ssim import K1, K2, WINDOW, add_ssim, allocate, multiply, quarter_ssim

HEAD = 3
"""Rows of a photograph's window statistics before the means: target mean, variance, rounding."""


@kernel
def blend_range(extremes: Any, weights: Any, used: Any) -> float:
    """Data range of the rounded blend over the candidate values, (K, E) uint8; at least 1."""
    blended = np.empty(extremes.shape[1], dtype=np.float32)
    blend_pixels(extremes, weights, used, blended)
    return max(np.float64(blended.max() - blended.min()), 1.0)


@kernel
def windows_ssim(stats: Any, shares: Any, weights: Any, used: Any, data_range: float) -> float:
    """Weighted mean SSIM over windows: stats (Q, C * n), shares (n,), the same for each channel."""
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
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    windows = shares.shape[0]
    sums = np.zeros(windows, dtype=np.float64)
    for at in range(0, count, windows):
        channel = slice(at, at + windows)
        _add_ssim(
            sums,
            stats[0, channel],
            mean[channel],
            stats[1, channel],
            variance[channel],
            cross[channel],
            c1,
            c2,
        )
    total = 0.0
    for j in range(windows):
        total += shares[j] * sums[j]
    return 4 * total * windows / count


@kernel
def _add_ssim(
    sums: Any, x: Any, y: Any, x_variance: Any, y_variance: Any, cross: Any, c1: float, c2: float
) -> None:
    for j in range(sums.shape[0]):
        ux, uy = np.float64(x[j]), np.float64(y[j])
        variance = np.float64(x_variance[j]) + np.float64(y_variance[j])
        covariance = np.float64(cross[j])
        sums[j] += quarter_ssim(ux * uy, covariance, ux * ux + uy * uy, variance, c1, c2)


@kernel
def _accumulate(total: Any, row: Any, factor: Any) -> None:
    for j in range(total.shape[0]):
        total[j] += factor * row[j]


@kernel
def blend_pixels(pixels: Any, weights: Any, used: Any, out: Any) -> None:
    """Write the rounded blend of (K, n) uint8 into (n,) float32, rounded as pictures are."""
    for j in range(out.shape[0]):
        out[j] = 0
    for k in used:
        for j in range(out.shape[0]):
            out[j] += weights[k] * np.float32(pixels[k, j])
    for j in range(out.shape[0]):
        out[j] = round_small(out[j])


@kernel
def runs_ssim(runs: Any, length: int, weights: Any, used: Any, c1: float, c2: float) -> float:
    """Mean SSIM along runs of lost pixels: (C, K + 1, R, L) uint8, the target first.

    All runs are computed as one scan line, so that vectors are long; windows across two runs are
    not counted.
    """
    channels, slots, count, size = runs.shape
    line = count * size
    blended, pred = np.empty(line, dtype=np.float32), np.empty(line, dtype=np.uint8)
    products = np.empty((2, line), dtype=np.float32)
    room = allocate(line - WINDOW + 1)
    for channel in range(channels):
        pixels = runs[channel].reshape(slots, line)
        blend_pixels(pixels[1:], weights, used, blended)
        for j in range(line):
            pred[j] = np.uint8(np.int32(blended[j]))
        multiply(products[0], products[1], pixels[0], pred)
        add_ssim(room, pixels[0], pred, products[0], products[1], 7.0, c1, c2)
    windows = length - WINDOW + 1
    total = 0.0
    for run in range(count):
        total += room[2][run * size : run * size + windows].sum()
    return 4 * total / (channels * count * windows)


@kernel
def blend_planes(pixels: Any, weights: Any, used: Any) -> Any:
    """The blend of (3, K, n) uint8 as (3, 1, n) float32, not rounded."""
    blended = np.zeros((3, 1, pixels.shape[2]), dtype=np.float32)
    for channel in range(3):
        for k in used:
            for j in range(pixels.shape[2]):
                blended[channel, 0, j] += weights[k] * np.float32(pixels[channel, k, j])
    return blended
