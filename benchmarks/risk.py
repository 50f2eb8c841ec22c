"""Whether least expected loss, or more contrast, beats the members' mean: masked SSIM, gray.

    python benchmarks/risk.py PHOTOS [--held-out 100] [--photos 250]
    python benchmarks/risk.py WORK [--fold 0]

From the mean of the answers (PHOTOS: of the classical fills, to fresh holes; WORK: of every
restoration member and view that is archived for a fold) the pixels in the hole ascend the mean
masked SSIM to the answers, as `ensemble.composition.minimum_risk` does. Printed after some steps:
the mean masked SSIM to the truth, the difference to the mean of the answers with its paired
standard error, and what was ascended: the masked SSIM to the answers. Then the mean with its
contrast in the hole multiplied: its difference to a blur, times a gain that falls from the rim
inwards. Answers are pasted back.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.photos import cases
from ensemble.arrays import Gray, Mask, luma
from ensemble.composition.minimum_risk import _ascend
from ensemble.config import load_config
from ensemble.damage.fill import fill_hole
from ensemble.metric.score import PreparedTarget, prepare_gray
from ensemble.oof.predictions import ArchivedPredictions
from ensemble.project import Project
from ensemble.workspace import Workspace
from tests.reference.expected_ssim import expected_ssim

FILLS = ("spline", "biharmonic", "navier-stokes", "rows")
STEPS = (0, 10, 30, 100)
GAINS = ((1.25, 1.0), (1.5, 1.0), (1.5, 0.5), (1.25, 1.25), (1.5, 1.5), (2.0, 2.0), (1.0, 0.5))
"""At the rim, and deep in the hole."""
BLUR, DECAY = 2 / 256, 6 / 256
"""The blur's standard deviation, and the depth at which the gain has fallen to 1/e, of the side."""

Shown = tuple[Gray, Mask, NDArray[np.uint8]]
"""The truth (H, W), what is lost of it, and the answers (K, H, W)."""


def fill_photographs(
    folder: Path, held_out: int, count: int, methods: list[str]
) -> Iterator[Shown]:
    paths = sorted(folder.iterdir())[:-held_out]
    for case in cases(paths[:: max(1, len(paths) // count)], side=256, seeds=[9001]):
        fills = [fill_hole(case.damaged, case.lost_mask, method=method) for method in methods]
        yield case.gray, case.lost_mask, np.stack(fills)


def read_archives(work: Path, fold: int) -> Iterator[Shown]:
    workspace = Workspace(work)
    project = Project.open(workspace, load_config(workspace.config_file))
    members = project.members("restoration")
    print("members:", ", ".join(member.name for member in members))
    archived = ArchivedPredictions(project, members, [fold])
    for image_id in archived.image_ids:
        sample = project.competition.train_sample(image_id)
        located = project.photographs.located(image_id)
        answers = [
            np.where(located, archived.read(image_id, member.name, view), sample.damaged)
            for member in members
            for view in member.views
        ]
        yield luma(sample.target), sample.lost_mask, np.stack(answers)


def ascend(answers: NDArray[np.uint8], lost: Mask) -> Iterator[tuple[NDArray[np.float32], float]]:
    """After each number of `STEPS`, the picture and its mean masked SSIM to the answers."""
    shares = np.full(len(answers), 1 / len(answers))
    pixels = answers[:, lost].astype(np.float64)
    mean = answers.mean(axis=0, dtype=np.float32)
    for steps in STEPS:
        found = _ascend(mean[lost].astype(np.float64), pixels, shares, steps)
        picture = mean.copy()
        picture[lost] = found
        yield picture, expected_ssim(found, pixels, shares)[0]


def add_contrast(mean: NDArray[np.float32], lost: Mask, gains: tuple[float, float]) -> Any:
    side = mean.shape[0]
    around = np.pad(lost, 1, mode="edge").astype(np.uint8)
    depth = cv2.distanceTransform(around, cv2.DIST_L2, 5)[1:-1, 1:-1] / side
    rim, deep = gains
    gain = deep + (rim - deep) * np.exp(-depth / DECAY)
    blurred = cv2.GaussianBlur(mean, (0, 0), BLUR * side)
    return np.where(lost, mean + (gain - 1) * (mean - blurred), mean)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--photos", type=int, default=250)
    parser.add_argument("--fills", nargs="+", default=FILLS)
    parser.add_argument("--fold", type=int, default=0)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if Workspace(options.folder).config_file.exists():
        shown = read_archives(options.folder, options.fold)
    else:
        shown = fill_photographs(options.folder, options.held_out, options.photos, options.fills)
    rows, contrasts, singles = [], [], []
    for gray, lost, answers in shown:
        truth = prepare_gray(target=gray, lost_mask=lost)
        row = []
        for picture, reached in ascend(answers, lost):
            row.append((_score(truth, picture), reached))
        rows.append(row)
        singles.append([_score(truth, answer) for answer in answers])
        mean = answers.mean(axis=0, dtype=np.float32)
        contrasts.append([_score(truth, add_contrast(mean, lost, pair)) for pair in GAINS])
    terms = np.array(rows)
    print(f"{len(terms)} photographs")
    plain = terms[:, 0, 0]
    for index, step in enumerate(STEPS):
        line = _compare(f"{step} steps", terms[:, index, 0], plain)
        print(f"{line}, to the answers {terms[:, index, 1].mean():.4f}")
    best = np.array(singles).T[np.mean(singles, axis=0).argmax()]
    print(_compare("the best answer", best, plain))
    print(_compare(f"{max(STEPS)} steps, to it", terms[:, -1, 0], best))
    for (rim, deep), found in zip(GAINS, np.array(contrasts).T, strict=True):
        print(_compare(f"contrast {rim:g} to {deep:g}", found, plain))


def _score(truth: PreparedTarget, picture: NDArray[Any]) -> float:
    return truth.score(np.rint(picture.clip(0, 255)).astype(np.uint8)).masked_ssim


def _compare(name: str, found: NDArray[np.float64], plain: NDArray[np.float64]) -> str:
    gain = found - plain
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    return f"{name:20s} masked SSIM {found.mean():.4f} ({gain.mean():+.4f} +- {error:.4f})"


if __name__ == "__main__":
    main()
