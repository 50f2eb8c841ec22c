"""The interface of everything that predicts. It needs no torch, as long as no network does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.damage.fill import fill_hole
from ensemble.members import Member
from ensemble.parallel import map_in_order
from ensemble.vocabulary import VIEWS, View

Predictions = dict[View, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Shown:
    """Photographs to predict, as every member of a stage is shown them."""

    grays: NDArray[np.uint8]  # (N, H, W); damaged for restoration, restored for colorization
    lost_masks: NDArray[np.bool_]  # (N, H, W) bool, the located holes
    _filled: dict[str, NDArray[np.uint8]] = field(default_factory=dict, repr=False)

    def fill(self, methods: Sequence[str], here: slice) -> NDArray[np.uint8]:
        """Some of the grays with their holes filled as in training, a plane a method: (n, H, W, K).

        Each method of `FILLS` fills all N only once; without any the grays are given as they are.
        """
        for method in methods:
            if method not in self._filled:
                pairs = zip(self.grays, self.lost_masks, strict=True)
                fill = partial(_fill, method=method)
                self._filled[method] = np.stack(list(map_in_order(fill, pairs)))
        planes = [self._filled[method] for method in methods] or [self.grays]
        return np.stack([plane[here] for plane in planes], axis=-1)


def _fill(pair: tuple[Gray, Mask], *, method: str) -> Gray:
    return fill_hole(*pair, method=method)


class Predictor(ABC):
    """Predicts what one `member`, of one fold if it was trained, makes of grays.

    Implementations guarantee that a prediction depends on its own gray and mask alone, never on the
    others of the batch, and that every view comes back de-augmented: in the input's pose.
    """

    member: Member

    @abstractmethod
    def predict(self, shown: Shown, views: Sequence[View] = VIEWS) -> Predictions:
        """Predict N photographs.

        Returns:
            One array a view, in the order of `views`: (N, H, W) uint8 for restoration, (N, H, W, 3)
                uint8 for colorization, (N, 180) float32 for a histogram member.
        """
