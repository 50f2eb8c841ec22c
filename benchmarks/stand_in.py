"""A stand-in for a colorizer that none could be trained to be: the truth, faded and blurred."""

from __future__ import annotations

import cv2
import numpy as np

from ensemble.arrays import Gray, Rgb, luma
from ensemble.composition.blend import Colors
from ensemble.composition.hue_target import hue_histogram
from ensemble.composition.luma import lock_luma


def stand_in(target: Rgb, gray: Gray, *, share: float, blur: float) -> Rgb:
    """What it makes of a gray picture.

    Args:
        target: (H, W, 3) uint8, the truth.
        gray: (H, W) uint8, the luma of the result.
        share: How much of the truth's chroma is left.
        blur: The standard deviation of the blur over the picture's height.
    """
    chroma = target.astype(np.float32) - luma(target)[..., None]
    faded = share * cv2.GaussianBlur(chroma, (0, 0), blur * gray.shape[0])
    return lock_luma(rgb=gray[..., None] + faded, gray=gray)


def alone(picture: Rgb) -> Colors:
    """A picture as the only member's."""
    return Colors(picture.astype(np.float32), hue_histogram(picture)[None], np.ones(1))
