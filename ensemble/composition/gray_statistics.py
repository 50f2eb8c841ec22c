"""What a gray picture tells of its colours without a network: some 120 numbers.

How bright and how clipped it is, where it is bright, and how much texture of which size and
direction it has and where. A clear sky, a white studio background and foliage differ in all of
these, and so do their hues. Mirroring a picture changes no colour, so it changes no statistic.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, check_gray

SIDE = 256
SCALES = (0, 1, 2, 3)
_BRIGHT_CELLS, _TEXTURE_CELLS, _DIRECTIONS = 8, 4, 4
_FAINT = 1e-3

Plane = NDArray[np.float32]


def gray_statistics(gray: Gray) -> NDArray[np.float64]:
    """The statistics of (H, W) uint8: (124,) float64, the same for any size of a picture."""
    check_gray(gray, name="gray")
    picture = _resized((gray / 255.0).astype(np.float32), SIDE)
    pyramid = [_resized(picture, SIDE >> scale) for scale in SCALES]
    return np.concatenate(
        [
            _brightness(gray),
            _mirrored(_resized(picture, _BRIGHT_CELLS)),
            *map(_texture, pyramid),
            *map(_directions, pyramid),
        ]
    ).astype(np.float64)


def _brightness(gray: Gray) -> NDArray[np.float64]:
    """Roots of the luma histogram's 32 coarse bins, and of the shares next to black and white."""
    share = np.bincount(gray.reshape(-1), minlength=256) / gray.size
    clipped = [share[0], share[:3].sum(), share[255], share[253:].sum()]
    return np.sqrt(np.concatenate([share.reshape(32, 8).sum(axis=1), clipped]))


def _texture(picture: Plane) -> NDArray[Any]:
    """Log strength of the Laplacian by place and overall, and the share of flat pixels."""
    edges = np.abs(cv2.Laplacian(picture, cv2.CV_32F, borderType=cv2.BORDER_REFLECT))
    places: Plane = np.log(np.float32(_FAINT) + _resized(edges, _TEXTURE_CELLS))
    overall = [np.log(_FAINT + edges.mean()), (edges < 1.5 / 255).mean()]
    return np.concatenate([_mirrored(places), overall])


def _directions(picture: Plane) -> NDArray[Any]:
    """Log strength of the gradients, by steepness; slants to either side are alike."""
    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(picture, cv2.CV_32F, 0, 1)
    steepness = np.arctan2(np.abs(down), np.abs(across)) * (_DIRECTIONS / (np.pi / 2))
    slots = np.minimum(steepness.astype(np.int64), _DIRECTIONS - 1).reshape(-1)
    strength = np.hypot(across, down).reshape(-1)
    total = np.bincount(slots, weights=strength, minlength=_DIRECTIONS)
    return np.log(_FAINT + total / picture.size)


def _mirrored(cells: Plane) -> NDArray[Any]:
    """The mean of a square of cells and its mirror image, left half, flat."""
    return ((cells + cells[:, ::-1]) / 2)[:, : cells.shape[1] // 2].reshape(-1)


def _resized(picture: NDArray[Any], side: int) -> Plane:
    return np.asarray(
        cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), dtype=np.float32
    )
