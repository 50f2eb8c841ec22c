"""Which small restorer fills holes best, and whether it gains from being shown every fill.

    python benchmarks/restorers.py PHOTOS WORK [--without LAST] [--minutes 5] [--seed 0]

Networks learn 1 - masked SSIM from crops of 96 px around holes, with the product's own task and
loss, from random weights: U-Net ResNet18 with a path at full resolution, shown every fill or the
spline's alone; `plain-unet` and `nafnet`, shown every fill. Rate (one cycle) and length follow a
network's CPU minutes, so neither a busy machine nor the dearer network changes what is compared.
Photographs are those of PHOTOS but for names that are in LAST; every fifth is held out, with one
hole each at full size. Printed is the masked SSIM there of the averaged weights, on gray, the true
masks given, and the paired difference to the spline and to the first network. WORK keeps the state
every minute; the same command goes on.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.arrays import luma
from ensemble.config import Config, InputMode
from ensemble.damage.depth import hole_depth
from ensemble.damage.draw import apply_damage, draw_damage
from ensemble.damage.fill import fill_in_ways
from ensemble.files import atomic_path
from ensemble.inference.network import NetworkPredictor
from ensemble.inference.predictor import Shown
from ensemble.members import Member, frozen_options
from ensemble.metric.score import gray_score
from ensemble.networks.build import build
from ensemble.training.batches import Batch, _crop
from ensemble.training.learner import update_average
from ensemble.training.progress import rate_factor
from ensemble.training.tasks.restoration import RestorationTask
from ensemble.vocabulary import FILLS

SIDE, BATCH, RATE, EMA, HOLES = 96, 16, 2e-3, 0.995, 4


def make_member(mode: InputMode, arch: str, encoder: str = "", **options: object) -> Member:
    frozen = frozen_options(options)
    return Member("small", "restoration", "trained", arch, encoder, frozen, mode)


UNET = partial(
    make_member,
    arch="unet",
    encoder="resnet18",
    full_resolution=True,
    decoder_channels=[128, 64, 48, 32, 16],
)
NETWORKS = {
    "mixed": UNET("fills+mask+distance"),
    "spline": UNET("prefilled+mask+distance"),
    "plain-unet": make_member("fills+mask+distance", "plain-unet"),
    "nafnet": make_member("fills+mask+distance", "nafnet"),
}


class Run:
    """A network, its average and how far it is; kept in a file."""

    def __init__(self, task: RestorationTask, file: Path, seed: int) -> None:
        torch.manual_seed(seed)
        self.task, self.file, self.seed = task, file, seed
        self.network = build(task.member, encoder_weights="none")
        self.network.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=RATE, weight_decay=1e-3)
        self.step, self.seconds = 0, 0.0
        if file.exists():
            self._load(torch.load(file, weights_only=True))

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {"network": self.network, "average": self.average, "optimizer": self.optimizer}

    def _load(self, state: dict) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self) -> None:
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        with atomic_path(self.file) as temporary:
            torch.save({**parts, "step": self.step, "seconds": self.seconds}, temporary)

    def learn(self, batches: Batches, whole: float) -> None:
        """Learn until so many CPU seconds are spent."""
        saved = time.monotonic()
        while self.seconds < whole:
            begun = time.process_time()
            done = min(1.0, self.seconds / whole)
            for group in self.optimizer.param_groups:
                group["lr"] = RATE * rate_factor("one-cycle", update=int(1e6 * done), updates=10**6)
            batch = batches.draw((self.seed, self.step), self.task.member.fills)
            example = self.task.example(batch)
            with torch.autocast("cpu", torch.bfloat16):
                output = self.network(example.shown)
            loss = self.task.loss(output.float(), example, done=done)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.step += 1
            decay = min(EMA, (1 + self.step) / (10 + self.step))
            update_average(self.average, self.network, decay)
            self.seconds += time.process_time() - begun
            if time.monotonic() - saved > 60:
                self.save()
                saved = time.monotonic()
                print(
                    f"{self.file.stem}: step {self.step}, {self.seconds / 60:.1f} min", flush=True
                )
        self.save()


class Batches:
    """Crops around holes that were drawn and filled once, HOLES a photograph."""

    def __init__(self, paths: list[Path], cache: Path) -> None:
        self.targets = np.stack([read(path) for path in paths])
        self.masks = np.stack(
            [
                draw_damage(size=target.shape[:2], seed=k * HOLES + hole).lost_mask()
                for k, target in enumerate(self.targets)
                for hole in range(HOLES)
            ]
        )
        if not cache.exists():
            fills = np.stack(list(self._fills()))
            with atomic_path(cache) as temporary, temporary.open("wb") as file:
                np.save(file, fills)
        self.fills: NDArray[np.uint8] = np.load(cache)

    def _fills(self) -> Iterator[NDArray[np.uint8]]:
        for k, mask in enumerate(self.masks):
            damaged = np.where(mask, np.uint8(0), luma(self.targets[k // HOLES]))
            yield fill_in_ways(damaged, mask, FILLS)

    def draw(self, key: tuple[int, int], fills: Sequence[str]) -> Batch:
        rng = np.random.default_rng(key)
        rows = rng.choice(len(self.masks), BATCH, replace=False)
        masks = self.masks[rows]
        whole = Batch(
            target=torch.from_numpy(self.targets[rows // HOLES]),
            flip=torch.from_numpy(rng.random(BATCH) < 0.5),
            lost_mask=torch.from_numpy(masks),
            fill=torch.zeros(BATCH, dtype=torch.uint8),
            filled=torch.from_numpy(self.fills[rows][..., : len(fills)]),
            depth=torch.from_numpy(np.stack([hole_depth(mask) for mask in masks])),
        )
        return _crop(whole, SIDE, [np.random.default_rng((*key, int(row))) for row in rows])


def read(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def score(member: Member, network: nn.Module, paths: list[Path]) -> NDArray[np.float64]:
    """Masked SSIM (N, 2) of the spline and of the network, at full size."""
    predictor = NetworkPredictor(member, network, Config().normalization)
    found = []
    for k, path in enumerate(paths):
        gray = luma(read(path))
        damage = draw_damage(size=gray.shape, seed=1_000_000 + k)
        mask = damage.lost_mask()
        shown = Shown(apply_damage(gray, damage)[None], mask[None])
        answer = predictor.predict(shown, ["identity"])["identity"][0]
        pictures = (shown.fill(FILLS[:1], slice(1))[0, ..., 0], np.where(mask, answer, gray))
        scores = [gray_score(pred=p, target=gray, lost_mask=mask) for p in pictures]
        found.append([one.masked_ssim for one in scores])
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--without", type=Path, help="a folder whose names are left out")
    parser.add_argument("--minutes", type=float, default=5, help="CPU minutes of a network")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="which, by comma")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    left_out = {path.name for path in options.without.iterdir()} if options.without else set()
    paths = sorted(p for p in options.photos.iterdir() if p.name not in left_out)
    held_out = paths[::5]
    batches = Batches(sorted(set(paths) - set(held_out)), options.work / "fills.npy")
    found = {}
    for name in options.networks.split(","):
        member = NETWORKS[name]
        settings = {"hole_loss": 1.0, "ssim_finish": 1.0, "input_mode": member.input_mode}
        task = RestorationTask(member, Config().replace("restoration", **settings))
        run = Run(task, options.work / f"{name}-{options.seed}.pt", options.seed)
        run.learn(batches, 60 * options.minutes)
        found[name] = score(member, run.average, held_out)
        spline, ours = found[name].T
        print(f"{name}: {run.step} steps, M {ours.mean():.4f} (spline {spline.mean():.4f}), "
              f"{compare(ours - spline)} to the spline", flush=True)  # fmt: skip
    first, *others = found
    for name in others:
        print(f"{name} to {first}: {compare((found[name] - found[first])[:, 1])}")


def compare(difference: NDArray[np.float64]) -> str:
    return f"{difference.mean():+.4f} +- {difference.std(ddof=1) / len(difference) ** 0.5:.4f}"


if __name__ == "__main__":
    main()
