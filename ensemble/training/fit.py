"""One training, from what is on disk to a finished set of weights."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from ensemble.errors import ConfigError
from ensemble.manifest import Manifest
from ensemble.members import Member
from ensemble.networks.build import build
from ensemble.project import Project
from ensemble.training.callbacks import Keeper, Records
from ensemble.training.data import (
    epoch_shape,
    training_loader,
    validation_loader,
    validation_memo,
)
from ensemble.training.export import export
from ensemble.training.job import Job, JobFiles
from ensemble.training.learner import Learner
from ensemble.training.progress import step_seed
from ensemble.training.restorers import load_restorers
from ensemble.training.resume import Found, Origin, find, needs_restorers, origin_of
from ensemble.training.tasks.colorization import ColorizationTask, HistogramTask
from ensemble.training.tasks.restoration import RestorationTask
from ensemble.training.tasks.task import GrayOf, Task
from ensemble.training.trainer import Hardware, make_trainer, quiet
from ensemble.workspace import exclusive_lock


def fit(
    job: Job,
    *,
    project: Project,
    validation_grays: GrayOf | None = None,
    progress: bool = True,
    restart: bool = False,
    hardware: Hardware | None = None,
) -> Manifest:
    """Carry out a training: begin it, go on where it stopped, or find that it has finished.

    Args:
        job: What to train.
        project: Data, folds, settings; its workspace holds the job's files.
        validation_grays: For colorization, gives the restored gray of a validation photograph;
            None validates on clean gray.
        progress: Whether to draw a bar.
        restart: Begin anew. What the job has left is removed, but only once the network can be
            built and its first weights are at hand.
        hardware: Devices and machines; one device by default.

    Returns:
        The manifest of the finished weights; its facts hold `val_score`, `epochs` and `scores`.

    Raises:
        StaleArtefactError: What the job left was made from something else, or is damaged; the
            message names what differs and the remedy. Nothing is changed.
        LockedError: Another process is at the same job.
        TrainingError: The loss is not finite any more, or the disk is full; the last checkpoint is
            intact.
        MissingArtefactError: Restorers that training needs have not finished.
        ConfigError: The member is not trained, or the batch cannot be divided among the devices.
    """
    hardware = hardware or Hardware()
    if hardware.rank:
        return _Run(job, project, hardware, progress=False).finish(validation_grays)
    files = job.files(project.workspace)
    with exclusive_lock(files.folder, what=f"training {job}"):
        if restart:
            _remove(job, files, project)
        files.folder.mkdir(parents=True, exist_ok=True)
        _sweep(files)
        return _Run(job, project, hardware, progress=progress).finish(validation_grays)


def remove(job: Job, project: Project) -> None:
    """Remove whatever a job has left, unless it could not begin anew.

    Raises:
        LockedError: A process is at it.
        WeightsError: The encoder's first weights cannot be had.
        ConfigError: The member cannot be built.
        MissingArtefactError: Restorers that training needs have not finished.
    """
    files = job.files(project.workspace)
    with exclusive_lock(files.folder, what=f"removing {job}"):
        _remove(job, files, project)


def _remove(job: Job, files: JobFiles, project: Project) -> None:
    member = member_of(job, project)
    if member.kind != "trained" or not files.folder.exists():
        return
    origin_of(job, member, project)
    build(member, encoder_weights=project.config.training.encoder_weights)
    shutil.rmtree(files.folder)


def make_task(
    job: Job, member: Member, project: Project, validation_grays: GrayOf | None = None
) -> Task:
    """What the job's member learns; loads the restorers if it learns from restored gray."""
    if job.stage == "restoration":
        return RestorationTask(member, project.config)
    restorers = load_restorers(project, job.fold) if needs_restorers(job, project) else None
    kind = HistogramTask if member.output == "histogram" else ColorizationTask
    return kind(member, project.config, restorers=restorers, validation_grays=validation_grays)


def member_of(job: Job, project: Project) -> Member:
    """The member of a job.

    Raises:
        ConfigError: ens.toml does not name it, or it is not trained.
    """
    members = {member.name: member for member in project.members(job.stage)}
    if job.member not in members:
        raise ConfigError(
            f"`{job.member}` must be a {job.stage} member that ens.toml names, one of "
            f"{', '.join(members)}"
        )
    return members[job.member]


@dataclass(frozen=True)
class _Run:
    """One process's part in a job."""

    job: Job
    project: Project
    hardware: Hardware
    progress: bool

    @property
    def files(self) -> JobFiles:
        return self.job.files(self.project.workspace)

    def finish(self, validation_grays: GrayOf | None) -> Manifest:
        """Do what is left to do."""
        member = member_of(self.job, self.project)
        origin = origin_of(self.job, member, self.project)
        found = find(self.job, self.files, origin, self.project.config.training)
        if found.manifest is not None:
            return found.manifest
        task = make_task(self.job, member, self.project, validation_grays)
        with quiet():
            return self._learn(member, task, found, origin)

    def _learn(self, member: Member, task: Task, found: Found, origin: Origin) -> Manifest:
        shape = epoch_shape(self.project, self.job, self.hardware)
        learner = self._learner(member, task, found, shape.batches)
        trainer = self._trainer(found, origin, shape.batches)
        with closing(validation_memo(self.project, self.job, task, shape)) as memo:
            validation = validation_loader(self.project, memo)
            if not found.is_over(self.project.config.training):
                training = training_loader(self.project, self.job, task, shape, found.position)
                resumed = self.files.last if found.resumed else None
                _interruptible(trainer, learner, training, validation, resumed)
            return export(self.files, learner, trainer, validation, found.scores, origin)

    def _learner(self, member: Member, task: Task, found: Found, batches: int) -> Learner:
        config = self.project.config
        weights = "none" if found.resumed else config.training.encoder_weights
        torch.manual_seed(step_seed(config.seed, (0, 0), 0))
        return Learner(
            build(member, encoder_weights=weights),
            task,
            config.training,
            position=found.position,
            batches=batches,
            seed=config.seed,
        )

    def _trainer(self, found: Found, origin: Origin, batches: int) -> Trainer:
        settings, files = self.project.config.training, self.files
        keeper = Keeper(files, settings, found.position, found.scores, origin.notes())
        records = Records(
            files,
            found.position,
            found.scores,
            epochs=settings.epochs,
            batches=batches,
            batch_size=settings.batch_size,
        )
        callbacks = [records, keeper]
        return make_trainer(settings, files, self.hardware, callbacks, progress=self.progress)


def _interruptible(
    trainer: Trainer, learner: Learner, training: Any, validation: Any, resumed: Path | None
) -> None:
    """Fit; Lightning turns Ctrl-C into an exit, which here stays what it is."""
    try:
        trainer.fit(learner, training, validation, ckpt_path=resumed, weights_only=True)
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise


def _sweep(files: JobFiles) -> None:
    """Remove what a killed process was in the middle of writing."""
    for scratch in files.folder.glob(".*"):
        if scratch.is_dir():
            shutil.rmtree(scratch, ignore_errors=True)
