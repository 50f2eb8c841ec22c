"""Regions of one exact gray that could be the hole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.compiled import kernel

_EACH_LIST = 5
_MIN_BLOCKS = 6
_NEAR = 3


@dataclass(frozen=True, eq=False)
class Candidate:
    """One 8-connected region of one gray.

    Attributes:
        value: The gray.
        regions: (H, W) uint8, the regions of all candidates of the picture; 0 elsewhere.
        label: This region's number in `regions`.
        area: Pixels of the region.
        equal_area: Pixels of its gray in the whole picture.
        box: (x0, y0, x1, y1) of the region, far side excluded.
    """

    value: int
    regions: NDArray[np.uint8]
    label: int
    area: int
    equal_area: int
    box: tuple[int, int, int, int]

    def region(self) -> Mask:
        """The region, (H, W) bool."""
        return self.regions == self.label


def find_candidates(damaged: Gray) -> list[Candidate]:
    """Return at most ten regions of constant gray.

    Each grows from a patch made of constant 2 x 2 blocks: the largest patches, and the large ones
    with the sharpest rims (a sky has wide flat patches too, but their neighbours differ by a level
    or two). Regions are 8-connected, because a thin spike of the hole hangs together by its
    corners only.

    Args:
        damaged: (H, W) uint8.

    Returns:
        Empty where no patch of 6 constant blocks exists.
    """
    height, width = damaged.shape
    grown = np.zeros((height + 2, width + 2), dtype=np.uint8)
    regions = grown[1:-1, 1:-1]
    histogram = np.bincount(damaged.ravel(), minlength=256)
    writable = damaged if damaged.flags.writeable else damaged.copy()  # OpenCV insists on it
    candidates: list[Candidate] = []
    for y, x in _seeds(damaged):
        if regions[y, x]:
            continue
        label = len(candidates) + 1
        flags = 8 | (label << 8) | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
        area, _, _, (left, top, w, h) = cv2.floodFill(writable, grown, (x, y), 0, 0, 0, flags)
        value = int(damaged[y, x])
        box = (left, top, left + w, top + h)
        candidates.append(Candidate(value, regions, label, area, int(histogram[value]), box))
    return candidates


def _seeds(damaged: Gray) -> list[tuple[int, int]]:
    """Return a pixel (y, x) of each patch worth growing, the patches most like a hole first."""
    across = damaged[:, 1:] == damaged[:, :-1]
    down = damaged[1:, :-1] == damaged[:-1, :-1]
    blocks = across[1:] & across[:-1] & down
    count, labels = cv2.connectedComponents(blocks.view(np.uint8), connectivity=4)
    areas, sharpness, first = _patches(damaged, labels, count)
    large = np.flatnonzero(areas >= _MIN_BLOCKS)
    chosen: list[int] = []
    for weight in (areas[large] * sharpness[large] ** 2, areas[large]):
        chosen += large[np.argsort(-weight, kind="stable")[:_EACH_LIST]].tolist()
    return [(int(first[label, 0]), int(first[label, 1])) for label in dict.fromkeys(chosen)]


@kernel
def _patches(
    damaged: NDArray[Any], labels: NDArray[Any], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """By patch: blocks, the share of its rim that differs by more than `_NEAR`, a pixel of it."""
    areas = np.zeros(count, dtype=np.int64)
    near = np.zeros(count, dtype=np.int64)
    rim = np.zeros(count, dtype=np.int64)
    first = np.zeros((count, 2), dtype=np.int64)
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            if label == 0:
                continue
            areas[label] += 1
            first[label] = y, x
            gray = np.int64(damaged[y, x])
            for dy, dx in ((-1, 0), (2, 0), (0, -1), (0, 2)):
                v, u = y + dy, x + dx
                if 0 <= v <= height and 0 <= u <= width:
                    step = abs(np.int64(damaged[v, u]) - gray)
                    rim[label] += step > 0
                    near[label] += 0 < step <= _NEAR
    return areas, 1.0 - near / np.maximum(rim, 1), first
