from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.folds.sample import sample_groups

IDS = [f"P{i:03d}" for i in range(200)]
FOLDS = {image_id: (i // 4) % 5 for i, image_id in enumerate(IDS)}
GROUPS = {image_id: f"g{i // 4}" for i, image_id in enumerate(IDS)}


def test_a_sample_is_of_whole_groups_alike_from_each_fold():
    drawn = sample_groups(FOLDS, GROUPS, count=80, seed=0)
    assert len(drawn) == 80
    assert set(Counter(FOLDS[image_id] for image_id in drawn).values()) == {16}
    assert set(Counter(GROUPS[image_id] for image_id in drawn).values()) == {4}
    assert list(drawn) == sorted(drawn)


def test_a_sample_depends_on_its_seed():
    first = sample_groups(FOLDS, GROUPS, count=80, seed=0)
    assert first == sample_groups(FOLDS, GROUPS, count=80, seed=0)
    assert first != sample_groups(FOLDS, GROUPS, count=80, seed=1)


@pytest.mark.parametrize("count", [0, 200, 999])
def test_a_sample_of_all_is_all(count):
    assert sample_groups(FOLDS, GROUPS, count=count, seed=0) == tuple(IDS)


@given(st.integers(1, 199), st.integers(1, 199))
def test_a_larger_sample_holds_the_smaller_one(one, other):
    small, large = (
        sample_groups(FOLDS, GROUPS, count=count, seed=3) for count in sorted((one, other))
    )
    assert set(small) <= set(large)
