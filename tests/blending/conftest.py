from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from ensemble.arrays import luma
from ensemble.blending.evidence import Subject
from ensemble.composition.hue_target import hue_histogram
from ensemble.vocabulary import Stage, View
from tests.reference.evidence import ArrayEvidence

SIZE = (40, 44)


@dataclass(frozen=True)
class Scene:
    """One photograph with K distorted versions of it."""

    target: NDArray[np.uint8]
    pictures: NDArray[np.uint8]
    lost_mask: NDArray[np.bool_]


def member_like(target: NDArray[np.uint8], k: int, seed: int) -> NDArray[np.uint8]:
    """A distortion such as a network's: blur, noise, a shift of color, less saturation."""
    rng = np.random.default_rng([seed, k])
    blurred = cv2.GaussianBlur(target, (0, 0), 0.6 + 0.5 * (k % 4)).astype(np.float64)
    gray = blurred.mean(axis=-1, keepdims=True) if target.ndim == 3 else blurred
    faded = gray + (0.9 - 0.15 * (k % 3)) * (blurred - gray)
    noise = cv2.GaussianBlur(rng.normal(0, 25, target.shape), (0, 0), 1.5)
    shift = rng.normal(0, 8, target.shape[2:] or (1,))
    shifted = faded + noise + (shift if target.ndim == 3 else shift[0])
    return np.clip(np.rint(shifted), 0, 255).astype(np.uint8)


def make_scene(seed: int, *, size: tuple[int, int], terms: int, color: bool) -> Scene:
    rng = np.random.default_rng(seed)
    photograph = data.astronaut() if seed % 2 else data.chelsea()
    # Shrunken first, so that a small crop holds more than one flat color.
    small = cv2.resize(photograph, (128, 96), interpolation=cv2.INTER_AREA)
    top = rng.integers(0, small.shape[0] - size[0] + 1)
    left = rng.integers(0, small.shape[1] - size[1] + 1)
    target = np.ascontiguousarray(small[top : top + size[0], left : left + size[1]])
    if not color:
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


@pytest.fixture
def color_evidence():
    """Makes an `ArrayEvidence` of colorization: N small photographs, 3 members, some views."""
    return make_color_evidence


@pytest.fixture
def gray_evidence():
    """Makes an `ArrayEvidence` of restoration."""
    return make_gray_evidence


def make_color_evidence(
    count: int = 8,
    *,
    members: tuple[str, ...] = ("a", "b", "c"),
    views: tuple[View, ...] = ("identity", "hflip"),
    folds: int = 2,
) -> ArrayEvidence:
    return _evidence("colorization", count, members, views, folds)


def make_gray_evidence(
    count: int = 8,
    *,
    members: tuple[str, ...] = ("a", "b", "c"),
    views: tuple[View, ...] = ("identity", "hflip"),
    folds: int = 2,
) -> ArrayEvidence:
    return _evidence("restoration", count, members, views, folds)


def _evidence(
    stage: Stage, count: int, members: tuple[str, ...], views: tuple[View, ...], folds: int
) -> ArrayEvidence:
    subjects, predictions, fold_of, group_of = {}, {}, {}, {}
    color = stage == "colorization"
    for index in range(count):
        image_id = f"P{index}"
        scene = make_scene(index, size=SIZE, terms=len(members) * len(views), color=color)
        hole = cv2.erode(scene.lost_mask.astype(np.uint8), np.ones((2, 2))).astype(bool)
        truth = luma(scene.target) if color else scene.target
        gray = truth if color else np.where(scene.lost_mask, 90, truth).astype(np.uint8)
        prior = hue_histogram(scene.target) if color else None
        subjects[image_id] = Subject(image_id, scene.target, scene.lost_mask, hole, gray, prior)
        terms = [(member, view) for member in members for view in views]
        for (member, view), picture in zip(terms, scene.pictures, strict=True):
            predictions[image_id, member, view] = picture
        # Two photographs a group; a group lies in one fold.
        group_of[image_id], fold_of[image_id] = f"g{index // 2}", (index // 2) % folds
    return ArrayEvidence(
        stage=stage,
        views=dict.fromkeys(members, views),
        subjects=subjects,
        predictions=predictions,
        folds=fold_of,
        groups=group_of,
    )
