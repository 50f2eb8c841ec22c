"""What the training-free preset costs: from `ens folds` to the verified zip, step by step.

    python benchmarks/training_free.py PHOTOS --work WORK [--size 256] [--cold]

PHOTOS is a folder of some hundred photographs at least. The last 100 names are the test set of a
workspace in WORK, the others its training set, each with one hole. The photographs are made once;
what an earlier call of this script made of them is removed. Then the commands of `ens` run as a
user types them, each in a process of its own. The table says what each took, and what the zip
scores.

--cold compiles all kernels anew, as the first use after an installation does.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.full_scale import make_table
from benchmarks.measured import run_measured
from ensemble.arrays import luma
from ensemble.config_text import config_text
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.data.layout import TEST_INPUT, TEST_TARGET, TRAIN_GT, TRAIN_INPUT
from ensemble.data.png import write_png
from ensemble.files import atomic_write
from ensemble.presets import preset_config
from ensemble.workspace import Workspace

HELD_OUT = 100
STEPS = ("folds", "oof", "blend", "submit")


def make_workspace(photos: Path, work: Path, size: int) -> Workspace:
    """A workspace of these photographs and nothing else; those that are there already stay."""
    workspace = Workspace(work)
    files = sorted(path for path in photos.iterdir() if path.suffix in {".jpg", ".jpeg", ".png"})
    if len(files) < 2 * HELD_OUT:
        raise SystemExit(f"{photos} must hold {2 * HELD_OUT} photographs, but holds {len(files)}")
    for path in work.iterdir() if work.is_dir() else ():
        if path != workspace.data:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for index, file in enumerate(files):
        held_out = index >= len(files) - HELD_OUT
        rooms = (TEST_TARGET, TEST_INPUT) if held_out else (TRAIN_GT, TRAIN_INPUT)
        target_file, damaged_file = (workspace.data / room / f"{file.stem}.png" for room in rooms)
        if damaged_file.exists():
            continue
        image = Image.open(file).convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
        target = np.asarray(image)
        damage = draw_damage(size=(size, size), seed=index)
        write_png(target_file, target)
        write_png(damaged_file, apply_damage(luma(target), damage))
    config = preset_config("training-free").replace("data", size=size)
    atomic_write(workspace.config_file, config_text(config))
    return workspace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--cold", action="store_true")
    options = parser.parse_args()
    workspace = make_workspace(options.photos, options.work, options.size)
    if options.cold:
        os.environ["NUMBA_CACHE_DIR"] = str(workspace.root / "kernels")
    ens = [sys.executable, "-m", "ensemble.cli.app", "--root", str(workspace.root)]
    figures = {step: vars(run_measured([*ens, step])) for step in STEPS}
    made = json.loads(workspace.submission_file("submission").with_suffix(".json").read_text())
    total = sum(found["seconds"] for found in figures.values())
    print(make_table(figures))
    print(f"{total:.0f} s in all; score of the zip: {made['facts']['score']['score']:.4f}")


if __name__ == "__main__":
    main()
