"""Outside the hole the answer is known: put it back."""

from __future__ import annotations

import numpy as np

from ensemble.arrays import Gray, Mask, check_gray, check_mask
from ensemble.errors import ArrayError


def paste_back(*, restored: Gray, damaged: Gray, lost_mask: Mask) -> Gray:
    """The restored picture inside the hole, the damaged input (exactly) outside it.

    The input outside the hole is `convert("L")` of the truth, not an estimate of it, so whatever
    a network says there can only be worse.

    Args:
        restored: (H, W) uint8, what stage 1 says everywhere.
        damaged: (H, W) uint8, the input with its hole.
        lost_mask: (H, W) bool, True where the input is lost.

    Returns:
        (H, W) uint8, a new array.

    Raises:
        ArrayError: A shape or dtype is not as due.
    """
    check_gray(restored, name="restored")
    check_gray(damaged, name="damaged")
    if restored.shape != damaged.shape:
        raise ArrayError(
            "`restored` and `damaged` must have the same shape, "
            f"but got {restored.shape} and {damaged.shape}"
        )
    check_mask(lost_mask, shape=damaged.shape, name="lost_mask")
    return np.where(lost_mask, restored, damaged)
