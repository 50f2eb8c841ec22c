"""The interface of everything that predicts, and the predictor of a trained network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import ttach
from numpy.typing import NDArray
from torch import Tensor, nn

from ensemble.config import NormalizationSection
from ensemble.damage.fill import fill_hole
from ensemble.members import Member
from ensemble.networks.device import Forward, Precision, autocast, best_device
from ensemble.networks.tensors import to_tensor, to_uint8, with_mask
from ensemble.parallel import map_in_order
from ensemble.vocabulary import TURNS, VIEWS, View

Predictions = dict[View, NDArray[Any]]

# ttach's own wrappers merge the views at once; here `ens blend` decides which to average.
_ROTATE = ttach.Rotate90(angles=[0, 90, 180, 270])
_MIRROR = ttach.HorizontalFlip()


@dataclass(frozen=True, eq=False)
class Shown:
    """Photographs to predict, as every member of a stage is shown them.

    Attributes:
        grays: (N, H, W) uint8; damaged for restoration, restored for colorization.
        lost_masks: (N, H, W) bool, the located holes.
    """

    grays: NDArray[np.uint8]
    lost_masks: NDArray[np.bool_]

    @cached_property
    def prefilled(self) -> NDArray[np.uint8]:
        """The grays with their holes filled as in training, (N, H, W) uint8; filled only once."""
        pairs = zip(self.grays, self.lost_masks, strict=True)
        return np.stack(list(map_in_order(lambda pair: fill_hole(*pair), pairs)))


class Predictor(ABC):
    """Predicts what one member, of one fold if it was trained, makes of grays.

    Implementations guarantee that a prediction depends on its own gray and mask alone, never on
    the others of the batch, and that every view comes back de-augmented: in the input's pose.

    Attributes:
        member: The member's spec.
    """

    member: Member

    @abstractmethod
    def predict(self, shown: Shown, views: Sequence[View] = VIEWS) -> Predictions:
        """Predict a batch.

        Args:
            shown: N photographs.
            views: The flips wanted.

        Returns:
            One array a view, in the order of `views`: (N, H, W) uint8 for restoration,
            (N, H, W, 3) uint8 for colorization, (N, 180) float32 for a histogram member.
        """


class NetworkPredictor(Predictor):
    """A trained network, in evaluation mode, on the best device there is.

    Args:
        member: The spec the network was built from.
        network: Takes (n, C, H, W) float32 of any height and width.
        normalization: As in training.
        batch_size: Photographs a forward pass; halved where so many do not fit into the memory.
        precision: Of the forward pass, as `choose_precision` gives it.
    """

    def __init__(
        self,
        member: Member,
        network: nn.Module,
        normalization: NormalizationSection,
        *,
        batch_size: int = 8,
        precision: Precision = "float32",
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
        """Predict a batch; see `Predictor.predict`."""
        parts: dict[View, list[NDArray[Any]]] = {view: [] for view in views}
        for start in range(0, len(shown.grays), self.batch_size):
            here = slice(start, start + self.batch_size)
            batch = self._input(shown, here).to(self.device)
            for view in views:
                parts[view].append(self._predict_view(batch, view))
        return {view: np.concatenate(arrays) for view, arrays in parts.items()}

    def _input(self, shown: Shown, here: slice) -> Tensor:
        prefilled = self.member.input_mode in ("prefilled", "prefilled+mask")
        grays = shown.prefilled if prefilled else shown.grays
        batch = to_tensor(grays[here], **self.normalization)
        if self.member.in_channels == 1:
            return batch
        return with_mask(batch, torch.from_numpy(shown.lost_masks[here]))

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
    """Turn a batch as the view says.

    Args:
        batch: (N, C, H, W).
        view: One of `VIEWS`.

    Returns:
        (N, C, H, W), the same dtype and device; H and W change places with odd quarter turns.
    """
    quarters, mirrored = TURNS[view]
    turned: Tensor = _ROTATE.apply_aug_image(batch, angle=90 * quarters)
    return _MIRROR.apply_aug_image(turned, apply=mirrored)


def deaugment(batch: Tensor, view: View) -> Tensor:
    """Undo `augment`: `deaugment(augment(x, view), view) == x` for every view."""
    quarters, mirrored = TURNS[view]
    turned: Tensor = _MIRROR.apply_deaug_mask(batch, apply=mirrored)
    return _ROTATE.apply_deaug_mask(turned, angle=90 * quarters)
