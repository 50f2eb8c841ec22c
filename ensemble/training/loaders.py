"""From a project to the data loaders of one job."""

from __future__ import annotations

import signal
from functools import lru_cache
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from ensemble.config import TrainingSection
from ensemble.damage.bank import PolygonBank, make_bank
from ensemble.parallel import count_cores
from ensemble.project import Project
from ensemble.training.batches import (
    Batch,
    EpochKeys,
    Shape,
    TrainingBatches,
    ValidationBatch,
    ValidationBatches,
)
from ensemble.training.job import Job
from ensemble.training.progress import Position
from ensemble.training.tasks.task import Task
from ensemble.training.trainer import Hardware
from ensemble.vocabulary import FULL

MOST_WORKERS = 12

_bank = lru_cache(maxsize=1)(make_bank)


def choose_bank(task: Task, seed: int) -> PolygonBank | None:
    """What draws a task's damage, made once a process; None where it needs none."""
    return _bank(seed) if task.needs.damage else None


def cut_epoch(project: Project, job: Job, hardware: Hardware) -> Shape:
    """Cut an epoch of the job into batches, and take this process's part of each.

    Raises:
        ConfigError: The batch cannot be divided among the devices.
    """
    settings = project.config.of_member(job.stage, job.member).training
    return Shape(
        photographs=len(project.training_ids(job.fold)),
        batch_size=settings.batch_size,
        steps=settings.steps_per_epoch,
        rank=hardware.rank,
        world=hardware.world,
    )


def make_training_loader(
    project: Project, job: Job, task: Task, shape: Shape, position: Position
) -> DataLoader[Batch]:
    """Load the batches that are left of the epoch at `position`."""
    config = project.config.of_member(job.stage, job.member)
    batches = TrainingBatches(
        project.training_ids(job.fold),
        project.photographs,
        choose_bank(task, config.seed),
        needs=task.needs,
        shape=shape,
        seed=config.seed,
    )
    sampler = EpochKeys(shape.batches, position)
    return DataLoader(batches, sampler=sampler, **_loader_options(config.training))


def make_validation_loader(
    project: Project, job: Job, task: Task, shape: Shape
) -> DataLoader[ValidationBatch] | None:
    """Load this process's share of the fold's photographs that `[oof] photographs` draws.

    There is none where the job learns from all photographs.
    """
    if job.fold == FULL:
        return None
    batches = ValidationBatches(
        project.oof_sample(job.fold)[shape.rank :: shape.world],
        project.photographs,
        task.shown_gray,
        batch_size=project.config.inference.batch_size,
    )
    return DataLoader(batches, **_loader_options(project.config.training))


def count_workers(settings: TrainingSection) -> int:
    """How many processes read data.

    Without a GPU the network itself keeps every core busy, and readers would only take turns with
    it; with one, all cores but one read.
    """
    if settings.num_workers >= 0:
        return settings.num_workers
    return min(MOST_WORKERS, count_cores() - 1) if torch.cuda.is_available() else 0


def _loader_options(settings: TrainingSection) -> dict[str, Any]:
    count = count_workers(settings)
    return {
        "batch_size": None,  # the data set makes whole batches
        "num_workers": count,
        "pin_memory": torch.cuda.is_available(),
        "persistent_workers": count > 0,
        "worker_init_fn": _start_worker if count else None,
    }


def _start_worker(worker: int) -> None:
    """Use one thread, and leave a request to end to the process that reads from this one.

    Schedulers send SIGTERM to all processes of a job. A reader that ended at once would look like
    a fault, after which the training is tried again; its owner ends it after the last step.
    """
    cv2.setNumThreads(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
