"""Weights of members: how a search codes them, and how they are rounded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.composition.hue_transport.assign import apportion

LEAST_DRAW = 1e-4
LEAST_WEIGHT = 0.01
UNITS = 10_000

Weights = NDArray[np.float64]


def to_weights(draws: Sequence[float]) -> Weights:
    """Turn uniform draws in (0, 1] into weights of sum 1: -log u, scaled; equal where all are 1.

    Independent uniform draws give the flat Dirichlet distribution, so no corner of the simplex is
    favored; a search may move each draw alone and still reach every point.

    >>> to_weights([0.5, 0.25]).round(4).tolist()
    [0.3333, 0.6667]
    """
    logs = np.abs(np.log(draws))  # -log 1 would be -0.0
    total = logs.sum()
    return logs / total if total > 0 else np.full(logs.size, 1 / logs.size)


def to_draws(weights: Sequence[float]) -> tuple[float, ...]:
    """Turn weights into draws that `to_weights` turns back, none below `LEAST_DRAW`.

    >>> to_weights(to_draws([0.2, 0.0, 0.8])).round(12).tolist()
    [0.2, 0.0, 0.8]
    """
    shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    scale = min(len(shares), -0.99 * np.log(LEAST_DRAW) / shares.max())
    return tuple(float(draw) for draw in np.exp(-scale * shares))


def round_weights(weights: Sequence[float] | Weights) -> Weights:
    """Drop weights below `LEAST_WEIGHT` of the whole, and round the rest to 4 decimals of sum 1.

    The largest weight always stays. No other weight moves by a whole unit: rounding is by largest
    remainders, see `apportion`. The weights are not negative, of any positive sum.

    >>> round_weights([1, 1, 1]).tolist()
    [0.3334, 0.3333, 0.3333]
    """
    shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
    large = (shares >= LEAST_WEIGHT) | (np.arange(shares.size) == shares.argmax())
    return apportion(np.where(large, shares, 0), UNITS) / UNITS
