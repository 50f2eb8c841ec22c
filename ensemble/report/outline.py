"""The outline of a hole, drawn into its photograph."""

from __future__ import annotations

import cv2
import numpy as np

from ensemble.arrays import Gray, Mask, Rgb

RED = (230, 30, 30)


def outline(gray: Gray, lost_mask: Mask, *, scale: int = 2) -> Rgb:
    """Draw a hole's rim in red.

    Args:
        gray: (H, W) uint8.
        lost_mask: (H, W) bool.
        scale: How many times the picture is enlarged, so that the line hides little of it.

    Returns:
        (H * scale, W * scale, 3) uint8.
    """
    large = np.repeat(np.repeat(gray, scale, axis=0), scale, axis=1)
    mask = np.repeat(np.repeat(lost_mask, scale, axis=0), scale, axis=1).astype(np.uint8)
    canvas = np.ascontiguousarray(np.stack([large] * 3, axis=-1))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, RED, 1)
    return canvas
