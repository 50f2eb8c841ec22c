"""What each stage is shown of a photograph of any size.

Networks have learned from squares of one size. Restoration continues what it sees at the hole's
rim, so it is shown pixels as they are, in a window around the hole. Color depends on what the
picture shows, so colorization is shown all of it, at the size of the squares. Of a photograph of
that very size both are shown the whole, as it is: what is done out of fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ensemble.arrays import Gray, Mask
from ensemble.composition.blend import restored_gray

Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Frame:
    """One photograph, and what the stages are shown of it.

    The hole of the gray is all False where there is none; the networks have learned from squares of
    `size` pixels a side.
    """

    damaged: Gray
    lost_mask: Mask
    size: int

    @cached_property
    def window(self) -> Window:
        """What restoration is shown: the hole with half of `size` on each side, at least `size`."""
        rows, columns = (np.flatnonzero(self.lost_mask.any(axis=axis)) for axis in (1, 0))
        height, width = self.damaged.shape
        return _span(rows, height, self.size), _span(columns, width, self.size)

    @cached_property
    def colored_shape(self) -> tuple[int, int]:
        """(h, w) of what colorization is shown: the photograph's shape, with size * size pixels."""
        height, width = self.damaged.shape
        scale = self.size / (height * width) ** 0.5
        return max(1, round(height * scale)), max(1, round(width * scale))

    def restore(self, blend: NDArray[np.float32]) -> Gray:
        """The restored gray (H, W) uint8 from stage 1's blend of the window."""
        gray = self.damaged.copy()
        gray[self.window] = restored_gray(
            blend, self.damaged[self.window], self.lost_mask[self.window]
        )
        return gray

    def reduce(self, gray: Gray) -> Gray:
        """What colorization is shown of a restored gray: `colored_shape`, uint8."""
        return np.asarray(_resize(gray, self.colored_shape, Image.Resampling.LANCZOS))

    @cached_property
    def colored_mask(self) -> Mask:
        """The hole as colorization is shown it, `colored_shape` bool."""
        mask = _resize(self.lost_mask.astype(np.uint8), self.colored_shape, Image.Resampling.BOX)
        return np.asarray(mask, dtype=np.bool_)

    def enlarge(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """A blend of stage 2, `colored_shape`, at the photograph's own size (H, W, 3) float32."""
        height, width = self.damaged.shape
        if picture.shape[:2] == (height, width):
            return picture
        finer = self.colored_shape < (height, width)
        method = cv2.INTER_LINEAR if finer else cv2.INTER_AREA
        enlarged = cv2.resize(picture, (width, height), interpolation=method)
        return np.asarray(enlarged, dtype=np.float32)


def _span(lost: NDArray[np.int64], length: int, size: int) -> slice:
    """The lost rows and half of `size` on each side, moved into the picture where it ends."""
    first, last = (int(lost[0]), int(lost[-1])) if lost.size else (0, 0)
    wanted = min(length, last + 1 - first + size)
    start = min(max(0, (first + last + 1 - wanted) // 2), length - wanted)
    return slice(start, start + wanted)


def _resize(
    plane: NDArray[np.uint8], shape: tuple[int, int], method: Image.Resampling
) -> NDArray[np.uint8]:
    if plane.shape == shape:
        return plane
    return np.asarray(Image.fromarray(plane).resize(shape[::-1], method))
