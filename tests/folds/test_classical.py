from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from ensemble.folds.classical import ClassicalDescriptor
from ensemble.folds.descriptors import Pairs, find_pairs
from tests.reference.descriptor_contract import DescriptorContract

DESCRIPTOR = ClassicalDescriptor()


def describe(pictures: list[np.ndarray]) -> np.ndarray:
    return np.stack([DESCRIPTOR.describe(picture) for picture in pictures])


def pairs_between(vectors: np.ndarray) -> Pairs:
    ids = [f"{row:03d}" for row in range(len(vectors))]
    return find_pairs(image_ids=ids, vectors=vectors, descriptor=DESCRIPTOR)


def pairs_of(pictures: list[np.ndarray]) -> Pairs:
    return pairs_between(describe(pictures))


class TestContract(DescriptorContract):
    def make(self) -> ClassicalDescriptor:
        return ClassicalDescriptor()


def test_copies_are_found_and_no_scene_is_taken_for_another(scenes, scene_vectors, copy) -> None:
    copies = describe([copy(scene) for scene in scenes])
    close = pairs_between(np.concatenate([scene_vectors, copies])).above(DESCRIPTOR.threshold)
    n = len(scenes)
    own = {(row, row + n) for row in range(n)}
    found = set(zip(close.first.tolist(), close.second.tolist(), strict=True))
    assert found <= own
    assert len(found) >= n - 1


def test_windows_that_share_70_percent_are_found_and_disjoint_ones_are_not() -> None:
    photograph = data.coffee()
    windows = [photograph[50:250, x : x + 200] for x in (0, 60, 260)]
    close = pairs_of(windows).above(DESCRIPTOR.threshold)
    assert (close.first.tolist(), close.second.tolist()) == ([0], [1])


def test_turned_upside_down_is_found() -> None:
    picture = data.astronaut()[:200, 100:300]
    assert len(pairs_of([picture, picture[::-1].copy()]).above(0.5).first) == 1


def test_skies_without_features_are_told_apart_by_colour_and_gradient() -> None:
    def sky(colour: tuple[int, int, int], fall: tuple[float, float]) -> np.ndarray:
        y, x = np.mgrid[0:96, 0:96] / 96.0
        return np.uint8(np.clip(np.array(colour) + (fall[0] * y + fall[1] * x)[..., None], 0, 255))

    blue, gray = sky((90, 140, 220), (12, 0)), sky((120, 120, 120), (12, 0))
    steep = sky((90, 140, 220), (0, 90))
    copies = [cv2.resize(picture, (64, 64)) for picture in (blue, gray, steep)]
    close = pairs_of([blue, gray, steep, *copies]).above(DESCRIPTOR.threshold)
    assert sorted(zip(close.first.tolist(), close.second.tolist(), strict=True)) == [
        (0, 3),
        (1, 4),
        (2, 5),
    ]


def test_many_copies_of_one_photograph_hang_together() -> None:
    picture = data.chelsea()[:200, :200]
    noise = np.random.default_rng(0).integers(-4, 5, (20, *picture.shape))
    burst = [np.clip(picture + one, 0, 255).astype(np.uint8) for one in noise]
    pairs = pairs_of(burst).above(DESCRIPTOR.threshold)
    assert set(pairs.first.tolist()) | set(pairs.second.tolist()) == set(range(20))


@pytest.mark.parametrize("n_shared", [0, 8])
def test_similarity_is_half_at_eight_features_in_line(monkeypatch, n_shared: int) -> None:
    from ensemble.folds import matching

    monkeypatch.setattr(
        matching, "shared_features", lambda first, *_: np.full(len(first), n_shared)
    )
    picture = data.astronaut()[:200, :200]
    assert pairs_of([picture, picture]).similarity.tolist() == [n_shared / (n_shared + 8)]
