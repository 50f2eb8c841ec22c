from __future__ import annotations

import numpy as np
import pytest

from ensemble.errors import ConfigError
from ensemble.folds.match import Pairs, find_groups


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


def test_the_cap_must_leave_room_for_one() -> None:
    with pytest.raises(ConfigError, match=r"`max_size >= 1` must hold, but got 0"):
        find_groups(pairs=make_pairs(1, []), max_size=0)
