"""Find the regions of one exact gray that could be the hole, and describe them.

The hole is a polygon (few straight edges, no gaps, hardly any contact with the picture's border)
whose rim is unrelated to its gray. A sky or a blown highlight is ragged, has gaps, and is bordered
by similar grays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.compiled import kernel
from ensemble.damage.draw import DamageRule

REGION_FEATURES = (
    "log share of the picture",
    "log area over the least allowed",
    "shorter side over the least allowed",
    "share of its box",
    "share left by a 3 x 3 opening",
    "rim: within 2 grays",
    "rim: within 8 grays",
    "rim: mean difference",
    "rim: spread of differences",
    "rim at the border",
    "gap area",
    "solidity",
    "log vertices",
    "misfit of the polygon",
    "log perimeter over root area",
    "lowest grays",
    "highest grays",
    "log other area of its gray",
)
_EACH_LIST = 5
_MIN_BLOCKS = 6
_NEAR = 3
_BLOCK = np.ones((3, 3), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class FlatRegion:
    """One 8-connected region of one gray."""

    value: int  # the gray
    labels: NDArray[np.uint8]  # (H, W), the labels of all flat regions of the picture; 0 elsewhere
    label: int
    area: int  # pixels of the region
    equal_area: int  # pixels of its gray in the whole picture
    box: tuple[int, int, int, int]  # (x0, y0, x1, y1) of the region, far side excluded

    def mask(self) -> Mask:
        """The region's pixels, (H, W) bool."""
        return self.labels == self.label


def find_flat_regions(damaged: Gray) -> list[FlatRegion]:
    """At most ten regions of constant gray of (H, W) uint8.

    Each grows from a patch of 6 or more constant 2 x 2 blocks: the largest patches, and the large
    ones with the sharpest rims (a sky has wide flat patches too, but their neighbors differ by a
    level or two). Regions are 8-connected, because a thin spike of the hole is connected at corners
    only.
    """
    height, width = damaged.shape
    grown = np.zeros((height + 2, width + 2), dtype=np.uint8)
    labels = grown[1:-1, 1:-1]
    histogram = np.bincount(damaged.ravel(), minlength=256)
    writable = damaged if damaged.flags.writeable else damaged.copy()  # OpenCV insists on it
    regions: list[FlatRegion] = []
    for y, x in _find_seeds(damaged):
        if labels[y, x]:
            continue
        label = len(regions) + 1
        flags = 8 | (label << 8) | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
        area, _, _, (left, top, w, h) = cv2.floodFill(writable, grown, (x, y), 0, 0, 0, flags)
        value = int(damaged[y, x])
        box = (left, top, left + w, top + h)
        regions.append(FlatRegion(value, labels, label, area, int(histogram[value]), box))
    return regions


def _find_seeds(damaged: Gray) -> list[tuple[int, int]]:
    """Return a pixel (y, x) of each patch to grow, the patches most like a hole first."""
    across = damaged[:, 1:] == damaged[:, :-1]
    down = damaged[1:, :-1] == damaged[:-1, :-1]
    blocks = across[1:] & across[:-1] & down
    count, labels = cv2.connectedComponents(blocks.view(np.uint8), connectivity=4)
    areas, sharpness, first = _measure_patches(damaged, labels, count)
    large = np.flatnonzero(areas >= _MIN_BLOCKS)
    chosen: list[int] = []
    for weight in (areas[large] * sharpness[large] ** 2, areas[large]):
        chosen += large[np.argsort(-weight, kind="stable")[:_EACH_LIST]].tolist()
    return [(int(first[label, 0]), int(first[label, 1])) for label in dict.fromkeys(chosen)]


def describe_region(damaged: Gray, region: FlatRegion) -> NDArray[np.float64]:
    """Describe one of the picture's flat regions by (len(REGION_FEATURES),) finite float64."""
    rule = DamageRule.at(damaged.shape)
    area, value = region.area, region.value
    x0, y0, x1, y1 = region.box
    mask = np.pad(region.labels[y0:y1, x0:x1] == region.label, 2)
    short = min((y1 - y0) / rule.min_sides[0], (x1 - x0) / rule.min_sides[1])
    return np.array(
        [
            np.log(area / damaged.size),
            np.log(area / rule.min_pixels),
            np.log(short),
            area / ((y1 - y0) * (x1 - x0)),
            np.count_nonzero(cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, _BLOCK)) / area,
            *_measure_rim(damaged, region),
            *_measure_shape(mask, area),
            np.exp(-value / 2.0),
            np.exp(-(255 - value) / 2.0),
            np.log1p(region.equal_area / area - 1.0),
        ],
        dtype=np.float64,
    )


def _measure_shape(mask: Mask, area: int) -> tuple[float, float, float, float, float]:
    """Gaps, solidity, vertices of the simplified outline, its misfit, and the perimeter."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=len)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, [outline], -1, 1, cv2.FILLED)
    gaps = float(np.count_nonzero(filled)) / area - 1.0
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(outline), 1)
    simple = cv2.approxPolyDP(outline, 1.5, True)
    redrawn = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(redrawn, [simple], 1)
    misfit = np.count_nonzero(redrawn != mask) / len(outline)
    solidity = area / float(np.count_nonzero(hull))
    stretch = np.log(len(outline) / np.sqrt(area))
    return gaps, solidity, float(np.log(len(simple))), float(misfit), float(stretch)


def _measure_rim(damaged: Gray, region: FlatRegion) -> tuple[float, float, float, float, float]:
    """Differences across the rim, and the share of the rim that is the picture's border."""
    x0, y0, x1, y1 = region.box
    around = slice(max(0, y0 - 1), y1 + 1), slice(max(0, x0 - 1), x1 + 1)
    gray, inside = damaged[around], region.labels[around] == region.label
    down = cv2.absdiff(gray[1:], gray[:-1])[inside[1:] != inside[:-1]]
    across = cv2.absdiff(gray[:, 1:], gray[:, :-1])[inside[:, 1:] != inside[:, :-1]]
    steps = np.concatenate([down, across]).astype(np.int64)
    labels, count = region.labels, max(steps.size, 1)
    edges = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    border = int(np.count_nonzero(edges == region.label))
    return (
        np.count_nonzero(steps <= 2) / count,
        np.count_nonzero(steps <= 8) / count,
        float(np.minimum(steps, 64).sum()) / count / 64.0,
        float(np.sqrt(np.square(steps).sum() / count)) / 128.0,
        border / max(steps.size + border, 1),
    )


@kernel
def _measure_patches(
    damaged: Any, labels: Any, count: int
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
