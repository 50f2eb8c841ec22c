"""Collect the statistics of a photograph from which the terms of any blend are estimated.

SSIM of a linear blend needs only local means and covariances, which are linear and quadratic in
the weights. So the means and covariances of target and member-views are kept for drawn windows.
Of drawn stretches of the hole, and of drawn hue pixels, the pixels themselves are kept, which is
smaller and blends, rounds and clips exactly as a picture does.

Differences from the exact score:

- Rounding to whole levels: exact in the hole and for the hue; in a window it adds the variance
  1/12 of a rounding error (not where all member-views agree, and not for one alone).
- Clipping: none, a mean of uint8 stays in range.
- The data range is that of the whole picture. It is read off the values of all member-views at
  the brightest and darkest place of each, and of many tiles of the mean picture.
- Sampling: a bias that all weights share, because the same places are read for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.blending.statistics.kernels import (
    blend_planes,
    blend_range,
    runs_ssim,
    windows_ssim,
)
from ensemble.blending.statistics.sampling import Indices, Plan, draw_places
from ensemble.composition.hue_target import centered
from ensemble.composition.luma import lock_luma
from ensemble.composition.weighted_mean import weighted_mean
from ensemble.metric.hue import count_hues
from ensemble.metric.ssim import WINDOW, constants, to_planes
from ensemble.vocabulary import HUE_BINS

VERSION = 2
"""Part of the name of every study: trials on other statistics are never mixed in."""

TILES = 64
ROUNDING_VARIANCE = 1 / 12

Precompose = Callable[[NDArray[np.uint8], Indices], NDArray[np.uint8]]
"""Composes member-views before the blend: (K, n, ...) pixels at (n,) flat indices."""


@dataclass(frozen=True)
class PhotoMoments:
    """The statistics of one photograph for K member-views, C channels."""

    windows: NDArray[np.float32]  # (Q, C n), see `kernels`
    shares: NDArray[np.float32]  # (n,), share of each window, sum 1
    runs: NDArray[np.uint8]  # (C, K + 1, R, L), the target first
    run_length: int  # lost pixels of each run that count
    # (K, E), values at candidate places of the brightest and darkest value
    extremes: NDArray[np.uint8]
    hue_pixels: NDArray[np.uint8]  # (3, K, n), as predicted; n is 0 for gray
    # (1, n), the luma that the blend is locked to; None for no lock. The hue of a nearly gray pixel
    # is mostly rounding, so the blend is locked here, not each view
    hue_gray: NDArray[np.uint8] | None
    hue_truth: NDArray[np.float64]  # (180,), the target's hue histogram, centered, of norm 1
    # (K' + 2, K' + 2) inner products of the centered unit hue histograms of the target, the prior,
    # and all K' member-views; empty where hues are not moved
    hue_products: NDArray[np.float64]

    def estimate(
        self, weights: Sequence[float] | NDArray[np.float32], pred_range: float | None = None
    ) -> tuple[float, ...]:
        """Estimate the terms of the blend by weights (K,) of sum 1, in the order of `TERMS`.

        `pred_range` is the data range of the whole picture, where composition sets it; None for the
        blend's own. Hue is 0 for gray.
        """
        given = np.asarray(weights, dtype=np.float32)
        used = np.flatnonzero(given)
        if pred_range is None:
            pred_range = blend_range(self.extremes, given, used)
        whole = windows_ssim(self.windows, self.shares, given, used, pred_range)
        masked = runs_ssim(self.runs, self.run_length, given, used, *constants(pred_range, WINDOW))
        return whole, masked, self._estimate_hue(given, used)

    def _estimate_hue(self, weights: NDArray[np.float32], used: Indices) -> float:
        if not self.hue_pixels.size:
            return 0.0
        blended = blend_planes(self.hue_pixels, weights, used)
        if self.hue_gray is None:
            planes = np.rint(blended).astype(np.uint8)
        else:
            planes = to_planes(lock_luma(rgb=np.moveaxis(blended, 0, -1), gray=self.hue_gray))
        return float(centered(count_hues(planes)) @ self.hue_truth)


def estimate_moved_hue(
    products: NDArray[np.float64], weights: Sequence[float], prior_weight: float
) -> NDArray[np.float64]:
    """Correlation of each true hue histogram with the wanted one, see `hue_target`.

    Hue transport reaches a little less than that; see `Objective`. Takes `hue_products` of
    photographs, (..., K + 2, K + 2), and weights (K,) of every member-view, sum 1; a photograph
    without a prior counts `prior_weight` as 0.
    """
    shares = np.asarray(weights, dtype=np.float64)
    to_truth, to_prior = products[..., 0, 2:] @ shares, products[..., 1, 2:] @ shares
    square = ((products[..., 2:, 2:] @ shares) * shares).sum(axis=-1)
    norm = np.sqrt(np.maximum(square, 1e-18))
    prior = np.where(products[..., 1, 1] > 0, prior_weight, 0.0)
    rest = 1 - prior
    towards = rest * to_truth / norm + prior * products[..., 0, 1]
    length = rest**2 + prior**2 + 2 * rest * prior * to_prior / norm
    return np.asarray(towards / np.sqrt(np.maximum(length, 1e-18)))


def collect_moments(
    plan: Plan,  # how much to read, and the seed
    *,
    image_id: str,  # the photograph; the places drawn depend on it and the seed alone
    target: NDArray[np.uint8],  # (H, W) or (H, W, 3)
    pictures: NDArray[np.uint8],  # (K, H, W) or (K, H, W, 3), the member-views as predicted
    lost_mask: Mask,  # (H, W), the true mask
    # where member-views can differ after `precompose`; None for everywhere
    free: Mask | None = None,
    # applied to the pixels that are read; None leaves them as they are
    precompose: Precompose | None = None,
    hue_gray: Gray | None = None,  # (H, W), the luma that blends are locked to; None for no lock
    # (K', 180) hue histograms of all member-views, those without pictures included; None where hues
    # are not moved
    histograms: NDArray[Any] | None = None,
    # (180,) hue histogram of the training photographs; None for none
    prior: NDArray[Any] | None = None,
) -> PhotoMoments:
    """Collect one photograph's statistics."""
    color = target.ndim == 3
    places = draw_places(plan, image_id=image_id, lost_mask=lost_mask, free=free, with_hue=color)
    read = _Reader(target, pictures, precompose)
    rounding = np.where(places.active, ROUNDING_VARIANCE, 0.0)
    return PhotoMoments(
        windows=_collect_windows(read, places.windows, rounding),
        shares=places.shares,
        runs=np.ascontiguousarray(np.moveaxis(read.both(places.runs), -1, 0)),
        run_length=places.run_length,
        extremes=_collect_extremes(read),
        hue_pixels=_read_planes(pictures, places.hue) if color else np.empty((3, 0, 0), np.uint8),
        hue_gray=None if hue_gray is None else hue_gray.ravel()[places.hue][None],
        hue_truth=centered(count_hues(to_planes(target))) if color else np.zeros(HUE_BINS),
        hue_products=_multiply_histograms(target, histograms, prior),
    )


@dataclass(frozen=True)
class _Reader:
    """Pixels of the target and the precomposed member-views at flat indices."""

    target: NDArray[np.uint8]
    pictures: NDArray[np.uint8]
    precompose: Precompose | None

    def of_views(self, at: Indices) -> NDArray[np.uint8]:
        """(K, *at.shape, C)."""
        flat = self.pictures.reshape(len(self.pictures), -1, *self.pictures.shape[3:])
        pixels = np.stack([view[at.ravel()] for view in flat])
        if self.precompose is not None:
            pixels = self.precompose(pixels, at.ravel())
        return pixels.reshape(len(flat), *at.shape, -1)

    def both(self, at: Indices) -> NDArray[np.uint8]:
        """(1 + K, *at.shape, C), the target first."""
        height, width = self.target.shape[:2]
        target = self.target.reshape(height * width, -1)[at]
        return np.concatenate([target[None], self.of_views(at)])


def _collect_windows(
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


def _collect_extremes(read: _Reader) -> NDArray[np.uint8]:
    """(K, E) values where a member-view, or a tile of mean or target, is brightest or darkest."""
    pictures, channels = read.pictures, read.target[0, 0].size
    flat = pictures.reshape(len(pictures), -1)
    equal = np.full(len(pictures), 1 / len(pictures), dtype=np.float32)
    mean = weighted_mean(pictures, equal).ravel()
    tiles = [_find_tile_extremes(mean), _find_tile_extremes(read.target.ravel())]
    spots = np.unique(np.concatenate([flat.argmax(axis=1), flat.argmin(axis=1), *tiles]))
    pixels, channel = np.divmod(spots, channels)
    values = read.of_views(pixels)
    return np.ascontiguousarray(values[:, np.arange(spots.size), channel])


def _find_tile_extremes(values: NDArray[Any]) -> Indices:
    """Where each of `TILES` equal stretches of (n,) values is brightest, and where darkest."""
    edges = np.linspace(0, values.size, TILES + 1).astype(np.int64)
    spans = [(start, stop) for start, stop in pairwise(edges) if stop > start]
    high = [start + values[start:stop].argmax() for start, stop in spans]
    low = [start + values[start:stop].argmin() for start, stop in spans]
    return np.array([*high, *low], dtype=np.int64)


def _read_planes(pictures: NDArray[np.uint8], at: Indices) -> NDArray[np.uint8]:
    pixels = np.stack([picture.reshape(-1, 3)[at] for picture in pictures])
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def _multiply_histograms(
    target: NDArray[np.uint8], histograms: NDArray[Any] | None, prior: NDArray[Any] | None
) -> NDArray[np.float64]:
    if histograms is None:
        return np.zeros((0, 0))
    of_prior = np.zeros(HUE_BINS) if prior is None else np.asarray(prior, dtype=np.float64)
    units = centered(np.stack([count_hues(to_planes(target)), of_prior, *histograms]))
    return units @ units.T
