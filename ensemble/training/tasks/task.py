"""What a member learns: what it is shown, what it should predict, and how that is scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensemble.arrays import Gray, Mask
from ensemble.config import Config
from ensemble.data.competition import Sample
from ensemble.members import Member
from ensemble.networks.tensors import normalize, with_mask
from ensemble.training import pixels
from ensemble.training.batches import Batch, Case, Needs, ValidationBatch, stack_depths

GrayOf = Callable[[str], Gray]
"""From an image id, the restored gray (H, W) uint8 that stage 2 is to be validated on."""


class Example(NamedTuple):
    """A batch, as the network and the loss see it; on the device."""

    shown: Tensor  # (N, C, H, W) float32, normalized
    wanted: Tensor  # (N, 1 or 3, H, W) float32, normalized; or (N, 180) for a histogram
    lost_mask: Tensor | None = None  # (N, H, W) bool; None where there is no damage
    # `mean_hole_area` of the whole batch; None where no loss needs it
    hole_area: Tensor | None = None

    def split(self, parts: int) -> list[Example]:
        """Cut it into parts of as many pictures, give or take one; they share the mean area."""
        masks = self.lost_mask.tensor_split(parts) if self.lost_mask is not None else [None] * parts
        columns = (self.shown.tensor_split(parts), self.wanted.tensor_split(parts), masks)
        return [Example(*rows, self.hole_area) for rows in zip(*columns, strict=True)]


class Task(ABC):
    """What a trained member learns from a batch, and how a prediction is scored.

    Implementations guarantee that `score` returns exactly the keys `terms`, the first of which,
    `score`, is to be maximized.
    """

    terms: ClassVar[tuple[str, ...]]

    def __init__(self, member: Member, config: Config) -> None:
        self.member = member
        self.config = config
        self.normalization = config.normalization.model_dump()

    @property
    @abstractmethod
    def needs(self) -> Needs:
        """What a training batch must hold."""

    @abstractmethod
    def example(self, batch: Batch) -> Example:
        """Flip, damage and normalize a batch."""

    @abstractmethod
    def loss(self, output: Tensor, example: Example, *, done: float = 0.0) -> Tensor:
        """What to minimize; a scalar. `done` is the share of the training's steps gone by."""

    @abstractmethod
    def shown_gray(self, sample: Sample, located: Mask) -> NDArray[np.uint8]:
        """What the network is shown in validation: (H, W), or (H, W, K) with K fills; uint8."""

    @abstractmethod
    def predictions(self, output: Tensor) -> NDArray[Any]:
        """The network's output as the member's predictions, on the host."""

    @abstractmethod
    def score(self, prediction: NDArray[Any], case: Case) -> dict[str, float]:
        """The terms of the score of one prediction, once composed."""

    def validation_input(self, batch: ValidationBatch, device: torch.device) -> Tensor:
        """A validation batch as the network sees it, (N, C, H, W) normalized."""
        shown, located = (x.to(device, non_blocking=True) for x in (batch.shown, batch.located))
        depth = stack_depths(batch.located).to(device) if self.needs.depth else None
        return self._input(shown, located, depth)

    def _input(self, gray: Tensor, lost_mask: Tensor, depth: Tensor | None) -> Tensor:
        """Normalize grays, and append what else the member is shown of the hole."""
        shown = normalize(gray, **self.normalization)
        return shown if self.member.in_channels == 1 else with_mask(shown, lost_mask, depth)


def flipped_gray(batch: Batch) -> Tensor:
    """The true gray of a batch, flipped: (N, H, W) uint8."""
    return pixels.mirror(pixels.luma(batch.target), batch.flip)
