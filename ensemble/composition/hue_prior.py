"""A hue histogram for a gray picture, learned from training photographs in seconds.

One prior for every picture is the mean of the centred unit-norm histograms (`hue_target`). The
best answer for *this* picture is their mean given what its gray shows, and ridge regression of
those vectors on `gray_statistics` estimates just that: with an infinite penalty it is the one
prior, with less it leans on the picture. The penalty is chosen by leave-one-out correlation, the
competition's hue term itself, so few or unhelpful photographs leave the one prior in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray
from ensemble.composition.gray_statistics import gray_statistics
from ensemble.composition.hue_target import Histogram, centred, realisable
from ensemble.errors import ArrayError, StaleArtefactError
from ensemble.vocabulary import HUE_BINS

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, np.inf)

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HuePrior:
    """A fitted prior: plain arrays, and nothing else to store.

    Attributes:
        centre: (F,) mean of the statistics.
        scale: (F,) what each is divided by.
        slope: (F, 180); all 0 where no statistic helps.
        mean: (180,) mean of the centred unit-norm histograms.
        correlation: () leave-one-out correlation with the truth, on the photographs of the fit.
    """

    centre: Matrix
    scale: Matrix
    slope: Matrix
    mean: Matrix
    correlation: Matrix

    @classmethod
    def fit(cls, *, statistics: NDArray[Any], histograms: NDArray[Any]) -> HuePrior:
        """Fit to photographs.

        Args:
            statistics: (N, F), `gray_statistics` of each photograph's luma.
            histograms: (N, 180), its `hue_histogram`.

        Raises:
            ArrayError: There is no photograph, or the two differ in number.

        Source: leave-one-out residuals of ridge regression with an unpenalised mean, e.g. Hastie,
        Tibshirani, Friedman, "The Elements of Statistical Learning" (2009), section 7.10.
        """
        if len(statistics) == 0 or len(statistics) != len(histograms):
            raise ArrayError(
                "as many statistics as histograms are due, one or more, but got "
                f"{len(statistics)} and {len(histograms)}"
            )
        centre: Matrix = np.asarray(np.mean(statistics, axis=0), dtype=np.float64)
        scale = (np.std(statistics, axis=0) + 1e-9) * np.sqrt(statistics.shape[1])
        units = centred(histograms)
        slope, correlation = _ridge((statistics - centre) / scale, units)
        return cls(centre, scale, slope, units.mean(axis=0), np.array(correlation))

    def predict(self, gray: Gray) -> Histogram:
        """The wanted histogram of a gray picture (H, W) uint8, its hole filled: (180,), sum 1."""
        return self.predict_from(gray_statistics(gray))

    def predict_from(self, statistics: NDArray[Any]) -> Histogram:
        """The same from its statistics (F,)."""
        return realisable(self.mean + (statistics - self.centre) / self.scale @ self.slope)

    def to_arrays(self) -> dict[str, Matrix]:
        """All there is to store, by name."""
        return asdict(self)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> HuePrior:
        """What `to_arrays` gave.

        Raises:
            StaleArtefactError: They are not this version's arrays.
        """
        names = tuple(cls.__dataclass_fields__)
        stale = set(arrays) != set(names) or arrays["slope"].shape[1:] != (HUE_BINS,)
        if stale or arrays["slope"].shape[0] != gray_statistics(_BLANK).size:
            raise StaleArtefactError(
                f"a hue prior must hold {', '.join(names)} of this version of ens, but got "
                f"{', '.join(sorted(arrays))}; fit it again"
            )
        return cls(**{name: np.asarray(arrays[name], dtype=np.float64) for name in names})


_BLANK: Gray = np.zeros((8, 8), dtype=np.uint8)


def _ridge(known: Matrix, units: Matrix) -> tuple[Matrix, float]:
    """The slope of the best penalty, and its leave-one-out correlation."""
    if len(known) < 2:
        return np.zeros((known.shape[1], HUE_BINS)), 0.0
    left, singular, right = np.linalg.svd(known, full_matrices=False)
    mean = units.mean(axis=0)
    loadings = left.T @ (units - mean)
    found: list[tuple[float, float]] = []
    for penalty in PENALTIES:
        kept = singular**2 / (singular**2 + penalty)
        leverage = (left**2 @ kept + 1 / len(known))[:, None]
        fitted = mean + left @ (kept[:, None] * loadings)
        without = (fitted - leverage * units) / np.maximum(1 - leverage, 1e-9)
        found.append((float((units * centred(without)).sum(axis=1).mean()), penalty))
    correlation, penalty = max(found)
    return right.T @ ((singular / (singular**2 + penalty))[:, None] * loadings), correlation
