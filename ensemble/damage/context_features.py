"""What the first opinions around an unsure pixel say about it.

The pixel net judges every pixel alone. Its opinions together show more: the straight edges of the
hole, the lines that dots form, and how common the gray is outside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.compiled import kernel
from ensemble.damage.dot_lines import DOT_FEATURES, dot_lines
from ensemble.damage.pixel_features import PIXEL_FEATURES, GrayMap
from ensemble.damage.rays import ray_steps
from ensemble.damage.wedges import WEDGE_FEATURES, wedge_misfits

_RADII = (1, 2, 4, 8, 16)
_TURNS, _NEAR, _FAR = 64, 14, 28
RAY_FEATURES = (
    "one-sided ray, near",
    "one-sided ray",
    "two-sided ray, near",
    "two-sided ray",
    "unbroken ray",
    "unbroken two-sided ray",
    "all rays",
)
CONTEXT_FEATURES = (
    *PIXEL_FEATURES,
    "first opinion",
    "mean first opinion of its region",
    "root of the hole's share of the picture",
    *(f"hopes in {2 * radius + 1} x {2 * radius + 1}" for radius in _RADII),
    *RAY_FEATURES,
    *DOT_FEATURES,
    *WEDGE_FEATURES,
)


def context_features(
    gray_map: GrayMap,
    pixels: NDArray[np.int64],
    seen: NDArray[np.float32],
    belongs: NDArray[np.float64],
    unsure: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Describe the opinions around the unsure pixels.

    Args:
        gray_map: The gray of the region taken for the hole.
        pixels: (N, 2) int64, the doubtful pixels, (y, x) a row.
        seen: (N, len(PIXEL_FEATURES)) float32, what the pixel net judged them by.
        belongs: (N,) float64 in [0, 1], the first opinion of each.
        unsure: (U,) int64, the rows of `pixels` to describe.

    Returns:
        (U, len(CONTEXT_FEATURES)) float32, finite.
    """
    means = region_means(gray_map, pixels, belongs)
    hopes = hope_map(gray_map, means, pixels, belongs)
    asked = pixels[unsure]
    first = np.clip(belongs[unsure], 1e-6, 1.0 - 1e-6)
    share = np.full(len(asked), np.sqrt(hopes.mean()))
    own = means[gray_map.labels[asked[:, 0], asked[:, 1]]]
    squares, frequency = square_means(gray_map, hopes, asked)
    return np.column_stack(
        [
            seen[unsure],
            np.column_stack([np.log(first / (1.0 - first)), own, share]),
            squares,
            ray_sums(hopes, asked),
            dot_lines(gray_map.equal, hopes, asked, frequency),
            wedge_misfits(hopes, asked),
        ]
    ).astype(np.float32)


def region_means(
    gray_map: GrayMap, pixels: NDArray[np.int64], belongs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean opinion of each region's doubtful pixels, (labels,) float64; 0 where it has none."""
    regions = gray_map.labels[pixels[:, 0], pixels[:, 1]]
    n_labels = len(gray_map.areas)
    counts = np.bincount(regions, minlength=n_labels)
    sums = np.bincount(regions, weights=belongs, minlength=n_labels)
    return sums / np.maximum(counts, 1)


def hope_map(
    gray_map: GrayMap,
    means: NDArray[np.float64],
    pixels: NDArray[np.int64],
    belongs: NDArray[np.float64],
) -> NDArray[np.float32]:
    """How sure each pixel is of the hole, (H, W) float32: its own opinion, its region's where it
    has none, 1 inside the main region, 0 where the gray is another."""
    by_region = means.astype(np.float32)
    by_region[gray_map.main] = 1.0
    by_region[0] = 0.0
    hopes: NDArray[np.float32] = np.take(by_region, gray_map.labels, mode="clip")
    hopes[pixels[:, 0], pixels[:, 1]] = belongs
    return hopes


def square_means(
    gray_map: GrayMap, hopes: NDArray[np.float32], pixels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean hopes in squares around each pixel, itself left out, and the gray's frequency outside.

    Returns:
        (N, 5) float64, and (N,) float64 in (0, 1): within 33 x 33, the hopeless share of the
        pixels of the gray, over the hopeless share of all.
    """
    means = np.empty((len(pixels), len(_RADII)))
    frequency = np.empty(len(pixels))
    _squares(gray_map.equal.view(np.uint8), hopes, pixels, np.array(_RADII), means, frequency)
    return means, frequency


def ray_sums(hopes: NDArray[np.float32], pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The most hope along rays of 14 and 28 steps, and along a ray with its opposite; the longest
    run of hopes above a half; and the mean of all rays: (N, len(RAY_FEATURES)) in [0, 1]."""
    sums = np.empty((len(pixels), _TURNS, 3))
    _sum_rays(hopes, pixels, *ray_steps(_TURNS, _FAR), sums)
    near, far, run = np.moveaxis(sums, 2, 0)
    half = _TURNS // 2
    return np.column_stack(
        [
            near.max(axis=1) / _NEAR,
            far.max(axis=1) / _FAR,
            (near[:, :half] + near[:, half:]).max(axis=1) / (2 * _NEAR),
            (far[:, :half] + far[:, half:]).max(axis=1) / (2 * _FAR),
            run.max(axis=1) / _FAR,
            (run[:, :half] + run[:, half:]).max(axis=1) / (2 * _FAR),
            far.mean(axis=1) / _FAR,
        ]
    )


@kernel
def _squares(
    equal: NDArray[Any],
    hopes: NDArray[Any],
    pixels: NDArray[Any],
    radii: NDArray[Any],
    means: NDArray[Any],
    frequency: NDArray[Any],
) -> None:
    height, width = equal.shape
    for i in range(len(pixels)):
        y, x = pixels[i]
        for k in range(len(radii)):
            count, hope, hopeless, equals = 0, 0.0, 0.0, 0.0
            for v in range(max(0, y - radii[k]), min(height, y + radii[k] + 1)):
                for u in range(max(0, x - radii[k]), min(width, x + radii[k] + 1)):
                    if v == y and u == x:
                        continue
                    count += 1
                    hope += hopes[v, u]
                    hopeless += 1.0 - hopes[v, u]
                    equals += equal[v, u] * (1.0 - hopes[v, u])
            means[i, k] = hope / count
            frequency[i] = (equals + 5e-4) / (hopeless + 1e-3)


@kernel
def _sum_rays(
    hopes: NDArray[Any],
    pixels: NDArray[Any],
    down: NDArray[Any],
    right: NDArray[Any],
    sums: NDArray[Any],
) -> None:
    height, width = hopes.shape
    for i in range(len(pixels)):
        for turn in range(len(down)):
            total: Any = 0.0
            near: Any = 0.0
            run = 0
            for k in range(_FAR):
                y, x = pixels[i, 0] + down[turn, k], pixels[i, 1] + right[turn, k]
                hope = hopes[y, x] if 0 <= y < height and 0 <= x < width else np.float32(0.0)
                total += hope
                if k == _NEAR - 1:
                    near = total
                if run == k and hope > 0.5:
                    run += 1
            sums[i, turn, 0] = near
            sums[i, turn, 1] = total
            sums[i, turn, 2] = run
