from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data


@dataclass(frozen=True)
class Scene:
    """One photograph with K distorted versions of it."""

    target: NDArray[np.uint8]
    pictures: NDArray[np.uint8]
    lost_mask: NDArray[np.bool_]


def member_like(target: NDArray[np.uint8], k: int, seed: int) -> NDArray[np.uint8]:
    """A distortion such as a network's: blur, noise, a shift of colour, less saturation."""
    rng = np.random.default_rng([seed, k])
    blurred = cv2.GaussianBlur(target, (0, 0), 0.6 + 0.5 * (k % 4)).astype(np.float64)
    gray = blurred.mean(axis=-1, keepdims=True) if target.ndim == 3 else blurred
    faded = gray + (0.9 - 0.15 * (k % 3)) * (blurred - gray)
    noise = cv2.GaussianBlur(rng.normal(0, 25, target.shape), (0, 0), 1.5)
    shift = rng.normal(0, 8, target.shape[2:] or (1,))
    shifted = faded + noise + (shift if target.ndim == 3 else shift[0])
    return np.clip(np.rint(shifted), 0, 255).astype(np.uint8)


def make_scene(seed: int, *, size: tuple[int, int], terms: int, colour: bool) -> Scene:
    rng = np.random.default_rng(seed)
    photograph = data.astronaut() if seed % 2 else data.chelsea()
    # Shrunken first, so that a small crop holds more than one flat colour.
    small = cv2.resize(photograph, (128, 96), interpolation=cv2.INTER_AREA)
    top = rng.integers(0, small.shape[0] - size[0] + 1)
    left = rng.integers(0, small.shape[1] - size[1] + 1)
    target = np.ascontiguousarray(small[top : top + size[0], left : left + size[1]])
    if not colour:
        target = cv2.cvtColor(target, cv2.COLOR_RGB2GRAY)
    pictures = np.stack([member_like(target, k, seed) for k in range(terms)])
    lost = np.zeros(size, dtype=np.uint8)
    corners = rng.integers(0, (size[1], size[0]), (4, 2))
    cv2.fillConvexPoly(lost, cv2.convexHull(corners.astype(np.int32)), 1)
    lost[size[0] // 3 : size[0] // 2, size[1] // 3 : size[1] // 2] = 1
    return Scene(target, pictures, lost.astype(bool))


@pytest.fixture
def scene():
    """Makes a `Scene` from a seed."""
    return make_scene
