"""Photographs to validate on: the same damage each time, scored as they will be in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ensemble.arrays import Gray, Mask
from ensemble.data.competition import Sample
from ensemble.training.memo import ShownOf


class Samples(Protocol):
    """Where validation samples come from: the files themselves, or the cache."""

    def train_sample(self, image_id: str) -> Sample:
        """A photograph with its fixed damage and true mask."""


class Case(NamedTuple):
    """One photograph to be judged.

    Attributes:
        sample: The photograph, its damage and its true hole.
        shown: (H, W) uint8, what the network was shown.
        located: (H, W) bool, the hole as it was located.
    """

    sample: Sample
    shown: Gray
    located: Mask


class ValidationBatch(NamedTuple):
    """Photographs to validate on; they stay on the host, where they are scored.

    Attributes:
        shown: (N, H, W) uint8, what the network is shown.
        located: (N, H, W) bool, the hole as it was located.
        target: (N, H, W, 3) uint8.
        damaged: (N, H, W) uint8.
        lost_mask: (N, H, W) bool, the true hole, which the score uses.
        image_ids: Names.
    """

    shown: Tensor
    located: Tensor
    target: Tensor
    damaged: Tensor
    lost_mask: Tensor
    image_ids: tuple[str, ...]

    def case(self, row: int) -> Case:
        """One photograph, as numpy arrays."""
        arrays = (self.target[row], self.damaged[row], self.lost_mask[row])
        sample = Sample(self.image_ids[row], *(array.numpy() for array in arrays))
        return Case(sample, self.shown[row].numpy(), self.located[row].numpy())


class ValidationBatches(Dataset[ValidationBatch]):
    """Validation photographs in batches.

    Args:
        image_ids: The photographs of the fold that this process validates.
        samples: Where they come from.
        shown_of: What the network is to be shown of each.
        batch_size: Photographs a forward pass.
    """

    def __init__(
        self,
        image_ids: Sequence[str],
        samples: Samples,
        shown_of: ShownOf,
        *,
        batch_size: int,
    ) -> None:
        self.image_ids = tuple(image_ids)
        self.samples = samples
        self.shown_of = shown_of
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.image_ids) // self.batch_size)

    def __getitem__(self, number: int) -> ValidationBatch:
        start = number * self.batch_size
        image_ids = self.image_ids[start : start + self.batch_size]
        samples = [self.samples.train_sample(image_id) for image_id in image_ids]
        shown, located = zip(*(self.shown_of(sample) for sample in samples), strict=True)
        return ValidationBatch(
            shown=_stacked(shown),
            located=_stacked(located),
            target=_stacked([sample.target for sample in samples]),
            damaged=_stacked([sample.damaged for sample in samples]),
            lost_mask=_stacked([sample.lost_mask for sample in samples]),
            image_ids=image_ids,
        )


def _stacked(arrays: Sequence[NDArray[Any]]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))
