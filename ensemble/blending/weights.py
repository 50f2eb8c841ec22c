"""Points of the simplex: how a search draws them, tidies them, and blends pictures with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.composition.weighted_mean import weighted_mean
from ensemble.errors import ArrayError

LEAST_DRAW = 1e-4
LEAST_WEIGHT = 0.01
DECIMALS = 4

Weights = NDArray[np.float64]


def on_simplex(draws: Sequence[float]) -> Weights:
    """Uniform draws to a point of the simplex: -log u, scaled to the sum 1.

    Independent uniform draws give the flat Dirichlet distribution, so no corner of the simplex is
    favoured; a search may move each draw alone and still reach every point.

    Args:
        draws: K numbers in (0, 1].

    Returns:
        (K,) float64, not negative, sum 1; the centre where all draws are 1.

    Raises:
        ArrayError: A draw lies outside (0, 1], or there is none.

    >>> on_simplex([0.5, 0.25]).round(4).tolist()
    [0.3333, 0.6667]
    """
    given = np.asarray(draws, dtype=np.float64)
    if given.ndim != 1 or given.size == 0 or not ((given > 0) & (given <= 1)).all():
        raise ArrayError(f"draws must be one or more numbers in (0, 1], but got {list(draws)}")
    logs = np.abs(np.log(given))  # -log 1 would be -0.0
    total = logs.sum()
    return logs / total if total > 0 else np.full(given.size, 1 / given.size)


def draws_of(weights: Sequence[float]) -> tuple[float, ...]:
    """Draws that `on_simplex` takes to these weights, none below `LEAST_DRAW`.

    >>> on_simplex(draws_of([0.2, 0.0, 0.8])).round(12).tolist()
    [0.2, 0.0, 0.8]
    """
    shares = _checked(weights)
    scale = min(len(shares), -0.99 * np.log(LEAST_DRAW) / shares.max())
    return tuple(float(draw) for draw in np.exp(-scale * shares))


def tidy(
    weights: Sequence[float], *, least: float = LEAST_WEIGHT, decimals: int = DECIMALS
) -> Weights:
    """Drop what is too small to matter, and round the rest so that it still sums to exactly 1.

    The units of the last decimal that rounding down leaves over go to the largest remainders
    (ties: the first), so no weight moves by a whole unit and nothing becomes negative.

    Args:
        weights: (K,), not negative, of any positive sum.
        least: Share below which a weight becomes 0; the largest weight always stays.
        decimals: Digits that are kept.

    Returns:
        (K,) float64: integers over 10^decimals that sum to 10^decimals.

    Raises:
        ArrayError: A weight is negative, or all are 0.

    >>> tidy([1, 1, 1]).tolist()
    [0.3334, 0.3333, 0.3333]
    """
    shares = _checked(weights)
    kept = np.where((shares >= least) | (np.arange(shares.size) == shares.argmax()), shares, 0)
    units = 10**decimals
    exact = kept / kept.sum() * units
    whole = np.floor(exact)
    left = int(units - whole.sum())
    first = np.argsort(whole - exact, kind="stable")[:left]
    whole[first] += 1
    return whole / units


def bag_weights(bag: Sequence[int]) -> Weights:
    """Weights of a bag that holds member k `bag[k]` times.

    >>> bag_weights([3, 0, 1]).tolist()
    [0.75, 0.0, 0.25]
    """
    return _checked(bag)


def one_more(bag: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Every bag with one member added: the steps of greedy selection with replacement.

    >>> one_more((1, 0))
    ((2, 0), (1, 1))
    """
    return tuple(
        tuple(count + (k == added) for k, count in enumerate(bag)) for added in range(len(bag))
    )


def blend(pictures: NDArray[np.uint8], weights: Sequence[float]) -> NDArray[np.float32]:
    """The weighted mean of pictures, not rounded.

    Needs no memory beyond its result; see `weighted_mean`, which every composed blend is made of.

    Args:
        pictures: (K, H, W) or (K, H, W, 3) uint8.
        weights: (K,), not negative, of any positive sum; scaled to the sum 1.

    Returns:
        float32 of a picture's shape, on the scale 0..255; within 1e-4 of the exact mean.

    Raises:
        ArrayError: Another dtype, or as many weights as pictures are not there.
    """
    shares = _checked(weights).astype(np.float32)
    if pictures.dtype != np.uint8 or pictures.ndim < 2 or len(pictures) != len(shares):
        raise ArrayError(
            f"`pictures` must be uint8 with one of {len(shares)} weights each, "
            f"but got {pictures.dtype} of shape {pictures.shape}"
        )
    return weighted_mean(pictures, shares)


def _checked(weights: Sequence[float]) -> Weights:
    shares = np.asarray(weights, dtype=np.float64)
    finite = shares.ndim == 1 and shares.size and np.isfinite(shares).all()
    if not finite or shares.min() < 0 or shares.sum() <= 0:
        raise ArrayError(f"weights must not be negative nor all 0, but got {list(weights)}")
    return shares / shares.sum()
