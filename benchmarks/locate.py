"""How well and how fast `locate_hole` finds fresh damage in the photographs of a folder.

    python -m benchmarks.locate FOLDER [--skip 600] [--damages 3] [--first-seed 1001]

`--skip 600` leaves out the photographs that the shipped nets were fitted on. Score lost: what the
total score (0.2 SSIM + 0.4 masked SSIM of the harmonic prefill) loses against the true mask.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.photos import Case, cases, intersection_over_union
from ensemble.arrays import Mask
from ensemble.damage.fill import fill_hole
from ensemble.damage.locate import locate_hole
from ensemble.metric.score import gray_score

SIDES = (256, 512)
GOOD = 0.99


@dataclass(frozen=True)
class Outcome:
    name: str
    seed: int
    overlap: float
    doubtful: bool
    seconds: float
    score_lost: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--skip", type=int, default=600)
    parser.add_argument("--damages", type=int, default=3)
    parser.add_argument("--photos", type=int, help="how many after those skipped; all by default")
    parser.add_argument("--first-seed", type=int, default=1001)
    parser.add_argument("--failures", action="store_true", help="list every IoU under 0.99")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(options.folder.iterdir())[options.skip :][: options.photos]
    seeds = list(range(options.first_seed, options.first_seed + options.damages))
    print(f"{len(paths)} photographs, {len(seeds)} damages each")
    for side in SIDES:
        outcomes = [_locate(case) for case in cases(paths, side=side, seeds=seeds)]
        _report(side, outcomes)
        if options.failures:
            for outcome in outcomes:
                if outcome.overlap < GOOD:
                    print(f"  {outcome}")


def _locate(case: Case) -> Outcome:
    start = time.thread_time()
    located = locate_hole(case.damaged)
    seconds = time.thread_time() - start
    overlap = intersection_over_union(located.lost_mask, case.lost_mask)
    lost = _score(case, case.lost_mask) - _score(case, located.lost_mask) if overlap < 1.0 else 0.0
    return Outcome(case.name, case.seed, overlap, located.doubtful, seconds, lost)


def _score(case: Case, lost_mask: Mask) -> float:
    """What the harmonic prefill of this mask adds to the total score."""
    filled = fill_hole(case.damaged, lost_mask, method="harmonic")
    found = gray_score(pred=filled, target=case.gray, lost_mask=case.lost_mask)
    return 0.2 * found.ssim + 0.4 * found.masked_ssim


def _report(side: int, outcomes: list[Outcome]) -> None:
    overlap = np.array([outcome.overlap for outcome in outcomes])
    flagged = np.array([outcome.doubtful for outcome in outcomes])
    failed = overlap < GOOD
    milliseconds = 1e3 * np.array([outcome.seconds for outcome in outcomes])
    caught = f"{(failed & flagged).sum()} of {failed.sum()}"
    lost = np.array([outcome.score_lost for outcome in outcomes])
    names = np.array([outcome.name for outcome in outcomes])
    by_photo = np.array([lost[names == name].mean() for name in np.unique(names)])
    error = by_photo.std(ddof=1) / np.sqrt(len(by_photo))
    print(
        f"{side} px: IoU >= {GOOD} on {100 * (1 - failed.mean()):.2f} %, "
        f"mean {overlap.mean():.4f}; "
        f"flagged {100 * flagged.mean():.2f} %, failures flagged {caught}; "
        f"median {np.median(milliseconds):.2f} ms, mean {milliseconds.mean():.2f} ms a picture; "
        f"score lost {lost.mean():.6f} +- {error:.6f}"
    )


if __name__ == "__main__":
    main()
