"""The predictor of a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import ttach
from numpy.typing import NDArray
from torch import Tensor, nn

from ensemble.config import NormalizationSection
from ensemble.damage.depth import hole_depth
from ensemble.inference.predictor import Predictions, Predictor, Shown
from ensemble.members import Member
from ensemble.networks.device import Forward, Precision, autocast, best_device
from ensemble.networks.tensors import normalize, to_uint8, with_mask
from ensemble.vocabulary import TURNS, VIEWS, View

# ttach's own wrappers merge the views at once; here `ens blend` decides which to average.
_ROTATE = ttach.Rotate90(angles=[0, 90, 180, 270])
_MIRROR = ttach.HorizontalFlip()


class NetworkPredictor(Predictor):
    """A trained network, in evaluation mode, on the best device there is."""

    def __init__(
        self,
        member: Member,
        network: nn.Module,  # takes (n, C, H, W) float32 of any height and width
        normalization: NormalizationSection,  # as in training
        *,
        batch_size: int = 8,  # photographs a forward pass; halved where they do not fit
        precision: Precision = "float32",  # as `choose_precision` gives it
    ) -> None:
        self.member = member
        self.device = best_device()
        self.precision = precision
        self.network = network.eval().to(self.device)
        self.normalization = normalization.model_dump()
        self.batch_size = batch_size
        self._forward = Forward(self._run)

    @torch.inference_mode()
    def predict(self, shown: Shown, views: Sequence[View] = VIEWS) -> Predictions:
        """See `Predictor.predict`."""
        parts: dict[View, list[NDArray[Any]]] = {view: [] for view in views}
        for start in range(0, len(shown.grays), self.batch_size):
            here = slice(start, start + self.batch_size)
            batch = self._input(shown, here).to(self.device)
            for view in views:
                parts[view].append(self._predict_view(batch, view))
        return {view: np.concatenate(arrays) for view, arrays in parts.items()}

    def _input(self, shown: Shown, here: slice) -> Tensor:
        planes = torch.from_numpy(shown.fill(self.member.fills, here))
        batch = normalize(planes, **self.normalization).contiguous()
        if self.member.in_channels == 1:
            return batch
        masks, depth = shown.lost_masks[here], None
        if self.member.sees_distance:
            depth = torch.from_numpy(np.stack([*map(hole_depth, masks)]))
        return with_mask(batch, torch.from_numpy(masks), depth)

    def _run(self, shown: Tensor) -> Tensor:
        with autocast(self.device, self.precision):
            output: Tensor = self.network(shown)
        return output

    def _predict_view(self, shown: Tensor, view: View) -> NDArray[Any]:
        output = self._forward(augment(shown, view))  # (n, C, H, W) or (n, 180)
        if self.member.output == "histogram":
            return output.float().cpu().numpy()
        return to_uint8(deaugment(output, view), **self.normalization)


def augment(batch: Tensor, view: View) -> Tensor:
    """Turn a batch (N, C, H, W) as the view says; H and W change places with odd quarter turns."""
    quarters, mirrored = TURNS[view]
    turned: Tensor = _ROTATE.apply_aug_image(batch, angle=90 * quarters)
    return _MIRROR.apply_aug_image(turned, apply=mirrored)


def deaugment(batch: Tensor, view: View) -> Tensor:
    """Undo `augment`: `deaugment(augment(x, view), view) == x` for every view."""
    quarters, mirrored = TURNS[view]
    turned: Tensor = _MIRROR.apply_deaug_mask(batch, apply=mirrored)
    return _ROTATE.apply_deaug_mask(turned, angle=90 * quarters)
