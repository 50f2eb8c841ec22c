"""SIFT features of a photograph, packed so small that 30,000 photographs fit in 70 MB.

A crop shows the same corners and blobs as the whole, so features find what no single hash of the
whole picture can. Each feature keeps where it is, its size and angle, and a 128-bit code of its
surroundings. The code has two halves: signs of random contrasts of the SIFT histogram, and of the
mirrored histogram. Mirroring the photograph swaps the halves, so mirrored copies cost nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Rgb, luma

N_FEATURES: Final = 96
SIDE: Final = 192.0
"""Photographs are brought to SIDE * SIDE pixels of area first."""

FEATURE: Final = np.dtype([("place", "<f2", (4,)), ("code", "<u8", (2,))])
"""x, y in pixels, log2 of the size, angle in radians; the code and the mirrored code."""

N_BYTES: Final = 2 + N_FEATURES * FEATURE.itemsize
_SEED: Final = 20240236


def extract(rgb: Rgb) -> tuple[int, NDArray[np.void]]:
    """Find the strongest features.

    Args:
        rgb: (H, W, 3) uint8, any size.

    Returns:
        The width in pixels of the picture that was looked at, and (n,) of `FEATURE`, n at most
        `N_FEATURES`.

    Source: Lowe, "Distinctive image features from scale-invariant keypoints", 2004; histograms are
    square-rooted as by Arandjelovic and Zisserman, "Three things everyone should know to improve
    object retrieval", 2012.
    """
    gray = _canonical_size(luma(rgb))
    sift = cv2.SIFT.create(nfeatures=N_FEATURES, contrastThreshold=0.02)
    points, histograms = sift.detectAndCompute(gray, None)
    features = np.zeros(min(len(points), N_FEATURES), dtype=FEATURE)
    if len(features):
        strongest = np.argsort([-p.response for p in points], kind="stable")[: len(features)]
        points = [points[row] for row in strongest]
        features["place"] = [(*p.pt, np.log2(p.size), np.deg2rad(p.angle)) for p in points]
        features["code"] = _code(histograms[strongest].astype(np.float32))
    return gray.shape[1], features


def pack(width: int, features: NDArray[np.void]) -> NDArray[np.uint8]:
    """Lay the features of one photograph out as (N_BYTES,) uint8; the unused rest is zero."""
    packed = np.zeros(N_BYTES, dtype=np.uint8)
    packed[0], packed[1] = len(features), min(round(width / 4), 255)
    raw = np.frombuffer(features.tobytes(), dtype=np.uint8)
    packed[2 : 2 + len(raw)] = raw
    return packed


def unpack(
    packed: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.uint64]]:
    """Read (N, N_BYTES) back.

    Returns:
        (N,) number of features; (N, N_FEATURES, 4) x from the middle of the picture, y, log2 size
        and angle; (N, N_FEATURES, 2) codes.
    """
    features = np.ascontiguousarray(packed[:, 2:]).view(FEATURE).reshape(len(packed), N_FEATURES)
    places = features["place"].astype(np.float32)
    places[..., 0] -= 2.0 * packed[:, 1, None]
    return packed[:, 0].astype(np.int64), places, np.ascontiguousarray(features["code"])


def mirror(places: NDArray[np.float32]) -> NDArray[np.float32]:
    """The places, (..., 4), as they lie in the mirrored photograph."""
    x, y, size, angle = np.moveaxis(places, -1, 0)
    return np.stack([-x, y, size, np.float32(np.pi) - angle], axis=-1)


def _canonical_size(gray: Gray) -> Gray:
    height, width = gray.shape
    factor = SIDE / np.sqrt(height * width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(gray, size, interpolation=interpolation).astype(np.uint8)


def _code(histograms: NDArray[np.float32]) -> NDArray[np.uint64]:
    """(n, 128) SIFT histograms to (n, 2) codes of 64 bits, plain and mirrored."""
    total = np.maximum(histograms.sum(axis=1, keepdims=True), 1e-6)
    roots = np.sqrt(histograms / total)
    contrasts, mirrored = _contrasts()
    halves = [np.packbits(roots @ matrix > 0, axis=1) for matrix in (contrasts, mirrored)]
    return np.concatenate(halves, axis=1).view(np.uint64)


@cache
def _contrasts() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """64 random directions of zero sum, (128, 64), and the same for mirrored histograms."""
    directions = np.random.default_rng(_SEED).normal(size=(128, 64)).astype(np.float32)
    directions -= directions.mean(axis=0)
    return directions, directions[_mirrored_bins()]


def _mirrored_bins() -> NDArray[np.int64]:
    """SIFT's bins are 4 rows, 4 columns, 8 directions, all relative to the feature's angle.

    Mirroring the photograph turns the angle a into pi - a, so what is left to change is the side
    of the feature's axis: the rows run the other way, and so do the directions.
    """
    bins = np.arange(128).reshape(4, 4, 8)
    return bins[::-1][:, :, -np.arange(8) % 8].ravel()
