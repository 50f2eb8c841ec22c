"""The proof that folds do not leak, or the pairs that show that they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ensemble.errors import DataError
from ensemble.folds.descriptors import Pairs
from ensemble.folds.split import Folds


@dataclass(frozen=True)
class Suspect:
    """Two lookalikes that lie in different folds: learning one gives the other away."""

    first: str
    second: str
    first_fold: int
    second_fold: int
    similarity: float


@dataclass(frozen=True)
class Audit:
    """What was found across folds.

    Attributes:
        suspects: The most alike pairs across folds, most alike first, above the threshold or not.
        threshold: The least similarity of one scene.
        n_leaks: Pairs across folds at or above it.
        n_leaking: Photographs in such a pair.
        n_photographs: Photographs looked at.
    """

    suspects: tuple[Suspect, ...]
    threshold: float
    n_leaks: int
    n_leaking: int
    n_photographs: int


def audit(*, folds: Folds, pairs: Pairs, threshold: float, top: int = 24) -> Audit:
    """Find the most alike photographs that lie in different folds.

    The groups that the folds name are not believed: any split can be audited, also a plain KFold
    that knows nothing of groups.

    Args:
        folds: The split to look at.
        pairs: Who looks like whom, from `ensemble.folds.descriptors.find_pairs`.
        threshold: The least similarity of one scene.
        top: How many suspects to name.

    Raises:
        DataError: The folds and the pairs are of different photographs.
    """
    if set(folds.image_ids) != set(pairs.image_ids):
        strange = sorted(set(folds.image_ids) ^ set(pairs.image_ids))
        raise DataError(
            f"The folds must list the photographs that are there, but {len(strange)} are only in "
            f"one of the two, first `{strange[0]}`"
        )
    fold = np.array([folds.fold_of[image_id] for image_id in pairs.image_ids])
    across = np.flatnonzero(fold[pairs.first] != fold[pairs.second])
    leaks = across[pairs.similarity[across] >= threshold]
    return Audit(
        suspects=tuple(_suspect(folds, pairs, int(row)) for row in across[:top]),
        threshold=threshold,
        n_leaks=len(leaks),
        n_leaking=len(np.union1d(pairs.first[leaks], pairs.second[leaks])),
        n_photographs=len(fold),
    )


def _suspect(folds: Folds, pairs: Pairs, row: int) -> Suspect:
    first, second = pairs.image_ids[pairs.first[row]], pairs.image_ids[pairs.second[row]]
    return Suspect(
        first=first,
        second=second,
        first_fold=folds.fold_of[first],
        second_fold=folds.fold_of[second],
        similarity=float(pairs.similarity[row]),
    )
