"""Training on a GPU against the way of the public baseline, in one run.

    python benchmarks/gpu_training.py [--photos DIR] [--sizes 256 512] [--members all] [--batch 16]

For each member and size, images per second of

- the baseline, literally: one process, `num_workers=0`; each sample decodes its PNGs, draws and
  rasterizes its polygon in Python with polygenerator and scikit-image, and is normalized on the
  host; each epoch's validation is scored with scikit-image on one core;
- `ens train`'s path: `ensemble.training` with its cache, workers, device-side pixels and score;
- the step alone on a resident batch, which nothing end to end can exceed.

An epoch is taken as four photographs learnt from for each one validated, as five folds have it.
Same network, batch and precision (bf16 where the GPU has it) for all three. Goals: at least 5x the
baseline end to end, at least 0.9 of the resident step.

Not run yet where this was written: no GPU was at hand. `--smoke` runs it in small on the CPU, to
see that it works; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).parents[1]))

from train_step import Bench, make_project

from ensemble.networks.build import build
from ensemble.networks.device import autocast, choose_precision
from ensemble.project import Project
from ensemble.training.job import Job
from ensemble.training.loaders import make_validation_loader
from ensemble.training.trainer import Hardware, make_trainer, silence_lightning
from ensemble.workspace import Workspace
from tests.reference.damage_rule import literal_damage
from tests.reference.score import literal_gray_terms, literal_score

MEAN, STD = 0.5, 0.225
MEMBERS = {
    "unet-efficientnet-b0": "restoration",
    "unet-mobilenet-v2": "restoration",
    "manet-efficientnet-b1": "restoration",
    "unet-efficientnet-b1": "colorization",
    "deeplabv3-efficientnet-b2": "colorization",
    "fpn-resnet50": "colorization",
}


class LiteralDataset(Dataset[tuple[torch.Tensor, ...]]):
    """The baseline's data set: everything anew for every sample.

    Args:
        folder: Of PNGs.
        image_ids: Their names.
        color: Whether the network is to color clean gray, rather than to restore damaged gray.
    """

    def __init__(self, folder: Path, image_ids: tuple[str, ...], *, color: bool) -> None:
        self.folder, self.image_ids, self.color = folder, image_ids, color

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, ...]:
        bgr = cv2.imread(str(self.folder / f"{self.image_ids[row]}.png"))
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        side = gray.shape[0]
        damage = literal_damage(side=side, min_side=max(4, round(50 * side / 512)))
        shown = gray if self.color else np.where(damage.mask, damage.fill, gray)
        wanted = rgb.transpose(2, 0, 1) if self.color else gray[None]
        if random.random() < 0.5:
            shown, wanted = shown[:, ::-1], wanted[..., ::-1]
        tensors = (self._tensor(shown[None]), self._tensor(wanted))
        return (*tensors, torch.from_numpy(damage.mask))

    def _tensor(self, array: Any) -> torch.Tensor:
        scaled = (np.ascontiguousarray(array).astype(np.float32) / 255 - MEAN) / STD
        return torch.from_numpy(scaled)


class Baseline:
    """The public baseline's loop.

    Args:
        project: A workspace with photographs.
        job: What to train.
        steps: Steps to measure.
    """

    def __init__(self, project: Project, job: Job, steps: int) -> None:
        self.settings, self.steps = project.config.training, steps
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        member = project.member(job.stage, job.member)
        self.network = build(member, encoder_weights="none").to(self.device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4)
        folder = project.workspace.data / "train_gt"
        color = job.stage == "colorization"
        self.training, self.validation = (
            DataLoader(
                LiteralDataset(folder, ids, color=color),
                batch_size=self.settings.batch_size,
                shuffle=True,
                drop_last=True,
                num_workers=0,
            )
            for ids in (project.folds.training(0), project.folds.validation(0))
        )

    def train(self) -> float:
        """Images learnt from per second."""
        self.network.train()
        iterator = iter(self.training)
        self._step(next(iterator))
        _wait()
        started, images = time.perf_counter(), 0
        for batch, _ in zip(iterator, range(self.steps), strict=False):
            self._step(batch)
            images += len(batch[0])
        _wait()
        return images / (time.perf_counter() - started)

    @torch.no_grad()
    def validate(self) -> float:
        """Images validated per second."""
        self.network.eval()
        started, images = time.perf_counter(), 0
        for batch, _ in zip(self.validation, range(max(1, self.steps // 4)), strict=False):
            shown, wanted, masks = batch
            with self._precision():
                output = self.network(shown.to(self.device))
            for pred, target, mask in zip(_levels(output), _levels(wanted), masks, strict=True):
                _literal(pred, target, mask.numpy())
                images += 1
        return images / (time.perf_counter() - started)

    def _step(self, batch: tuple[torch.Tensor, ...]) -> None:
        shown, wanted = (part.to(self.device) for part in batch[:2])
        with self._precision():
            difference = self.network(shown) - wanted
            loss = 0.5 * difference.abs().mean() + 0.5 * difference.square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        loss.item()

    def _precision(self) -> Any:
        return autocast(self.device, choose_precision(self.settings.precision))


class Utilisation:
    """Samples nvidia-smi while the block runs; `mean` is in percent, None without a GPU."""

    def __enter__(self) -> Utilisation:
        self.mean: float | None = None
        self._process: subprocess.Popen[str] | None = None
        if torch.cuda.is_available():
            query = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "200"]
            self._process = subprocess.Popen(
                ["nvidia-smi", *query], stdout=subprocess.PIPE, text=True
            )
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process is not None:
            self._process.terminate()
            samples = [int(line) for line in self._process.communicate()[0].split()]
            self.mean = sum(samples) / max(1, len(samples))


def ours(bench: Bench, project: Project, job: Job) -> tuple[float, float, float | None]:
    """Images learnt from, and validated, per second by `ensemble.training`; GPU use in percent."""
    bench.both()
    with Utilisation() as utilisation:
        trained = bench.both()
    loader = make_validation_loader(project, job, bench.task, bench.shape)
    files = job.files(Workspace(project.workspace.root / "bench"))
    trainer = make_trainer(project.config.training, files, Hardware(), [])
    trainer.validate(bench.learner, loader, verbose=False)  # fills the holes, as a first epoch does
    started = time.perf_counter()
    trainer.validate(bench.learner, loader, verbose=False)
    validated = len(project.folds.validation(job.fold)) / (time.perf_counter() - started)
    return trained, validated, utilisation.mean


def measure(member: str, size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One row."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    given = {**vars(arguments), "size": size, "workers": -1}
    with tempfile.TemporaryDirectory() as folder, silence_lightning():
        project = make_project(Path(folder), argparse.Namespace(**given))
        job = Job(MEMBERS[member], member, 0)  # type: ignore[arg-type]
        bench = Bench(project, job, arguments.steps)
        trained, validated, utilisation = ours(bench, project, job)
        memory = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0
        resident = bench.step()
        baseline = Baseline(project, job, arguments.steps)
        theirs = _epoch(baseline.train(), baseline.validate())
    return {
        "member": member,
        "size": size,
        "baseline": round(theirs, 1),
        "ours": round(_epoch(trained, validated), 1),
        "ours_training_alone": round(trained, 1),
        "resident_step": round(resident, 1),
        "times_the_baseline": round(_epoch(trained, validated) / theirs, 2),
        "share_of_resident": round(trained / resident, 3),
        "utilisation_percent": utilisation,
        "memory_gib": round(memory, 2),
    }


def main() -> None:
    """Print a line of JSON a member and size."""
    arguments = _arguments()
    if not torch.cuda.is_available() and not arguments.smoke:
        raise SystemExit("no GPU is at hand; --smoke runs it in small on the CPU")
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu (smoke)"
    print(json.dumps({"device": name, "batch": arguments.batch, "steps": arguments.steps}))
    members = list(MEMBERS) if arguments.members == ["all"] else arguments.members
    for size in arguments.sizes:
        for member in members:
            print(json.dumps(measure(member, size, arguments)), flush=True)


def _epoch(trained: float, validated: float) -> float:
    """Images per second of an epoch: four learnt from for each one validated."""
    return 5 / (4 / trained + 1 / validated)


def _levels(tensor: torch.Tensor) -> np.ndarray:
    values = ((tensor.float() * STD + MEAN) * 255).round().clamp(0, 255)
    return values.byte().cpu().numpy().transpose(0, 2, 3, 1)


def _literal(pred: np.ndarray, target: np.ndarray, mask: np.ndarray) -> None:
    if pred.shape[-1] == 3:
        literal_score(pred=pred, target=target, lost_mask=mask)
    else:
        literal_gray_terms(pred=pred[..., 0], target=target[..., 0], lost_mask=mask)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--members", nargs="+", default=["all"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--smoke", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
