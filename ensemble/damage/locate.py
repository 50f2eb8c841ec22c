"""Find the hole in a damaged picture, without a network that needs training and without a human.

    gray -> regions of one exact gray -> the one most like a hole -> its pixels, each decided
         -> mask, fill, confidence

The regions are ranked by their shape and rim, the pixels of the winner's gray are decided by their
surroundings, and the confidence is learned from where that went wrong on simulated damage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, check_gray
from ensemble.damage.candidates import Candidate, find_candidates
from ensemble.damage.pixel_features import GrayMap, doubtful_pixels, pixel_features
from ensemble.damage.polygons import MIN_PIXELS
from ensemble.damage.region_features import REGION_FEATURES, region_features
from ensemble.damage.small_nets import LocatorNets, load_nets

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
    """Where the hole is believed to be.

    Attributes:
        lost_mask: (H, W) bool, True = lost. All False where nothing flat was found; else at
            least 7 pixels.
        fill: The hole's gray, 0 to 255; -1 where nothing was found.
        confidence: The learned probability that the mask reaches an IoU of 0.99.
        doubtful: The confidence is too low to go on without a look.
    """

    lost_mask: Mask
    fill: int
    confidence: float
    doubtful: bool


@dataclass(frozen=True, eq=False)
class Guess:
    """A mask with the numbers its confidence is judged by, (len(CONFIDENCE_FEATURES),) float64."""

    lost_mask: Mask
    fill: int
    evidence: NDArray[np.float64]


def locate_hole(damaged: Gray) -> Located:
    """Find the hole.

    Args:
        damaged: (H, W) uint8, each side at least 8.

    Returns:
        The mask with its fill and a confidence. Outside the mask the picture is taken as known,
        so a doubtful one deserves a mask made by hand.

    Raises:
        ArrayError: Not a gray picture, or too small.

    Source: the project's own; `benchmarks/locate.py` prints how well it does.
    """
    nets = load_nets()
    guess = guess_hole(check_gray(damaged, name="damaged"), nets)
    if guess is None:
        return Located(np.zeros(damaged.shape, dtype=np.bool_), -1, 0.0, True)
    confidence = float(nets.confidence.probability(guess.evidence[None])[0])
    return Located(guess.lost_mask, guess.fill, confidence, confidence < nets.doubtful_below)


def guess_hole(damaged: Gray, nets: LocatorNets) -> Guess | None:
    """Find the hole by given nets; None where no region has `MIN_PIXELS` of one gray."""
    candidates = [c for c in find_candidates(damaged) if c.area >= MIN_PIXELS]
    if not candidates:
        return None
    features = np.stack([region_features(damaged, candidate) for candidate in candidates])
    chances = nets.region.probability(features)
    best = int(chances.argmax())
    winner = candidates[best]
    rivals = [p for p, c in zip(chances, candidates, strict=True) if c.value != winner.value]
    gray_map = GrayMap.of(damaged, winner)
    pixels = doubtful_pixels(gray_map)
    belongs = nets.pixel.probability(pixel_features(damaged, gray_map, pixels))
    mask = _decide(gray_map, pixels, belongs)
    evidence = [
        *features[best],
        _logit(float(chances[best])),
        _logit(max(rivals, default=0.0)),
        *_changes(winner, mask, belongs),
    ]
    return Guess(mask, winner.value, np.array(evidence))


def _decide(gray_map: GrayMap, pixels: NDArray[np.int64], belongs: NDArray[np.float64]) -> Mask:
    """Keep the inside of the main region, of other regions by their doubtful pixels' mean, and
    each doubtful pixel by its own probability; the main region whole if too little were left."""
    rows, columns = pixels.T
    regions = gray_map.labels[rows, columns]
    n_labels = len(gray_map.areas)
    counts = np.bincount(regions, minlength=n_labels)
    means = np.bincount(regions, weights=belongs, minlength=n_labels) / np.maximum(counts, 1)
    kept = means > _EVEN
    kept[gray_map.main] = True
    kept[0] = False
    mask: Mask = kept[gray_map.labels]
    mask[rows, columns] = belongs > _EVEN
    if np.count_nonzero(mask) < MIN_PIXELS:
        return gray_map.labels == gray_map.main
    return mask


def _changes(
    winner: Candidate, mask: Mask, belongs: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Logs of the expected wrong pixels, the added and the removed, over the mask's pixels."""
    area = np.count_nonzero(mask)
    main = winner.region()
    added = np.count_nonzero(mask & ~main)
    removed = winner.area + added - area
    wrong = float(np.minimum(belongs, 1.0 - belongs).sum())
    expected, gained, dropped = (np.log(n / area + 1e-4) for n in (wrong, added, removed))
    return float(expected), float(gained), float(dropped)


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-9), 1.0 - 1e-9)
    return float(np.log(bounded / (1.0 - bounded)))
