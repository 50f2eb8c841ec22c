"""The descriptor that needs no weights: local features, and a layout for the featureless.

Two photographs are alike if many of their local features line up under one shift, turn and zoom,
mirrored or not. Fog, sky and blur have no features to line up: those are compared by a thumbnail.
"""

from __future__ import annotations

from typing import ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Rgb, check_rgb
from ensemble.folds import local_features, matching
from ensemble.folds.descriptors import Descriptor
from ensemble.folds.neighbours import Found, cosine_neighbours, unique_pairs

ENOUGH_SHARED: Final = 8
"""Features in line that make two photographs one scene. Of 359,976 pairs of different photographs
one had 6 and none more, each further one being some 20 times rarer: at 8, under 0.1 % of 30,000
photographs should find a false partner. See `benchmarks/folds.py`."""

FEW_FEATURES: Final = 32
"""Photographs with fewer are compared by layout too."""

ENOUGH_CORRELATED: Final = 0.96
"""Correlation of layouts that makes one scene; the most of 359,976 different pairs was 0.917."""

LAYOUT: Final = 8


class ClassicalDescriptor(Descriptor):
    """SIFT codes with their places, and an 8 * 8 thumbnail.

    Found, measured: crops that share 70 % of their area, shifts, exposure, JPEG, resizing, mirrored
    copies and all of these at once. Similarity: n / (n + 8) for n features in line, so 0.5 at
    `threshold`; thumbnails are scaled to be 0.5 at theirs.
    """

    name: ClassVar[str] = "classical"
    dtype: ClassVar[type] = np.uint8
    length = local_features.N_BYTES + 3 * LAYOUT * LAYOUT
    threshold = 0.5

    def describe(self, rgb: Rgb) -> NDArray[np.uint8]:
        """Describe an (H, W, 3) uint8 picture by (length,) uint8."""
        check_rgb(rgb, name="photograph")
        packed = local_features.pack(*local_features.extract(rgb))
        thumbnail = cv2.resize(rgb, (LAYOUT, LAYOUT), interpolation=cv2.INTER_AREA)
        return np.concatenate([packed, thumbnail.ravel()])

    def alike(self, vectors: NDArray[np.uint8]) -> Found:
        """Find the pairs by their features, and by layout where features are few."""
        counts, places, codes = local_features.unpack(vectors[:, : local_features.N_BYTES])
        first, second = matching.candidates(counts, codes)
        mirrored = local_features.mirror(places)
        shared = matching.shared_features(first, second, counts, places, mirrored, codes)
        by_features = (first, second, (shared / (shared + ENOUGH_SHARED)).astype(np.float32))
        thumbnails = vectors[:, local_features.N_BYTES :].reshape(-1, LAYOUT, LAYOUT, 3)
        by_layout = _alike_in_layout(thumbnails, np.flatnonzero(counts < FEW_FEATURES))
        return unique_pairs(by_features, by_layout)


def _alike_in_layout(thumbnails: NDArray[np.uint8], few: NDArray[np.int64]) -> Found:
    """Compare the rows `few` with all thumbnails, (N, L, L, 3), and with their mirror images."""
    plain, flipped = _directions(thumbnails), _directions(thumbnails[:, :, ::-1])
    floor = 2 * ENOUGH_CORRELATED - 1
    columns = [
        cosine_neighbours(queries=plain[few], rows=rows, n_nearest=16, floor=floor)
        for rows in (plain, flipped)
    ]
    query, row, cosine = (np.concatenate(column) for column in zip(*columns, strict=True))
    return few[query], row, np.clip((cosine - floor) / (1 - floor), 0, 1)


def _directions(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, L, L, 3) to unit vectors that keep contrast and colour, and drop brightness.

    One more component, of 4 gray levels, makes flat pictures alike and their noise unimportant.
    """
    values = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    still = np.full((len(values), 1), 4 * np.sqrt(values.shape[1]), dtype=np.float32)
    values = np.concatenate([values, still], axis=1)
    return values / np.linalg.norm(values, axis=1, keepdims=True)
