"""The hue term: correlation of the two pictures' histograms of OpenCV's 8-bit hue.

Only the number of pixels of each hue counts, not where they are. Gray pixels have hue 0, as pure
red, so a desaturated picture piles up in bin 0.

OpenCV's hue of 0..179 is fixed-point: with v = max, d = v - min and p one of g - b,
b - r + 2 d, r - g + 4 d (for v = r, else v = g, else b), it is (p t(d) + 2048) >> 12 with
t(d) = round(122880 / d), plus 180 where negative. All of it fits 24 bits, so single precision
computes it exactly, and without a branch; 180 is added before the shift, to shift no negative.

Source: `cv2.COLOR_RGB2HSV`, equal on all 2^24 colors (asserted in the tests). The histogram is
counted here; OpenCV normalizes and compares it, so the term is OpenCV's own, to the last bit.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.compiled import kernel
from ensemble.metric.ssim import Planes
from ensemble.vocabulary import HUE_BINS

Histogram = NDArray[np.float32]
"""(180,) float32 of length 1: how much of the picture has each hue."""


def find_hues(planes: Planes) -> NDArray[np.uint8]:
    """The hue of every pixel of the planes (3, H, W): (H, W) uint8 in 0..179."""
    hues = np.empty(planes.shape[1:], dtype=np.uint8)
    _fill_hues(hues, planes)
    return hues


def unit_hue_histogram(planes: Planes) -> Histogram:
    """The hue histogram of the planes (3, H, W), of length 1."""
    histogram = count_hues(planes).astype(np.float32)
    return np.asarray(cv2.normalize(histogram, histogram), dtype=np.float32).ravel()


def hue_correlation(*, pred: Histogram, target: Histogram) -> float:
    """Correlation of two unit histograms, in [-1, 1]; 1 where one is uniform."""
    return float(cv2.compareHist(target, pred, cv2.HISTCMP_CORREL))


@kernel
def _fill_hues(hues: Any, planes: Any) -> None:
    for row in range(hues.shape[0]):
        _fill_row(hues[row], planes[0, row], planes[1, row], planes[2, row])


@kernel
def _fill_row(hues: Any, reds: Any, greens: Any, blues: Any) -> None:
    for j in range(hues.shape[0]):
        r, g, b = np.float32(reds[j]), np.float32(greens[j]), np.float32(blues[j])
        v = max(r, max(g, b))
        d = v - min(r, min(g, b))
        p = b - r + np.float32(2) * d if v == g else r - g + np.float32(4) * d
        p = g - b if v == r else p
        t = round_small(np.float32(122880) / max(d, np.float32(1)))
        h = p * t + np.float32(2048)
        h = h + np.float32(180 * 4096) if h < np.float32(0) else h
        hues[j] = np.uint8(np.int32(h) >> 12)


@kernel
def round_small(x: Any) -> Any:
    """float32 below 2^22 rounded half to even, as `np.rint`, which old processors have to call."""
    return (x + np.float32(3 << 22)) - np.float32(3 << 22)


@kernel
def count_hues(planes: Any) -> Any:
    """Count the pixels of the planes (3, H, W) that have each hue: (180,) int64."""
    height, width = planes.shape[1:]
    counts = np.zeros((4, 256), dtype=np.int64)
    hues = np.empty(width, dtype=np.uint8)
    for row in range(height):
        _fill_row(hues, planes[0, row], planes[1, row], planes[2, row])
        for j in range(width):
            counts[j & 3, hues[j]] += 1
    return (counts[0] + counts[1] + counts[2] + counts[3])[:HUE_BINS]
