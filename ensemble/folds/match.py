"""Find pairs of near-duplicates, and join them into groups.

Two photographs are similar if many of their local features line up under one shift, turn and zoom,
mirrored or not. Fog, sky and blur have no features: those are compared by thumbnail. Found: crops
that share 70 % of their area, shifts, exposure, JPEG, resizing, mirrored copies, and all at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors

from ensemble.folds.describe import N_BYTES, THUMBNAIL, mirror, unpack_features
from ensemble.folds.match_features import count_shared, find_candidates

SAME_SCENE: Final = 0.5
"""Least similarity, of 0 to 1, of two photographs of one scene."""

ENOUGH_SHARED: Final = 8
"""Features in line that make two photographs one scene. By chance 1 pair of different photographs
in 100,000 has 6, and each further one is some 20 times rarer, so under 0.1 % of 30,000 photographs
should find a false partner. Measured by `benchmarks/folds.py`."""

FEW_FEATURES: Final = 32
"""Two photographs that both have fewer are compared by thumbnail too."""

ENOUGH_CORRELATED: Final = 0.96
"""Correlation of two thumbnails that makes one scene."""

N_NEAREST: Final = 16
COLOR_WEIGHT: Final = 3.0
COLOR_STEP: Final = 10.0

Links = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Rows, other rows, similarities."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of similar photographs, most similar first; ties go by image id."""

    image_ids: tuple[str, ...]  # the N photographs that were compared, sorted
    first: NDArray[np.int64]  # (P,) rows of `image_ids`
    second: NDArray[np.int64]  # (P,) rows of `image_ids`, above `first`; no pair is there twice
    similarity: NDArray[np.float32]  # (P,), falling

    def of_one_scene(self) -> Pairs:
        """The pairs whose similarity is at least `SAME_SCENE`."""
        keep = self.similarity >= SAME_SCENE
        return Pairs(self.image_ids, self.first[keep], self.second[keep], self.similarity[keep])


@dataclass(frozen=True)
class Groups:
    """Which photographs show one scene."""

    image_ids: tuple[str, ...]  # N photographs, sorted
    # the group of each one: the first id in it. A photograph like no other is alone
    labels: tuple[str, ...]
    n_cut: int  # pairs of one scene in two groups, because one group would have been too large

    @property
    def n_groups(self) -> int:
        """Groups of two or more photographs."""
        return sum(size > 1 for size in Counter(self.labels).values())

    @property
    def n_singletons(self) -> int:
        """Photographs that are like no other."""
        return sum(size == 1 for size in Counter(self.labels).values())


def find_pairs(*, image_ids: Sequence[str], vectors: NDArray[np.uint8]) -> Pairs:
    """Find the pairs of similar photographs, whatever the order they come in.

    Takes N distinct names and (N, LENGTH) uint8, one `describe` a row. Similarity is n / (n + 8)
    for n features in line, so `SAME_SCENE` at 8; that of thumbnails is scaled to be `SAME_SCENE` at
    a correlation of 0.96. Some pairs below it are found too, for the audit. Cost and memory grow
    more slowly than the number of pairs.
    """
    order = sorted(range(len(image_ids)), key=lambda row: image_ids[row])
    first, second, similarity = _link(vectors[order])
    rank = np.lexsort((second, first, -similarity))
    return Pairs(
        image_ids=tuple(image_ids[row] for row in order),
        first=first[rank],
        second=second[rank],
        similarity=similarity[rank],
    )


def find_groups(*, pairs: Pairs, max_size: int) -> Groups:
    """Join the pairs of one scene into groups of at most `max_size` photographs.

    Near-duplicates of near-duplicates are joined too, so a chain could join everything. A component
    that is too large is therefore built anew, most similar first; pairs that would make a group too
    large are left out and counted. A fold's share (photographs // folds) is the largest group that
    leaves folds of equal size possible.
    """
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


def merge_links(*links: Links) -> Links:
    """Name each pair once, smaller row first, with its greatest similarity; drop (i, i)."""
    first, second, similarity = (np.concatenate(column) for column in zip(*links, strict=True))
    low, high = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((-similarity, high, low))
    low, high, similarity = low[order], high[order], similarity[order]
    new = np.ones(len(low), dtype=np.bool_)
    new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    keep = new & (low != high)
    return low[keep], high[keep], similarity[keep]


def find_nearest(*, queries: NDArray[np.float32], rows: NDArray[np.float32], floor: float) -> Links:
    """Find, for every query, at most `N_NEAREST` rows with a cosine of at least `floor`.

    Queries (Q, D) and rows (N, D) are of unit length.
    """
    if not len(rows) or not len(queries):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    index = NearestNeighbors(n_neighbors=min(N_NEAREST, len(rows)), algorithm="brute").fit(rows)
    distance, nearest = index.kneighbors(queries)
    cosine = (1 - distance**2 / 2).astype(np.float32)  # of unit vectors
    query, place = np.nonzero(cosine >= floor)
    return query, nearest[query, place], cosine[query, place]


def _link(vectors: NDArray[np.uint8]) -> Links:
    """Link rows by their features, and by thumbnail where features are few."""
    counts, places, codes = unpack_features(vectors)
    first, second = find_candidates(counts, codes)
    shared = count_shared(first, second, counts, places, mirror(places), codes)
    by_features = (first, second, (shared / (shared + ENOUGH_SHARED)).astype(np.float32))
    thumbnails = vectors[:, N_BYTES:].reshape(-1, THUMBNAIL, THUMBNAIL, 3)
    by_thumbnail = _link_thumbnails(thumbnails, np.flatnonzero(counts < FEW_FEATURES))
    return merge_links(by_features, by_thumbnail)


def _link_thumbnails(thumbnails: NDArray[np.uint8], few: NDArray[np.int64]) -> Links:
    """Compare the rows `few` of the thumbnails, (N, 8, 8, 3), as they are and mirrored."""
    plain, flipped = _to_directions(thumbnails[few]), _to_directions(thumbnails[few][:, :, ::-1])
    floor = 2 * ENOUGH_CORRELATED - 1
    links = [find_nearest(queries=plain, rows=rows, floor=floor) for rows in (plain, flipped)]
    query, row, cosine = (np.concatenate(column) for column in zip(*links, strict=True))
    return few[query], few[row], np.clip((cosine - floor) / (1 - floor), 0, 1)


def _to_directions(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 8, 8, 3) to unit vectors that compare contrast and, the less of it there is, color.

    Each channel's mean is subtracted, so exposure matters little. It is added as an angle on a
    circle that weighs as much as `COLOR_WEIGHT` gray levels of contrast: little where there is
    contrast, and enough to keep blue skies apart from gray ones, whose gradients are alike.
    """
    values = thumbnails.astype(np.float32)
    means = values.mean(axis=(1, 2), keepdims=True)
    contrast = (values - means).reshape(len(values), 3 * THUMBNAIL * THUMBNAIL)
    angles = means.reshape(-1, 3) / COLOR_STEP
    radius = COLOR_WEIGHT * np.sqrt(contrast.shape[1] / 3)
    circles = radius * np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    directions = np.concatenate([contrast, circles], axis=1)
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


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
    groups = DisjointSet(rows.tolist())
    for a, b in zip(pairs.first[inside].tolist(), pairs.second[inside].tolist(), strict=True):
        if groups.subset_size(a) + groups.subset_size(b) <= max_size:
            groups.merge(a, b)
    for group in groups.subsets():
        roots[list(group)] = min(group)
