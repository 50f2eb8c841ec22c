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
from ensemble.compiled import kernel
from ensemble.composition.recipe import ChromaMode
from ensemble.composition.weighted_mean import weighted_mean

_WEIGHTS = np.array(LUMA_WEIGHTS, dtype=np.float32) / np.float32(65536)
_TIE = 1e-6


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

    Takes K pictures (H, W, 3), uint8 or float on the scale 0..255, and weights (K,), not negative,
    of any positive sum. The blend is (H, W, 3) float32; `preserving` and `median` may leave 0..255
    a little.

    Raises:
        ArrayError: The pictures differ in shape.
    """
    shares = (weights / weights.sum()).astype(np.float32)
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


def weighted_median(
    planes: NDArray[np.float32], shares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The lower weighted median over K: (K, ...) and (K,) float32 of sum 1 to (...) float32.

    That is the least value with half the weight below it; where exactly half is reached, the mean
    with the next value (the usual median).
    """
    flat = np.ascontiguousarray(planes).reshape(len(planes), -1)
    median = np.empty(flat.shape[1], dtype=np.float32)
    _fill_median(flat, shares, median)
    return median.reshape(planes.shape[1:])


def _luma(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 3) to the unrounded luma (..., 1)."""
    return (pictures @ _WEIGHTS)[..., None]


def _chroma(pictures: NDArray[Any]) -> NDArray[np.float32]:
    planes = pictures.astype(np.float32)
    return planes - _luma(planes)


@kernel
def _fill_median(planes: Any, shares: Any, median: Any) -> None:
    count = planes.shape[0]
    values = np.empty(count, dtype=np.float32)
    weights = np.empty(count, dtype=np.float64)
    for j in range(planes.shape[1]):
        for k in range(count):
            _insert(values, weights, k, planes[k, j], shares[k])
        reached, low = weights[0], 0
        while reached < 0.5 - _TIE and low < count - 1:
            low += 1
            reached += weights[low]
        high = low
        while reached < 0.5 + _TIE and high < count - 1:
            high += 1
            reached += weights[high]
        median[j] = (values[low] + values[high]) / np.float32(2)


@kernel
def _insert(values: Any, weights: Any, size: int, value: Any, weight: Any) -> None:
    """Into the first `size` values, sorted, after those that are equal."""
    at = size
    while at > 0 and values[at - 1] > value:
        values[at] = values[at - 1]
        weights[at] = weights[at - 1]
        at -= 1
    values[at] = value
    weights[at] = weight
