"""How deep in the hole each lost pixel lies."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Mask


def hole_depth(lost_mask: Mask) -> NDArray[np.float32]:
    """Euclidean distance, in pixels, of each pixel of (H, W) to the nearest known one: float32.

    It is 0 where known and 1 at the rim; the picture's border is no rim.

    >>> hole_depth(np.array([[False, True, True, True, False]]))
    array([[0., 1., 2., 1., 0.]], dtype=float32)
    """
    lost = lost_mask.astype(np.uint8)
    distance = cv2.distanceTransform(lost, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV's last bit changes with where the array lies in memory. Squares are whole numbers.
    squares = np.rint(np.square(distance.astype(np.float64)))
    return np.sqrt(squares).astype(np.float32)
