"""Folds of a competition's photographs: made, and audited for leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.data.folds_csv import read_folds
from ensemble.data.photographs import Photographs
from ensemble.errors import ConfigError
from ensemble.folds.audit import Audit, audit
from ensemble.folds.match import Groups, find_groups, find_pairs
from ensemble.folds.split import Folds, make_strata, split
from ensemble.parallel import Progress, silent


@dataclass(frozen=True)
class MadeFolds:
    """Folds, and what they were made by.

    Attributes:
        folds: Which fold validates which photograph.
        traits: (3,) float64 of each photograph: see `measure_traits`.
        groups: The near-duplicates that were found; None where none were looked for.
        max_size: Photographs in a group at most.
        warnings: One sentence for each photograph with unusual damage.
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

    Args:
        photographs: Those of a competition.
        n_folds: Number of folds.
        seed: Decides which group goes where.
        labels: The group of each photograph, in the order of `train_ids`; None to find them.
        find_duplicates: Whether to look for near-duplicates where there are no labels; else each
            photograph is a group of its own.
        progress: Shown while photographs are read.

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

    Args:
        path: Where the folds are to be written.
        made: The new folds; equal ones may always be written.
        force: Whether other folds may go.
        damaged_too: Whether, with `force`, the file need not hold folds.

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
