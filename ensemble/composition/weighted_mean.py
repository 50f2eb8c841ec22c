"""The weighted mean of pictures: the one sum that every blend is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.compiled import kernel
from ensemble.errors import ArrayError

_BLOCK = 1 << 14


def weighted_mean(pictures: NDArray[Any], shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum of share times picture, in single precision, in the order given.

    Works through blocks that fit the cache and skips shares of 0, so it needs no memory beyond
    its result. The order of summation is fixed, so the result is the same on every machine.

    Args:
        pictures: (K, ...) uint8 or float32.
        shares: (K,) float32, sum 1.

    Returns:
        (...) float32.
    """
    flat = np.ascontiguousarray(pictures).reshape(len(pictures), -1)
    mean = np.zeros(flat.shape[1], dtype=np.float32)
    _add_up(flat, shares, mean)
    return mean.reshape(pictures.shape[1:])


def weighted_mean_of(
    pictures: Iterable[NDArray[np.uint8]], shares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`weighted_mean` of pictures that lie apart, bit for bit, without stacking them first.

    Stacking copies every picture, and holds Python's lock while it does; this does neither.
    """
    mean: NDArray[np.float32] | None = None
    for picture, share in zip(pictures, shares, strict=True):
        if mean is None:
            mean = np.zeros(picture.shape, dtype=np.float32)
        if share != 0:
            _add(mean.reshape(-1), np.ascontiguousarray(picture).reshape(-1), share)
    if mean is None:
        raise ArrayError("a weighted mean needs one picture or more, but got none")
    return mean


@kernel
def _add(mean: Any, picture: Any, share: Any) -> None:
    for j in range(mean.shape[0]):
        mean[j] += share * np.float32(picture[j])


@kernel
def _add_up(pictures: Any, shares: Any, mean: Any) -> None:
    for start in range(0, mean.shape[0], _BLOCK):
        stop = min(start + _BLOCK, mean.shape[0])
        for k in range(shares.shape[0]):
            if shares[k] != 0:
                _add(mean[start:stop], pictures[k, start:stop], shares[k])
