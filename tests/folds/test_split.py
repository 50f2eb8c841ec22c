from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold

from ensemble.arrays import luma
from ensemble.errors import ConfigError, DataError
from ensemble.folds.describe import measure_traits
from ensemble.folds.split import Folds, make_strata, split


def make(n: int = 40, n_groups: int = 12, seed: int = 0) -> tuple[list[str], list[int]]:
    rng = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(n_groups), rng.integers(n_groups, size=n - n_groups)])
    return [f"TRAIN_{row:05d}" for row in range(n)], groups.tolist()


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[int], list[int], int]:
    n = draw(st.integers(2, 60))
    groups = draw(st.lists(st.integers(0, n // 2), min_size=n, max_size=n))
    strata = draw(st.lists(st.integers(-3, 9), min_size=n, max_size=n))
    n_groups = len(set(groups))
    n_folds = draw(st.integers(2, max(2, n_groups)))
    return [f"i{row}" for row in range(n)], groups, strata, n_folds


@given(tables(), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_groups_never_span_folds_and_nothing_is_lost(table, seed) -> None:
    ids, groups, strata, n_folds = table
    if n_folds > len(set(groups)):
        with pytest.raises(ConfigError):
            split(image_ids=ids, groups=groups, n_folds=n_folds, seed=seed, strata=strata)
        return
    folds = split(image_ids=ids, groups=groups, n_folds=n_folds, seed=seed, strata=strata)
    group_of = dict(zip(ids, groups, strict=True))
    for k in range(n_folds):
        seen = {group_of[image_id] for image_id in folds.training(k)}
        unseen = {group_of[image_id] for image_id in folds.validation(k)}
        assert unseen
        assert not seen & unseen
        assert sorted(folds.training(k) + folds.validation(k)) == sorted(ids)


@pytest.mark.parametrize("n_strata", [1, 3])
def test_order_of_rows_and_names_of_groups_do_not_matter(n_strata: int) -> None:
    ids, groups = make()
    strata = [row % n_strata for row in range(len(ids))]
    straight = split(image_ids=ids, groups=groups, n_folds=4, seed=3, strata=strata)
    order = np.random.default_rng(1).permutation(len(ids))
    shuffled = split(
        image_ids=[ids[row] for row in order],
        groups=[groups[row] for row in order],
        n_folds=4,
        seed=3,
        strata=[strata[row] for row in order],
    )
    renamed = split(
        image_ids=ids, groups=[f"g{99 - g}" for g in groups], n_folds=4, seed=3, strata=strata
    )
    assert shuffled == straight
    assert shuffled.digest() == straight.digest()
    assert renamed.folds == straight.folds


def test_the_seed_decides_who_goes_where() -> None:
    ids, groups = make()
    made = [
        split(image_ids=ids, groups=groups, n_folds=4, seed=seed, strata=[0] * 40).folds
        for seed in (0, 0, 1, 2)
    ]
    assert made[0] == made[1]
    assert len(set(made)) == 3


def test_singletons_are_dealt_out_to_within_one() -> None:
    ids = [str(row) for row in range(103)]
    folds = split(image_ids=ids, groups=ids, n_folds=5, seed=0, strata=[0] * 103)
    assert sorted(np.bincount(folds.folds)) == [20, 20, 21, 21, 21]


def test_large_groups_are_balanced_by_photographs_not_by_number() -> None:
    groups = [0] * 10 + [1] * 10 + list(range(2, 22))
    ids = [f"{row:02d}" for row in range(40)]
    folds = split(image_ids=ids, groups=groups, n_folds=4, seed=5, strata=[0] * 40)
    assert np.bincount(folds.folds).tolist() == [10, 10, 10, 10]


def test_every_fold_gets_its_share_of_every_stratum() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(120), rng.integers(1, 5, 120))
    strata = rng.integers(4, size=120)[groups]
    ids = [f"{row:03d}" for row in range(len(groups))]
    fair = np.bincount(strata) / 5

    def shares(given: list[int]) -> np.ndarray:
        made = split(image_ids=ids, groups=groups.tolist(), n_folds=5, seed=0, strata=given)
        fold = np.array(made.folds)
        return np.array([np.bincount(strata[fold == k], minlength=4) for k in range(5)]) / fair

    assert np.abs(shares(strata.tolist()) - 1).max() < 0.1
    assert np.abs(shares([0] * len(ids)) - 1).max() > 0.2


def test_sizes_count_where_strata_and_sizes_disagree() -> None:
    # Groups of 5, 4, 3 and 2 photographs, the first of one stratum, the others of another. Before
    # the last, fold 0 holds 5 + 3 and fold 1 holds 4: fold 0 lacks the stratum more (3 of 4.5
    # against 4 of 4.5), but is larger by 4 of 7, which weighs more.
    groups = np.repeat([0, 1, 2, 3], [5, 4, 3, 2])
    ids = [f"{row:02d}" for row in range(14)]
    strata = np.minimum(groups, 1).tolist()
    folds = split(image_ids=ids, groups=groups.tolist(), n_folds=2, seed=0, strata=strata)
    assert np.bincount(folds.folds).tolist() == [8, 6]


def test_groups_of_different_sizes_are_dealt_as_scikit_learn_deals_them() -> None:
    groups = np.repeat(np.arange(12), np.random.default_rng(0).permutation(12) + 1)
    ids = [f"{row:02d}" for row in range(len(groups))]
    strata = [0] * len(ids)
    folds = split(image_ids=ids, groups=groups.tolist(), n_folds=3, seed=0, strata=strata)
    parts = {frozenset(np.flatnonzero(np.array(folds.folds) == k).tolist()) for k in range(3)}
    dealt = GroupKFold(3).split(ids, groups=groups)
    assert parts == {frozenset(validation.tolist()) for _, validation in dealt}


def test_the_folds_of_a_table_and_a_seed_never_change() -> None:
    rng = np.random.default_rng(0)
    groups = np.concatenate([np.arange(60), rng.integers(60, size=140)]).tolist()
    strata = rng.integers(8, size=200).tolist()
    ids = [f"TRAIN_{row:05d}" for row in range(200)]
    made = split(image_ids=ids, groups=groups, n_folds=5, seed=7, strata=strata)
    assert made.digest() == "ed3eeaead6c29af33858bc2258e60fdd0b75b895404916e803840557ea3f18f0"


def test_folds_look_up_and_digest() -> None:
    folds = Folds(("b", "a", "c"), (7, 7, "x"), (1, 1, 0), 2)
    assert folds.image_ids == ("a", "b", "c")
    assert folds.groups == ("7", "7", "x")
    assert dict(folds.fold_of) == {"a": 1, "b": 1, "c": 0}
    assert folds.training(1) == ("c",)
    assert folds.validation(1) == ("a", "b")
    text = "2\na\t7\t1\nb\t7\t1\nc\tx\t0\n"
    assert folds.digest() == hashlib.sha256(text.encode()).hexdigest()
    assert Folds(("a", "b", "c"), (7, 7, "x"), (0, 0, 1), 2).digest() != folds.digest()
    assert Folds(("a", "b", "c"), (7, 7, "y"), (1, 1, 0), 2).digest() != folds.digest()


def test_errors_state_rule_values_and_remedy() -> None:
    with pytest.raises(ConfigError) as too_few:
        split(image_ids=["a", "b", "c"], groups=[1, 1, 2], n_folds=3, seed=0, strata=[0, 0, 0])
    assert str(too_few.value) == (
        "`n_folds <= number of groups` must hold, but got (n_folds=3, groups=2): a group never "
        "spans two folds; ask for at most 2 folds"
    )
    with pytest.raises(ConfigError, match=r"^`n_folds >= 2` must hold, but got 1$"):
        split(image_ids=["a", "b"], groups=[1, 2], n_folds=1, seed=0, strata=[0, 0])
    with pytest.raises(DataError, match=r"^Image ids must be distinct, but `a` is there 2 times$"):
        split(image_ids=["a", "a"], groups=[1, 2], n_folds=2, seed=0, strata=[0, 0])
    lengths = r"^Folds need columns of one length, at least 1, but got lengths \(2, 1, 3\)$"
    with pytest.raises(DataError, match=lengths):
        split(image_ids=["a", "b"], groups=[1], n_folds=2, seed=0, strata=[0, 0, 0])
    with pytest.raises(DataError, match=lengths):
        Folds(("a", "b"), ("x",), (0, 1, 0), 2)
    with pytest.raises(DataError, match="lengths"):
        split(image_ids=[], groups=[], n_folds=2, seed=0, strata=[])


def test_folds_refuse_a_group_in_two_folds_and_empty_folds() -> None:
    with pytest.raises(DataError, match="group `cat` spans the folds 0 and 1"):
        Folds(("a", "b"), ("cat", "cat"), (1, 0), 2)
    with pytest.raises(DataError, match=r"n_folds=3, empty=\[2\], unknown=\[\]"):
        Folds(("a", "b"), ("x", "y"), (1, 0), 3)
    with pytest.raises(DataError, match=r"unknown=\[-1\]"):
        Folds(("a", "b", "c"), ("x", "y", "z"), (1, 0, -1), 2)
    with pytest.raises(ConfigError, match=r"one of 0\.\.1, but got 2"):
        Folds(("a", "b"), ("x", "y"), (1, 0), 2).training(2)


def test_traits_of_a_picture_worked_by_hand() -> None:
    target = np.zeros((2, 2, 3), dtype=np.uint8)
    target[0, :] = (200, 100, 0)
    lost = np.array([[True, False], [False, False]])
    brightness, colorfulness, damaged = measure_traits(
        target=target, gray=luma(target), lost_mask=lost
    )
    # Half the pixels have R - G = 100 and (R + G) / 2 - B = 150, half have 0 and 0.
    assert colorfulness == pytest.approx(np.hypot(50, 75) + 0.3 * np.hypot(50, 75))
    assert brightness == pytest.approx(118.5 / 2, abs=0.5)
    assert damaged == 0.25


def test_a_gray_picture_has_no_color() -> None:
    gray = np.repeat(np.arange(64, dtype=np.uint8).reshape(8, 8, 1), 3, axis=2)
    traits = measure_traits(target=gray, gray=luma(gray), lost_mask=np.zeros((8, 8), bool))
    assert traits.tolist() == [31.5, 0.0, 0.0]


def test_strata_are_equally_filled_combinations_of_ranks() -> None:
    rng = np.random.default_rng(0)
    traits = rng.uniform(size=(4000, 2))
    strata = np.array(make_strata(traits))
    expected = 2 * (traits[:, 0] > np.median(traits[:, 0])) + (
        traits[:, 1] > np.median(traits[:, 1])
    )
    np.testing.assert_array_equal(strata, expected)
    assert make_strata(np.exp(9 * traits)) == tuple(strata.tolist())


def test_ties_stay_below_the_median() -> None:
    assert make_strata(np.array([[0.0], [1], [1], [1], [2]])) == (0, 0, 0, 0, 1)
    assert make_strata(np.zeros((5, 3))) == (0,) * 5
