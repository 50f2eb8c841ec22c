"""Stage 1: damaged gray to gray."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ensemble.arrays import Gray, Mask, luma
from ensemble.composition.compose import compose_gray
from ensemble.composition.recipe import Composition
from ensemble.data.competition import Sample
from ensemble.metric.score import STAGE_TERMS, gray_score
from ensemble.training import pixels
from ensemble.training.batches import Batch, Wants
from ensemble.training.losses import hole_loss, masked_ssim, pixel_loss
from ensemble.training.tasks.task import (
    Example,
    Task,
    damaged_gray,
    flipped_gray,
    flipped_mask,
    shown_damaged,
)
from ensemble.training.validation import Case


class RestorationTask(Task):
    """Learn to fill the hole; judged by the gray score of the picture pasted back."""

    terms = ("score", *STAGE_TERMS["restoration"])

    @property
    def wants(self) -> Wants:
        """Damage, and inpainting where the input mode asks for it."""
        return Wants(
            damage=True, prefill=self._prefilled, restored=0.0, flips=self.config.training.flips
        )

    @property
    def _prefilled(self) -> bool:
        return self.member.input_mode != "damaged"

    def example(self, batch: Batch) -> Example:
        """See `Task.example`."""
        gray, lost_mask = flipped_gray(batch), flipped_mask(batch)  # (N, H, W)
        base = damaged_gray(batch, gray, lost_mask, prefilled=self._prefilled)
        shown = self._with_mask(pixels.normalise(base, self.normalisation), lost_mask)
        return Example(shown, pixels.normalise(gray, self.normalisation), lost_mask)

    def loss(self, output: Tensor, example: Example) -> Tensor:
        """The slides' whole-image loss, with a share of the hole's and the masked SSIM's."""
        settings, weights = self.config.restoration, self.config.training
        loss = pixel_loss(output, example.wanted, l1=weights.l1, mse=weights.mse)
        mask = example.lost_mask
        if settings.hole_loss and mask is not None:
            hole = hole_loss(output, example.wanted, mask, l1=weights.l1, mse=weights.mse)
            loss = (1 - settings.hole_loss) * loss + settings.hole_loss * hole
        if settings.masked_ssim_loss and mask is not None:
            loss = loss + settings.masked_ssim_loss * (1 - self._masked_ssim(output, example, mask))
        return loss

    def _masked_ssim(self, output: Tensor, example: Example, mask: Tensor) -> Tensor:
        target = pixels.denormalise(example.wanted, self.normalisation)[:, 0]  # (N, H, W)
        pred = pixels.denormalise(output, self.normalisation)[:, 0].clamp(0, 255)
        pasted = pred.where(mask, target)
        return masked_ssim(pred=pasted, target=target, lost_mask=mask).mean()

    def validation_input(self, sample: Sample) -> tuple[Gray, Mask]:
        """See `Task.validation_input`."""
        return shown_damaged(self.member, sample)

    def answers(self, output: Tensor) -> NDArray[np.uint8]:
        """Restored grays, (N, H, W) uint8."""
        return self._levels(output)[..., 0]

    def score(self, answer: NDArray[Any], case: Case) -> dict[str, float]:
        """See `Task.score`."""
        sample = case.sample
        pasted = compose_gray(
            blend=answer, damaged=sample.damaged, lost_mask=case.located, options=Composition()
        )
        result = gray_score(
            pred=pasted,
            target=luma(sample.target),
            lost_mask=sample.lost_mask,
            name=sample.image_id,
        )
        return result.as_dict()
