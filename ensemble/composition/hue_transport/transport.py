"""Move a picture's hues to a wanted histogram, at the same luma and with little visible change.

Each pixel is given a hue bin (`assign`), then the color of exactly its luma and exactly that bin
(`colors`). A picture whose histogram is as good as the wanted one is left alone. Two modes:

    score    the color of the new hue that is nearest to the old color: the further a hue is
             moved, the grayer it becomes. Costs SSIM least, and may look almost gray
    natural  as much chroma as the picture had, unless its hue is moved by more than 60 degrees:
             then it fades, and at 90 degrees it has the least chroma there is
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Rgb, check_gray, check_rgb
from ensemble.compiled import kernel
from ensemble.composition.hue_target import centered, hue_histogram
from ensemble.composition.hue_transport.assign import (
    UNASSIGNED,
    Bins,
    apportion,
    assign,
    find_keys,
    sector_of,
)
from ensemble.composition.hue_transport.colors import Table, make_color_tables
from ensemble.errors import ArrayError
from ensemble.vocabulary import HUE_BINS

HueMode = Literal["score", "natural"]

_ROUNDS = 3
_GOOD_ENOUGH = 0.99


def transport_hue(*, rgb: Rgb, gray: Gray, target: NDArray[Any], mode: HueMode) -> Rgb:
    """Recolor a picture so that its hue histogram is `target`, (180,), see `hue_target`.

    The picture, (H, W, 3) uint8, is luma-locked to `gray`; it may be wholly gray. So is the answer,
    which is a copy of it where its histogram correlates with `target` by 0.99 or more.

    Raises:
        ArrayError: Shapes do not fit, or `target` is no histogram.
    """
    check_rgb(rgb, name="rgb")
    check_gray(gray, name="gray")
    shares = _check_target(target)
    if centered(hue_histogram(rgb)) @ centered(shares) >= _GOOD_ENOUGH:
        return rgb.copy()
    tables = make_color_tables()
    flat, levels = np.ascontiguousarray(rgb).reshape(-1, 3), np.ascontiguousarray(gray).reshape(-1)
    chroma = _measure_chroma(flat)
    bins = np.full(levels.size, UNASSIGNED, dtype=np.uint8)
    counts = apportion(shares, levels.size)
    _assign_gray(levels, chroma, counts, bins)
    _assign_within_reach(find_keys(rgb), levels, counts, bins, tables.least)
    wanted = _fade(flat, chroma, bins, _list_shares(mode))
    painted: Rgb = _paint(levels, wanted, bins, tuple(tables))
    return painted.reshape(rgb.shape)


def _check_target(target: NDArray[Any]) -> NDArray[np.float64]:
    wanted = np.asarray(target, dtype=np.float64)
    if wanted.shape != (HUE_BINS,) or not (wanted.min() >= 0 and 0 < wanted.sum() < np.inf):
        raise ArrayError(
            f"a hue target must be {HUE_BINS} numbers, none negative and some positive, but has "
            f"shape {wanted.shape} and sum {wanted.sum():g}"
        )
    return wanted


def _assign_gray(
    levels: NDArray[np.uint8], chroma: NDArray[np.uint8], counts: NDArray[np.int64], bins: Bins
) -> None:
    """Let the pixels of least chroma, and of those the nearest to black or white, be gray: hue 0.

    As many as the wanted histogram has pixels of hue 0 beyond what the reds beside it suggest.
    """
    reds = (counts[1] + counts[-1]) // 2
    quota = max(int(counts[0] - reds), 0)
    rank = chroma.astype(np.uint16) * 128 + np.minimum(levels, 255 - levels)
    reached = np.cumsum(np.bincount(rank))
    limit = int(np.searchsorted(reached, quota))
    below = int(reached[limit - 1]) if limit else 0
    gray = rank < limit
    gray[np.flatnonzero(rank == limit)[: quota - below]] = True
    bins[gray], chroma[gray] = 0, 0


def _assign_within_reach(
    keys: NDArray[np.uint16],
    levels: NDArray[np.uint8],
    counts: NDArray[np.int64],
    bins: Bins,
    least: Table,
) -> None:
    """Assign; pixels too dark or too bright for their hue take one within reach; repeat.

    Each round keeps what those pixels took and assigns all others again to what is left.
    """
    fixed = bins != UNASSIGNED
    for round_ in range(_ROUNDS):
        left = np.maximum(counts - np.bincount(bins[fixed], minlength=HUE_BINS), 0)
        assign(keys=keys, bins=bins, counts=apportion(left, int(fixed.size - fixed.sum())))
        if not _replace_unreachable(levels, bins, fixed, left, least):
            return
        if round_ < _ROUNDS - 1:
            bins[~fixed] = UNASSIGNED


@kernel
def _replace_unreachable(levels: Any, bins: Any, fixed: Any, left: Any, least: Any) -> int:
    """Fix the pixels whose bin their luma cannot reach to another that it can; count them.

    Demand only shrinks, so the nearest bin stays the nearest until its demand is used up, and
    where none within reach has any left, gray is the answer for good.
    """
    replaced = 0
    known = np.full(least.shape, -1, dtype=np.int16)
    for i in range(levels.size):
        level, wanted = levels[i], bins[i]
        if not fixed[i] and least[level, wanted] < 0:
            bin_ = known[level, wanted]
            if bin_ < 0 or (bin_ > 0 and left[bin_] <= 0):
                bin_ = known[level, wanted] = _find_reachable(least[level], int(wanted), left)
            bins[i] = bin_
            left[bin_] -= 1
            fixed[i] = True
            replaced += 1
    return replaced


@kernel
def _find_reachable(least: Any, wanted: int, left: Any) -> int:
    """The bin nearest to `wanted` within reach that has demand left; if there is none, gray's."""
    for distance in range(HUE_BINS // 2 + 1):
        for bin_ in ((wanted + distance) % HUE_BINS, (wanted - distance) % HUE_BINS):
            if least[bin_] >= 0 and left[bin_] > 0:
                return bin_
    return 0


def _list_shares(mode: HueMode) -> NDArray[np.float32]:
    """The share of its chroma that a pixel keeps, by the move of its hue in quarters of a bin."""
    cosine = np.cos(np.arange(4 * HUE_BINS) * (2 * np.pi / (4 * HUE_BINS)))
    share = cosine if mode == "score" else 2 * cosine
    return np.clip(share, 0, 1).astype(np.float32)


@kernel
def _fade(rgb: Any, chroma: Any, bins: Any, shares: Any) -> Any:
    """(N,) the chroma wanted at the new hue."""
    faded = np.zeros_like(chroma)
    for i in range(chroma.size):
        if chroma[i] > 0:
            red, green, blue = float(rgb[i, 0]), float(rgb[i, 1]), float(rgb[i, 2])
            moved = 4.0 * bins[i] - 120.0 * sector_of(red - green, blue - green)
            faded[i] = np.uint8(chroma[i] * shares[int(np.rint(moved)) % (4 * HUE_BINS)])
    return faded


@kernel
def _measure_chroma(rgb: Any) -> Any:
    """Max - min of each of (N, 3) colors."""
    chroma = np.empty(rgb.shape[0], dtype=np.uint8)
    for i in range(rgb.shape[0]):
        red, green, blue = rgb[i, 0], rgb[i, 1], rgb[i, 2]
        chroma[i] = max(red, max(green, blue)) - min(red, min(green, blue))
    return chroma


@kernel
def _paint(levels: Any, wanted: Any, bins: Any, tables: Any) -> Any:
    """(N, 3) colors of the given lumas and bins with the chroma nearest to the wanted one."""
    steps, shift, chroma, least, by_chroma = tables
    out = np.empty((levels.size, 3), dtype=np.uint8)
    for i in range(levels.size):
        level, bin_ = int(levels[i]), bins[i]
        best = least[level, bin_]
        for distance in range(max(int(wanted[i]) - chroma[best], 0)):
            near = by_chroma[bin_, wanted[i] - distance]
            if near >= 0 and shift[near] <= level <= 255 - chroma[near] + shift[near]:
                best = near
                break
        for channel in range(3):
            out[i, channel] = level - shift[best] + steps[best, channel]
    return out
