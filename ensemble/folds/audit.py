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
    """Two similar photographs in different folds."""

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
    """Similar photographs in different folds."""

    # the `N_SUSPECTS` most similar pairs across folds, whether they leak or not
    suspects: tuple[Suspect, ...]
    n_leaks: int  # pairs of one scene across folds
    n_leaking: int  # photographs in such a pair
    n_photographs: int  # photographs searched


def audit(*, folds: Folds, pairs: Pairs) -> Audit:
    """Find the most similar photographs that lie in different folds, of the pairs of `find_pairs`.

    The groups that the folds name are ignored: any split can be audited, also a plain KFold.

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
    top = across[:N_SUSPECTS]
    columns = (pairs.first[top], pairs.second[top], pairs.similarity[top])
    return Audit(
        suspects=tuple(
            Suspect(pairs.image_ids[a], pairs.image_ids[b], int(fold[a]), int(fold[b]), float(s))
            for a, b, s in zip(*columns, strict=True)
        ),
        n_leaks=len(leaks),
        n_leaking=len(np.union1d(pairs.first[leaks], pairs.second[leaks])),
        n_photographs=len(fold),
    )
