"""Groups of near-duplicates: connected components, with a cap against chains."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ensemble.errors import ConfigError
from ensemble.folds.match import Pairs


@dataclass(frozen=True)
class Groups:
    """Which photographs show one scene.

    Attributes:
        image_ids: N photographs, sorted.
        labels: The group of each one: the first id in it. A photograph like no other is alone.
        n_cut: Pairs of one scene left apart because their group would have been too large.
    """

    image_ids: tuple[str, ...]
    labels: tuple[str, ...]
    n_cut: int

    @property
    def n_groups(self) -> int:
        """Groups of two or more photographs."""
        return sum(size > 1 for size in Counter(self.labels).values())

    @property
    def n_singletons(self) -> int:
        """Photographs that are like no other."""
        return sum(size == 1 for size in Counter(self.labels).values())


def find_groups(*, pairs: Pairs, max_size: int) -> Groups:
    """Join the pairs of one scene into groups.

    Near-duplicates of near-duplicates are joined too, so a chain could join everything. A component
    larger than `max_size` is therefore built anew, most similar first, and a pair that would make a
    group larger than `max_size` is left apart and counted.

    Args:
        pairs: From `find_pairs`.
        max_size: Photographs in a group; a fold's share (photographs // folds) is the most that
            leaves folds of equal size possible.

    Raises:
        ConfigError: `max_size` is under 1.
    """
    if max_size < 1:
        raise ConfigError(f"`max_size >= 1` must hold, but got {max_size}")
    close = pairs.of_one_scene()
    roots = _find_components(close)
    too_large = np.bincount(roots, minlength=len(roots)) > max_size
    for root in np.flatnonzero(too_large):
        _rebuild(roots, close, np.flatnonzero(roots == root), max_size)
    return Groups(
        image_ids=close.image_ids,
        labels=tuple(close.image_ids[root] for root in roots),
        n_cut=int(np.count_nonzero(roots[close.first] != roots[close.second])),
    )


def _find_components(pairs: Pairs) -> NDArray[np.int64]:
    """(N,) the first row of each row's connected component."""
    n = len(pairs.image_ids)
    links = coo_array((np.ones(len(pairs.first)), (pairs.first, pairs.second)), shape=(n, n))
    _, component = connected_components(links, directed=False)
    _, first_row = np.unique(component, return_index=True)
    return first_row[component].astype(np.int64)


def _rebuild(
    roots: NDArray[np.int64], pairs: Pairs, rows: NDArray[np.int64], max_size: int
) -> None:
    """Write the groups of `rows` into `roots`: Kruskal's union, most similar first."""
    inside = np.isin(pairs.first, rows)
    groups: dict[int, list[int]] = {int(row): [int(row)] for row in rows}
    for a, b in zip(pairs.first[inside], pairs.second[inside], strict=True):
        one, other = groups[int(a)], groups[int(b)]
        if one is not other and len(one) + len(other) <= max_size:
            one.extend(other)
            groups.update(dict.fromkeys(other, one))
    for row, group in groups.items():
        roots[row] = min(group)
