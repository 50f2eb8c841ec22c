"""Find the hole's mask, its gray and a confidence, by three small nets.

The flat regions are ranked by their shape and rim. Each pixel of the best region's gray is decided
by its surroundings. The confidence is learned from the errors on simulated damage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, check_gray
from ensemble.damage.draw import MIN_PIXELS
from ensemble.damage.locate.nets import LocatorNets, load_nets
from ensemble.damage.locate.pixels import GrayMap, describe_pixels, find_undecided_pixels, map_gray
from ensemble.damage.locate.regions import (
    REGION_FEATURES,
    FlatRegion,
    describe_region,
    find_flat_regions,
)

CONFIDENCE_FEATURES = (
    *REGION_FEATURES,
    "logit of the region",
    "logit of the best other gray",
    "log expected error",
    "log share added",
    "log share removed",
)
_EVEN = 0.5


@dataclass(frozen=True, eq=False)
class Located:
    """Where the hole is."""

    # (H, W) bool, True = lost. All False where nothing flat was found; else at least 7 pixels
    lost_mask: Mask
    fill: int  # the hole's gray, 0 to 255; -1 where nothing was found
    confidence: float  # the learned probability that the mask reaches an IoU of 0.99
    doubtful: bool  # the confidence is so low that a person should check the mask


def locate_hole(damaged: Gray) -> Located:
    """Find the hole.

    Args:
        damaged: (H, W) uint8, each side at least 8.

    Returns:
        The mask with its fill and a confidence. Pixels outside the mask are taken as known, so
        paint a mask by hand where it is doubtful.

    Raises:
        ArrayError: Not a gray picture, or too small.

    Source: the project's own; `benchmarks/locate.py` measures how often it is right.

    >>> from ensemble.damage.draw import apply_damage, draw_damage
    >>> gray = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    >>> damage = draw_damage(size=(64, 64), seed=0)
    >>> located = locate_hole(apply_damage(gray, damage))
    >>> located.fill == damage.fill, located.doubtful
    (True, False)
    """
    nets = load_nets()
    estimate = estimate_hole(check_gray(damaged, name="damaged"), nets)
    if estimate is None:
        return Located(np.zeros(damaged.shape, dtype=np.bool_), -1, 0.0, True)
    mask, fill, features = estimate
    confidence = float(nets.confidence.probability(features[None])[0])
    return Located(mask, fill, confidence, confidence < nets.doubtful_below)


def estimate_hole(damaged: Gray, nets: LocatorNets) -> tuple[Mask, int, NDArray[np.float64]] | None:
    """Find the hole by given nets: its mask, its gray, and `CONFIDENCE_FEATURES`.

    None where no region has `MIN_PIXELS` of one gray.
    """
    regions = [region for region in find_flat_regions(damaged) if region.area >= MIN_PIXELS]
    if not regions:
        return None
    features = np.stack([describe_region(damaged, region) for region in regions])
    chances = nets.region.probability(features)
    best = int(chances.argmax())
    region = regions[best]
    others = [p for p, r in zip(chances, regions, strict=True) if r.value != region.value]
    gray_map = map_gray(damaged, region)
    pixels = find_undecided_pixels(gray_map)
    belongs = nets.pixel.probability(describe_pixels(damaged, gray_map, pixels))
    mask = _decide(gray_map, pixels, belongs)
    confidence_features = [
        *features[best],
        _logit(float(chances[best])),
        _logit(max(others, default=0.0)),
        *_measure_changes(region, mask, belongs),
    ]
    return mask, region.value, np.array(confidence_features)


def _decide(gray_map: GrayMap, pixels: NDArray[np.int64], belongs: NDArray[np.float64]) -> Mask:
    # An undecided pixel is lost if its probability is above one half. Any other pixel is lost if it
    # lies in the main region, or in a region whose undecided pixels are so on average. The main
    # region is taken whole where too little were left.
    rows, columns = pixels.T
    labels, n_labels = gray_map.labels[rows, columns], len(gray_map.areas)
    sums = np.bincount(labels, weights=belongs, minlength=n_labels)
    lost = sums / np.maximum(np.bincount(labels, minlength=n_labels), 1) > _EVEN
    lost[gray_map.main] = True
    lost[0] = False
    mask: Mask = np.take(lost, gray_map.labels, mode="clip")  # twice as fast as indexing
    mask[rows, columns] = belongs > _EVEN
    if np.count_nonzero(mask) < MIN_PIXELS:
        return gray_map.labels == gray_map.main
    return mask


def _measure_changes(
    region: FlatRegion, mask: Mask, belongs: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Logs of the shares of the mask that are expected wrong, added to and cut from the region."""
    area = np.count_nonzero(mask)
    added = np.count_nonzero(mask & ~region.mask())
    removed = region.area + added - area
    wrong = float(np.minimum(belongs, 1.0 - belongs).sum())
    a, b, c = (float(np.log(n / area + 1e-4)) for n in (wrong, added, removed))
    return a, b, c


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-9), 1.0 - 1e-9)
    return float(np.log(bounded / (1.0 - bounded)))
