"""What is measured of a training photograph: what describes it, and where its hole is located.

Measuring imports OpenCV and numba, which take a while; looking at a project measures nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ensemble import damage
from ensemble.arrays import Gray, Mask
from ensemble.data.competition import Sample, measure_damage
from ensemble.manifest import digest_file, digest_json

_NETS = Path(damage.__file__).parent / "locate" / "locator.npz"


class Facts(NamedTuple):
    """What describes a training photograph, or a row of each for many.

    `traits` (3,) float64 and `vector` (LENGTH,) uint8 are as `ensemble.folds.describe` has them;
    `flat` is the share of the lost pixels that have the most frequent gray, 0..1.
    """

    traits: NDArray[np.float64]
    flat: NDArray[np.float64]
    vector: NDArray[np.uint8]


def describe_sample(sample: Sample) -> Facts:
    """Measure what describes a training photograph."""
    from ensemble.folds.describe import describe, measure_traits

    flat = np.array(measure_damage(sample)[1])
    gray = sample.gray()
    traits = measure_traits(target=sample.target, gray=gray, lost_mask=sample.lost_mask)
    return Facts(traits, flat, describe(sample.target, gray))


def find_lost(damaged: Gray) -> Mask:
    """The mask of `locate_hole`."""
    from ensemble.damage.locate import locate_hole

    return locate_hole(damaged).lost_mask


def locator_digest() -> str:
    """SHA-256 of what decides a located mask: the locator's version and its nets."""
    return digest_json({"version": damage.LOCATOR_VERSION, "nets": digest_file(_NETS)})
