"""What each step of composition gains, on photographs that nothing was trained or tuned on.

    python benchmarks/composition.py PHOTOS [--size 128] [--epochs 2] [--work DIR] [--views 2]
                                     [--free-only] [--table FILE]

PHOTOS is a folder of photographs. The last 100 names are held out: they are the test set of a
workspace in DIR (kept, so that a second run trains nothing again), the others its training set.
The six networks are trained from random weights on two folds, the slides' way; then the slides'
composition is scored on the held-out photographs, and each step is added in turn.
`--free-only` scores the training-free pipeline alone: no network, no training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.composition_steps import STEPS, TRAINING_FREE, Step, answers, step_config
from ensemble.arrays import luma
from ensemble.config import Config
from ensemble.config_text import config_text
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.data.competition import Competition
from ensemble.data.folds_csv import write_folds
from ensemble.data.png import read_rgb, write_png
from ensemble.files import atomic_write
from ensemble.metric.score import score
from ensemble.project import Project
from ensemble.report.sheets import draw_contact_sheet
from ensemble.workspace import Workspace
from tests.reference.dealt import deal

HELD_OUT = 100
N_FOLDS = 2
SHEET = 12


@dataclass(frozen=True)
class Result:
    """One step's pictures and terms: (N, 4), of score, ssim, masked_ssim and hue."""

    step: Step
    pictures: list[NDArray[np.uint8]]
    terms: NDArray[np.float64]


def prepare(photos: Path, work: Path, size: int, config: Config) -> Project:
    """A workspace of these photographs; what is there already stays."""
    workspace = Workspace(work)
    files = sorted(path for path in photos.iterdir() if path.suffix in {".jpg", ".jpeg", ".png"})
    if len(files) < 2 * HELD_OUT:
        raise SystemExit(f"{photos} must hold {2 * HELD_OUT} photographs, but holds {len(files)}")
    for index, file in enumerate(files):
        held_out = index >= len(files) - HELD_OUT
        folder = workspace.data / ("test_target" if held_out else "train_gt")
        if not (folder / f"{file.stem}.png").exists():
            write_photograph(workspace, folder, file, size, seed=index if held_out else None)
    atomic_write(workspace.config_file, config_text(config))
    if not workspace.folds_file.exists():
        ids = Competition.load(workspace.data, size=size, seed=config.seed).train_ids
        write_folds(workspace.folds_file, deal(ids, N_FOLDS))
    return Project.open(workspace, config)


def write_photograph(
    workspace: Workspace, folder: Path, file: Path, size: int, seed: int | None
) -> None:
    image = Image.open(file).convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
    target = np.asarray(image)
    write_png(folder / f"{file.stem}.png", target)
    if seed is not None:
        damage = draw_damage(size=(size, size), seed=seed)
        damaged = apply_damage(luma(target), damage)
        write_png(workspace.data / "test_input" / f"{file.stem}.png", damaged)


def measure(project: Project, steps: Sequence[Step], views: int) -> list[Result]:
    competition = project.competition
    targets = {
        i: read_rgb(project.workspace.data / "test_target" / f"{i}.png")
        for i in competition.test_ids
    }
    results = []
    for step, pictures in answers(project, steps, views=views):
        terms = []
        for image_id, picture in zip(competition.test_ids, pictures, strict=True):
            mask = competition.test_input(image_id) != luma(targets[image_id])
            one = score(pred=picture, target=targets[image_id], lost_mask=mask, name=image_id)
            terms.append([one.score, one.ssim, one.masked_ssim, one.hue])
        results.append(Result(step, pictures, np.array(terms)))
        print(f"{step.name}: {results[-1].terms[:, 0].mean():.4f}", flush=True)
    return results


def rows_of(results: Sequence[Result]) -> list[list[str]]:
    """Each step's means, its gain over the one before, and the paired standard error of that."""
    rows, before = [], results[0].terms[:, 0]
    for result in results:
        means = result.terms.mean(axis=0)
        gain = result.terms[:, 0] - before
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        change = "" if result is results[0] else f"{gain.mean():+.4f} ± {error:.4f}"
        rows.append([result.step.name, *(f"{m:.4f}" for m in means[[1, 2, 3, 0]]), change])
        before = result.terms[:, 0]
    return rows


HEADINGS = ["pipeline", "ssim", "masked_ssim", "hue", "score", "gain over the row above"]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = [HEADINGS, ["---"] * len(HEADINGS), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_sheet(path: Path, project: Project, results: Sequence[Result]) -> None:
    ids = project.competition.test_ids[:SHEET]
    rows = [
        [
            project.competition.test_input(image_id),
            *(result.pictures[row] for result in results),
            read_rgb(project.workspace.data / "test_target" / f"{image_id}.png"),
        ]
        for row, image_id in enumerate(ids)
    ]
    headings = ["input", *(result.step.short for result in results), "truth"]
    write_png(path, draw_contact_sheet(rows, headings=headings, captions=list(ids)))


def train(project: Project) -> None:
    from ensemble.jobs.plan import plan
    from ensemble.jobs.run import run_job

    for job in plan(project, range(N_FOLDS)):
        outcome = run_job(job, project)
        print(f"{job}: val_score {outcome.val_score}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("composition-work"))
    parser.add_argument("--views", type=int, default=2, choices=(1, 2, 4))
    parser.add_argument("--free-only", action="store_true")
    parser.add_argument("--table", type=Path, help="Markdown file to write the table to.")
    options = parser.parse_args()
    config = step_config(size=options.size, epochs=options.epochs, free=options.free_only)
    project = prepare(options.photos, options.work, options.size, config)
    if not options.free_only:
        train(project)
    steps = [TRAINING_FREE] if options.free_only else [*STEPS, TRAINING_FREE]
    results = measure(project, steps, options.views)
    rows = rows_of(results)
    table = Table(*HEADINGS)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    if options.table:
        atomic_write(options.table, markdown(rows))
    shown = [result for result in results if result.step.shown]
    write_sheet(options.work / "composition.png", project, shown)


if __name__ == "__main__":
    main()
