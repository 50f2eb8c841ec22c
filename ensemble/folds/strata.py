"""What drives a photograph's score, in a few classes, so that folds can share it fairly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Mask, Rgb, luma
from ensemble.errors import ConfigError, DataError


def score_drivers(*, target: Rgb, lost_mask: Mask) -> NDArray[np.float64]:
    """Measure what makes a photograph hard: brightness, colourfulness, damaged area.

    Args:
        target: (H, W, 3) uint8.
        lost_mask: (H, W) bool.

    Returns:
        (3,): mean luma, 0..255; colourfulness, about 0..110; share of lost pixels, 0..1.

    Source: Hasler and Suesstrunk, "Measuring colourfulness in natural images", 2003.
    """
    red, green, blue = (target[..., channel].astype(np.float64) for channel in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    offset = np.hypot(red_green.mean(), yellow_blue.mean())
    return np.array([luma(target).mean(), spread + 0.3 * offset, lost_mask.mean()])


def make_strata(drivers: NDArray[np.float64], *, n_levels: int = 2) -> tuple[int, ...]:
    """Cut each driver at its quantiles and number the combinations.

    Args:
        drivers: (N, D), one `score_drivers` a row.
        n_levels: Equally filled classes of each driver, so n_levels ** D strata.

    Returns:
        N numbers, 0..n_levels ** D - 1, which depend on the ranks alone.

    Raises:
        ConfigError: `n_levels` is under 1.
        DataError: A driver is not finite.
    """
    if n_levels < 1:
        raise ConfigError(f"`n_levels >= 1` must hold, but got {n_levels}")
    if not np.isfinite(drivers).all():
        row = int(np.flatnonzero(~np.isfinite(drivers).all(axis=1))[0])
        raise DataError(f"Score drivers must be finite, but row {row} is {drivers[row].tolist()}")
    inner = np.arange(1, n_levels) / n_levels
    strata = np.zeros(len(drivers), dtype=np.int64)
    for column in drivers.T:
        level = np.searchsorted(np.quantile(column, inner), column, side="left")
        strata = strata * n_levels + level
    return tuple(strata.tolist())
