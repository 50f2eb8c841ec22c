"""Does `ens predict` take a region of a whole photograph for a hole, or miss a hole?

    python benchmarks/whole_photographs.py FOLDER

Each photograph of the folder is searched as it is, and damaged as the competition's generator
does it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.damage.locate import locate_hole
from ensemble.data.picture import list_pictures, read_picture
from ensemble.parallel import map_in_order
from ensemble.submission.predict import LEAST_CONFIDENCE


def confidences(job: tuple[int, Path]) -> tuple[float, float]:
    """The locator's confidence in a whole photograph, and in the damaged one."""
    seed, path = job
    gray = read_picture(path)
    damage = draw_damage(size=gray.shape, seed=seed)
    return locate_hole(gray).confidence, locate_hole(apply_damage(gray, damage)).confidence


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path)
    files = list_pictures(parser.parse_args().photographs)
    whole, damaged = np.array(list(map_in_order(confidences, enumerate(files)))).T
    print(f"{len(files)} photographs, a hole is taken from a confidence of {LEAST_CONFIDENCE}")
    print(f"whole, taken for damaged: {(whole >= LEAST_CONFIDENCE).sum()}, most {whole.max():.3f}")
    print(f"damaged, taken for whole: {(damaged < LEAST_CONFIDENCE).sum()}")


if __name__ == "__main__":
    main()
