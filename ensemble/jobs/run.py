"""One job from end to end: train the network, then cache its out-of-fold predictions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from ensemble.arrays import Gray
from ensemble.composition.recipe import StageRecipe
from ensemble.errors import MissingArtefactError
from ensemble.members import Member
from ensemble.oof.collect import collect, restoration_for
from ensemble.oof.predictions import ArchivedPredictions, restored_gray
from ensemble.project import Project
from ensemble.training.fit import fit, member_of
from ensemble.training.job import Job
from ensemble.training.trainer import Hardware


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        job: The job.
        val_score: Of the weights that predict; None for a fixed member.
        epochs: Epochs trained.
    """

    job: Job
    val_score: float | None
    epochs: int


def run_job(
    job: Job,
    project: Project,
    *,
    progress: bool = False,
    restart: bool = False,
    hardware: Hardware | None = None,
) -> Outcome:
    """Train, unless the member is fixed, then collect the fold's predictions.

    Args:
        job: What to do.
        project: Data, folds, settings and artefacts.
        progress: Whether to draw a bar.
        restart: Train anew.
        hardware: Devices and machines of this one training.

    Raises:
        EnsembleError: As `ensemble.training.fit.fit` and `ensemble.oof.collect.collect` say.
    """
    hardware = hardware or Hardware()
    member = member_of(job, project)
    restoration = _restoration(job, member, project)
    facts: dict[str, Any] = {}
    if member.kind == "trained":
        facts = fit(
            job,
            project=project,
            validation_grays=_validation_grays(job, project, restoration),
            progress=progress,
            restart=restart,
            hardware=hardware,
        ).facts
    if hardware.rank == 0:
        collect(project, member, job.fold, restoration=restoration)
    return Outcome(job, facts.get("val_score"), facts.get("epochs", 0))


def _restoration(job: Job, member: Member, project: Project) -> StageRecipe | None:
    restoration = restoration_for(project, member, job.fold)
    if job.stage == "colorization" and restoration is None:
        raise MissingArtefactError(
            f"{job} is validated on restored gray, but no restoration member has finished fold "
            f"{job.fold}; run `ens train --stage restoration --fold {job.fold}` first"
        )
    return restoration


def _validation_grays(
    job: Job, project: Project, restoration: StageRecipe | None
) -> partial[Gray] | None:
    """What gives the restored gray of an image id; nothing for restoration itself."""
    if restoration is None:
        return None
    chosen = [m for m in project.members("restoration") if m.name in restoration.weights]
    predictions = ArchivedPredictions(project, chosen, [job.fold])
    return partial(restored_gray, project, predictions, restoration)
