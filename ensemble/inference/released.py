"""The predictor of a released colorizer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.inference.fixed import FixedPredictor
from ensemble.members import Member
from ensemble.networks.colorizers.lab import colorize_with
from ensemble.networks.colorizers.released import load_released
from ensemble.networks.device import best_device


class ReleasedColorizer(FixedPredictor):
    """eccv16 or siggraph17 with its released weights, on the best device there is.

    Args:
        member: Its `arch` names the colorizer.

    Raises:
        WeightsError: The weights cannot be had (said within seconds), or are not genuine.
    """

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.network = load_released(member.arch).to(best_device())

    def _predict_one(self, gray: Gray, lost_mask: Mask) -> NDArray[np.uint8]:
        return colorize_with(self.network, gray)
