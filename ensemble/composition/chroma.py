"""Blend several colored pictures of one scene into one.

All pictures are RGB floats on the scale 0..255. The blend's luma is the weighted mean of their
lumas; its chroma (color minus own luma) is blended by the mode. So a blend can be blended again,
as over folds, and locked or not afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import LUMA_WEIGHTS
from ensemble.composition.recipe import ChromaMode
from ensemble.composition.weighted_mean import weighted_mean
from ensemble.composition.weighted_median import weighted_median
from ensemble.errors import ArrayError

_WEIGHTS = np.array(LUMA_WEIGHTS, dtype=np.float32) / np.float32(65536)


def blend_chroma(
    *, pictures: Sequence[NDArray[Any]], weights: NDArray[Any], mode: ChromaMode
) -> NDArray[np.float32]:
    """Blend pictures by the mean of their lumas and the `mode` of their chroma.

    Modes:
        mean: The weighted mean, which is that of RGB, as luma is linear.
        median: The weighted median of each chroma plane, less the luma that separate medians may
            add up to. The odd color of one member has no effect.
        preserving: The direction of the mean, with the weighted mean of the pictures' strengths.
            Members that disagree do not cancel to gray.

    Args:
        pictures: K arrays (H, W, 3), or one (K, H, W, 3), uint8 or float, scale 0..255; K >= 1.
        weights: (K,), not negative, of any positive sum.
        mode: See above.

    Returns:
        (H, W, 3) float32; `preserving` and `median` may leave 0..255 a little.

    Raises:
        ArrayError: Shapes do not fit, or the weights are negative or all 0.
    """
    shares = _check_weights(pictures, weights)
    mean = weighted_mean(pictures, shares)
    if mode == "mean":
        return mean
    own = _luma(mean)
    if mode == "median":
        planes = weighted_median(np.stack([_chroma(picture) for picture in pictures]), shares)
        return own + planes - _luma(planes)
    direction = mean - own
    strength = np.linalg.norm(direction, axis=-1, keepdims=True)
    wanted = sum(
        share * np.linalg.norm(_chroma(picture), axis=-1, keepdims=True)
        for share, picture in zip(shares, pictures, strict=True)
    )
    return own + direction * (wanted / np.maximum(strength, np.float32(1e-6)))


def _check_weights(pictures: Sequence[NDArray[Any]], weights: NDArray[Any]) -> NDArray[np.float32]:
    """The weights, scaled to the sum 1."""
    shapes = {picture.shape for picture in pictures}
    if len(shapes) != 1 or any(len(shape) != 3 or shape[-1] != 3 for shape in shapes):
        raise ArrayError(
            f"`pictures` must be (K, H, W, 3), K >= 1, but got {len(pictures)} of shapes "
            f"{sorted(shapes)}"
        )
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(pictures),):
        raise ArrayError(
            f"one weight a picture, ({len(pictures)},), is due, but got {shares.shape}"
        )
    if shares.min() < 0 or not shares.sum() > 0:
        raise ArrayError(f"weights must not be negative nor all 0, but got {shares.tolist()}")
    return (shares / shares.sum()).astype(np.float32)


def _luma(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 3) to the unrounded luma (..., 1)."""
    return (pictures @ _WEIGHTS)[..., None]


def _chroma(pictures: NDArray[Any]) -> NDArray[np.float32]:
    planes = pictures.astype(np.float32)
    return planes - _luma(planes)
