"""Stage 2: gray to RGB, or to the hue histogram alone."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensemble.arrays import Gray, Mask, luma
from ensemble.composition.compose import compose_rgb
from ensemble.composition.recipe import Composition
from ensemble.config import Config
from ensemble.data.competition import Sample
from ensemble.members import Member
from ensemble.metric.hue import hue_correlation, hue_histogram
from ensemble.metric.score import STAGE_TERMS, planar, score
from ensemble.training import pixels
from ensemble.training.batches import Batch, Wants
from ensemble.training.losses import histogram_loss, pixel_loss
from ensemble.training.restorers import Restorers
from ensemble.training.tasks.task import Example, GrayOf, Task, flipped_gray, flipped_mask
from ensemble.training.validation import Case

_RESTORED_SHARE = {"clean": 0.0, "mixed": 0.5, "restored": 1.0}

_WITHOUT_TRANSPORT = Composition(hue="none")


class ColorizationTask(Task):
    """Learn the colours of a gray; judged by the score of the picture under the luma lock.

    Args:
        member: Of kind `trained`.
        config: The settings.
        restorers: The same fold's frozen restorers; None where training sees clean gray only.
        validation_grays: Gives restored out-of-fold grays; None validates on clean gray.
    """

    terms: ClassVar[tuple[str, ...]] = ("score", *STAGE_TERMS["colorization"])

    def __init__(
        self,
        member: Member,
        config: Config,
        *,
        restorers: Restorers | None = None,
        validation_grays: GrayOf | None = None,
    ) -> None:
        super().__init__(member, config)
        self.restorers = restorers
        self.validation_grays = validation_grays

    @property
    def wants(self) -> Wants:
        """Damage only for the restorers."""
        share = _RESTORED_SHARE[self.config.colorization.train_on]
        return Wants(
            damage=self.restorers is not None,
            prefill=self.restorers is not None and self.restorers.want_prefill,
            restored=share if self.restorers is not None else 0.0,
            flips=self.config.training.flips,
        )

    def setup(self, device: torch.device) -> None:
        """Move the restorers."""
        if self.restorers is not None:
            self.restorers.to(device)

    def example(self, batch: Batch) -> Example:
        """See `Task.example`."""
        colours = pixels.mirror(batch.target, batch.flip)  # (N, H, W, 3)
        shown = pixels.normalise(self._gray(batch), self.normalisation)
        return Example(shown, self._wanted(colours))

    def _wanted(self, colours: Tensor) -> Tensor:
        return pixels.normalise(colours, self.normalisation)

    def _gray(self, batch: Batch) -> Tensor:
        """What the network is shown, (N, H, W) uint8: clean, or restored where chosen."""
        gray = flipped_gray(batch)
        if self.restorers is None or batch.restored is None:
            return gray
        chosen = batch.restored
        restored = self.restorers.restore(batch, gray, flipped_mask(batch))
        return torch.where(chosen[:, None, None], restored, gray)

    def loss(self, output: Tensor, example: Example) -> Tensor:
        """The slides' loss."""
        weights = self.config.training
        return pixel_loss(output, example.wanted, l1=weights.l1, mse=weights.mse)

    def validation_input(self, sample: Sample) -> tuple[Gray, Mask]:
        """See `Task.validation_input`."""
        if self.validation_grays is None:
            return luma(sample.target), sample.lost_mask
        return self.validation_grays(sample.image_id), sample.lost_mask

    def answers(self, output: Tensor) -> NDArray[Any]:
        """Pictures, (N, H, W, 3) uint8."""
        return self._levels(output)

    def score(self, answer: NDArray[Any], case: Case) -> dict[str, float]:
        """See `Task.score`."""
        sample = case.sample
        composed = compose_rgb(
            blend=answer, gray=case.shown, hue_target=None, options=_WITHOUT_TRANSPORT
        )
        result = score(
            pred=composed, target=sample.target, lost_mask=sample.lost_mask, name=sample.image_id
        )
        return result.as_dict()


class HistogramTask(ColorizationTask):
    """Learn the hue histogram of a gray's photograph; judged by its correlation with the truth."""

    terms = ("score", "hue")

    def _wanted(self, colours: Tensor) -> Tensor:
        return pixels.histogram(colours)

    def loss(self, output: Tensor, example: Example) -> Tensor:
        """1 - correlation."""
        return histogram_loss(output, example.wanted)

    def answers(self, output: Tensor) -> NDArray[np.float32]:
        """Histograms, (N, 180) float32."""
        histograms: NDArray[np.float32] = output.float().cpu().numpy()
        return histograms

    def score(self, answer: NDArray[Any], case: Case) -> dict[str, float]:
        """See `Task.score`."""
        target = hue_histogram(planar(case.sample.target))
        correlation = hue_correlation(pred=answer.astype(np.float32), target=target)
        return {"score": correlation, "hue": correlation}
