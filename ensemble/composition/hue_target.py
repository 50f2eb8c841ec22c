"""Which hue histogram the answer should have.

The competition compares 180-bin hue histograms by Pearson correlation: the inner product of the
two, each centered and scaled to norm 1. Where the truth is uncertain, the expected correlation is
linear in the answer's centered unit histogram. So the best answer points along the *mean of the
centered unit histograms* the truth may have. Correlation does not see an added constant, so the
mean is lifted by its least value to make it a histogram that a picture can have.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Rgb, check_rgb
from ensemble.metric.hue import count_hues
from ensemble.metric.ssim import to_planes
from ensemble.vocabulary import HUE_BINS

Histogram = NDArray[np.float64]


def hue_histogram(rgb: Rgb) -> Histogram:
    """Count the pixels of (H, W, 3) uint8 that have each of OpenCV's 180 hues: (180,) float64.

    A gray pixel has hue 0.
    """
    return count_hues(to_planes(check_rgb(rgb, name="rgb"))).astype(np.float64)


def centered(histograms: NDArray[Any]) -> Histogram:
    """Histograms (..., 180) less their mean and scaled to norm 1; a flat one becomes all 0.

    The inner product of two such vectors is `cv2.HISTCMP_CORREL` of the two histograms.
    """
    counts = np.asarray(histograms, dtype=np.float64)
    spread = counts - counts.mean(axis=-1, keepdims=True)
    norm = np.linalg.norm(spread, axis=-1, keepdims=True)
    return np.divide(spread, norm, out=np.zeros_like(spread), where=norm > 1e-9)


def lift(direction: NDArray[Any]) -> Histogram:
    """The histogram (sum 1, least bin 0) that correlates perfectly with a (180,) direction.

    A direction without any spread gives the flat histogram.
    """
    lifted = np.asarray(direction, dtype=np.float64) - np.min(direction)
    area = lifted.sum()
    return lifted / area if area > 1e-9 else np.full(HUE_BINS, 1 / HUE_BINS)


def hue_target(
    *,
    histograms: NDArray[Any],  # (K, 180), one for each member and view
    weights: NDArray[Any],  # (K,), not negative, of any positive sum
    # (180,) from a `HuePrior` of the training photographs, never the validation ones; None where
    # there is none, which counts as `prior_weight` 0
    prior: NDArray[Any] | None,
    prior_weight: float,  # share of the prior, in 0..1; the rest is the members'
) -> Histogram:
    """Mix the members' histograms and the prior, as centered unit vectors: (180,), sum 1."""
    shares = np.asarray(weights, dtype=np.float64)
    of_members = centered((shares / shares.sum()) @ centered(histograms))
    if prior is None:
        return lift(of_members)
    return lift((1 - prior_weight) * of_members + prior_weight * centered(prior))
