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
"""Features in line that make two photographs one scene. By chance, 1 pair of different photographs
in 100,000 has 6, and each further one is some 20 times rarer: at 8, under 0.1 % of 30,000
photographs should find a false partner. See `benchmarks/folds.py`."""

FEW_FEATURES: Final = 32
"""Two photographs that both have fewer are compared by layout too."""

ENOUGH_CORRELATED: Final = 0.96
"""Correlation of two layouts that makes one scene."""

LAYOUT: Final = 8
COLOUR_WEIGHT: Final = 3.0
COLOUR_STEP: Final = 10.0


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
    """Compare the rows `few` of the thumbnails, (N, L, L, 3), as they are and mirrored."""
    plain, flipped = _directions(thumbnails[few]), _directions(thumbnails[few][:, :, ::-1])
    floor = 2 * ENOUGH_CORRELATED - 1
    columns = [
        cosine_neighbours(queries=plain, rows=rows, n_nearest=16, floor=floor)
        for rows in (plain, flipped)
    ]
    query, row, cosine = (np.concatenate(column) for column in zip(*columns, strict=True))
    return few[query], few[row], np.clip((cosine - floor) / (1 - floor), 0, 1)


def _directions(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, L, L, 3) to unit vectors that compare contrast and, the less of it there is, colour.

    Each channel's mean is taken out, so exposure matters little. It comes back as an angle on
    circles whose weight is that of `COLOUR_WEIGHT` gray levels of contrast: it drowns where there
    is contrast, and keeps blue skies apart from gray ones, whose gradients are all alike.
    """
    values = thumbnails.astype(np.float32)
    means = values.mean(axis=(1, 2), keepdims=True)
    contrast = (values - means).reshape(len(values), 3 * LAYOUT * LAYOUT)
    angles = means.reshape(-1, 3) / COLOUR_STEP
    radius = COLOUR_WEIGHT * np.sqrt(contrast.shape[1] / 3)
    circles = radius * np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    directions = np.concatenate([contrast, circles], axis=1)
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)
