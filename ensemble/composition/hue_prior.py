"""Predict the hue histogram of a gray picture, as learned from training photographs in seconds.

One prior for every picture is the mean of the centered unit histograms (`hue_target`). The best
answer for *this* picture is their mean given what its gray shows. Ridge regression of those
vectors on `gray_statistics` estimates it: with an infinite penalty it is the one prior, with less
it follows the picture. The penalty is chosen by leave-one-out correlation, which is the
competition's hue term, so few or unhelpful photographs leave the one prior in place. What follows
the picture is limited to the few directions in which the fitted histograms differ most.
Statistics of other kinds, which a network makes of the gray, may stand beside these.

Pixels that are black or white have hue 0, but for a few. The gray shows how many there are, so
only the others' histogram is predicted, and they are added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import itemgetter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb, check_gray, luma
from ensemble.composition.hue_target import Histogram, centered, hue_histogram, lift
from ensemble.errors import StaleArtefactError
from ensemble.vocabulary import HUE_BINS

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, np.inf)
RANK = 8
N_STATISTICS = 556
"""Of `gray_statistics`."""

_SIDE = 256
_SCALES = (0, 1, 2, 3)
_PATTERN_SCALES = (1, 2, 3)
_BRIGHT_CELLS, _TEXTURE_CELLS, _DIRECTIONS = 8, 4, 4
_FAINT = 1e-3
_BLACK, _WHITE = 1, 254
_NEIGHBORS = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
"""Row and column of each bit's pixel in a square of 3 x 3, around its center."""
_MIRRORED = sum(
    (np.arange(256) >> bit & 1) << _NEIGHBORS.index((row, 2 - column))
    for bit, (row, column) in enumerate(_NEIGHBORS)
)
"""Of each pattern that of its mirror image."""

Matrix = NDArray[np.float64]
Plane = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class HuePrior:
    """A fitted prior, as plain arrays."""

    center: Matrix  # (F,) mean of the statistics of all kinds
    scale: Matrix  # (F,) what each is divided by
    slope: Matrix  # (F, 180), of rank `RANK` at most; all 0 where no statistic helps
    mean: Matrix  # (180,) mean of the centered unit histograms
    correlation: Matrix  # () leave-one-out correlation on the photographs of the fit

    @classmethod
    def fit(cls, *, statistics: Sequence[NDArray[Any]], histograms: NDArray[Any]) -> HuePrior:
        """Fit to N photographs: statistics of some kinds, and `count_inner_hues` (N, 180).

        The first kind is `gray_statistics`; of each kind, (N, F_k). A kind counts as much as
        another, however many statistics it has.

        Source: leave-one-out residuals of ridge regression with an unpenalized mean, e.g. Hastie,
        Tibshirani, Friedman, "The Elements of Statistical Learning" (2009), section 7.10; reduced
        rank, there section 3.7.
        """
        known: Matrix = np.concatenate(statistics, axis=1, dtype=np.float64)
        kinds = [kind.shape[1] for kind in statistics]
        center: Matrix = known.mean(axis=0)
        scale = (known.std(axis=0) + 1e-9) * np.sqrt(np.repeat(kinds, kinds))
        units = centered(histograms)
        slope, correlation = _fit_ridge((known - center) / scale, units)
        return cls(center, scale, slope, units.mean(axis=0), np.array(correlation))

    def predict(self, statistics: Sequence[NDArray[Any]], extremes: float) -> Histogram:
        """The wanted histogram of a gray picture, its hole filled: (180,), sum 1.

        Args:
            statistics: Of the kinds of the fit, each (F_k,).
            extremes: `share_extremes`.
        """
        known = (np.concatenate(statistics) - self.center) / self.scale
        inner = lift(self.mean + known @ self.slope)
        histogram = (1 - extremes) * inner
        histogram[0] += extremes
        return histogram

    def to_arrays(self) -> dict[str, Matrix]:
        """The arrays to store, by name."""
        return asdict(self)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> HuePrior:
        """Read `to_arrays`'s arrays; StaleArtefactError where they are not this version's."""
        found = {name: array.squeeze().shape for name, array in sorted(arrays.items())}
        count = max(N_STATISTICS, *found.get("center", (0,)))
        shapes = {
            "center": (count,),
            "correlation": (),
            "mean": (HUE_BINS,),
            "scale": (count,),
            "slope": (count, HUE_BINS),
        }
        if found != shapes:
            raise StaleArtefactError(
                f"a hue prior must hold {_list_shapes(shapes)}, but holds {_list_shapes(found)}, "
                "as another version of ens has it; run `ens blend` again"
            )
        whole = {name: np.asarray(arrays[name], np.float64).squeeze() for name in shapes}
        if not all(np.isfinite(array).all() for array in whole.values()):
            raise StaleArtefactError("a hue prior must be finite; run `ens blend` again")
        return cls(**whole)


def _list_shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def count_inner_hues(rgb: Rgb) -> Histogram:
    """The `hue_histogram` of the pixels of (H, W, 3) uint8 that are neither black nor white."""
    return hue_histogram(rgb[None, ~_find_extremes(luma(rgb))])


def share_extremes(gray: Gray) -> float:
    """The share of pixels of (H, W) uint8 that are black or white, within a level."""
    return float(_find_extremes(check_gray(gray, name="gray")).mean())


def _find_extremes(gray: Gray) -> Mask:
    return (gray <= _BLACK) | (gray >= _WHITE)


def gray_statistics(gray: Gray) -> NDArray[np.float64]:
    """Measure what a gray picture, (H, W) uint8, shows about its colors: (N_STATISTICS,) float64.

    How bright and how clipped it is, where it is bright, how much texture it has of which size and
    direction and where, and of which patterns. A clear sky, a white studio background and foliage
    differ in all of these, and so do their hues. A picture and its mirror image have the same
    statistics.
    """
    check_gray(gray, name="gray")
    picture = _resize((gray / 255.0).astype(np.float32), _SIDE)
    pyramid = [_resize(picture, _SIDE >> scale) for scale in _SCALES]
    return np.concatenate(
        [
            _measure_brightness(gray),
            _average_sides(_resize(picture, _BRIGHT_CELLS)),
            *map(_measure_texture, pyramid),
            *map(_measure_directions, pyramid),
            *(_count_patterns(_resize(gray, _SIDE >> scale)) for scale in _PATTERN_SCALES),
        ]
    ).astype(np.float64)


def _fit_ridge(known: Matrix, units: Matrix) -> tuple[Matrix, float]:
    """The slope of the best penalty, its rank reduced, and its leave-one-out correlation.

    Fewer directions need a smaller penalty, so what is left out is predicted along them alone. They
    are those of the whole fit: to find them anew for each photograph would take hours.
    """
    if len(known) < 2:
        return np.zeros((known.shape[1], HUE_BINS)), 0.0
    left, singular, right = np.linalg.svd(known, full_matrices=False)
    mean = units.mean(axis=0)
    others = (len(units) * mean - units) / (len(units) - 1)  # of each, the mean of the others
    loadings = left.T @ (units - mean)
    found: list[tuple[float, float, Matrix]] = []
    for penalty in PENALTIES:
        kept = singular**2 / (singular**2 + penalty)
        leverage = (left**2 @ kept + 1 / len(known))[:, None]
        shrunk = kept[:, None] * loadings  # `left` is orthonormal: the fit has its directions
        directions = np.linalg.svd(shrunk, full_matrices=False)[2][:RANK]
        along = directions.T @ directions
        residual = (mean + left @ shrunk - units) / np.maximum(1 - leverage, 1e-9)
        without = others + (units + residual - others) @ along
        correlation = float((units * centered(without)).sum(axis=1).mean())
        found.append((correlation, penalty, along))
    correlation, penalty, along = max(found, key=itemgetter(0, 1))
    slope = right.T @ ((singular / (singular**2 + penalty))[:, None] * loadings)
    return slope @ along, correlation


def _measure_brightness(gray: Gray) -> NDArray[np.float64]:
    """Roots of the luma histogram's 32 coarse bins, and of the shares next to black and white."""
    share = np.bincount(gray.reshape(-1), minlength=256) / gray.size
    clipped = [share[0], share[:3].sum(), share[255], share[253:].sum()]
    return np.sqrt(np.concatenate([share.reshape(32, 8).sum(axis=1), clipped]))


def _measure_texture(picture: Plane) -> NDArray[Any]:
    """Log strength of the Laplacian by place and overall, and the share of flat pixels."""
    edges = np.abs(cv2.Laplacian(picture, cv2.CV_32F, borderType=cv2.BORDER_REFLECT))
    places: Plane = np.log(np.float32(_FAINT) + _resize(edges, _TEXTURE_CELLS))
    overall = [np.log(_FAINT + edges.mean()), (edges < 1.5 / 255).mean()]
    return np.concatenate([_average_sides(places), overall])


def _measure_directions(picture: Plane) -> NDArray[Any]:
    """Log strength of the gradients, by steepness; slants to either side are alike."""
    across = np.abs(cv2.Sobel(picture, cv2.CV_32F, 1, 0))
    down = np.abs(cv2.Sobel(picture, cv2.CV_32F, 0, 1))
    slots = np.zeros(picture.shape, dtype=np.uint8)
    for slope in np.tan(np.arange(1, _DIRECTIONS) * (np.pi / 2 / _DIRECTIONS)):
        slots += down >= np.float32(slope) * across
    strength = np.sqrt(across * across + down * down).reshape(-1)
    sums = np.bincount(slots.reshape(-1), weights=strength, minlength=_DIRECTIONS)
    return np.log(_FAINT + sums / picture.size)


def _count_patterns(picture: Plane) -> NDArray[Any]:
    """Roots of the shares of the local binary patterns; one and its mirror image are alike.

    Source: Ojala, Pietikainen, Maenpaa, "Multiresolution gray-scale and rotation invariant texture
    classification with local binary patterns" (2002), here without interpolation.
    """
    rows, columns = picture.shape[0] - 2, picture.shape[1] - 2
    center = picture[1:-1, 1:-1]
    patterns = np.zeros(center.shape, dtype=np.uint8)
    for bit, (row, column) in enumerate(_NEIGHBORS):
        neighbor = picture[row : row + rows, column : column + columns]
        patterns |= (neighbor > center).astype(np.uint8) << bit
    shares = np.bincount(patterns.reshape(-1), minlength=256) / patterns.size
    both = (shares + shares[_MIRRORED]) / 2
    return np.sqrt(both[np.arange(256) <= _MIRRORED])


def _average_sides(cells: Plane) -> NDArray[Any]:
    """The mean of a square of cells and its mirror image, left half, flat."""
    return ((cells + cells[:, ::-1]) / 2)[:, : cells.shape[1] // 2].reshape(-1)


def _resize(picture: NDArray[Any], side: int) -> Plane:
    return np.asarray(
        cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), dtype=np.float32
    )
