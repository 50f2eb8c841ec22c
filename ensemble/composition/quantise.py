"""Round a blend in floats to a uint8 picture, where no luma lock does it (see `lock_luma`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import ArrayError


def quantise(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """Clip to 0..255, round to the nearest level (halves to the even one), return uint8.

    Args:
        picture: Any shape, on the scale 0..255; uint8 comes back as it is.

    Raises:
        ArrayError: Some value is not finite, which no rounding can mend.

    >>> quantise(np.array([-3.0, 0.5, 1.5, 254.6, 300.0])).tolist()
    [0, 0, 2, 255, 255]
    """
    if picture.dtype == np.uint8:
        return picture
    if not np.isfinite(picture).all():
        bad = int(picture.size - np.isfinite(picture).sum())
        raise ArrayError(
            f"a picture must be finite, but {bad} of its {picture.size} values are not"
        )
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
