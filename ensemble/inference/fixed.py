"""Predictors that are not trained: classical inpainting, no color, and released colorizers.

torch, which takes seconds to import, is imported where a released network is loaded.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.damage.fill import fill_hole
from ensemble.errors import ConfigError, unknown_name
from ensemble.inference.predictor import Predictions, Predictor, Shown
from ensemble.members import Member
from ensemble.parallel import map_in_order
from ensemble.vocabulary import FILLS, VIEWS, View, apply_view, undo_view


class FixedPredictor(Predictor):
    """Predicts picture by picture with numpy arrays; what is the same in each view, once."""

    n_threads = 1

    def __init__(self, member: Member) -> None:
        self.member = member

    def predict(self, shown: Shown, views: Sequence[View] = VIEWS) -> Predictions:
        """See `Predictor.predict`."""
        pairs = zip(shown.grays, shown.lost_masks, strict=True)
        own = list(dict.fromkeys(map(self.member.same_view, views)))
        jobs = [(gray, lost_mask, view) for gray, lost_mask in pairs for view in own]
        pictures = list(map_in_order(self._view, jobs, n_threads=self.n_threads))
        found = {view: np.stack(pictures[i :: len(own)]) for i, view in enumerate(own)}
        return {view: found[self.member.same_view(view)] for view in views}

    def _view(self, job: tuple[Gray, Mask, View]) -> NDArray[np.uint8]:
        gray, lost_mask, view = job
        predicted = self._predict_one(apply_view(gray, view), apply_view(lost_mask, view))
        return undo_view(predicted, view)

    @abstractmethod
    def _predict_one(self, gray: Gray, lost_mask: Mask) -> NDArray[np.uint8]:
        """The picture of one gray."""


class InpaintingPredictor(FixedPredictor):
    """Restoration by classical inpainting; the member's `arch` is the method."""

    n_threads = 0  # all cores: the solvers release Python's lock

    def _predict_one(self, gray: Gray, lost_mask: Mask) -> Gray:
        return fill_hole(gray, lost_mask, method=self.member.arch)


class GrayPredictor(FixedPredictor):
    """Colorization without color: R = G = B. Hue transport then decides every hue."""

    def _predict_one(self, gray: Gray, lost_mask: Mask) -> NDArray[np.uint8]:
        return np.repeat(gray[..., None], 3, axis=-1)


class ReleasedColorizer(FixedPredictor):
    """eccv16 or siggraph17 with its released weights, on the best device there is.

    Raises:
        WeightsError: The weights cannot be had (raised within seconds), or are not genuine.
    """

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        from ensemble.networks.colorizers.lab import colorize_with
        from ensemble.networks.colorizers.released import load_released
        from ensemble.networks.device import best_device

        network = load_released(member.arch).to(best_device())
        self._colorize = partial(colorize_with, network)

    def _predict_one(self, gray: Gray, lost_mask: Mask) -> NDArray[np.uint8]:
        return self._colorize(gray)


COLORIZERS: Mapping[str, Callable[[Member], Predictor]] = MappingProxyType(
    {"gray": GrayPredictor, "eccv16": ReleasedColorizer, "siggraph17": ReleasedColorizer}
)
"""The predictor of each fixed colorizer, by `arch`; restorers are the methods of `fill_hole`."""


def fixed_predictor(member: Member) -> Predictor:
    """The predictor of a fixed member; a ConfigError lists the valid ones where it is unknown."""
    restorers = dict.fromkeys(FILLS, InpaintingPredictor)
    known = restorers if member.stage == "restoration" else COLORIZERS
    if member.arch not in known:
        raise ConfigError(unknown_name(f"fixed member of {member.stage}", member.arch, known))
    return known[member.arch](member)
