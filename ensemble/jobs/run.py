"""One job from end to end: train the network, then cache its out-of-fold predictions."""

from __future__ import annotations

from functools import partial
from typing import Any

from ensemble.composition.recipe import StageRecipe
from ensemble.errors import MissingArtefactError
from ensemble.members import Member
from ensemble.oof.collect import collect, restore
from ensemble.oof.predictions import RESTORED_VIEW
from ensemble.project import Project
from ensemble.provenance import restoration_for
from ensemble.training.fit import fit, member_of
from ensemble.training.job import Job
from ensemble.training.trainer import Hardware


def run_job(
    job: Job,
    project: Project,
    *,
    progress: bool = False,
    restart: bool = False,
    hardware: Hardware | None = None,
) -> None:
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
    if member.kind == "trained":
        fit(
            job,
            project=project,
            validation_grays=_validation_grays(job, project, restoration),
            progress=progress,
            restart=restart,
            hardware=hardware,
        )
    if hardware.rank == 0:
        collect(project, member, job.fold, restoration=restoration)


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
) -> partial[Any] | None:
    """What gives the restored gray of an image id; nothing for restoration itself."""
    if restoration is None:
        return None
    return partial(restore(project, job.fold, restoration).read, view=RESTORED_VIEW)
