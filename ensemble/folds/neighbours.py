"""Nearest rows by cosine, in blocks: exact, and small in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 1024

Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Rows, other rows, similarities."""

NOTHING: Final[Found] = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


def cosine_neighbours(
    *,
    queries: NDArray[np.float32],
    rows: NDArray[np.float32],
    n_nearest: int,
    floor: float,
) -> Found:
    """Find, for every query, the rows that point most nearly the same way.

    Time grows as queries times rows, memory as `BLOCK` times rows.

    Args:
        queries: (Q, D) of unit length.
        rows: (N, D) of unit length.
        n_nearest: How many rows a query may have.
        floor: The least cosine worth reporting.

    Returns:
        (P,) queries, (P,) rows and (P,) cosines, in the order of the queries.
    """
    n_nearest = min(n_nearest, len(rows))
    found = [
        _block(queries[start : start + BLOCK] @ rows.T, start, n_nearest, floor)
        for start in range(0, len(queries), BLOCK)
    ]
    return _join([NOTHING, *found])


def unique_pairs(*found: Found) -> Found:
    """Name each pair once, smaller row first, with its greatest similarity; drop (i, i)."""
    first, second, similarity = _join(found)
    low, high = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((-similarity, high, low))
    low, high, similarity = low[order], high[order], similarity[order]
    new = np.ones(len(low), dtype=np.bool_)
    new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    keep = new & (low != high)
    return low[keep], high[keep], similarity[keep]


def _join(found: Sequence[Found]) -> Found:
    return (
        np.concatenate([first for first, _, _ in found]),
        np.concatenate([second for _, second, _ in found]),
        np.concatenate([similarity for _, _, similarity in found]),
    )


def _block(cosines: NDArray[np.float32], start: int, n_nearest: int, floor: float) -> Found:
    nearest = np.argpartition(-cosines, n_nearest - 1, axis=1)[:, :n_nearest]
    values = np.take_along_axis(cosines, nearest, axis=1)
    query, place = np.nonzero(values >= floor)
    return query + start, nearest[query, place], values[query, place]
