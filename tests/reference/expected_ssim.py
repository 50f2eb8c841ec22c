"""What minimum risk ascends, by the kernels that ascend it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.composition.minimum_risk import _differentiate, _prepare

Pixels = NDArray[np.float64]


def expected_ssim(pixels: Pixels, answers: Pixels, shares: Pixels) -> tuple[float, Pixels]:
    """The expected masked SSIM of (N,) lost pixels to answers (K, N), and its gradient (N,).

    All are on the scale 0..255, along the scan line, N at least 7; `shares` (K,) of sum 1 say how
    likely each answer is.
    """
    gradient = np.zeros_like(pixels)
    value = _differentiate(gradient, pixels, answers, _prepare(answers), shares)
    return float(value), gradient
