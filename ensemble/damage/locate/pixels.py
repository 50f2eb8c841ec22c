"""Describe the pixels of the hole's gray, to decide which belong to the hole.

The region of the hole's gray is not the hole. A spike of the polygon that is thinner than a pixel
breaks into loose dots in a line; a photograph's own pixels of that gray adjoin the rim where it is
smooth, among neighbors that differ by a level or two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.compiled import kernel
from ensemble.damage.locate.regions import FlatRegion

PIXEL_FEATURES = (
    "equal in 3 x 3",
    "equal in 5 x 5",
    "equal in 9 x 9",
    "near in 3 x 3",
    "near in 5 x 5",
    "near in 9 x 9",
    "mean difference in 5 x 5",
    "mean difference in 9 x 9",
    "least difference in 3 x 3",
    "in an equal 2 x 2",
    "in an equal 3 x 3",
    "in the main region",
    "log area of its region",
    "distance from the main region",
    "one-sided line",
    "two-sided line",
    "equal grays elsewhere",
    "log area of the main region",
)
_TURNS = 32
_REACH = 14


@dataclass(frozen=True, eq=False)
class GrayMap:
    """Every pixel of the hole's gray."""

    equal: Mask  # (H, W)
    labels: NDArray[np.int32]  # (H, W), its 8-connected regions; 0 elsewhere
    areas: NDArray[np.int64]  # (labels,), pixels by label, 0 for label 0
    main: int  # the label of the region taken for the hole
    box: tuple[int, int, int, int]  # (x0, y0, x1, y1) of that region


def map_gray(damaged: Gray, region: FlatRegion) -> GrayMap:
    """Map the gray of a flat region of `damaged`."""
    equal = damaged == region.value
    count, labels = cv2.connectedComponents(equal.view(np.uint8), connectivity=8)
    areas = np.bincount(labels[equal], minlength=count)
    x0, y0, x1, _ = region.box
    first_row = region.labels[y0, x0:x1] == region.label
    main = int(labels[y0, x0 + int(first_row.argmax())])
    return GrayMap(equal, labels, areas, main, region.box)


def find_undecided_pixels(gray_map: GrayMap) -> NDArray[np.int64]:
    """The pixels of the gray to be decided, (N, 2) int64 (y, x).

    Those with another gray in their 5 x 5 square, no farther from the region's box than its longer
    side: a loose end of a spike is no longer.
    """
    x0, y0, x1, y1 = gray_map.box
    margin = max(x1 - x0, y1 - y0)
    top, left = max(0, y0 - margin), max(0, x0 - margin)
    equal = gray_map.equal.view(np.uint8)
    undecided = cv2.subtract(equal, cv2.erode(equal, np.ones((5, 5), np.uint8)))
    found = np.argwhere(undecided[top : y1 + margin, left : x1 + margin])
    return np.asarray(found + np.array([top, left]), dtype=np.int64)


def describe_pixels(
    damaged: Gray, gray_map: GrayMap, pixels: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Describe (N, 2) pixels (y, x) of the gray by finite float32 (N, len(PIXEL_FEATURES))."""
    features = np.empty((len(pixels), len(PIXEL_FEATURES)), dtype=np.float32)
    labels, areas, main = gray_map.labels, gray_map.areas, gray_map.main
    _describe(damaged, labels, areas, main, np.array(gray_map.box), pixels, features)
    for column, size in ((9, 2), (10, 3)):
        features[:, column] = _in_blocks(gray_map.equal, size)[tuple(pixels.T)]
    features[:, 14:16] = measure_lines(gray_map.equal, pixels)
    return features


def measure_lines(mask: Mask, pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Measure the straight rows of set pixels from each of (N, 2) pixels (y, x) of a mask.

    Returns:
        (N, 2) float64 in [0, 1]: the largest share of set pixels along a ray of 14 pixels, and
            along a ray together with its opposite.
    """
    padded = np.pad(mask.view(np.uint8), _REACH)
    row_length = padded.shape[1]
    # Offsets in the raveled picture, (turns, reach); ray i + turns / 2 is opposite to ray i.
    angles = 2.0 * np.pi * np.arange(_TURNS) / _TURNS
    steps = np.arange(1, _REACH + 1)
    down, right = (np.rint(np.outer(f(angles), steps)).astype(np.int64) for f in (np.sin, np.cos))
    shares = np.empty((len(pixels), 2), dtype=np.float64)
    _count_on_rays(padded.ravel(), row_length, down * row_length + right, pixels, shares)
    return shares


def _in_blocks(equal: Mask, size: int) -> NDArray[np.uint8]:
    """Whether each pixel lies in a square of `size` set ones, all of it within the picture."""
    block = np.ones((size, size), np.uint8)
    padded = np.pad(equal.view(np.uint8), size)
    corners = cv2.erode(padded, block, anchor=(0, 0))
    inside = cv2.dilate(corners, block, anchor=(size - 1, size - 1))[size:-size, size:-size]
    return np.asarray(inside, dtype=np.uint8)


@kernel
def _describe(
    damaged: Any, labels: Any, areas: Any, label: int, box: Any, pixels: Any, features: Any
) -> None:
    height, width = damaged.shape
    elsewhere = (areas.sum() - areas[label]) / (height * width)
    scale = float(max(box[2] - box[0], box[3] - box[1]))
    counts = np.empty((3, 4))
    for i in range(pixels.shape[0]):
        y, x = pixels[i]
        row = features[i]
        _count_in_squares(damaged, y, x, counts, row)
        row[11] = labels[y, x] == label
        row[12] = np.log(areas[labels[y, x]])
        row[13] = 0.0 if labels[y, x] == label else _distance(labels, label, y, x, scale)
        row[16] = np.log(elsewhere + 1e-5)
        row[17] = np.log(areas[label])


@kernel
def _count_in_squares(damaged: Any, y: int, x: int, counts: Any, row: Any) -> None:
    """Count in three rings (pixels, equal, near, sum of steps), then add up what is within."""
    height, width = damaged.shape
    value = np.int64(damaged[y, x])
    counts[:] = 0.0
    least = 32.0
    for dy in range(-4, 5):
        for dx in range(-4, 5):
            v, u = y + dy, x + dx
            if v < 0 or u < 0 or v >= height or u >= width or (dy == 0 and dx == 0):
                continue
            ring = max(abs(dy), abs(dx))
            k = min(ring, 3) - 1
            step = abs(np.int64(damaged[v, u]) - value)
            counts[k, 0] += 1
            counts[k, 1] += step == 0
            counts[k, 2] += 0 < step <= 2
            counts[k, 3] += min(step, 32)
            if ring == 1 and step > 0:
                least = min(least, float(step))
    for k in range(3):
        if k > 0:
            counts[k] += counts[k - 1]
        other = max(counts[k, 0] - counts[k, 1], 1.0)
        row[k] = counts[k, 1] / counts[k, 0]
        row[3 + k] = counts[k, 2] / other
        if k > 0:
            row[5 + k] = counts[k, 3] / other / 32.0
    row[8] = least / 32.0


@kernel
def _distance(labels: Any, label: int, y: int, x: int, scale: float) -> float:
    """Steps to the main region along the nearest of eight rays, over its longer side, up to 1."""
    height, width = labels.shape
    best = scale
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            v, u, steps = y, x, 0
            while (dy != 0 or dx != 0) and steps < best:
                v, u, steps = v + dy, u + dx, steps + 1
                if v < 0 or u < 0 or v >= height or u >= width:
                    break
                if labels[v, u] == label:
                    best = float(steps)
    return best / scale


@kernel
def _count_on_rays(padded: Any, row_length: int, rays: Any, pixels: Any, shares: Any) -> None:
    """Largest share of equal pixels along a ray, and along a ray with its opposite."""
    count, reach = rays.shape
    hits = np.zeros(count, dtype=np.int64)
    half = count // 2
    for i in range(pixels.shape[0]):
        start = (pixels[i, 0] + reach) * row_length + pixels[i, 1] + reach
        one, both = 0, 0
        for ray in range(count):
            found = 0
            for k in range(reach):
                found += padded[start + rays[ray, k]]
            hits[ray] = found
            one = max(one, found)
        for ray in range(half):
            both = max(both, hits[ray] + hits[ray + half])
        shares[i, 0] = one / reach
        shares[i, 1] = both / (2 * reach)
