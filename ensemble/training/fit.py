"""One training, from what is on disk to a finished set of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from ensemble.checkpoint import full_epochs
from ensemble.config import Config, TrainingSection
from ensemble.errors import EnsembleError
from ensemble.files import exclusive_lock, links_in, make_folder, refuse_links, remove_folder
from ensemble.manifest import Manifest
from ensemble.members import Member
from ensemble.networks.build import build, require_buildable
from ensemble.networks.device import free_memory, raise_out_of_memory
from ensemble.project import Project
from ensemble.training.batches import Shape
from ensemble.training.callbacks import Checkpointing, MetricsLog
from ensemble.training.export import export
from ensemble.training.job import Job, JobFiles
from ensemble.training.learner import Learner
from ensemble.training.loaders import cut_epoch, make_training_loader, make_validation_loader
from ensemble.training.parts import double_parts, read_parts
from ensemble.training.progress import step_seed
from ensemble.training.resume import EarlierRun, Origin, find_earlier_run, is_over
from ensemble.training.state import no_checkpoint
from ensemble.training.tasks.colorization import ColorizationTask, HistogramTask
from ensemble.training.tasks.restoration import RestorationTask
from ensemble.training.tasks.task import GrayOf, Task
from ensemble.training.trainer import Hardware, make_trainer, silence_lightning
from ensemble.vocabulary import FULL


def fit(
    job: Job,
    *,
    project: Project,
    validation_grays: GrayOf | None = None,
    hardware: Hardware | None = None,
) -> Manifest:
    """Train: begin, resume where an earlier run stopped, or find that it has finished.

    `validation_grays` reads the restored gray of a photograph that colorization is validated on;
    None validates on clean gray.

    Returns:
        The manifest of the finished weights; its facts hold `val_score`, `epochs` and `scores`.

    Raises:
        StaleArtefactError: What the job left was made from something else, or is damaged; the
            message names what differs and the remedy. Nothing is changed.
        LockedError: Another process runs the same job.
        TrainingError: The loss is not finite any more; the last checkpoint is intact.
        OSError: The disk is full; the last checkpoint is intact.
        ConfigError: The member is not trained, or the batch cannot be divided among the devices.
    """
    hardware = hardware or Hardware()
    run = _Run(job, project, hardware)
    if hardware.rank:
        return run.finish(validation_grays)
    with exclusive_lock(run.files.folder, what=f"training {job}"):
        make_folder(run.files.folder)
        refuse_links(*links_in(run.files.folder))
        return run.finish(validation_grays)


def remove(jobs: Sequence[Job], project: Project) -> None:
    """Remove whatever trainings have left, unless one of them could not begin anew.

    Raises:
        LockedError: Another process runs one of them.
        WeightsError: First weights of an encoder cannot be had.
        ConfigError: A member cannot be built.
        MissingArtefactError: A member is to learn from all photographs, but no fold has finished.
    """
    members = {job: project.member(job.stage, job.member) for job in jobs}
    require_buildable(set(members.values()), project.config)
    for job in jobs:
        if job.fold == FULL:
            full_epochs(project, members[job])
    for job in jobs:
        folder = job.files(project.workspace).folder
        with exclusive_lock(folder, what=f"removing {job}"):
            if folder.exists():
                remove_folder(folder)


def make_task(member: Member, config: Config, validation_grays: GrayOf | None = None) -> Task:
    """What a member learns."""
    if member.stage == "restoration":
        return RestorationTask(member, config)
    kind = HistogramTask if member.output == "histogram" else ColorizationTask
    return kind(member, config, validation_grays=validation_grays)


@dataclass(frozen=True)
class _Run:
    """One process's part in a job."""

    job: Job
    project: Project
    hardware: Hardware

    @property
    def files(self) -> JobFiles:
        return self.job.files(self.project.workspace)

    @property
    def config(self) -> Config:
        return self.project.config.of_member(self.job.stage, self.job.member)

    @property
    def settings(self) -> TrainingSection:
        """`[training]`; of all photographs, until the epochs are done that the folds needed."""
        settings = self.config.training
        if self.job.fold != FULL:
            return settings
        epochs = full_epochs(self.project, self.project.member(self.job.stage, self.job.member))
        return settings.model_copy(update={"epochs": epochs, "patience": 0})

    def finish(self, validation_grays: GrayOf | None) -> Manifest:
        """Do what is left to do."""
        member = self.project.member(self.job.stage, self.job.member)
        origin = Origin.of(self.job, member, self.project)
        earlier = find_earlier_run(self.job, self.files, origin, self.settings)
        if earlier.manifest is not None:
            return earlier.manifest
        task = make_task(member, self.config, validation_grays)
        shape = cut_epoch(self.project, self.job, self.hardware)
        while True:
            parts = read_parts(self.files)
            try:
                with silence_lightning(), raise_out_of_memory():
                    return self._learn(task, earlier, origin, shape, parts)
            except torch.OutOfMemoryError:
                possible = double_parts(self.job, self.files, parts, shape.most)
                if not possible or self.hardware.world > 1:  # `run_distributed` begins again
                    raise
            free_memory()
            earlier = find_earlier_run(self.job, self.files, origin, self.settings)

    def _learn(
        self, task: Task, earlier: EarlierRun, origin: Origin, shape: Shape, parts: int
    ) -> Manifest:
        project, job = self.project, self.job
        learner = self._learner(task, earlier, shape.batches, parts)
        common = (self.files, self.settings, earlier.position, earlier.scores)
        notes = {**origin.notes(), "epochs": earlier.epochs}
        callbacks = [MetricsLog(*common, shape.batches), Checkpointing(*common, notes)]
        trainer = make_trainer(self.settings, self.files, self.hardware, callbacks)
        validation = make_validation_loader(project, job, task, shape)
        if not is_over(earlier.scores, self.settings):
            training = make_training_loader(project, job, task, shape, earlier.position)
            checkpoint = self.files.last if earlier.resumable else None
            _fit(trainer, learner, training, validation, checkpoint)
        return export(self.files, learner, trainer, validation, earlier.scores, origin)

    def _learner(self, task: Task, earlier: EarlierRun, batches: int, parts: int) -> Learner:
        config = self.config
        weights = "none" if earlier.resumable else config.training.encoder_weights
        torch.manual_seed(step_seed(config.seed, (0, 0), 0))
        # A schedule is as long as it is for the folds, wherever their best epochs were.
        epochs = max(config.training.epochs, self.settings.epochs)
        return Learner(
            build(task.member, encoder_weights=weights),
            task,
            config.training.model_copy(update={"epochs": epochs}),
            position=earlier.position,
            batches=batches,
            seed=config.seed,
            parts=parts,
            command=self.job.command,
        )


def _fit(
    trainer: Trainer, learner: Learner, training: Any, validation: Any, checkpoint: Path | None
) -> None:
    """Fit; Lightning turns Ctrl-C into an exit, which is turned back here."""
    try:
        trainer.fit(learner, training, validation, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    except (EnsembleError, OSError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # Lightning and torch check what they restore each in its own way
        if checkpoint is None or learner.began:
            raise
        raise no_checkpoint(checkpoint, error) from error
