"""What tells the hole from a photograph's own flat regions: numbers about one region.

The hole is a polygon (few straight edges, no gaps, hardly any contact with the picture's border)
whose rim is unrelated to its gray. A sky or a blown highlight is ragged, full of gaps, and fades
out through neighbouring grays.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.compiled import kernel
from ensemble.damage.candidates import Candidate
from ensemble.damage.polygons import DamageRule

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


def region_features(damaged: Gray, candidate: Candidate) -> NDArray[np.float64]:
    """Describe a candidate.

    Args:
        damaged: (H, W) uint8.
        candidate: One of `find_candidates(damaged)`.

    Returns:
        (len(REGION_FEATURES),) float64, finite.
    """
    rule = DamageRule.at(damaged.shape)
    area, value = candidate.area, candidate.value
    x0, y0, x1, y1 = candidate.box
    region = np.pad(candidate.regions[y0:y1, x0:x1] == candidate.label, 2)
    short = min((y1 - y0) / rule.min_sides[0], (x1 - x0) / rule.min_sides[1])
    return np.array(
        [
            np.log(area / damaged.size),
            np.log(area / rule.min_pixels),
            np.log(short),
            area / ((y1 - y0) * (x1 - x0)),
            _opened_share(region, area),
            *_rim(damaged, candidate.regions, candidate.label, np.array(candidate.box)),
            *_shape(region, area),
            np.exp(-value / 2.0),
            np.exp(-(255 - value) / 2.0),
            np.log1p(candidate.equal_area / area - 1.0),
        ],
        dtype=np.float64,
    )


def _opened_share(region: Mask, area: int) -> float:
    opened = cv2.morphologyEx(region.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return float(np.count_nonzero(opened)) / area


def _shape(region: Mask, area: int) -> tuple[float, float, float, float, float]:
    """Gaps, solidity, vertices of the simplified outline, its misfit, and the perimeter."""
    contours, _ = cv2.findContours(region.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=len)
    filled = np.zeros(region.shape, np.uint8)
    cv2.drawContours(filled, [outline], -1, 1, cv2.FILLED)
    gaps = float(np.count_nonzero(filled)) / area - 1.0
    hull = np.zeros(region.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(outline), 1)
    simple = cv2.approxPolyDP(outline, 1.5, True)
    redrawn = np.zeros(region.shape, np.uint8)
    cv2.fillPoly(redrawn, [simple], 1)
    misfit = np.count_nonzero(redrawn != region) / len(outline)
    solidity = area / float(np.count_nonzero(hull))
    stretch = np.log(len(outline) / np.sqrt(area))
    return gaps, solidity, float(np.log(len(simple))), float(misfit), float(stretch)


@kernel
def _rim(
    damaged: NDArray[Any], labels: NDArray[Any], label: int, box: NDArray[Any]
) -> tuple[float, float, float, float, float]:
    """Differences across the rim, and the share of the rim that is the picture's border."""
    height, width = labels.shape
    rim, border = 0, 0
    near: Any = 0
    middle: Any = 0
    total: Any = 0.0
    squares: Any = 0.0
    for y in range(box[1], box[3]):
        for x in range(box[0], box[2]):
            if labels[y, x] != label:
                continue
            value = np.int64(damaged[y, x])
            for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                v, u = y + dy, x + dx
                if v < 0 or u < 0 or v >= height or u >= width:
                    border += 1
                elif labels[v, u] != label:
                    step = np.int64(damaged[v, u]) - value
                    rim += 1
                    near += abs(step) <= 2
                    middle += abs(step) <= 8
                    total += min(abs(step), 64)
                    squares += step * step
    count = max(rim, 1)
    mean = total / count / 64.0
    spread = np.sqrt(squares / count) / 128.0
    return near / count, middle / count, mean, spread, border / max(rim + border, 1)
