"""Sufficient statistics: what a trial reads instead of pictures.

SSIM of a linear blend needs only local means and covariances, and those are linear and quadratic
in the weights. So for drawn windows the means and covariances of (target, member-views) are kept;
for drawn stretches of the hole, and for drawn hue pixels, the few pixels themselves, which is
smaller than their covariances and blends, rounds and clips exactly as a picture does.

What differs from the exact score, and how it is accounted for:

- Rounding to whole levels: exact in the hole and for the hue; in a window it adds the variance
  1/12 of a rounding error (not where all member-views agree, and not for one alone).
- Clipping: never happens, a mean of uint8 stays in range.
- The data range is that of the whole pred: kept are the values of all member-views at each one's
  brightest and darkest place and at those of many tiles of the mean picture, so the blend's range
  is read off them.
- Sampling: a bias that is common to all weights, because all read the same places; a search
  compares, and only exact scores are ever reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.blending.moment_kernels import (
    blend_planes,
    blend_range,
    runs_ssim,
    windows_ssim,
)
from ensemble.blending.sampling import Indices, Plan, draw_places
from ensemble.blending.weights import blend
from ensemble.composition.hue_target import centred
from ensemble.composition.luma import lock_luma
from ensemble.errors import ArrayError
from ensemble.metric.hue import count_hues
from ensemble.metric.ssim import WINDOW, constants, to_planes
from ensemble.vocabulary import HUE_BINS

VERSION = 2
"""Part of every study's name: trials on other statistics are never mixed in."""

TILES = 64
ROUNDING_VARIANCE = 1 / 12

Settle = Callable[[NDArray[np.uint8], Indices], NDArray[np.uint8]]
"""What composition does to each pixel before the blend: (K, n, ...) pixels at (n,) flat indices."""


@dataclass(frozen=True)
class PhotoMoments:
    """The statistics of one photograph for K member-views, C channels.

    Attributes:
        windows: (Q, C n) float32, see `moment_kernels`.
        shares: (n,) float32, share of each window, sum 1.
        runs: (C, K + 1, R, L) uint8, the target first.
        run_length: Lost pixels of each run that count.
        extremes: (K, E) uint8, values at candidate places of the brightest and darkest value.
        hue_pixels: (3, K, n) uint8, as predicted; n is 0 for gray.
        hue_gray: (1, n) uint8, the luma that their blend is locked to; None for no lock. Near
            gray a hue is all rounding, so it is the blend that is locked here, not each view.
        hue_truth: (180,) float64, the target's hue histogram, centred, of norm 1.
        hue_products: (K' + 2, K' + 2) inner products of the centred unit hue histograms of the
            target, the prior, and whatever votes on hues; empty where that was not asked for.
    """

    windows: NDArray[np.float32]
    shares: NDArray[np.float32]
    runs: NDArray[np.uint8]
    run_length: int
    extremes: NDArray[np.uint8]
    hue_pixels: NDArray[np.uint8]
    hue_gray: NDArray[np.uint8] | None
    hue_truth: NDArray[np.float64]
    hue_products: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        arrays = [value for value in vars(self).values() if isinstance(value, np.ndarray)]
        return sum(array.nbytes for array in arrays)

    def estimate(
        self, weights: Sequence[float], pred_range: float | None = None
    ) -> tuple[float, float, float]:
        """The terms (ssim, masked_ssim, hue) of the blend; hue is 0 for gray.

        Args:
            weights: (K,), sum 1.
            pred_range: Data range of the whole picture, where composition decides it; None for
                the blend's own.
        """
        given = np.asarray(weights, dtype=np.float32)
        used = np.flatnonzero(given)
        if pred_range is None:
            pred_range = blend_range(self.extremes, given, used)
        whole = windows_ssim(self.windows, self.shares, given, used, pred_range)
        masked = runs_ssim(self.runs, self.run_length, given, used, *constants(pred_range, WINDOW))
        if not self.hue_pixels.size:
            return whole, masked, 0.0
        return whole, masked, self._hue(given, used)

    def _hue(self, weights: NDArray[np.float32], used: Indices) -> float:
        blended = blend_planes(self.hue_pixels, weights, used)
        if self.hue_gray is None:
            planes = np.rint(blended).astype(np.uint8)
        else:
            planes = to_planes(lock_luma(rgb=np.moveaxis(blended, 0, -1), gray=self.hue_gray))
        return float(centred(count_hues(planes)) @ self.hue_truth)


def wanted_hue(
    products: NDArray[np.float64], weights: Sequence[float], prior_weight: float
) -> NDArray[np.float64]:
    """Correlation of the truth's hue histogram with the wanted one, see `hue_target`.

    What hue transport then realises of it is a little less; see `Objective`.

    Args:
        products: (..., K + 2, K + 2), `PhotoMoments.hue_products` of some photographs.
        weights: (K,) of every member-view that votes, sum 1.
        prior_weight: The prior's share; a photograph without a prior has none to mix in.

    Returns:
        (...) float64.
    """
    shares = np.asarray(weights, dtype=np.float64)
    to_truth, to_prior = products[..., 0, 2:] @ shares, products[..., 1, 2:] @ shares
    square = ((products[..., 2:, 2:] @ shares) * shares).sum(axis=-1)
    norm = np.sqrt(np.maximum(square, 1e-18))
    prior = np.where(products[..., 1, 1] > 0, prior_weight, 0.0)
    votes = 1 - prior
    towards = votes * to_truth / norm + prior * products[..., 0, 1]
    length = votes**2 + prior**2 + 2 * votes * prior * to_prior / norm
    return np.asarray(towards / np.sqrt(np.maximum(length, 1e-18)))


def photo_moments(
    plan: Plan,
    *,
    image_id: str,
    target: NDArray[np.uint8],
    pictures: NDArray[np.uint8],
    lost_mask: Mask,
    free: Mask | None = None,
    settle: Settle | None = None,
    hue_gray: Gray | None = None,
    votes: NDArray[Any] | None = None,
    prior: NDArray[Any] | None = None,
) -> PhotoMoments:
    """Collect one photograph's statistics.

    Args:
        plan: How much to read, and the seed.
        image_id: The photograph; the places drawn depend on it and the seed alone.
        target: (H, W) or (H, W, 3) uint8.
        pictures: (K, H, W) or (K, H, W, 3) uint8, the member-views as predicted.
        lost_mask: (H, W) bool, the true one.
        free: Where member-views can differ once settled; None for everywhere.
        settle: Applied to the pixels that are read; None leaves them as they are.
        hue_gray: (H, W) uint8, the luma that blends are locked to; None for no lock.
        votes: (K', 180) hue histograms for `wanted_hue`: of the pictures, and of members that
            predict nothing else; None where it will not be asked for.
        prior: (180,) hue histogram of the training photographs; None for none.

    Raises:
        ArrayError: `pictures` and `target` differ in shape.
    """
    if pictures.shape[1:] != target.shape:
        raise ArrayError(
            f"`{image_id}`: pictures must be (K, *{target.shape}), but are {pictures.shape}"
        )
    colour = target.ndim == 3
    places = draw_places(plan, image_id=image_id, lost_mask=lost_mask, free=free, with_hue=colour)
    read = _Reader(target, pictures, settle)
    rounding = np.where(places.active, ROUNDING_VARIANCE, 0.0)
    return PhotoMoments(
        windows=_window_rows(read, places.windows, rounding),
        shares=places.shares,
        runs=np.ascontiguousarray(np.moveaxis(read.both(places.runs), -1, 0)),
        run_length=places.run_length,
        extremes=_extremes(read),
        hue_pixels=_hue_pixels(pictures, places.hue) if colour else np.empty((3, 0, 0), np.uint8),
        hue_gray=None if hue_gray is None else hue_gray.ravel()[places.hue][None],
        hue_truth=centred(_hue_counts(target)) if colour else np.zeros(HUE_BINS),
        hue_products=_hue_products(target, votes, prior),
    )


@dataclass(frozen=True)
class _Reader:
    """Pixels of the target and the settled member-views at flat indices."""

    target: NDArray[np.uint8]
    pictures: NDArray[np.uint8]
    settle: Settle | None

    def of_target(self, at: Indices) -> NDArray[np.uint8]:
        """(*at.shape, C)."""
        return self.target.reshape(self.target.shape[0] * self.target.shape[1], -1)[at]

    def of_views(self, at: Indices) -> NDArray[np.uint8]:
        """(K, *at.shape, C)."""
        colour = self.pictures.shape[3:]
        flat = self.pictures.reshape(len(self.pictures), -1, *colour)
        pixels = np.stack([view[at.ravel()] for view in flat])
        if self.settle is not None:
            pixels = self.settle(pixels, at.ravel())
        return pixels.reshape(len(flat), *at.shape, -1)

    def both(self, at: Indices) -> NDArray[np.uint8]:
        """(1 + K, *at.shape, C), the target first."""
        return np.concatenate([self.of_target(at)[None], self.of_views(at)])


def _window_rows(
    read: _Reader, windows: Indices, rounding: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(Q, C n) statistics, windows of one channel side by side."""
    values = np.moveaxis(read.both(windows), -1, 1).astype(np.float64)
    terms, channels = len(values) - 1, values.shape[1]
    flat = values.reshape(terms + 1, -1, WINDOW * WINDOW)
    means = flat.mean(axis=-1)
    centered = np.moveaxis(flat - means[..., None], 1, 0)
    covariances = centered @ centered.transpose(0, 2, 1) / (WINDOW * WINDOW - 1)
    first, second = np.triu_indices(terms)
    rows = [
        means[:1],
        covariances[None, :, 0, 0],
        np.tile(rounding, channels)[None],
        means[1:],
        covariances[:, 0, 1:].T,
        covariances[:, first + 1, second + 1].T,
    ]
    return np.concatenate(rows).astype(np.float32)


def _extremes(read: _Reader) -> NDArray[np.uint8]:
    """(K, E) values where a member-view, or a tile of mean or target, is brightest or darkest."""
    pictures, channels = read.pictures, read.target[0, 0].size
    flat = pictures.reshape(len(pictures), -1)
    mean = blend(pictures, [1.0] * len(pictures)).ravel()
    tiles = [_tile_extremes(mean), _tile_extremes(read.target.ravel())]
    spots = np.unique(np.concatenate([flat.argmax(axis=1), flat.argmin(axis=1), *tiles]))
    pixels, channel = np.divmod(spots, channels)
    values = read.of_views(pixels)
    return np.ascontiguousarray(values[:, np.arange(spots.size), channel])


def _tile_extremes(values: NDArray[Any]) -> Indices:
    """Where each of `TILES` equal stretches of (n,) values is brightest, and where darkest."""
    edges = np.linspace(0, values.size, TILES + 1).astype(np.int64)
    spans = [(start, stop) for start, stop in pairwise(edges) if stop > start]
    high = [start + values[start:stop].argmax() for start, stop in spans]
    low = [start + values[start:stop].argmin() for start, stop in spans]
    return np.array([*high, *low], dtype=np.int64)


def _hue_pixels(pictures: NDArray[np.uint8], at: Indices) -> NDArray[np.uint8]:
    pixels = np.stack([picture.reshape(-1, 3)[at] for picture in pictures])
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def _hue_counts(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    return count_hues(to_planes(picture))


def _hue_products(
    target: NDArray[np.uint8], votes: NDArray[Any] | None, prior: NDArray[Any] | None
) -> NDArray[np.float64]:
    if votes is None:
        return np.zeros((0, 0))
    of_prior = np.zeros(HUE_BINS) if prior is None else np.asarray(prior, dtype=np.float64)
    units = centred(np.stack([_hue_counts(target), of_prior, *votes]))
    return units @ units.T
