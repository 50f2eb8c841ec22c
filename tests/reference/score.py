"""The competition's score spelled with scikit-image and OpenCV, slow and literal.

This is the definition that `ensemble.metric` is held to. It must never import `ensemble`, and it
must never be made faster.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

Picture = NDArray[np.uint8]
Mask = NDArray[Any]


class LiteralScore(NamedTuple):
    """The three terms of one picture, and their weighted sum."""

    ssim: float
    masked_ssim: float
    hue: float
    score: float


def literal_ssim(*, pred: Picture, target: Picture) -> float:
    """SSIM of two RGB pictures (H, W, 3), with the data range of `pred`."""
    data_range = pred.max() - pred.min()
    return float(structural_similarity(target, pred, channel_axis=-1, data_range=data_range))


def literal_masked_ssim(*, pred: Picture, target: Picture, lost_mask: Mask) -> float:
    """SSIM along the scan line of the lost pixels, with the data range of the whole `pred`."""
    data_range = pred.max() - pred.min()
    lost_target, lost_pred = target[lost_mask > 0], pred[lost_mask > 0]
    return float(
        structural_similarity(lost_target, lost_pred, channel_axis=-1, data_range=data_range)
    )


def literal_hue_histogram(picture: Picture) -> NDArray[np.float32]:
    """The normalized 180-bin histogram of OpenCV's 8-bit hue."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    histogram = cv2.calcHist([hsv], [0], None, [180], [0, 180])
    return cv2.normalize(histogram, histogram).flatten()


def literal_hue(*, pred: Picture, target: Picture) -> float:
    """Correlation of the hue histograms."""
    of_target, of_pred = literal_hue_histogram(target), literal_hue_histogram(pred)
    return float(cv2.compareHist(of_target, of_pred, cv2.HISTCMP_CORREL))


def literal_score(*, pred: Picture, target: Picture, lost_mask: Mask) -> LiteralScore:
    """The whole score of one RGB picture."""
    ssim = literal_ssim(pred=pred, target=target)
    masked_ssim = literal_masked_ssim(pred=pred, target=target, lost_mask=lost_mask)
    hue = literal_hue(pred=pred, target=target)
    return LiteralScore(ssim, masked_ssim, hue, 0.2 * ssim + 0.4 * masked_ssim + 0.4 * hue)


def literal_gray_terms(
    *, pred: Picture, target: Picture, lost_mask: Mask
) -> tuple[float, float, float]:
    """(ssim, masked_ssim, score) of gray pictures (H, W): the score without its hue term."""
    data_range = pred.max() - pred.min()
    ssim = structural_similarity(target, pred, data_range=data_range)
    lost_target, lost_pred = target[lost_mask > 0], pred[lost_mask > 0]
    masked_ssim = structural_similarity(lost_target, lost_pred, data_range=data_range)
    return float(ssim), float(masked_ssim), float((0.2 * ssim + 0.4 * masked_ssim) / 0.6)
