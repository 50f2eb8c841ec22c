"""What a member learns: what it is shown, what it should say, and how well it did."""

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
from ensemble.damage.fill import fill_hole
from ensemble.damage.locate import locate_hole
from ensemble.data.competition import Sample
from ensemble.members import Member
from ensemble.training import pixels
from ensemble.training.batches import Batch, Wants
from ensemble.training.validation import Case, ValidationBatch

GrayOf = Callable[[str], Gray]
"""From an image id, the restored gray (H, W) uint8 that stage 2 is to be validated on."""


class Example(NamedTuple):
    """A batch, as the network and the loss see it; on the device.

    Attributes:
        shown: (N, 1 or 2, H, W) float32, normalised.
        wanted: (N, 1 or 3, H, W) float32, normalised; or (N, 180) for a histogram.
        lost_mask: (N, H, W) bool; None where there is no damage.
    """

    shown: Tensor
    wanted: Tensor
    lost_mask: Tensor | None = None


class Task(ABC):
    """What is learnt from a batch, and how an answer is judged.

    Implementations guarantee that `score` returns exactly the keys `terms`, the first of which,
    `score`, is to be maximised.

    Attributes:
        terms: The keys of `score`'s result.

    Args:
        member: Of kind `trained`.
        config: The settings.
    """

    terms: ClassVar[tuple[str, ...]]

    def __init__(self, member: Member, config: Config) -> None:
        self.member = member
        self.config = config
        self.normalisation = config.normalisation

    @property
    @abstractmethod
    def wants(self) -> Wants:
        """What a training batch must hold."""

    @abstractmethod
    def example(self, batch: Batch) -> Example:
        """Flip, damage and normalise a batch."""

    @abstractmethod
    def loss(self, output: Tensor, example: Example) -> Tensor:
        """What to minimise; a scalar."""

    @abstractmethod
    def validation_input(self, sample: Sample) -> tuple[Gray, Mask]:
        """The gray (H, W) uint8 that the network is shown in validation, and the located hole."""

    @abstractmethod
    def answers(self, output: Tensor) -> NDArray[Any]:
        """The network's output as the member's predictions, on the host."""

    @abstractmethod
    def score(self, answer: NDArray[Any], case: Case) -> dict[str, float]:
        """The terms of the score of one answer, once composed."""

    def validation_shown(self, batch: ValidationBatch, device: torch.device) -> Tensor:
        """A validation batch as the network sees it, (N, 1 or 2, H, W) normalised."""
        shown = pixels.normalise(batch.shown.to(device, non_blocking=True), self.normalisation)
        return self._with_mask(shown, batch.located.to(device, non_blocking=True))

    def setup(self, device: torch.device) -> None:
        """Move whatever else the task computes with to the device; nothing by default."""
        return

    def _with_mask(self, shown: Tensor, lost_mask: Tensor) -> Tensor:
        if self.member.in_channels == 1:
            return shown
        return torch.cat([shown, lost_mask[:, None].to(shown)], dim=1)

    def _levels(self, output: Tensor) -> NDArray[np.uint8]:
        """A picture (N, C, H, W) as (N, H, W, C) uint8."""
        values = pixels.denormalise(output, self.normalisation)
        levels: NDArray[np.uint8] = (
            pixels.round_to_levels(values).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        )
        return levels


def flipped_gray(batch: Batch) -> Tensor:
    """The true gray of a batch, flipped: (N, H, W) uint8."""
    return pixels.mirror(pixels.luma(batch.target), batch.flip)


def flipped_mask(batch: Batch) -> Tensor:
    """The holes of a damaged batch, flipped: (N, H, W) bool."""
    if batch.lost_mask is None:
        raise ValueError("a task that damages photographs must say so in `wants`")
    return pixels.mirror(batch.lost_mask, batch.flip)


def damaged_gray(batch: Batch, gray: Tensor, lost_mask: Tensor, *, prefilled: bool) -> Tensor:
    """What restorers are shown of a batch, flipped: (N, H, W) uint8."""
    if prefilled:
        if batch.prefilled is None:
            raise ValueError("a task that shows prefilled photographs must say so in `wants`")
        return pixels.mirror(batch.prefilled, batch.flip)
    if batch.fill is None:
        raise ValueError("a task that damages photographs must say so in `wants`")
    return pixels.damage(gray, lost_mask, batch.fill)


def shown_damaged(member: Member, sample: Sample) -> tuple[Gray, Mask]:
    """What a restoration member is shown of a validation sample, and the located hole."""
    located = locate_hole(sample.damaged).lost_mask
    if member.input_mode == "damaged":
        return sample.damaged, located
    return fill_hole(sample.damaged, located), located
