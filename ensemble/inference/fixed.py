"""Predictors that are not trained: classical inpainting, no colour, and released colorizers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.damage.fill import fill_hole
from ensemble.inference.predictor import Predictions, Predictor
from ensemble.members import Member
from ensemble.vocabulary import VIEWS, View, apply_view, undo_view


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
        predicted = self._predict_one(apply_view(gray, view), apply_view(lost_mask, view))
        return undo_view(predicted, view)

    @abstractmethod
    def _predict_one(self, gray: Gray, lost_mask: Mask) -> NDArray[np.uint8]:
        """The picture of one gray."""


class InpaintingPredictor(FixedPredictor):
    """Restoration by classical inpainting; the member's `arch` is the method."""

    def _predict_one(self, gray: Gray, lost_mask: Mask) -> Gray:
        return fill_hole(gray, lost_mask, method=self.member.arch)


class GrayPredictor(FixedPredictor):
    """Colorization without colour: R = G = B. Hue transport then decides every hue."""

    def _predict_one(self, gray: Gray, lost_mask: Mask) -> NDArray[np.uint8]:
        return np.repeat(gray[..., None], 3, axis=-1)
