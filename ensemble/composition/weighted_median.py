"""The weighted median of pictures, value by value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.compiled import kernel

_TIE = 1e-6


def weighted_median(
    planes: NDArray[np.float32], shares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The lower weighted median over the first axis: least value with half the weight below it.

    Where exactly half the weight is reached, the mean with the next value (the usual median).

    Args:
        planes: (K, ...) float32.
        shares: (K,) float32, sum 1.

    Returns:
        (...) float32.
    """
    flat = np.ascontiguousarray(planes).reshape(len(planes), -1)
    median = np.empty(flat.shape[1], dtype=np.float32)
    _fill_median(flat, shares, median)
    return median.reshape(planes.shape[1:])


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
