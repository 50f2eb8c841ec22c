"""Different photographs, and copies of them whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data
from sklearn.datasets import load_sample_image

from ensemble.folds.describe import describe

Picture = NDArray[np.uint8]
SIDE = 140


@pytest.fixture(scope="session")
def scenes() -> list[Picture]:
    """24 windows of 140 px that share no pixel, four of each of six photographs, none bare sky."""
    photographs = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()[SIDE:]]
    photographs += [data.hubble_deep_field(), load_sample_image("flower.jpg")]
    return [
        np.ascontiguousarray(photograph[y : y + SIDE, x : x + SIDE])
        for photograph in photographs
        for y in (0, SIDE)
        for x in (100, 100 + SIDE)
    ]


@pytest.fixture(scope="session")
def scene_vectors(scenes: list[Picture]) -> NDArray[np.uint8]:
    return np.stack([describe(scene) for scene in scenes])


def _jpeg(picture: Picture) -> Picture:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [1, 30])[1], cv2.IMREAD_COLOR)


def _crop(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    rows, columns = round(height * 0.7**0.5), round(width * 0.7**0.5)
    return np.ascontiguousarray(picture[height - rows :, :columns])


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "jpeg": _jpeg,
    "half": lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "darker": lambda p: np.uint8(255 * (p / 255.0) ** 1.6),
    "brighter": lambda p: np.clip(p * 1.3, 0, 255).astype(np.uint8),
    "mirrored": lambda p: np.ascontiguousarray(p[:, ::-1]),
    "crop": _crop,
}


@pytest.fixture(params=sorted(COPIES))
def copy(request: pytest.FixtureRequest) -> Callable[[Picture], Picture]:
    return COPIES[request.param]


@pytest.fixture(scope="session")
def copies() -> dict[str, Callable[[Picture], Picture]]:
    return COPIES
