"""How well and how fast `locate_hole` finds fresh damage in the photographs of a folder.

    python -m benchmarks.locate FOLDER [--skip 600] [--damages 3] [--first-seed 1001]

`--skip 600` leaves out the photographs that the shipped nets were fitted on.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.photos import Case, cases, intersection_over_union
from ensemble.damage.locate import locate_hole

SIDES = (256, 512)
GOOD = 0.99


@dataclass(frozen=True)
class Outcome:
    name: str
    seed: int
    overlap: float
    doubtful: bool
    seconds: float


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
    return Outcome(case.name, case.seed, overlap, located.doubtful, seconds)


def _report(side: int, outcomes: list[Outcome]) -> None:
    overlap = np.array([outcome.overlap for outcome in outcomes])
    flagged = np.array([outcome.doubtful for outcome in outcomes])
    failed = overlap < GOOD
    milliseconds = 1e3 * np.array([outcome.seconds for outcome in outcomes])
    caught = f"{(failed & flagged).sum()} of {failed.sum()}"
    print(
        f"{side} px: IoU >= {GOOD} on {100 * (1 - failed.mean()):.2f} %, "
        f"mean {overlap.mean():.4f}; "
        f"flagged {100 * flagged.mean():.2f} %, failures flagged {caught}; "
        f"median {np.median(milliseconds):.2f} ms, mean {milliseconds.mean():.2f} ms a picture"
    )


if __name__ == "__main__":
    main()
