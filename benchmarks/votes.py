"""Whether members should vote on hues with stronger colors than they predict.

    python benchmarks/votes.py WORK [--fold 0] [--photographs 0]

WORK is a workspace in which `ens train` has trained colorization members on a fold. Each predicts
the fold's validation photographs, their holes filled by the spline; the float output is kept. Its
chroma (color less luma) is multiplied by a gain, in float, locked to the gray, rounded and counted.
Gain 1 is what `ens` counts. The prior learns from the training photographs alone. Printed is the
mean correlation with the truth's histogram: of the votes alone, and mixed with the prior, the gain
and the prior's share chosen on one half of the photographs and measured on the other, both ways.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.arrays import Gray, Rgb
from ensemble.blending.evidence import fit_priors
from ensemble.checkpoint import checked_weights
from ensemble.composition.hue_target import centered, hue_histogram
from ensemble.composition.luma import lock_luma
from ensemble.config import load_config
from ensemble.damage.fill import fill_hole
from ensemble.networks.build import load_network
from ensemble.networks.tensors import denormalize, normalize
from ensemble.oof.priors import unfitted_priors
from ensemble.project import Project
from ensemble.workspace import Workspace

GAINS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
NATURAL = (0.7, 1.0, 1.3)
"""Mean chroma over that of the training photographs, where the gain is set by it."""
SHARES = tuple(step / 20 for step in range(21))
BATCH = 8

Votes = dict[str, NDArray[np.float64]]
"""By the name of a gain, the centered unit histograms (N, 180)."""


def measure_chroma(picture: NDArray[np.float32]) -> float:
    """Mean length of color less luma, which no gray level adds to."""
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return float(np.linalg.norm(picture - (picture @ weights)[..., None], axis=-1).mean())


def count(picture: NDArray[np.float32], gray: Gray, gain: float) -> NDArray[np.float64]:
    own = picture @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    strong = gray[..., None] + gain * (picture - own[..., None])
    return hue_histogram(lock_luma(rgb=strong, gray=gray))


def predict(project: Project, member: str, fold: int, grays: list[Gray]) -> list[NDArray[Any]]:
    found = project.member("colorization", member)
    network = load_network(checked_weights(project, found, fold), found).eval()
    scale = project.config.normalization.model_dump()
    pictures: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(grays), BATCH):
            shown = normalize(torch.from_numpy(np.stack(grays[start : start + BATCH])), **scale)
            output = denormalize(network(shown), **scale)
            pictures += list(output.permute(0, 2, 3, 1).numpy())
    return pictures


def collect_votes(pictures: list[NDArray[np.float32]], grays: list[Gray], natural: float) -> Votes:
    strength = float(np.mean([measure_chroma(picture) for picture in pictures]))
    print(f"  chroma {strength:.2f}, of the training photographs {natural:.2f}")
    gains = {f"x {gain:g}": gain for gain in GAINS}
    gains |= {f"natural x {share:g}": share * natural / strength for share in NATURAL}
    pairs = list(zip(pictures, grays, strict=True))
    return {
        name: centered(np.stack([count(picture, gray, gain) for picture, gray in pairs]))
        for name, gain in gains.items()
    }


def mix(votes: NDArray[Any], prior: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """(S, N): the correlation at each of `SHARES`."""
    return np.stack([(centered((1 - s) * votes + s * prior) * truth).sum(axis=1) for s in SHARES])


def choose_apart(mixed: NDArray[np.float64]) -> NDArray[np.float64]:
    """(G, S, N): the best of G x S on the photographs of the other half, for each of N."""
    found = np.zeros(mixed.shape[-1])
    half = np.random.default_rng(0).permutation(len(found)) % 2
    for side in (0, 1):
        flat = mixed.reshape(-1, len(found))
        best = flat[:, half != side].mean(axis=1).argmax()
        found[half == side] = flat[best, half == side]
    return found


def report(name: str, votes: Votes, prior: NDArray[Any], truth: NDArray[Any]) -> None:
    print(name)
    mixed = {gain: mix(one, prior, truth) for gain, one in votes.items()}
    for gain, table in mixed.items():
        best = int(table.mean(axis=1).argmax())
        alone = table[0].mean()
        print(f"  {gain:14s} alone {alone:.4f}  mixed {table[best].mean():.4f} at {SHARES[best]:g}")
    plain = choose_apart(mixed["x 1"][None])
    tuned = choose_apart(np.stack(list(mixed.values())))
    ridge = mix(prior, prior, truth)[0]
    for what, one, other in (
        ("votes at x 1, mixed, over the prior alone", plain, ridge),
        ("the best gain over x 1, both mixed", tuned, plain),
    ):
        gain = one - other
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        print(f"  {what}: {gain.mean():+.4f} +- {error:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--photographs", type=int, default=0, help="0: all of the fold")
    options = parser.parse_args()
    torch.set_num_threads(1)
    workspace = Workspace(options.work)
    project = Project.open(workspace, load_config(workspace.config_file))
    ids = project.folds.validation(options.fold)
    ids = ids[: options.photographs or len(ids)]
    targets: list[Rgb] = [project.competition.target(i) for i in ids]
    truth = centered(np.stack([hue_histogram(target) for target in targets]))
    grays = [
        fill_hole(project.competition.train_sample(i).damaged, project.photographs.located(i))
        for i in ids
    ]
    fitted = fit_priors(project, [options.fold], unfitted_priors(project))
    prior = centered(np.stack([fitted.predict(options.fold, gray) for gray in grays]))
    seen = [project.competition.target(i) for i in project.folds.training(options.fold)]
    natural = float(np.mean([measure_chroma(one.astype(np.float32)) for one in seen]))
    print(f"{len(ids)} photographs; the prior alone {(prior * truth).sum(axis=1).mean():.4f}")
    every: list[Votes] = []
    for member in project.members("colorization"):
        if member.kind == "trained" and member.output == "rgb":
            pictures = predict(project, member.name, options.fold, grays)
            every.append(collect_votes(pictures, grays, natural))
            report(member.name, every[-1], prior, truth)
    if len(every) > 1:
        means = {g: centered(np.mean([votes[g] for votes in every], axis=0)) for g in every[0]}
        report("the mean of all", means, prior, truth)


if __name__ == "__main__":
    main()
