"""Folds of photographs that belong to no group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ensemble.folds.split import Folds


def deal(image_ids: Sequence[str], n_folds: int, *, seed: int = 0) -> Folds:
    """Deal single photographs in an order drawn with the seed."""
    ids = tuple(sorted(image_ids))
    places = np.random.default_rng(seed).permutation(len(ids))
    return Folds(ids, ids, tuple(((len(ids) - 1 - places) % n_folds).tolist()), n_folds)
