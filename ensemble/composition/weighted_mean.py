"""The weighted mean of pictures: every blend is this sum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.compiled import kernel
from ensemble.errors import ArrayError


def weighted_mean(
    pictures: Iterable[NDArray[Any]], shares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Add up share times picture, in single precision, in the order given: float32.

    Takes K pictures of one shape, uint8 or float32, and shares (K,) of sum 1; those of 0 are
    skipped. The order of summation is fixed, so that the result is the same on every machine.
    Pictures are not stacked: that would copy them, and hold Python's lock.

    Raises:
        ArrayError: There is no picture, or they differ in shape.
    """
    mean: NDArray[np.float32] | None = None
    for picture, share in zip(pictures, shares, strict=True):
        if mean is None:
            mean = np.zeros(picture.shape, dtype=np.float32)
        if picture.shape != mean.shape:
            raise ArrayError(
                f"pictures of a mean must have one shape, but got {mean.shape} and {picture.shape}"
            )
        if share != 0:
            _add(mean.reshape(-1), np.ascontiguousarray(picture).reshape(-1), share)
    if mean is None:
        raise ArrayError("a weighted mean needs one picture or more, but got none")
    return mean


@kernel
def _add(mean: Any, picture: Any, share: Any) -> None:
    for j in range(mean.shape[0]):
        mean[j] += share * np.float32(picture[j])
