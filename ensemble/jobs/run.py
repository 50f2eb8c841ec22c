"""One job from end to end: train the network, then cache its out-of-fold predictions.

In this process, or in several over GPUs and machines: torchrun starts them, Lightning does DDP.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection
from functools import partial

from ensemble.composition.recipe import StageRecipe
from ensemble.errors import ConfigError, MissingArtefactError, TrainingError
from ensemble.jobs.plan import blockers
from ensemble.jobs.worker import REFUSED, Order
from ensemble.members import Member
from ensemble.oof.collect import collect, restore
from ensemble.oof.predictions import RESTORED_VIEW
from ensemble.project import Project
from ensemble.provenance import restoration_for, restored_digests
from ensemble.training.fit import fit
from ensemble.training.job import Job
from ensemble.training.loaders import cut_epoch
from ensemble.training.trainer import Hardware
from ensemble.vocabulary import FULL

RENDEZVOUS = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")


def run_job(job: Job, project: Project, *, hardware: Hardware | None = None) -> None:
    """Train, unless the member is fixed, then collect the fold's predictions, if it is a fold.

    Raises:
        EnsembleError: See `ensemble.training.fit.fit` and `ensemble.oof.collect.collect`.
    """
    hardware = hardware or Hardware()
    if job.fold == FULL:
        fit(job, project=project, hardware=hardware)
        return
    member, fold = project.member(job.stage, job.member), job.fold
    restoration = _restoration(member, fold, project)
    if member.kind == "trained":
        grays = None
        if restoration is not None:
            grays = partial(restore(project, fold, restoration).read, view=RESTORED_VIEW)
        fit(job, project=project, validation_grays=grays, hardware=hardware)
    if hardware.rank == 0:
        collect(project, member, fold, restoration=restoration)


def run_distributed(job: Job, project: Project, *, devices: int, nodes: int) -> None:
    """Run a job with `devices` processes on each of `nodes` machines; run this on each of them.

    They share the project's folder. The batch of the settings is the whole step's: each process
    takes its share, so the result does not depend on how many there are, beyond rounding (and,
    without GPUs, batch normalization, which torch synchronizes on GPUs only).

    Raises:
        ConfigError: The batch cannot be divided among the processes, or there are several machines
            and the environment does not name their meeting point.
        TrainingError: A process failed or refused; it has printed why.
    """
    cut_epoch(project, job, Hardware(devices, nodes))  # raises here rather than in each process
    order = Order.of(job, project, devices=devices, nodes=nodes)
    launcher = [
        "-m",
        "torch.distributed.run",
        f"--nproc-per-node={devices}",
        *_rendezvous_flags(nodes),
    ]
    files = job.files(project.workspace)
    while True:
        before = files.parts.read_bytes() if files.parts.exists() else b""
        status = subprocess.run(order.command(launcher), check=False).returncode
        if not status or not files.parts.exists() or files.parts.read_bytes() == before:
            break  # else memory ran out, and each process learns from smaller parts now
    if status:
        outcome = "refused" if status == REFUSED else f"failed with exit status {status}"
        raise TrainingError(f"{job} on {devices} x {nodes} devices {outcome}; see its output above")


def require_start(job: Job, jobs: Collection[Job], project: Project, hardware: Hardware) -> None:
    """Refuse a training of which it is known that it could not begin, once it is its turn.

    Raises:
        ConfigError: See `run_distributed`.
        MissingArtefactError: It needs restored gray that neither is there nor comes from one of
            the `jobs`.
        StaleArtefactError: The predictions of that restoration were made from something else.
    """
    cut_epoch(project, job, hardware)
    _rendezvous_flags(hardware.nodes)
    if job.stage == "colorization" and job.fold != FULL and not blockers(job, jobs):
        member = project.member(job.stage, job.member)
        restored_digests(project, job.fold, _restoration(member, job.fold, project))


def _rendezvous_flags(nodes: int) -> list[str]:
    if nodes == 1:
        return ["--standalone"]
    missing = [name for name in RENDEZVOUS if name not in os.environ]
    if missing:
        raise ConfigError(
            f"`--num-nodes {nodes}` needs {', '.join(RENDEZVOUS)} in the environment, but "
            f"{', '.join(missing)} is not set; on every machine: `MASTER_ADDR=first-machine "
            "MASTER_PORT=29500 NODE_RANK=0 ens train ...`, NODE_RANK counting the machines"
        )
    address, port, rank = (os.environ[name] for name in RENDEZVOUS)
    return [
        f"--nnodes={nodes}",
        f"--node-rank={rank}",
        f"--master-addr={address}",
        f"--master-port={port}",
    ]


def _restoration(member: Member, fold: int, project: Project) -> StageRecipe | None:
    restoration = restoration_for(project, member, fold)
    if member.stage == "colorization" and restoration is None:
        raise MissingArtefactError(
            f"{member.stage} {member.name} fold {fold} is validated on restored gray, but no "
            f"restoration member has finished fold {fold}; run `ens train --stage restoration "
            f"--fold {fold}` first"
        )
    return restoration
