"""Search folds for leaks: near-duplicates in different folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ensemble.errors import DataError
from ensemble.folds.match import SAME_SCENE, Pairs
from ensemble.folds.split import Folds

N_SUSPECTS = 24


@dataclass(frozen=True)
class Suspect:
    """Two similar photographs in different folds: learning one gives the other away."""

    first: str
    second: str
    first_fold: int
    second_fold: int
    similarity: float

    @property
    def leaks(self) -> bool:
        """Whether both show one scene."""
        return self.similarity >= SAME_SCENE


@dataclass(frozen=True)
class Audit:
    """What was found across folds.

    Attributes:
        suspects: The `N_SUSPECTS` most similar pairs across folds, whether they leak or not.
        n_leaks: Pairs of one scene across folds.
        n_leaking: Photographs in such a pair.
        n_photographs: Photographs searched.
    """

    suspects: tuple[Suspect, ...]
    n_leaks: int
    n_leaking: int
    n_photographs: int


def audit(*, folds: Folds, pairs: Pairs) -> Audit:
    """Find the most similar photographs that lie in different folds.

    The groups that the folds name are ignored: any split can be audited, also a plain KFold.

    Args:
        folds: The split to look at.
        pairs: From `find_pairs`.

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
    leaks = across[pairs.similarity[across] >= SAME_SCENE]
    return Audit(
        suspects=tuple(_describe_suspect(folds, pairs, int(row)) for row in across[:N_SUSPECTS]),
        n_leaks=len(leaks),
        n_leaking=len(np.union1d(pairs.first[leaks], pairs.second[leaks])),
        n_photographs=len(fold),
    )


def _describe_suspect(folds: Folds, pairs: Pairs, row: int) -> Suspect:
    first, second = pairs.image_ids[pairs.first[row]], pairs.image_ids[pairs.second[row]]
    return Suspect(
        first=first,
        second=second,
        first_fold=folds.fold_of[first],
        second_fold=folds.fold_of[second],
        similarity=float(pairs.similarity[row]),
    )
