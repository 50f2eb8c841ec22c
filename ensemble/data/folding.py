"""Folds of a competition's photographs: made, and audited for leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ensemble.data.folds_csv import read_folds
from ensemble.data.photographs import Photographs
from ensemble.errors import ConfigError
from ensemble.folds.audit import Audit, audit
from ensemble.folds.match import Groups, find_groups, find_pairs
from ensemble.folds.split import Folds, make_strata, split
from ensemble.parallel import Progress, silent


class MadeFolds(NamedTuple):
    """Folds, the traits (`measure_traits`) of each photograph, and what they were made by.

    `groups` are the near-duplicates that were found, None where none were looked for, with at most
    `max_size` photographs; a warning is on one photograph with unusual damage.
    """

    folds: Folds
    traits: Mapping[str, NDArray[np.float64]]
    groups: Groups | None
    max_size: int
    warnings: list[str]


def make_folds(
    photographs: Photographs,
    *,
    n_folds: int,
    seed: int,
    labels: Sequence[str] | None = None,
    find_duplicates: bool = True,
    progress: Progress = silent,
) -> MadeFolds:
    """Divide the training photographs into folds of equal size and difficulty.

    The groups are the `labels` of the photographs, in the order of `train_ids`, or found as
    near-duplicates; or each photograph is one. The seed decides which group goes where.

    Raises:
        DataError: A photograph is not as due, or its damaged input is not of it.
        ConfigError: There are fewer groups than folds.
    """
    image_ids = photographs.competition.train_ids
    warnings = photographs.check(progress)
    facts = photographs.describe()
    # A fold's share is the largest group that leaves folds of equal size possible.
    max_size, groups = max(1, len(image_ids) // max(1, n_folds)), None
    if find_duplicates and labels is None:
        pairs = find_pairs(image_ids=image_ids, vectors=facts.vector)
        groups = find_groups(pairs=pairs, max_size=max_size)
        group_of = dict(zip(groups.image_ids, groups.labels, strict=True))
        labels = [group_of[image_id] for image_id in image_ids]
    folds = split(
        image_ids=image_ids,
        groups=labels or image_ids,
        n_folds=n_folds,
        seed=seed,
        strata=make_strata(facts.traits),
    )
    traits = dict(zip(image_ids, facts.traits, strict=True))
    return MadeFolds(folds, traits, groups, max_size, warnings)


def audit_folds(photographs: Photographs, folds: Folds, progress: Progress = silent) -> Audit:
    """Look for near-duplicates that lie in different folds; see `ensemble.folds.audit`."""
    image_ids, vectors = photographs.competition.train_ids, photographs.describe(progress).vector
    return audit(folds=folds, pairs=find_pairs(image_ids=image_ids, vectors=vectors))


def require_replaceable(path: Path, made: Folds, *, force: bool, damaged_too: bool) -> None:
    """Refuse to replace other folds unasked, and to replace a file that holds no folds.

    Equal folds may always be written; with `force` also others, and `damaged_too` whatever else.

    Raises:
        ConfigError: Other folds are there.
        DataError: The file holds no folds.
    """
    if not path.exists() or (force and damaged_too):
        return
    if read_folds(path).digest() != made.digest() and not force:
        raise ConfigError(
            f"`{path}` holds other folds, and all that was trained on them would be stale; "
            "keep them, or replace them with `--force`"
        )
