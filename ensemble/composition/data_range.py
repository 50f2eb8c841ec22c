"""Give the answer the full data range, which the score's SSIM terms depend on.

The competition computes SSIM with data_range = pred.max() - pred.min(), so its constants C1 and C2
grow with the range of the *answer*: a picture that spans 0..255 scores higher than the same picture
without its extremes. Two pixels are enough. This is use of the metric's definition, nothing the
eye could see: both keep their luma, and only their colour changes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Rgb, check_rgb, luma
from ensemble.metric.ssim import data_range


def fill_data_range(rgb: Rgb) -> Rgb:
    """The picture with one channel of one pixel at 0, and one of another at 255.

    Of all pixels the two are taken whose colours change least, and each keeps its luma.

    Args:
        rgb: (H, W, 3) uint8.

    Returns:
        (H, W, 3) uint8: `rgb` itself where it spans 0..255 already or has fewer than two pixels.
    """
    check_rgb(rgb, name="rgb")
    if data_range(rgb) == 255 or rgb.shape[0] * rgb.shape[1] < 2:
        return rgb
    flat = rgb.reshape(-1, 3).copy()
    dark = int(flat.min(axis=1).argmin())
    brightness = flat.max(axis=1)
    brightness[dark] = 0
    bright = int(brightness.argmax())
    flat[dark] = _nearest_reaching(flat[dark], 0)
    flat[bright] = _nearest_reaching(flat[bright], 255)
    return flat.reshape(rgb.shape)


def _nearest_reaching(colour: NDArray[np.uint8], extreme: int) -> NDArray[np.uint8]:
    """The colour of the same luma, one channel at `extreme`, that is nearest to `colour`."""
    levels = np.arange(256, dtype=np.uint8)
    planes = []
    for channel in range(3):
        pair = np.stack(np.meshgrid(levels, levels, indexing="ij"), axis=-1).reshape(-1, 2)
        planes.append(np.insert(pair, channel, np.uint8(extreme), axis=1))
    candidates = np.concatenate(planes)
    candidates = candidates[luma(candidates) == luma(colour)]
    apart = ((candidates.astype(np.int64) - colour) ** 2).sum(axis=1)
    return candidates[apart.argmin()] if len(apart) else colour
