"""How well each method fills fresh holes in the photographs of a folder, and how fast.

    python -m benchmarks.fill FOLDER [--photos 100] [--holes 2] [--side 256]

Masked SSIM and SSIM are the score's own, on gray, with the true masks; differences are to the
harmonic surface, paired, with their standard error over photographs. Times are on one core. The
biharmonic surface is also compared with scikit-image's on holes away from the picture's edge.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic

from benchmarks.photos import Case, cases
from ensemble.arrays import Gray
from ensemble.damage.fill import fill_hole
from ensemble.metric.score import prepare_gray
from ensemble.vocabulary import FILLS

REFERENCE = "harmonic"
AWAY = 3
"""Pixels between a hole and the picture's edge; scikit-image has other equations at the edge."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--holes", type=int, default=2)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--against", type=int, default=10, help="holes solved by scikit-image too")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(options.folder.iterdir())[: options.photos]
    seeds = list(range(9001, 9001 + options.holes))
    found = list(cases(paths, side=options.side, seeds=seeds))
    lost = np.array([case.lost_mask.sum() for case in found])
    print(
        f"{len(paths)} photographs of {options.side} px, {options.holes} holes each: median "
        f"{np.median(lost):.0f} pixels lost, most {lost.max()}"
    )
    terms, seconds, fills = _measure(found)
    _report(terms, seconds, len(paths))
    _compare(found, fills["biharmonic"], options.against)


def _measure(
    found: list[Case],
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]], dict[str, list[Gray]]]:
    """Of each method, and of each two surfaces' mean: terms (N, 2), seconds (N,), pictures."""
    fills: dict[str, list[Gray]] = {}
    seconds: dict[str, NDArray[np.float64]] = {}
    for method in FILLS:
        fill_hole(found[0].damaged, found[0].lost_mask, method=method)
        times, fills[method] = [], []
        for case in found:
            start = time.thread_time()
            fills[method].append(fill_hole(case.damaged, case.lost_mask, method=method))
            times.append(time.thread_time() - start)
        seconds[method] = np.array(times)
    for one, other in combinations(FILLS[:4], 2):
        pairs = zip(fills[one], fills[other], strict=True)
        fills[f"{one} + {other}"] = [cv2.addWeighted(a, 0.5, b, 0.5, 0) for a, b in pairs]
    prepared = [prepare_gray(target=case.gray, lost_mask=case.lost_mask) for case in found]
    terms = {
        name: np.array(
            [
                [(found := one.score(picture)).ssim, found.masked_ssim]
                for one, picture in zip(prepared, pictures, strict=True)
            ]
        )
        for name, pictures in fills.items()
    }
    return terms, seconds, fills


def _report(
    terms: dict[str, NDArray[np.float64]], seconds: dict[str, NDArray[np.float64]], n_photos: int
) -> None:
    for name, values in terms.items():
        apart = (values - terms[REFERENCE])[:, 1].reshape(n_photos, -1).mean(axis=1)
        error = apart.std(ddof=1) / np.sqrt(n_photos)
        line = (
            f"{name:24} SSIM {values[:, 0].mean():.4f}  masked SSIM {values[:, 1].mean():.4f}  "
            f"({apart.mean():+.4f} +- {error:.4f})"
        )
        if name in seconds:
            times = 1e3 * seconds[name]
            line += f"  median {np.median(times):.1f} ms, longest {times.max():.0f} ms"
        print(line)


def _compare(found: list[Case], fills: list[Gray], limit: int) -> None:
    """Against scikit-image's biharmonic inpainting."""
    apart, ours, theirs = [0], 0.0, 0.0
    for case, filled in [pair for pair in zip(found, fills, strict=True) if _inside(pair[0])][
        :limit
    ]:
        start = time.thread_time()
        fill_hole(case.damaged, case.lost_mask, method="biharmonic")
        ours += time.thread_time() - start
        start = time.thread_time()
        due = inpaint_biharmonic(case.damaged / 255.0, case.lost_mask)
        theirs += time.thread_time() - start
        apart.append(int(np.abs(np.rint(due * 255) - filled).max()))
    if ours:
        print(
            f"scikit-image's biharmonic takes {theirs / ours:.1f} times as long and is at most "
            f"{max(apart)} gray levels apart"
        )


def _inside(case: Case) -> bool:
    border = np.ones_like(case.lost_mask)
    border[AWAY:-AWAY, AWAY:-AWAY] = False
    return not (case.lost_mask & border).any()


if __name__ == "__main__":
    main()
