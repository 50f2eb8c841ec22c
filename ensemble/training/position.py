"""Where a training is, and the random numbers that follow from it alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Key = tuple[int, int]
"""(epoch, number of the batch in it): all a batch is made from, beside the seed."""


@dataclass
class Position:
    """How far a training is.

    Attributes:
        epoch: The epoch under way, from 0.
        batch: How many of its batches have been learned from.
        updates: How often the weights have been changed, over all epochs.
    """

    epoch: int = 0
    batch: int = 0
    updates: int = 0


def permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of an epoch, (count,) int64."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def sample_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The random numbers of one photograph in one epoch: its flip, its damage."""
    return np.random.default_rng((seed, epoch, index))


def step_seed(seed: int, key: Key, rank: int) -> int:
    """The seed of what the network itself draws in one step, such as dropout."""
    return int(np.random.SeedSequence((seed, *key, rank, 1)).generate_state(1, np.uint32)[0])
