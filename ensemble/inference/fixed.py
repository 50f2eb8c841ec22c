"""Predictors that are not trained: classical inpainting, no colour, and released colorizers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.composition.recipe import VIEWS, View
from ensemble.damage.prefill import prefill
from ensemble.inference.predictor import Predictions, Predictor
from ensemble.networks.member import Member

_AXES: dict[View, tuple[int, ...]] = {
    "identity": (),
    "hflip": (1,),
    "vflip": (0,),
    "hvflip": (0, 1),
}


class FixedPredictor(Predictor):
    """Predicts picture by picture with numpy arrays.

    Args:
        member: Its spec.
    """

    def __init__(self, member: Member) -> None:
        self.member = member

    def predict(
        self, grays: NDArray[np.uint8], lost_masks: NDArray[np.bool_], views: Sequence[View] = VIEWS
    ) -> Predictions:
        """Predict a batch; see `Predictor.predict`."""
        pairs = list(zip(grays, lost_masks, strict=True))
        return {view: np.stack([self._view(*pair, view) for pair in pairs]) for view in views}

    def _view(self, gray: Gray, lost_mask: Mask, view: View) -> NDArray[np.uint8]:
        axes = _AXES[view]
        flipped_gray = np.ascontiguousarray(np.flip(gray, axes))
        flipped_mask = np.ascontiguousarray(np.flip(lost_mask, axes))
        return np.flip(self._predict_one(flipped_gray, flipped_mask), axes)

    @abstractmethod
    def _predict_one(self, gray: Gray, lost_mask: Mask) -> NDArray[np.uint8]:
        """The picture of one gray."""


class InpaintingPredictor(FixedPredictor):
    """Restoration by classical inpainting; the member's `arch` is the method."""

    def _predict_one(self, gray: Gray, lost_mask: Mask) -> Gray:
        return prefill(gray, lost_mask, method=self.member.arch)


class GrayPredictor(FixedPredictor):
    """Colorization without colour: R = G = B. Hue transport then decides every hue."""

    def _predict_one(self, gray: Gray, lost_mask: Mask) -> NDArray[np.uint8]:
        return np.repeat(gray[..., None], 3, axis=-1)
