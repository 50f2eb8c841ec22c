"""Which hue histogram to want: one for all, a ridge's, a histogram network's, or a mix.

    python benchmarks/hue_priors.py PHOTOS [--held-out 100] [--repeats 2] [--encoder NAME ...]
    python benchmarks/hue_priors.py WORK [--member histogram-resnet18]

PHOTOS is a folder of photographs, the last of which by name are left out: what each part of the
prior gains over the others in five folds, drawn anew each time, with paired standard errors over
photographs. Each encoder of timm, whose weights must be at hand, is a row over the last part. WORK
is a workspace in which `ens train` has trained the member on every fold. Each photograph is
predicted by what learned without its fold: the network's archived predictions (mean of two views),
and priors fitted to the other folds' photographs. Printed is the mean correlation with the truth's
histogram, fold by fold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.arrays import luma
from ensemble.blending.evidence import fit_priors
from ensemble.composition import hue_prior
from ensemble.composition.hue_prior import (
    HuePrior,
    count_inner_hues,
    gray_statistics,
    share_extremes,
)
from ensemble.composition.hue_target import centered, hue_histogram, lift
from ensemble.config import load_config
from ensemble.networks.gray_encoder import GrayEncoder
from ensemble.oof.archive import Archive
from ensemble.oof.priors import unfitted_priors
from ensemble.project import Project
from ensemble.workspace import Workspace

SHARES = (0.2, 0.35, 0.5, 0.7)
N_FOLDS = 5
N_PARTS = 5
"""Each is compared with the one before; encoders, which come after, with the last."""
PLAIN = slice(0, 124)
"""The statistics that are not counts of patterns."""

Histograms = NDArray[np.float64]
Guess = Callable[[NDArray[np.int64], NDArray[np.int64]], Histograms]
"""From the rows to learn from and those to predict, the wanted histograms."""


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
    priors = fit_priors(project, [fold], unfitted_priors(project))
    ridge = centered(
        np.stack([priors.predict(fold, luma(project.competition.target(i))) for i in ids])
    )
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


def compare_networks(work: Path, member: str) -> None:
    workspace = Workspace(work)
    project = Project.open(workspace, load_config(workspace.config_file))
    for fold in range(project.folds.n_folds):
        truth = centered(histograms(project, project.folds.validation(fold)))
        for name, guess in guesses(project, member, fold).items():
            correlation = (truth * centered(guess)).sum(axis=-1)
            print(f"fold {fold}  {name:36s} {correlation.mean():.4f}", flush=True)


def list_parts(
    pictures: Sequence[NDArray[np.uint8]], encoders: Sequence[str]
) -> list[tuple[str, int, Guess]]:
    """Name, rank and guess of each row; the first `N_PARTS` are built one upon the other."""
    grays = [luma(picture) for picture in pictures]
    statistics = np.stack([gray_statistics(gray) for gray in grays])
    extremes = np.array([share_extremes(gray) for gray in grays])
    every, inner = (
        np.stack([count(p) for p in pictures]) for count in (hue_histogram, count_inner_hues)
    )

    def ridge(
        kinds: Sequence[NDArray[np.float64]], wanted: Histograms, shares: NDArray[np.float64]
    ) -> Guess:
        def guess(fit: NDArray[np.int64], rows: NDArray[np.int64]) -> Histograms:
            prior = HuePrior.fit(statistics=[kind[fit] for kind in kinds], histograms=wanted[fit])
            return np.stack(
                [prior.predict([kind[row] for kind in kinds], shares[row]) for row in rows]
            )

        return guess

    none, few, full = np.zeros_like(extremes), statistics[:, PLAIN], len(every[0])
    parts: list[tuple[str, int, Guess]] = [
        (
            "one for all",
            full,
            lambda fit, rows: centered(every[fit]).mean(axis=0) + 0 * every[rows],
        ),
        ("ridge, without patterns", full, ridge([few], every, none)),
        ("+ extremes at hue 0", full, ridge([few], inner, extremes)),
        ("+ patterns", full, ridge([statistics], inner, extremes)),
        ("+ reduced rank", hue_prior.RANK, ridge([statistics], inner, extremes)),
    ]
    for name in encoders:
        seen = map(GrayEncoder(name).describe, grays)
        kinds = [np.stack(kind) for kind in zip(*seen, strict=True)]
        parts.append((f"+ {name}", hue_prior.RANK, ridge([statistics, *kinds], inner, extremes)))
    return parts


def compare_parts(folder: Path, held_out: int, repeats: int, encoders: Sequence[str]) -> None:
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    pictures = [np.asarray(Image.open(p).convert("RGB")) for p in paths[:-held_out]]
    truth, before = centered(np.stack([hue_histogram(p) for p in pictures])), None
    for number, (name, rank, guess) in enumerate(list_parts(pictures, encoders), start=1):
        found = np.zeros((repeats, len(truth)))
        for repeat in range(repeats):
            order = np.random.default_rng(repeat).permutation(len(truth)) % N_FOLDS
            for fold in range(N_FOLDS):
                fit, rows = np.flatnonzero(order != fold), np.flatnonzero(order == fold)
                with mock.patch.object(hue_prior, "RANK", rank):
                    pred = centered(guess(fit, rows))
                found[repeat, rows] = (pred * truth[rows]).sum(axis=1)
        line = f"{name:28s} {found.mean():.4f}"
        if before is not None:
            gain = (found - before).mean(axis=0)
            line += f"  {gain.mean():+.4f} +- {gain.std(ddof=1) / np.sqrt(len(gain)):.4f}"
        print(line, flush=True)
        if number <= N_PARTS:
            before = found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--member", default="histogram-resnet18")
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--encoder", action="append", default=[], help="of timm; may be repeated")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if Workspace(options.folder).config_file.exists():
        compare_networks(options.folder, options.member)
    else:
        compare_parts(options.folder, options.held_out, options.repeats, options.encoder)


if __name__ == "__main__":
    main()
