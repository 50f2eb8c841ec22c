"""Samples a second: the public generator's way, one damage a seed, and the polygon bank.

    python -m benchmarks.damage [--size 512] [--samples 1500]

Each sample is a lost mask laid into a gray picture. One core; the ratios come from one run, in
which the three take turns.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

import cv2
import numpy as np

from ensemble.damage.bank import PolygonBank, make_bank
from ensemble.damage.draw import draw_damage
from tests.reference.damage_rule import literal_damage

ROUNDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--samples", type=int, default=1500)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    side = options.size
    start = time.perf_counter()
    bank = make_bank(0)
    print(f"bank drawn once in {time.perf_counter() - start:.2f} s")
    ways = _ways(side, bank)
    for way in ways.values():
        way(0)  # compiles
    seconds = dict.fromkeys(ways, 0.0)
    for turn in range(ROUNDS):
        for name, way in ways.items():
            start = time.process_time()
            for index in range(options.samples // ROUNDS):
                way(turn * options.samples + index)
            seconds[name] += time.process_time() - start
    samples = options.samples // ROUNDS * ROUNDS
    for name, total in seconds.items():
        ratio = seconds["literal generator"] / total
        print(f"{name:20s} {samples / total:9.0f} samples/s  {ratio:6.1f}x  at {side} px")


def _ways(side: int, bank: PolygonBank) -> dict[str, Callable[[int], None]]:
    gray = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    rng = np.random.default_rng(1)

    def literal(seed: int) -> None:
        random.seed(seed)
        damage = literal_damage(side=side, min_side=round(50 * side / 512))
        damaged = gray.copy()
        damaged[damage.mask] = damage.fill

    def seeded(seed: int) -> None:
        damage = draw_damage(size=(side, side), seed=seed)
        damaged = gray.copy()
        damaged[damage.lost_mask()] = damage.fill

    def banked(_: int) -> None:
        damage, mask = bank.draw(rng, size=(side, side))
        damaged = gray.copy()
        cv2.copyTo(np.full_like(gray, damage.fill), mask.view(np.uint8), damaged)

    return {"literal generator": literal, "draw_damage": seeded, "polygon bank": banked}


if __name__ == "__main__":
    main()
