"""Find the hole in a damaged picture, without a network that needs training and without a human.

    gray -> regions of one exact gray -> the one most like a hole -> its pixels, each decided
         -> mask, fill, confidence

The regions are ranked by their shape and rim. The pixels of the winner's gray are decided by their
surroundings; those left unsure once more, by what was thought of the pixels around them. The
confidence is learned from where that went wrong on simulated damage.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, check_gray
from ensemble.damage.candidates import Candidate, find_candidates
from ensemble.damage.context_features import context_features, region_means
from ensemble.damage.pixel_features import GrayMap, doubtful_pixels, pixel_features
from ensemble.damage.polygons import MIN_PIXELS
from ensemble.damage.region_features import REGION_FEATURES, region_features
from ensemble.damage.small_nets import LocatorNets, load_nets

CONFIDENCE_FEATURES = (
    *REGION_FEATURES,
    "logit of the region",
    "logit of the best other gray",
    "log expected error",
    "log expected error of first opinions",
    "log share added",
    "log share removed",
)
_EVEN = 0.5
_SURE = 0.002


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


@dataclass(frozen=True, eq=False)
class Opinions:
    """What the pixel net thinks of the winner's gray.

    Attributes:
        gray_map: The winner's gray.
        pixels: (N, 2) int64, its doubtful pixels, (y, x) a row.
        first: (N,) float64 in [0, 1], the probability of each to belong to the hole.
        unsure: (U,) int64, the rows of those that get a second opinion.
        context: (U, len(CONTEXT_FEATURES)) float32, what the second is judged by.
    """

    gray_map: GrayMap
    pixels: NDArray[np.int64]
    first: NDArray[np.float64]
    unsure: NDArray[np.int64]
    context: NDArray[np.float32]


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
    opinions = first_opinions(damaged, winner, nets)
    belongs = opinions.first.copy()
    belongs[opinions.unsure] = nets.context.probability(opinions.context)
    mask = _decide(opinions.gray_map, opinions.pixels, belongs)
    evidence = [
        *features[best],
        _logit(float(chances[best])),
        _logit(max(rivals, default=0.0)),
        *_changes(winner, mask, belongs, opinions.first),
    ]
    return Guess(mask, winner.value, np.array(evidence))


def first_opinions(damaged: Gray, winner: Candidate, nets: LocatorNets) -> Opinions:
    """Ask the pixel net, and describe what the context net is to see."""
    gray_map = GrayMap.of(damaged, winner)
    pixels = doubtful_pixels(gray_map)
    seen = pixel_features(damaged, gray_map, pixels)
    first = nets.pixel.probability(seen)
    unsure = np.flatnonzero((first > _SURE) & (first < 1.0 - _SURE))
    context = context_features(gray_map, pixels, seen, first, unsure)
    return Opinions(gray_map, pixels, first, unsure, context)


def _decide(gray_map: GrayMap, pixels: NDArray[np.int64], belongs: NDArray[np.float64]) -> Mask:
    """Keep the inside of the main region, of other regions by their doubtful pixels' mean, and
    each doubtful pixel by its own probability; the main region whole if too little were left."""
    rows, columns = pixels.T
    kept = region_means(gray_map, pixels, belongs) > _EVEN
    kept[gray_map.main] = True
    kept[0] = False
    mask: Mask = np.take(kept, gray_map.labels, mode="clip")  # twice as fast as indexing
    mask[rows, columns] = belongs > _EVEN
    if np.count_nonzero(mask) < MIN_PIXELS:
        return gray_map.labels == gray_map.main
    return mask


def _changes(
    winner: Candidate, mask: Mask, belongs: NDArray[np.float64], first: NDArray[np.float64]
) -> list[float]:
    """Logs of the expected wrong pixels (by the last and by the first opinions), the added and the
    removed, over the mask's pixels."""
    area = np.count_nonzero(mask)
    main = winner.region()
    added = np.count_nonzero(mask & ~main)
    removed = winner.area + added - area
    wrong = [float(np.minimum(p, 1.0 - p).sum()) for p in (belongs, first)]
    return [float(np.log(n / area + 1e-4)) for n in [*wrong, float(added), float(removed)]]


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-9), 1.0 - 1e-9)
    return float(np.log(bounded / (1.0 - bounded)))
