from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from ensemble.folds import match
from ensemble.folds.describe import LENGTH, describe
from ensemble.folds.match import Pairs, find_groups, find_nearest, find_pairs, merge_links


def describe_all(pictures: list[np.ndarray]) -> np.ndarray:
    return np.stack([describe(picture) for picture in pictures])


def pairs_between(vectors: np.ndarray) -> Pairs:
    ids = [f"{row:03d}" for row in range(len(vectors))]
    return find_pairs(image_ids=ids, vectors=vectors)


def pairs_of(pictures: list[np.ndarray]) -> Pairs:
    return pairs_between(describe_all(pictures))


def links(pairs: Pairs) -> set[tuple[int, int]]:
    return set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


def test_a_picture_its_twin_and_its_mirror_image_are_of_one_scene() -> None:
    picture = data.chelsea()[:, :300]
    pairs = pairs_of([picture, picture.copy(), np.ascontiguousarray(picture[:, ::-1])])
    assert links(pairs.of_one_scene()) == {(0, 1), (0, 2), (1, 2)}
    assert (pairs.similarity <= 1).all()


def test_pairs_are_named_once_smaller_row_first() -> None:
    pairs = pairs_of([data.astronaut()[:200, :200]] * 4 + [data.coffee()[:200, :200]])
    assert (pairs.first < pairs.second).all()
    assert len(links(pairs)) == len(pairs.first)


def test_pairs_do_not_depend_on_order() -> None:
    pictures = [data.astronaut()[k : k + 200, :200] for k in (0, 10, 200)]
    pictures += [data.coffee()[:200, k : k + 200] for k in (0, 8, 60)]
    vectors = describe_all(pictures)
    ids = np.array(list("fbdace"))
    straight = find_pairs(image_ids=ids.tolist(), vectors=vectors)
    order = np.array([3, 0, 5, 4, 1, 2])
    turned = find_pairs(image_ids=ids[order].tolist(), vectors=vectors[order])
    assert straight.image_ids == turned.image_ids == tuple("abcdef")
    np.testing.assert_array_equal(straight.first, turned.first)
    np.testing.assert_array_equal(straight.second, turned.second)
    np.testing.assert_array_equal(straight.similarity, turned.similarity)
    assert (np.diff(straight.similarity) <= 0).all()


@pytest.mark.parametrize("n", [0, 1])
def test_nobody_and_one_alone_have_no_pairs(n: int) -> None:
    assert len(pairs_between(np.zeros((n, LENGTH), dtype=np.uint8)).first) == 0


def test_copies_are_found_and_no_scene_is_taken_for_another(scenes, scene_vectors, copy) -> None:
    copies = describe_all([copy(scene) for scene in scenes])
    close = pairs_between(np.concatenate([scene_vectors, copies])).of_one_scene()
    n = len(scenes)
    own = {(row, row + n) for row in range(n)}
    found = set(zip(close.first.tolist(), close.second.tolist(), strict=True))
    assert found <= own
    assert len(found) >= n - 1


def test_windows_that_share_70_percent_are_found_and_disjoint_ones_are_not() -> None:
    photograph = data.coffee()
    windows = [photograph[50:250, x : x + 200] for x in (0, 60, 260)]
    close = pairs_of(windows).of_one_scene()
    assert (close.first.tolist(), close.second.tolist()) == ([0], [1])


def test_turned_upside_down_is_found() -> None:
    picture = data.astronaut()[:200, 100:300]
    assert len(pairs_of([picture, picture[::-1].copy()]).of_one_scene().first) == 1


def test_skies_without_features_are_told_apart_by_color_and_gradient() -> None:
    def sky(color: tuple[int, int, int], fall: tuple[float, float]) -> np.ndarray:
        y, x = np.mgrid[0:96, 0:96] / 96.0
        return np.uint8(np.clip(np.array(color) + (fall[0] * y + fall[1] * x)[..., None], 0, 255))

    blue, gray = sky((90, 140, 220), (12, 0)), sky((120, 120, 120), (12, 0))
    steep = sky((90, 140, 220), (0, 90))
    copies = [cv2.resize(picture, (64, 64)) for picture in (blue, gray, steep)]
    close = pairs_of([blue, gray, steep, *copies]).of_one_scene()
    assert sorted(zip(close.first.tolist(), close.second.tolist(), strict=True)) == [
        (0, 3),
        (1, 4),
        (2, 5),
    ]


def test_many_copies_of_one_photograph_hang_together() -> None:
    picture = data.chelsea()[:200, :200]
    noise = np.random.default_rng(0).integers(-4, 5, (20, *picture.shape))
    burst = [np.clip(picture + one, 0, 255).astype(np.uint8) for one in noise]
    pairs = pairs_of(burst).of_one_scene()
    assert set(pairs.first.tolist()) | set(pairs.second.tolist()) == set(range(20))


@pytest.mark.parametrize("n_shared", [0, 8])
def test_similarity_is_half_at_eight_features_in_line(monkeypatch, n_shared: int) -> None:
    monkeypatch.setattr(match, "count_shared", lambda first, *_: np.full(len(first), n_shared))
    picture = data.astronaut()[:200, :200]
    assert pairs_of([picture, picture]).similarity.tolist() == [n_shared / (n_shared + 8)]


def unit(n: int, d: int = 5, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_nearest_equal_those_of_a_full_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "N_NEAREST", 4)
    queries, rows = unit(11), unit(40, seed=1)
    query, row, cosine = find_nearest(queries=queries, rows=rows, floor=0.3)
    expected = {
        (q, int(r))
        for q in range(11)
        for r in np.argsort(-(queries[q] @ rows.T))[:4]
        if queries[q] @ rows[r] >= 0.3
    }
    assert set(zip(query.tolist(), row.tolist(), strict=True)) == expected
    assert len(query) == len(expected)
    np.testing.assert_allclose(cosine, np.sum(queries[query] * rows[row], axis=1), atol=1e-6)


def test_unique_pairs_keep_the_greatest_similarity() -> None:
    one = (np.array([2, 0, 1]), np.array([0, 2, 1]), np.array([0.4, 0.9, 1.0], np.float32))
    other = (np.array([0, 1]), np.array([2, 0]), np.array([0.5, 0.1], np.float32))
    first, second, similarity = merge_links(one, other)
    assert first.tolist() == [0, 0]
    assert second.tolist() == [1, 2]
    np.testing.assert_allclose(similarity, [0.1, 0.9])


def make_pairs(n: int, links: list[tuple[int, int, float]]) -> Pairs:
    links = sorted(links, key=lambda link: -link[2])
    first, second, similarity = zip(*links, strict=True) if links else ((), (), ())
    return Pairs(
        tuple(f"{row:02d}" for row in range(n)),
        np.array(first, np.int64),
        np.array(second, np.int64),
        np.array(similarity, np.float32),
    )


def test_near_duplicates_of_near_duplicates_are_one_group_and_others_are_alone() -> None:
    pairs = make_pairs(6, [(0, 2, 0.9), (2, 5, 0.6), (1, 4, 0.5), (3, 4, 0.49)])
    groups = find_groups(pairs=pairs, max_size=6)
    assert groups.labels == ("00", "01", "00", "03", "01", "00")
    assert (groups.n_groups, groups.n_singletons, groups.n_cut) == (2, 1, 0)


def test_a_chain_is_cut_at_its_weakest_links() -> None:
    chain = [(0, 1, 0.9), (1, 2, 0.8), (2, 3, 0.55), (3, 4, 0.7), (4, 5, 0.95)]
    groups = find_groups(pairs=make_pairs(6, chain), max_size=3)
    assert groups.labels == ("00", "00", "00", "03", "03", "03")
    assert groups.n_cut == 1


@pytest.mark.parametrize("max_size", [1, 2, 3, 7, 19])
def test_no_group_is_larger_than_the_cap(max_size: int) -> None:
    rng = np.random.default_rng(0)
    every = [(i, j, float(rng.uniform(0.5, 1))) for j in range(20) for i in range(j)]
    groups = find_groups(pairs=make_pairs(20, every), max_size=max_size)
    sizes = np.unique(groups.labels, return_counts=True)[1]
    assert sizes.max() == max_size
    kept = sum(size * (size - 1) // 2 for size in sizes)
    assert groups.n_cut == 190 - kept


def test_a_small_group_is_not_touched_by_the_cap_of_a_large_one() -> None:
    links = [(0, 1, 0.9), (1, 2, 0.9), (2, 3, 0.9), (4, 5, 0.5)]
    groups = find_groups(pairs=make_pairs(6, links), max_size=2)
    assert groups.labels[4] == groups.labels[5] == "04"


def test_without_pairs_everybody_is_alone() -> None:
    groups = find_groups(pairs=make_pairs(3, []), max_size=1)
    assert groups.labels == ("00", "01", "02")
    assert groups.n_singletons == 3
