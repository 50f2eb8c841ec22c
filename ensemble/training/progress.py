"""How far a training is, and what follows from it: random numbers, the learning rate, the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

_Count = Annotated[int, Field(strict=True, ge=0, le=10**12)]

Key = tuple[int, int]
"""(epoch, number of the batch in it): with the seed, all that a batch is made from."""


@dataclass
class Position:
    """How far a training is: the epoch under way, from 0, and how many batches of it are done.

    `updates` says how often the weights have been changed, over all epochs.
    """

    epoch: _Count = 0
    batch: _Count = 0
    updates: _Count = 0


@lru_cache(maxsize=2)
def shuffle(seed: int, turn: tuple[int, int], count: int) -> NDArray[np.int64]:
    """The order of a pass, given as (epoch, pass of the epoch): (count,) int64."""
    return np.random.default_rng((seed, *turn)).permutation(count)


def step_seed(seed: int, key: Key, rank: int) -> int:
    """The seed of what the network itself draws in one step, such as dropout."""
    return int(np.random.SeedSequence((seed, *key, rank, 1)).generate_state(1, np.uint32)[0])


Scores = Sequence[float | None]
"""The `val_score` of each epoch; None, in all of them, where the training has no validation."""


def best_epoch(scores: Scores) -> int:
    """The first epoch with the highest score; without scores the last epoch.

    >>> best_epoch([0.1, 0.3, 0.3, 0.2]), best_epoch([None, None])
    (1, 1)
    """
    known = [score for score in scores if score is not None]
    return known.index(max(known)) if known else len(scores) - 1


def out_of_patience(scores: Scores, patience: int) -> bool:
    """Whether the last `patience` epochs brought no better score; 0 is endless patience.

    >>> out_of_patience([0.1, 0.3, 0.3, 0.2], 2), out_of_patience([0.1, 0.3, 0.2], 2)
    (True, False)
    """
    return bool(patience and scores) and len(scores) - 1 - best_epoch(scores) >= patience


def epochs_to_keep(scores: Scores, average_last: int) -> tuple[int, ...]:
    """The epochs whose weights may still be needed: the best, and the last `average_last`.

    >>> epochs_to_keep([0.5, 0.1, 0.2, 0.3], 2)
    (0, 2, 3)
    """
    last = range(max(0, len(scores) - average_last), len(scores))
    return tuple(sorted({best_epoch(scores), *last})) if scores else ()


Schedule = Literal["constant", "cosine", "one-cycle"]

_WARM_UP = 0.3
_FIRST = 1 / 25
_LAST = 1e-4


def rate_factor(schedule: Schedule, *, update: int, updates: int) -> float:
    """What the learning rate is multiplied by.

    It depends on the update alone: a training that is extended continues with the schedule of the
    longer one. `cosine` goes from 1 to 0; `one-cycle` rises from 1/25 for the first 30 %, then
    falls to 1/10000, both along a cosine.

    >>> rate_factor("cosine", update=50, updates=100)
    0.5
    """
    share = min(1.0, update / max(1, updates))
    if schedule == "cosine":
        return _along_cosine(1.0, 0.0, share)
    if schedule == "one-cycle":
        if share < _WARM_UP:
            return _along_cosine(_FIRST, 1.0, share / _WARM_UP)
        return _along_cosine(1.0, _LAST, (share - _WARM_UP) / (1 - _WARM_UP))
    return 1.0


def _along_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
