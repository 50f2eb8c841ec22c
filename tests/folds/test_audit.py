"""The audit, and the planted leak that it and a memorising model must both feel."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier

from ensemble.errors import DataError
from ensemble.folds.audit import N_SUSPECTS, audit
from ensemble.folds.describe import describe
from ensemble.folds.match import Pairs, find_groups, find_pairs
from ensemble.folds.split import Folds, split

N_FOLDS = 4
THUMBNAIL = 8 * 8 * 3


def plain_kfold(ids: tuple[str, ...]) -> Folds:
    """The split that everybody copies: groups are ignored."""
    fold = np.empty(len(ids), int)
    for k, (_, validation) in enumerate(KFold(N_FOLDS, shuffle=True, random_state=0).split(ids)):
        fold[validation] = k
    return Folds(ids, ids, tuple(fold.tolist()), N_FOLDS)


def memorised(folds: Folds, looks: dict[str, np.ndarray], answers: dict[str, int]) -> float:
    """Accuracy, out of fold, of a model that repeats the answer of the nearest thumbnail."""
    right = 0
    for k in range(folds.n_folds):
        seen, unseen = folds.training(k), folds.validation(k)
        model = KNeighborsClassifier(1).fit([looks[i] for i in seen], [answers[i] for i in seen])
        right += int(
            np.sum(model.predict([looks[i] for i in unseen]) == [answers[i] for i in unseen])
        )
    return right / len(folds.image_ids)


@pytest.fixture(scope="module")
def planted(scenes, copies) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Each scene as it is, recompressed, brighter and darker; its answer is drawn at random."""
    rng = np.random.default_rng(0)
    names = rng.permutation(4 * len(scenes))
    looks, answers = {}, {}
    for number, scene in enumerate(scenes):
        answer = int(rng.integers(8))
        for way, picture in enumerate(
            [scene, *(copies[c](scene) for c in ("jpeg", "brighter", "darker"))]
        ):
            name = f"TRAIN_{names[4 * number + way]:05d}"
            looks[name], answers[name] = picture, answer
    return looks, answers


@pytest.fixture(scope="module")
def vectors(planted) -> np.ndarray:
    return np.stack([describe(picture) for picture in planted[0].values()])


@pytest.fixture(scope="module")
def pairs(planted, vectors) -> Pairs:
    return find_pairs(image_ids=tuple(planted[0]), vectors=vectors)


@pytest.fixture(scope="module")
def ours(pairs: Pairs) -> Folds:
    groups = find_groups(pairs=pairs, max_size=24)
    ids, labels = groups.image_ids, groups.labels
    return split(image_ids=ids, groups=labels, n_folds=N_FOLDS, seed=0, strata=[0] * len(ids))


def test_a_memorising_model_shines_on_a_leaky_split_and_fails_on_ours(
    planted, vectors, pairs, ours
) -> None:
    thumbnails = vectors[:, -THUMBNAIL:].astype(float)
    thumbnails -= thumbnails.mean(axis=1, keepdims=True)
    looks, answers = dict(zip(planted[0], thumbnails, strict=True)), planted[1]
    assert memorised(plain_kfold(pairs.image_ids), looks, answers) > 0.9
    assert memorised(ours, looks, answers) < 0.4


def test_the_audit_sees_the_leak_of_a_plain_kfold_and_none_in_ours(pairs, ours) -> None:
    leaky = audit(folds=plain_kfold(pairs.image_ids), pairs=pairs)
    assert leaky.n_leaks > 60
    assert leaky.n_leaking / leaky.n_photographs > 0.9
    clean = audit(folds=ours, pairs=pairs)
    assert (clean.n_leaks, clean.n_leaking, clean.n_photographs) == (0, 0, 96)


@pytest.fixture
def four() -> tuple[Folds, Pairs]:
    pairs = Pairs(
        ("a", "b", "c", "d"),
        np.array([0, 0, 1, 2]),
        np.array([1, 2, 2, 3]),
        np.array([0.9, 0.8, 0.5, 0.3], np.float32),
    )
    return Folds(("a", "b", "c", "d"), ("a", "b", "c", "d"), (0, 0, 1, 2), 3), pairs


def test_suspects_lie_across_folds_most_alike_first(four) -> None:
    folds, pairs = four
    found = audit(folds=folds, pairs=pairs)
    assert [(s.first, s.second, s.first_fold, s.second_fold) for s in found.suspects] == [
        ("a", "c", 0, 1),
        ("b", "c", 0, 1),
        ("c", "d", 1, 2),
    ]
    assert [s.similarity for s in found.suspects] == pytest.approx([0.8, 0.5, 0.3])
    assert (found.n_leaks, found.n_leaking, found.n_photographs) == (2, 3, 4)


def test_suspects_are_limited_and_the_counts_are_not() -> None:
    ids = tuple("abcdefgh")
    first, second = np.triu_indices(8, 1)
    pairs = Pairs(ids, first, second, np.linspace(1, 0.4, 28, dtype=np.float32))
    folds = Folds(ids, ids, tuple(range(8)), 8)
    found = audit(folds=folds, pairs=pairs)
    assert len(found.suspects) == N_SUSPECTS == 24
    assert found.n_leaks == np.count_nonzero(pairs.similarity >= 0.5) == 23
    assert [suspect.leaks for suspect in found.suspects] == [True] * 23 + [False]


def test_folds_of_other_photographs_are_refused(four) -> None:
    strange = Folds(("a", "b", "c", "x"), ("a", "b", "c", "x"), (0, 0, 1, 2), 3)
    with pytest.raises(DataError, match="2 are only in one of the two, first `d`"):
        audit(folds=strange, pairs=four[1])
