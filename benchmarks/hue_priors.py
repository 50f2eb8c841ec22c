"""Which hue histogram to want: one for all, a ridge's, a histogram network's, or a mix.

    python benchmarks/hue_priors.py WORK [--member histogram-resnet18]

WORK is a workspace in which `ens train` has trained the member on every fold. Each photograph is
predicted by what learned without its fold: the network's archived predictions (mean of two views),
and priors fitted to the other folds' photographs. Printed is the mean correlation with the truth's
histogram, fold by fold.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.arrays import luma
from ensemble.blending.evidence import fit_priors
from ensemble.composition.hue_target import centered, hue_histogram, lift
from ensemble.config import load_config
from ensemble.oof.archive import Archive
from ensemble.project import Project
from ensemble.workspace import Workspace

SHARES = (0.2, 0.35, 0.5, 0.7)

Histograms = NDArray[np.float64]


def histograms(project: Project, ids: tuple[str, ...]) -> Histograms:
    return np.stack([hue_histogram(project.competition.target(i)) for i in ids])


def of_network(project: Project, member: str, fold: int) -> Histograms:
    archive = Archive(project.workspace.oof_dir("colorization", member, fold))
    views = ("identity", "hflip")
    return np.stack(
        [
            centered(np.stack([archive.read(i, view) for view in views])).mean(axis=0)
            for i in project.folds.validation(fold)
        ]
    )


def guesses(project: Project, member: str, fold: int) -> dict[str, Histograms]:
    """By name, (N, 180) or (180,) for the validation photographs of a fold."""
    ids = project.folds.validation(fold)
    prior = fit_priors(project, [fold], threads=2)[fold]
    ridge = centered(np.stack([prior.predict(luma(project.competition.target(i))) for i in ids]))
    network = centered(of_network(project, member, fold))
    return {
        "one for all": lift(
            centered(histograms(project, project.folds.training(fold))).mean(axis=0)
        ),
        "ridge": ridge,
        member: network,
        **{
            f"ridge, {share} of {member}": (1 - share) * ridge + share * network for share in SHARES
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--member", default="histogram-resnet18")
    options = parser.parse_args()
    workspace = Workspace(options.work)
    project = Project.open(workspace, load_config(workspace.config_file))
    for fold in range(project.folds.n_folds):
        truth = centered(histograms(project, project.folds.validation(fold)))
        for name, guess in guesses(project, options.member, fold).items():
            correlation = (truth * centered(guess)).sum(axis=-1)
            print(f"fold {fold}  {name:36s} {correlation.mean():.4f}", flush=True)


if __name__ == "__main__":
    main()
