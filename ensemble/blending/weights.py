"""Weights of members: how a search codes them, and how they are rounded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.composition.hue_transport.assign import apportion
from ensemble.errors import ArrayError

LEAST_DRAW = 1e-4
LEAST_WEIGHT = 0.01
UNITS = 10_000

Weights = NDArray[np.float64]


def to_weights(draws: Sequence[float]) -> Weights:
    """Turn uniform draws into weights of sum 1: -log u, scaled.

    Independent uniform draws give the flat Dirichlet distribution, so no corner of the simplex is
    favored; a search may move each draw alone and still reach every point.

    Args:
        draws: K numbers in (0, 1].

    Returns:
        (K,) float64, not negative, sum 1; equal where all draws are 1.

    Raises:
        ArrayError: A draw lies outside (0, 1], or there is none.

    >>> to_weights([0.5, 0.25]).round(4).tolist()
    [0.3333, 0.6667]
    """
    given = np.asarray(draws, dtype=np.float64)
    if given.ndim != 1 or given.size == 0 or not ((given > 0) & (given <= 1)).all():
        raise ArrayError(f"draws must be one or more numbers in (0, 1], but got {list(draws)}")
    logs = np.abs(np.log(given))  # -log 1 would be -0.0
    total = logs.sum()
    return logs / total if total > 0 else np.full(given.size, 1 / given.size)


def to_draws(weights: Sequence[float]) -> tuple[float, ...]:
    """Turn weights into draws that `to_weights` turns back, none below `LEAST_DRAW`.

    >>> to_weights(to_draws([0.2, 0.0, 0.8])).round(12).tolist()
    [0.2, 0.0, 0.8]
    """
    shares = _normalize(weights)
    scale = min(len(shares), -0.99 * np.log(LEAST_DRAW) / shares.max())
    return tuple(float(draw) for draw in np.exp(-scale * shares))


def round_weights(weights: Sequence[float]) -> Weights:
    """Drop weights below `LEAST_WEIGHT`, and round the rest to 4 decimals of sum 1.

    The largest weight always stays. No other weight moves by a whole unit: rounding is by largest
    remainders, see `apportion`.

    Args:
        weights: (K,), not negative, of any positive sum.

    Returns:
        (K,) float64: integers over `UNITS` that sum to `UNITS`.

    Raises:
        ArrayError: A weight is negative, or all are 0.

    >>> round_weights([1, 1, 1]).tolist()
    [0.3334, 0.3333, 0.3333]
    """
    shares = _normalize(weights)
    large = (shares >= LEAST_WEIGHT) | (np.arange(shares.size) == shares.argmax())
    return apportion(np.where(large, shares, 0), UNITS) / UNITS


def _normalize(weights: Sequence[float]) -> Weights:
    """Scale weights to the sum 1."""
    shares = np.asarray(weights, dtype=np.float64)
    finite = shares.ndim == 1 and shares.size and np.isfinite(shares).all()
    if not finite or shares.min() < 0 or shares.sum() <= 0:
        raise ArrayError(f"weights must not be negative nor all 0, but got {list(weights)}")
    return shares / shares.sum()
