"""Several coloured pictures of one scene into one.

Everything here is an RGB picture in floats on the scale 0..255, never bare chroma planes: its luma
is the weighted mean of the pictures' lumas and its chroma (colour minus own luma) is what the mode
makes of theirs. So results of several folds can be blended by the same function again, with or
without a luma lock after it, and `lock_luma` reads the chroma off any of them.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ensemble.composition.luma import BLUE, GREEN, RED
from ensemble.composition.weighted_mean import weighted_mean
from ensemble.composition.weighted_median import weighted_median
from ensemble.errors import ArrayError

ChromaMode = Literal["rgb", "mean", "median", "preserving"]

_WEIGHTS = np.array([RED, GREEN, BLUE], dtype=np.float32) / np.float32(65536)


def blend_chroma(
    *, pictures: NDArray[Any], weights: NDArray[Any], mode: ChromaMode
) -> NDArray[np.float32]:
    """One picture whose luma is the pictures' mean luma and whose chroma is their `mode`.

    Modes:
        rgb, mean: The weighted mean. Luma is linear, so the mean of RGB *is* mean luma plus mean
            chroma; the names differ only in what is meant to follow, the lock or nothing.
        median: The weighted median of each chroma plane, freed of the luma that separate medians
            may add up to. One member's odd colour does not bleed into the others'.
        preserving: The mean's direction with the weighted mean of the pictures' strengths:
            members that disagree do not wash each other out to gray.

    Args:
        pictures: (K, H, W, 3), uint8 or float, scale 0..255; K >= 1.
        weights: (K,), not negative, of any positive sum.
        mode: See above.

    Returns:
        (H, W, 3) float32; `preserving` and `median` may leave 0..255 a little.

    Raises:
        ArrayError: Shapes do not fit, or the weights are negative or all 0.
    """
    shares = _shares(pictures, weights)
    mean = weighted_mean(pictures, shares)
    if mode in ("rgb", "mean"):
        return mean
    own = _luma(mean)
    centre = mean - own
    if mode == "median":
        planes = weighted_median(_chroma(pictures), shares)
        return own + planes - _luma(planes)
    strength = np.linalg.norm(centre, axis=-1, keepdims=True)
    wanted = sum(
        share * np.linalg.norm(_chroma(picture), axis=-1, keepdims=True)
        for share, picture in zip(shares, pictures, strict=True)
    )
    return own + centre * (wanted / np.maximum(strength, np.float32(1e-6)))


def _shares(pictures: NDArray[Any], weights: NDArray[Any]) -> NDArray[np.float32]:
    """The weights, checked against the pictures and scaled to the sum 1."""
    if pictures.ndim != 4 or pictures.shape[-1] != 3 or len(pictures) == 0:
        raise ArrayError(f"`pictures` must be (K, H, W, 3), K >= 1, but got {pictures.shape}")
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
