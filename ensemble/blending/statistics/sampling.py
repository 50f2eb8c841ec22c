"""Draw the windows, lost pixels and hue pixels of a photograph that a search reads."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Mask
from ensemble.metric.ssim import WINDOW
from ensemble.parallel import seed_of

Indices = NDArray[np.int64]

ENOUGH = 300
MOST_TIMES = 4.0

IDLE_SHARE = 4
"""One window in this many is drawn where all candidates are equal, if there is such a place."""


@dataclass(frozen=True)
class Plan:
    """How much of each photograph a search reads.

    With the defaults candidates rank as whole pictures do (see docs/blending.md), at some 300 kB a
    photograph for 12 member-views in color.
    """

    windows: int = 64  # 7 x 7 windows for the SSIM
    runs: int = 48  # stretches of lost pixels along the scan line for the masked SSIM
    run_length: int = 16  # pixels of such a stretch, at least 7; it holds `run_length - 6` windows
    hue_pixels: int = 4096  # pixels for the hue histogram
    seed: int = 0

    @classmethod
    def for_photographs(cls, count: int, *, seed: int) -> Plan:
        """The defaults, or up to four times as much of each of fewer than 300 photographs."""
        times = min(MOST_TIMES, max(1.0, ENOUGH / max(count, 1)))
        windows, runs, hue_pixels = (
            round(times * size) for size in (cls.windows, cls.runs, cls.hue_pixels)
        )
        return cls(windows=windows, runs=runs, hue_pixels=hue_pixels, seed=seed)


@dataclass(frozen=True)
class Places:
    """Flat pixel indices of what was drawn of one photograph."""

    windows: Indices  # (n, 49) pixels of each window
    shares: NDArray[np.float32]  # (n,) share of each window in the mean over all windows, sum 1
    active: NDArray[np.bool_]  # (n,) whether candidates may differ in the window
    # (R, L) lost pixels in raster order; a hole smaller than L fills only the first ones
    runs: Indices
    run_length: int  # lost pixels of each run that count, at most L
    hue: Indices  # (n_hue,)


def draw_places(
    plan: Plan, *, image_id: str, lost_mask: Mask, free: Mask | None, with_hue: bool
) -> Places:
    """Draw the places of one photograph, by the plan's seed and its name.

    Windows where candidates can differ and windows where they cannot (outside a hole that is pasted
    back) are drawn separately, evenly over the picture, and weighted by their areas. `lost_mask`,
    (H, W), is the true one, of 7 pixels at least; `free`, (H, W), is where candidates can differ,
    None for everywhere.
    """
    rng = np.random.default_rng(seed_of(plan.seed, image_id, bits=128))
    height, width = lost_mask.shape
    corners, shares, active = _draw_windows(plan, rng, (height, width), free)
    offsets = np.add.outer(np.arange(WINDOW) * width, np.arange(WINDOW)).ravel()
    lost = np.flatnonzero(lost_mask)
    length = min(plan.run_length, lost.size)
    starts = spread(rng, lost.size - length + 1, plan.runs)
    within = np.minimum(np.arange(plan.run_length), length - 1)
    hue = spread(rng, height * width, plan.hue_pixels) if with_hue else np.empty(0, np.int64)
    return Places(
        windows=corners[:, None] + offsets,
        shares=shares,
        active=active,
        runs=lost[starts[:, None] + within],
        run_length=length,
        hue=hue,
    )


def spread(rng: np.random.Generator, size: int, count: int) -> Indices:
    """Draw `count` of 0..size-1, one in each of `count` equal stretches.

    Where `count` exceeds `size`, all are drawn and some repeat.
    """
    edges = np.arange(count) * (size / count)
    drawn = np.floor(edges + rng.uniform(size=count) * (size / count)).astype(np.int64)
    return np.minimum(drawn, size - 1)


def _draw_windows(
    plan: Plan, rng: np.random.Generator, shape: tuple[int, int], free: Mask | None
) -> tuple[Indices, NDArray[np.float32], NDArray[np.bool_]]:
    """Top left pixels of windows, their shares, and whether they are active."""
    active = _find_active_windows(shape, free)
    halves = [np.flatnonzero(active), np.flatnonzero(~active)]
    counts = _split_count(plan.windows, [half.size for half in halves])
    corners, shares, flags = [], [], []
    for half, count, flag in zip(halves, counts, (True, False), strict=True):
        if count:
            corners.append(half[spread(rng, half.size, count)])
            shares.append(np.full(count, half.size / active.size / count))
            flags.append(np.full(count, flag))
    rows, columns = np.divmod(np.concatenate(corners), active.shape[1])
    each = np.concatenate(shares).astype(np.float32)
    return rows * shape[1] + columns, each, np.concatenate(flags)


def _split_count(windows: int, sizes: list[int]) -> tuple[int, int]:
    """How many windows are drawn of the active and of the other ones."""
    if sizes[0] == 0:
        return 0, windows
    if sizes[1] == 0 or windows == 1:
        return windows, 0
    idle = max(1, windows // IDLE_SHARE)
    return windows - idle, idle


def _find_active_windows(shape: tuple[int, int], free: Mask | None) -> Mask:
    """(H - 6, W - 6) bool by top left pixel: whether the window touches a free pixel."""
    rows, columns = shape[0] - WINDOW + 1, shape[1] - WINDOW + 1
    if free is None:
        return np.ones((rows, columns), dtype=np.bool_)
    touched = cv2.dilate(free.astype(np.uint8), np.ones((WINDOW, WINDOW), np.uint8))
    half = WINDOW // 2
    return np.asarray(touched[half : half + rows, half : half + columns], dtype=np.bool_)
