"""Stage 2: gray to RGB, or to the hue histogram alone."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ensemble.arrays import Gray, Mask, luma
from ensemble.composition.compose import compose_rgb
from ensemble.composition.recipe import Composition
from ensemble.config import Config
from ensemble.data.competition import Sample
from ensemble.members import Member
from ensemble.metric.hue import hue_correlation, unit_hue_histogram
from ensemble.metric.score import STAGE_TERMS, score
from ensemble.metric.ssim import to_planes
from ensemble.networks.tensors import normalize, to_uint8
from ensemble.training import pixels
from ensemble.training.batches import Batch, Case, Needs
from ensemble.training.losses import histogram_loss, pixel_loss
from ensemble.training.tasks.task import Example, GrayOf, Task, flipped_gray

_WITHOUT_TRANSPORT = Composition(hue="none")


class ColorizationTask(Task):
    """Learn the colors of a clean gray; judged by the score of the picture under the luma lock.

    `validation_grays` reads the restored out-of-fold grays; None validates on clean gray.
    """

    terms: ClassVar[tuple[str, ...]] = ("score", *STAGE_TERMS["colorization"])

    def __init__(
        self, member: Member, config: Config, *, validation_grays: GrayOf | None = None
    ) -> None:
        super().__init__(member, config)
        self.validation_grays = validation_grays

    @property
    def needs(self) -> Needs:
        """No damage."""
        training = self.config.training
        return Needs(flips=training.flips, crop=training.crop)

    def example(self, batch: Batch) -> Example:
        """See `Task.example`."""
        colors = pixels.mirror(batch.target, batch.flip)  # (N, H, W, 3)
        shown = normalize(flipped_gray(batch), **self.normalization)
        return Example(shown, self._wanted(colors))

    def _wanted(self, colors: Tensor) -> Tensor:
        return normalize(colors, **self.normalization)

    def loss(self, output: Tensor, example: Example, *, done: float = 0.0) -> Tensor:
        """The slides' loss."""
        weights = self.config.training
        return pixel_loss(output, example.wanted, l1=weights.l1, mse=weights.mse)

    def shown_gray(self, sample: Sample, located: Mask) -> Gray:
        """Restored where `validation_grays` are given, else clean."""
        if self.validation_grays is None:
            return luma(sample.target)
        return self.validation_grays(sample.image_id)

    def predictions(self, output: Tensor) -> NDArray[Any]:
        """Pictures, (N, H, W, 3) uint8."""
        return to_uint8(output, **self.normalization)

    def score(self, prediction: NDArray[Any], case: Case) -> dict[str, float]:
        """See `Task.score`."""
        sample = case.sample
        composed = compose_rgb(
            blend=prediction, gray=case.shown, hue_target=None, options=_WITHOUT_TRANSPORT
        )
        result = score(
            pred=composed, target=sample.target, lost_mask=sample.lost_mask, name=sample.image_id
        )
        return result.as_dict()


class HistogramTask(ColorizationTask):
    """Learn the hue histogram of a gray's photograph; judged by its correlation with the truth."""

    terms = ("score", "hue")

    def _wanted(self, colors: Tensor) -> Tensor:
        return pixels.histogram(colors)

    def loss(self, output: Tensor, example: Example, *, done: float = 0.0) -> Tensor:
        """1 - correlation."""
        return histogram_loss(output, example.wanted)

    def predictions(self, output: Tensor) -> NDArray[Any]:
        """Histograms, (N, 180) float32."""
        return output.float().cpu().numpy()

    def score(self, prediction: NDArray[Any], case: Case) -> dict[str, float]:
        """See `Task.score`."""
        target = unit_hue_histogram(to_planes(case.sample.target))
        correlation = hue_correlation(pred=prediction.astype(np.float32), target=target)
        return {"score": correlation, "hue": correlation}
