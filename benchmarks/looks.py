"""`score` and `natural` side by side, on photographs that ship with scikit-image.

    python benchmarks/looks.py WORK [--size 256] [--out docs/looks.jpg]

WORK is the workspace of `benchmarks/composition.py`, with its trained networks: none of them has
seen these photographs. Holes are drawn afresh and located, not known; both inpaintings restore.
Each photograph is colored twice: by the three colorization networks of both folds in two views,
and by a stand-in for a good colorizer, the truth's own colors blurred and faded. Half of the
wanted histogram is the prior's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import skimage.data
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.composition_steps import COLORIZERS, INPAINTING
from benchmarks.stand_in import alone, stand_in
from ensemble.arrays import Gray, Rgb, luma
from ensemble.blending.evidence import fit_priors
from ensemble.composition.blend import Colors, blend_colors, blend_gray, compose_answer
from ensemble.composition.compose import compose_gray
from ensemble.composition.recipe import Composition, StageRecipe
from ensemble.config import load_config
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.damage.locate import locate_hole
from ensemble.inference.predictor import Shown
from ensemble.oof.priors import Priors, unfitted_priors
from ensemble.project import Project
from ensemble.report.sheets import draw_contact_sheet
from ensemble.submission.chain import StageSource
from ensemble.vocabulary import FULL, VIEWS
from ensemble.workspace import Workspace

PHOTOGRAPHS = ("astronaut", "coffee")
PRIOR_WEIGHT = 0.5
FADED = 0.7
HUES: tuple[Literal["none", "score", "natural"], ...] = ("none", "score", "natural")
HEADINGS = ("input", "luma lock, no transport", "hue: score", "hue: natural", "truth")


def photograph(name: str, side: int) -> Rgb:
    whole: Rgb = getattr(skimage.data, name)()
    short = min(whole.shape[:2])
    top, left = ((length - short) // 2 for length in whole.shape[:2])
    square = whole[top : top + short, left : left + short]
    resized: Rgb = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
    return resized


def colored(project: Project, gray: Gray, folds: range) -> Colors:
    """What the colorization networks of all folds make of a restored gray."""
    recipe = StageRecipe.plain_mean(list(COLORIZERS), VIEWS[:2])
    whole = np.zeros(gray.shape, dtype=np.bool_)
    of_folds = []
    for fold in folds:
        said = StageSource.open(project, "colorization", recipe, fold).predict(
            [""], Shown(gray[None], whole[None])
        )
        of_folds.append(blend_colors(recipe, said[0], Composition()))
    total = of_folds[0]
    for one in of_folds[1:]:
        total = total + one
    return total


def rows(project: Project, priors: Priors, target: Rgb, seed: int) -> list[list[np.ndarray]]:
    """A photograph's pictures, one for each of `HEADINGS`: by the networks, by the stand-in."""
    damaged = apply_damage(luma(target), draw_damage(size=target.shape[:2], seed=seed))
    hole = locate_hole(damaged).lost_mask
    recipe = StageRecipe.plain_mean(list(INPAINTING), VIEWS[:1])
    said = StageSource.open(project, "restoration", recipe, 0).predict(
        [""], Shown(damaged[None], hole[None])
    )
    blend = blend_gray(recipe, said[0], hole)
    gray = compose_gray(blend=blend, damaged=damaged, lost_mask=hole, options=Composition())
    prior = priors.predict(FULL, gray)
    faded = stand_in(target, gray, share=FADED, blur=1 / 64)
    both = colored(project, gray, range(project.folds.n_folds)), alone(faded)
    return [[damaged, *looks(colors, gray, prior), target] for colors in both]


def looks(colors: Colors, gray: Gray, prior: np.ndarray) -> list[Rgb]:
    every = [Composition(hue=hue, prior_weight=PRIOR_WEIGHT) for hue in HUES]
    return [compose_answer(colors, gray=gray, prior=prior, options=options) for options in every]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--out", type=Path, default=Path("docs/looks.jpg"))
    options = parser.parse_args()
    workspace = Workspace(options.work)
    project = Project.open(workspace, load_config(workspace.config_file))
    priors = fit_priors(project, range(project.folds.n_folds), unfitted_priors(project))
    pictures, captions = [], []
    for seed, name in enumerate(PHOTOGRAPHS):
        pictures += rows(project, priors, photograph(name, options.size), seed)
        captions += [f"{name}, networks of a few minutes' training", f"{name}, stand-in"]
    sheet = draw_contact_sheet(pictures, headings=HEADINGS, captions=captions)
    Image.fromarray(sheet).save(options.out, quality=88)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
