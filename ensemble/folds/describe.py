"""Describe a photograph by local features and a thumbnail, some 2.5 KB, to find near-duplicates.

A crop shows the same corners and blobs as the whole, which a hash of the whole picture misses. Each
feature has a place, a size, an angle and a 128-bit code of its surroundings. The code has two
halves: signs of random contrasts of the SIFT histogram, and of the mirrored histogram. Mirroring
the photograph swaps the halves, so mirrored copies are found at no cost. The thumbnail is for
photographs with few features: fog, sky, blur.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb, check_rgb, luma

N_FEATURES: Final = 96
SIDE: Final = 192.0
"""Photographs are brought to SIDE * SIDE pixels of area first."""

FEATURE: Final = np.dtype([("place", "<f2", (4,)), ("code", "<u8", (2,))])
"""x, y in pixels, log2 of the size, angle in radians; the code and the mirrored code."""

N_BYTES: Final = 2 + N_FEATURES * FEATURE.itemsize
THUMBNAIL: Final = 8
LENGTH: Final = N_BYTES + 3 * THUMBNAIL * THUMBNAIL
_SEED: Final = 20240236


def describe(rgb: Rgb, gray: Gray | None = None) -> NDArray[np.uint8]:
    """Describe a photograph by its packed features, then an 8 * 8 thumbnail: (LENGTH,) uint8.

    Takes (H, W, 3) uint8 of any size, and its luma where that is known.

    Raises:
        ArrayError: Not an RGB picture.
    """
    check_rgb(rgb, name="photograph")
    packed = pack_features(*extract_features(luma(rgb) if gray is None else gray))
    thumbnail = cv2.resize(rgb, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return np.concatenate([packed, thumbnail.ravel()])


def measure_traits(*, target: Rgb, gray: Gray, lost_mask: Mask) -> NDArray[np.float64]:
    """Measure what makes a photograph hard, from itself, its luma and its lost mask: (3,).

    Mean luma, 0..255; colorfulness, about 0..110; share of lost pixels, 0..1.

    Source: Hasler and Suesstrunk, "Measuring colorfulness in natural images", 2003.
    """
    red, green, blue = (target[..., channel].astype(np.int16) for channel in range(3))
    # In twice the unit, so that OpenCV may sum whole numbers, which is exact and fast.
    opponents = np.stack([2 * (red - green), red + green - 2 * blue], axis=-1)
    mean, deviation = (moment.ravel() / 2 for moment in cv2.meanStdDev(opponents))
    colorfulness = np.hypot(*deviation) + 0.3 * np.hypot(*mean)
    return np.array([gray.mean(), colorfulness, lost_mask.mean()])


def without_color(vectors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Descriptions (N, LENGTH) as of the photographs in gray, to compare gray ones with."""
    gray = vectors.copy()
    thumbnails = gray[:, N_BYTES:].reshape(-1, THUMBNAIL, 3)
    gray[:, N_BYTES:] = np.repeat(luma(thumbnails), 3, axis=-1).reshape(len(gray), -1)
    return gray


def extract_features(gray: Gray) -> tuple[int, NDArray[np.void]]:
    """Find the strongest features of (H, W) uint8.

    Returns:
        The width in pixels of the resized picture, and (n,) of `FEATURE`, n at most `N_FEATURES`.

    Source: Lowe, "Distinctive image features from scale-invariant keypoints", 2004; histograms are
    square-rooted as by Arandjelovic and Zisserman, "Three things everyone should know to improve
    object retrieval", 2012.
    """
    gray = _resize(gray)
    sift = cv2.SIFT.create(nfeatures=N_FEATURES, contrastThreshold=0.02)
    points, histograms = sift.detectAndCompute(gray, None)
    features = np.zeros(min(len(points), N_FEATURES), dtype=FEATURE)
    if len(features):
        strongest = np.argsort([-p.response for p in points], kind="stable")[: len(features)]
        points = [points[row] for row in strongest]
        features["place"] = [(*p.pt, np.log2(p.size), np.deg2rad(p.angle)) for p in points]
        features["code"] = _encode(histograms[strongest].astype(np.float32))
    return gray.shape[1], features


def pack_features(width: int, features: NDArray[np.void]) -> NDArray[np.uint8]:
    """Pack the features of one photograph into (N_BYTES,) uint8; the unused rest is zero."""
    packed = np.zeros(N_BYTES, dtype=np.uint8)
    packed[0], packed[1] = len(features), min(round(width / 4), 255)
    raw = np.frombuffer(features.tobytes(), dtype=np.uint8)
    packed[2 : 2 + len(raw)] = raw
    return packed


def unpack_features(
    packed: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.uint64]]:
    """Read the features of N photographs back from (N, N_BYTES) or (N, LENGTH).

    Returns:
        (N,) number of features; (N, N_FEATURES, 4) x from the middle of the picture, y, log2 size
        and angle; (N, N_FEATURES, 2) codes.
    """
    raw = np.ascontiguousarray(packed[:, 2:N_BYTES])
    features = raw.view(FEATURE).reshape(len(packed), N_FEATURES)
    places = features["place"].astype(np.float32)
    places[..., 0] -= 2.0 * packed[:, 1, None]
    return packed[:, 0].astype(np.int64), places, np.ascontiguousarray(features["code"])


def mirror(places: NDArray[np.float32]) -> NDArray[np.float32]:
    """The places, (..., 4), as they lie in the mirrored photograph."""
    x, y, size, angle = np.moveaxis(places, -1, 0)
    return np.stack([-x, y, size, np.float32(np.pi) - angle], axis=-1)


def _resize(gray: Gray) -> Gray:
    height, width = gray.shape
    factor = SIDE / np.sqrt(height * width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(gray, size, interpolation=interpolation).astype(np.uint8)


def _encode(histograms: NDArray[np.float32]) -> NDArray[np.uint64]:
    """(n, 128) SIFT histograms to (n, 2) codes of 64 bits, plain and mirrored."""
    sums = np.maximum(histograms.sum(axis=1, keepdims=True), 1e-6)
    roots = np.sqrt(histograms / sums)
    contrasts, mirrored = _make_contrasts()
    halves = [np.packbits(roots @ matrix > 0, axis=1) for matrix in (contrasts, mirrored)]
    return np.concatenate(halves, axis=1).view(np.uint64)


@cache
def _make_contrasts() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """64 random directions of zero sum, (128, 64), and the same for mirrored histograms."""
    directions = np.random.default_rng(_SEED).normal(size=(128, 64)).astype(np.float32)
    directions -= directions.mean(axis=0)
    # 4 rows, 4 columns and 8 directions, relative to the feature's angle a, which mirroring turns
    # into pi - a. So only the side of its axis changes: the order of the rows and the directions.
    bins = np.arange(128).reshape(4, 4, 8)
    mirrored = bins[::-1][:, :, -np.arange(8) % 8].ravel()
    return directions, directions[mirrored]
