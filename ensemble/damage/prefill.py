"""The hole filled by classical inpainting, before any network."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic

from ensemble.arrays import Gray, Mask, check_gray, check_mask
from ensemble.damage.harmonic import fill_harmonically
from ensemble.errors import ArrayError, ConfigError

_RADIUS = 3


def prefill(damaged: Gray, lost_mask: Mask, *, method: str = "navier-stokes") -> Gray:
    """Fill the hole from its rim.

    Args:
        damaged: (H, W) uint8.
        lost_mask: (H, W) bool, True = lost.
        method: One of `METHODS`: OpenCV's Navier-Stokes (a few ms) or Telea, scikit-image's
            biharmonic, which solves one sparse system and takes seconds on a large hole, or our
            harmonic.

    Returns:
        (H, W) uint8, a new array, equal to `damaged` outside the hole. Without a hole, a copy.

    Raises:
        ArrayError: Another shape or dtype, or every pixel is lost.
        ConfigError: An unknown method.
    """
    check_gray(damaged, name="damaged")
    check_mask(lost_mask, shape=damaged.shape, name="lost_mask")
    fill = _METHODS.get(method)
    if fill is None:
        raise ConfigError(f"`method` must be one of {', '.join(METHODS)}, but is {method!r}")
    if lost_mask.all():
        raise ArrayError("a prefill needs at least one pixel that is not lost, but all are")
    if not lost_mask.any():
        return damaged.copy()
    return np.where(lost_mask, fill(damaged, lost_mask), damaged)


def _navier_stokes(damaged: Gray, lost_mask: Mask) -> Gray:
    return _opencv(damaged, lost_mask, cv2.INPAINT_NS)


def _telea(damaged: Gray, lost_mask: Mask) -> Gray:
    return _opencv(damaged, lost_mask, cv2.INPAINT_TELEA)


def _opencv(damaged: Gray, lost_mask: Mask, algorithm: int) -> Gray:
    return np.asarray(
        cv2.inpaint(damaged, lost_mask.astype(np.uint8), _RADIUS, algorithm), dtype=np.uint8
    )


def _biharmonic(damaged: Gray, lost_mask: Mask) -> Gray:
    filled: NDArray[np.float64] = inpaint_biharmonic(damaged / 255.0, lost_mask)
    return np.clip(np.rint(filled * 255.0), 0, 255).astype(np.uint8)


_METHODS = MappingProxyType[str, Callable[[Gray, Mask], Gray]](
    {
        "navier-stokes": _navier_stokes,
        "telea": _telea,
        "biharmonic": _biharmonic,
        "harmonic": fill_harmonically,
    }
)
METHODS = tuple(_METHODS)
