"""Stage 1: damaged gray to gray."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensemble.arrays import Gray, Mask, luma
from ensemble.composition.compose import compose_gray
from ensemble.composition.recipe import Composition
from ensemble.config import Config
from ensemble.damage.fill import fill_hole
from ensemble.data.competition import Sample
from ensemble.members import Member
from ensemble.metric.score import STAGE_TERMS, gray_score
from ensemble.networks.tensors import denormalize, normalize, to_uint8
from ensemble.training import pixels
from ensemble.training.batches import Batch, Case, Needs
from ensemble.training.losses import hole_loss, masked_ssim, mean_hole_area, pixel_loss
from ensemble.training.tasks.task import Example, Task, flipped_gray


class RestorationTask(Task):
    """Learn to fill the hole; judged by the gray score of the picture pasted back."""

    terms = ("score", *STAGE_TERMS["restoration"])

    def __init__(self, member: Member, config: Config) -> None:
        super().__init__(member, config)
        self._filled: dict[str, NDArray[np.uint8]] = {}

    @property
    def needs(self) -> Needs:
        """Damage, and inpainting where the input mode asks for it."""
        training = self.config.training
        return Needs(True, self._prefilled, training.flips, training.crop)

    @property
    def _prefilled(self) -> bool:
        return self.member.input_mode != "damaged"

    def example(self, batch: Batch) -> Example:
        """See `Task.example`."""
        assert batch.lost_mask is not None
        assert batch.fill is not None
        gray = flipped_gray(batch)  # (N, H, W)
        lost_mask = pixels.mirror(batch.lost_mask, batch.flip)
        if self._prefilled:
            assert batch.prefilled is not None
            base = pixels.mirror(batch.prefilled, batch.flip)
        else:
            base = torch.where(lost_mask, batch.fill[:, None, None], gray)
        wanted = normalize(gray, **self.normalization)
        area = mean_hole_area(lost_mask) if self.config.restoration.hole_loss else None
        return Example(self._input(base, lost_mask), wanted, lost_mask, area)

    def loss(self, output: Tensor, example: Example) -> Tensor:
        """The slides' whole-image loss, with a share of the hole's and the masked SSIM's."""
        settings, weights = self.config.restoration, self.config.training
        loss = pixel_loss(output, example.wanted, l1=weights.l1, mse=weights.mse)
        mask = example.lost_mask
        if settings.hole_loss and mask is not None:
            hole = hole_loss(
                output,
                example.wanted,
                mask,
                l1=weights.l1,
                mse=weights.mse,
                mean_area=example.hole_area,
            )
            loss = (1 - settings.hole_loss) * loss + settings.hole_loss * hole
        if settings.masked_ssim_loss and mask is not None:
            loss = loss + settings.masked_ssim_loss * (1 - self._masked_ssim(output, example, mask))
        return loss

    def _masked_ssim(self, output: Tensor, example: Example, mask: Tensor) -> Tensor:
        target = denormalize(example.wanted, **self.normalization)[:, 0]  # (N, H, W)
        pred = denormalize(output, **self.normalization)[:, 0].clamp(0, 255)
        pasted = pred.where(mask, target)
        return masked_ssim(pred=pasted, target=target, lost_mask=mask).mean()

    def shown_gray(self, sample: Sample, located: Mask) -> Gray:
        """Damaged, or with the located hole inpainted.

        A hole is filled once; its pixels are kept in memory, some 18 kB a photograph at 512 px.
        """
        if not self._prefilled:
            return sample.damaged
        if sample.image_id not in self._filled:
            self._filled[sample.image_id] = fill_hole(sample.damaged, located)[located]
        gray = sample.damaged.copy()
        gray[located] = self._filled[sample.image_id]
        return gray

    def predictions(self, output: Tensor) -> NDArray[np.uint8]:
        """Restored grays, (N, H, W) uint8."""
        return to_uint8(output, **self.normalization)

    def score(self, prediction: NDArray[Any], case: Case) -> dict[str, float]:
        """See `Task.score`."""
        sample = case.sample
        pasted = compose_gray(
            blend=prediction, damaged=sample.damaged, lost_mask=case.located, options=Composition()
        )
        result = gray_score(
            pred=pasted,
            target=luma(sample.target),
            lost_mask=sample.lost_mask,
            name=sample.image_id,
        )
        return result.as_dict()
