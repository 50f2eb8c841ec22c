"""Stage 1: damaged gray to gray."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensemble.arrays import Mask, luma
from ensemble.composition.compose import compose_gray
from ensemble.composition.recipe import Composition
from ensemble.config import Config
from ensemble.damage.fill import fill_in_ways
from ensemble.data.competition import Sample
from ensemble.members import Member
from ensemble.metric.score import STAGE_TERMS, gray_score
from ensemble.networks.tensors import denormalize, normalize, to_uint8
from ensemble.training import pixels
from ensemble.training.batches import Batch, Case, Needs
from ensemble.training.losses import hole_loss, masked_ssim, mean_hole_area, pixel_loss
from ensemble.training.tasks.task import Example, Task, flipped_gray

FINISH_L1 = 0.1
"""Weight of the absolute error beside 1 - masked SSIM, which hardly knows of brightness."""


class RestorationTask(Task):
    """Learn to fill the hole; judged by the gray score of the picture pasted back."""

    terms = ("score", *STAGE_TERMS["restoration"])

    def __init__(self, member: Member, config: Config) -> None:
        super().__init__(member, config)
        self._filled: dict[str, NDArray[np.uint8]] = {}

    @property
    def needs(self) -> Needs:
        """Damage, and fills and depth where the input mode asks for them."""
        training = self.config.training
        return Needs(
            damage=True,
            fills=self.member.fills,
            depth=self.member.sees_distance,
            flips=training.flips,
            crop=training.crop,
        )

    def example(self, batch: Batch) -> Example:
        """See `Task.example`."""
        assert batch.lost_mask is not None
        assert batch.fill is not None
        gray = flipped_gray(batch)  # (N, H, W)
        lost_mask = pixels.mirror(batch.lost_mask, batch.flip)
        if batch.filled is None:
            base = torch.where(lost_mask, batch.fill[:, None, None], gray)
        else:
            base = pixels.mirror(batch.filled, batch.flip)
        wanted = normalize(gray, **self.normalization)
        settings = self.config.restoration
        area = mean_hole_area(lost_mask) if settings.hole_loss or settings.ssim_finish else None
        depth = None if batch.depth is None else pixels.mirror(batch.depth, batch.flip)
        return Example(self._input(base, lost_mask, depth), wanted, lost_mask, area)

    def loss(self, output: Tensor, example: Example, *, done: float = 0.0) -> Tensor:
        """The slides' whole-image loss, with a share of the hole's.

        In the last share `ssim_finish`, 1 - masked SSIM and some of the hole's absolute error: SSIM
        rewards contrast where a mean would be flat, but alone it trains poorly from the start.
        """
        settings, weights = self.config.restoration, self.config.training
        if settings.ssim_finish and done >= 1 - settings.ssim_finish:
            hole = self._hole_loss(output, example, l1=FINISH_L1, mse=0.0)
            return 1 - self._masked_ssim(output, example) + hole
        loss = pixel_loss(output, example.wanted, l1=weights.l1, mse=weights.mse)
        if settings.hole_loss:
            hole = self._hole_loss(output, example, l1=weights.l1, mse=weights.mse)
            loss = (1 - settings.hole_loss) * loss + settings.hole_loss * hole
        return loss

    def _hole_loss(self, output: Tensor, example: Example, *, l1: float, mse: float) -> Tensor:
        mask, area = example.lost_mask, example.hole_area
        assert mask is not None
        return hole_loss(output, example.wanted, mask, l1=l1, mse=mse, mean_area=area)

    def _masked_ssim(self, output: Tensor, example: Example) -> Tensor:
        mask = example.lost_mask
        assert mask is not None
        target = denormalize(example.wanted, **self.normalization)[:, 0]  # (N, H, W)
        pred = denormalize(output, **self.normalization)[:, 0].clamp(0, 255)
        pasted = pred.where(mask, target)
        return masked_ssim(pred=pasted, target=target, lost_mask=mask).mean()

    def shown_gray(self, sample: Sample, located: Mask) -> NDArray[np.uint8]:
        """Damaged, or with the located hole inpainted.

        A hole is filled once; its pixels are kept in memory, some 18 kB a fill at 512 px.
        """
        fills = self.member.fills
        if not fills:
            return sample.damaged
        if sample.image_id not in self._filled:
            filled = fill_in_ways(sample.damaged, located, fills)
            self._filled[sample.image_id] = filled[located]
        planes = np.repeat(sample.damaged[..., None], len(fills), axis=-1)
        planes[located] = self._filled[sample.image_id]
        return planes

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
