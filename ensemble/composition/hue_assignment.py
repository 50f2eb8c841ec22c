"""Which pixel gets which hue: optimal transport on the circle of hues, to exact counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.compiled import kernel
from ensemble.vocabulary import HUE_BINS

KEYS = HUE_BINS * 256
"""Keys are hues in 1/256 of a bin."""

UNASSIGNED = 255

Bins = NDArray[np.uint8]


def apportion(shares: NDArray[Any], total: int) -> NDArray[np.int64]:
    """Whole numbers that sum to `total`, as proportional to `shares` as whole numbers can be.

    Largest remainders (Hamilton's method); equal remainders go to the lower index.
    """
    if total == 0:
        return np.zeros(len(shares), dtype=np.int64)
    ideal = np.asarray(shares, dtype=np.float64) * (total / np.sum(shares))
    counts = np.floor(ideal).astype(np.int64)
    missing = total - int(counts.sum())
    counts[np.argsort(counts - ideal, kind="stable")[:missing]] += 1
    return counts


def assign(*, keys: NDArray[np.uint16], bins: Bins, counts: NDArray[np.int64]) -> None:
    """Give each unassigned pixel a bin, so that the bins come out with `counts`.

    The cheapest way to move mass along a circle keeps its order; what is left to choose is where
    the circle is cut, and the best cut is the median of the difference of the two cumulative
    distributions. Pixels with equal keys keep their order.

    Args:
        keys: (N,) in 0..KEYS-1, the hue each pixel has now.
        bins: (N,) bin of each pixel, or `UNASSIGNED`; filled in place.
        counts: (180,) not negative, sum = number of unassigned pixels.

    Source: Rabin, Delon, Gousseau, "Transportation distances on the circle" (2011), for cost |x|.
    """
    have = _histogram(keys, bins)
    if have.sum() > 0:
        _spread(keys, bins, np.cumsum(have) - have, _lookup(counts), _cut(have, counts))


def _cut(have: NDArray[np.int64], counts: NDArray[np.int64]) -> int:
    """How many pixels later the wanted order starts than the present one."""
    edges = have.reshape(HUE_BINS, -1).sum(axis=1).cumsum()
    return int(np.median(edges - np.cumsum(counts)))


def _lookup(counts: NDArray[np.int64]) -> Bins:
    """The bin of each place in the wanted order."""
    return np.repeat(np.arange(HUE_BINS, dtype=np.uint8), counts)


@kernel
def _histogram(keys: Any, bins: Any) -> Any:
    have = np.zeros(KEYS, dtype=np.int64)
    for i in range(keys.size):
        if bins[i] == UNASSIGNED:
            have[keys[i]] += 1
    return have


@kernel
def _spread(keys: Any, bins: Any, places: Any, order: Any, cut: int) -> None:
    total = order.size
    for i in range(keys.size):
        if bins[i] == UNASSIGNED:
            bins[i] = order[(places[keys[i]] - cut) % total]
            places[keys[i]] += 1
