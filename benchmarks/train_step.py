"""Does the network ever wait? Images per second of the data path, of the step, and of both.

    python benchmarks/train_step.py [--photos DIR] [--size 256] [--member unet-efficientnet-b0]

(a) the data path alone: reading, damage, batching, up to a batch on the host;
(b) the step alone: a batch that is already there, again and again;
(c) both, through `ensemble.training` and Lightning as `ens train` runs them.

The three take turns, several rounds, and the medians are compared: goal (c) >= 95 % of the smaller
of (a) and (b), on the machine it runs on. On a machine that others use too, `--cpu-time` counts
this process's CPU seconds instead of the clock's (without a GPU and with `--workers 0` only).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from skimage import data as pictures
from torch.utils.data import DataLoader

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.config import Config
from ensemble.data.competition import Competition
from ensemble.data.folds_csv import write_folds
from ensemble.data.png import write_png
from ensemble.networks.build import build
from ensemble.project import Project
from ensemble.training.batches import Batch
from ensemble.training.fit import make_task
from ensemble.training.job import Job
from ensemble.training.learner import Learner
from ensemble.training.loaders import count_workers, cut_epoch, make_training_loader
from ensemble.training.progress import Position
from ensemble.training.trainer import Hardware, make_trainer, silence_lightning
from ensemble.workspace import Workspace
from tests.reference.dealt import deal

# isort: split
from lightning.pytorch import Callback  # after ensemble.training, which makes it importable

COUNT = 64
CPU_TIME = False


def main() -> None:
    """Measure and print one line of JSON."""
    global CPU_TIME
    arguments = _arguments()
    CPU_TIME = arguments.cpu_time
    with tempfile.TemporaryDirectory() as folder, silence_lightning():
        project = make_project(Path(folder), arguments)
        bench = Bench(project, Job(arguments.stage, arguments.member, 0), arguments.steps)
        rounds = [bench.round() for _ in range(arguments.rounds + 1)][1:]  # the first warms up
    a, b, c = (statistics.median(column) for column in zip(*rounds, strict=True))
    result = {
        "member": arguments.member,
        "size": arguments.size,
        "batch_size": arguments.batch,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "clock": "cpu seconds" if CPU_TIME else "wall",
        "threads": torch.get_num_threads(),
        "workers": count_workers(project.config.training),
        "a_data_images_per_second": round(a, 2),
        "b_step_images_per_second": round(b, 2),
        "c_both_images_per_second": round(c, 2),
        "c_share_of_the_smaller": round(c / min(a, b), 4),
    }
    print(json.dumps(result))


class Bench:
    """The three measurements, over the same data and network.

    Args:
        project: A workspace with photographs.
        job: What to train.
        steps: Steps a measurement.
    """

    def __init__(self, project: Project, job: Job, steps: int) -> None:
        self.project, self.job, self.steps = project, job, steps
        self.settings = project.config.training
        member = project.member(job.stage, job.member)
        self.task = make_task(member, project.config)
        self.shape = cut_epoch(project, job, Hardware())
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.position = Position()
        network = build(member, encoder_weights="none")
        self.learner = Learner(
            network,
            self.task,
            self.settings,
            position=self.position,
            batches=self.shape.batches,
            seed=0,
        )
        self.loader: DataLoader[Batch] = make_training_loader(
            project, job, self.task, self.shape, self.position
        )

    def round(self) -> tuple[float, float, float]:
        """(a), (b), (c) in images per second."""
        return self.data(), self.step(), self.both()

    def data(self) -> float:
        """(a)"""
        iterator = iter(self.loader)
        first = next(iterator)
        started, images = _now(), 0
        for batch in iterator:
            images += len(batch.target)
        assert len(first.target) == self.settings.batch_size
        return images / (_now() - started)

    def step(self) -> float:
        """(b)"""
        resident = Batch(*(_to(part, self.device) for part in next(iter(self.loader))))
        stepper = _Steps(resident, self.steps)
        self._fit(DataLoader(stepper, batch_size=None), stepper)
        return stepper.rate

    def both(self) -> float:
        """(c)"""
        clock = _Steps(None, self.steps)
        self._fit(self.loader, clock)
        return clock.rate

    def _fit(self, loader: Any, clock: _Steps) -> None:
        self.position.epoch += 1  # other batches each time
        self.position.batch = 0
        with tempfile.TemporaryDirectory() as folder:
            files = Job("restoration", "bench", 0).files(Workspace(Path(folder)))
            settings = self.settings.model_copy(update={"epochs": 1})
            trainer = make_trainer(settings, files, Hardware(), [clock])
            trainer.fit(self.learner, loader)


class _Steps(Callback):
    """A clock, and for (b) the data set of one resident batch."""

    def __init__(self, batch: Batch | None, steps: int) -> None:
        self.batch, self.steps = batch, steps
        self.images, self.started, self.rate = 0, 0.0, 0.0

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, row: int) -> Batch | None:
        return self.batch

    def on_train_batch_end(self, trainer: Any, learner: Any, out: Any, batch: Any, i: int) -> None:
        if not self.started:  # the first step is warm-up
            _wait()
            self.started = _now()
            return
        self.images += len(batch.target)

    def on_train_epoch_end(self, trainer: Any, learner: Any) -> None:
        _wait()
        self.rate = self.images / (_now() - self.started)


def make_project(root: Path, arguments: argparse.Namespace) -> Project:
    """A workspace of photographs, from a folder or cut from scikit-image's."""
    source = _folder_of(arguments.photos) if arguments.photos else _shipped()
    size, ids = arguments.size, []
    rng = np.random.default_rng(0)
    for number in range(arguments.batch * (arguments.steps + 1) * 2):
        picture = source[number % len(source)]
        ids.append(f"TRAIN_{number:05d}")
        write_png(root / "data" / "train_gt" / f"{ids[-1]}.png", _crop(picture, size, rng))
    config = Config().replace("data", size=size)
    config = config.replace(
        "training",
        encoder_weights="none",
        batch_size=arguments.batch,
        num_workers=arguments.workers,
        steps_per_epoch=arguments.steps + 1,
    )
    folds = deal(ids, 2)
    write_folds(root / "folds.csv", folds)
    competition = Competition.load(root / "data", size=size, seed=0)
    return Project(Workspace(root), config, competition, folds)


def _folder_of(folder: Path) -> list[np.ndarray]:
    paths = sorted(folder.glob("*.jpg"))[:COUNT]
    return [cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in paths]


def _shipped() -> list[np.ndarray]:
    return [pictures.astronaut()]


def _crop(picture: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    scale = size / min(picture.shape[:2])
    if scale > 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    y, x = (int(rng.integers(0, side - size + 1)) for side in picture.shape[:2])
    return np.ascontiguousarray(picture[y : y + size, x : x + size])


def _to(part: Any, device: torch.device) -> Any:
    return part.to(device) if isinstance(part, torch.Tensor) else part


def _now() -> float:
    return time.process_time() if CPU_TIME else time.perf_counter()


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--stage", default="restoration")
    parser.add_argument("--member", default="unet-efficientnet-b0")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=-1)
    parser.add_argument("--cpu-time", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
