"""Jobs on the machines at hand: one after the other, one a GPU, over several GPUs, or on Dask."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from ensemble.errors import ConfigError
from ensemble.jobs.cluster import connect, run_on_cluster
from ensemble.jobs.plan import Entry
from ensemble.jobs.queue import OnChange, Queue, Slot, run_here
from ensemble.jobs.run import require_start, run_distributed, run_job
from ensemble.parallel import Progress, silent
from ensemble.project import Project
from ensemble.training.fit import remove
from ensemble.training.job import Job
from ensemble.training.trainer import Hardware


@dataclass(frozen=True)
class Machines:
    """Where jobs run: one job a GPU on these, or one after the other in this process.

    Or on the Dask scheduler at an address; or one training at a time over `devices` processes on
    each of `nodes` machines.
    """

    gpus: tuple[int, ...] = ()
    dask: str = ""
    devices: int = 1
    nodes: int = 1


def parse_gpus(text: str | None) -> tuple[int, ...]:
    """The GPUs named, as 0,1,2; all of this machine for None.

    Raises:
        ConfigError: They are no numbers, or not of this machine.
    """
    count = torch.cuda.device_count()
    if text is None:
        return tuple(range(count))
    try:
        gpus = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"`--gpus` must be numbers as in 0,1,2, but is {text!r}") from None
    unknown = [gpu for gpu in gpus if gpu not in range(count)]
    if unknown:
        raise ConfigError(
            f"`--gpus` must be among the {count} GPUs of this machine (0..{count - 1}), but "
            f"{unknown[0]} is not; leave the flag out where there are none"
        )
    return gpus


def run_jobs(
    jobs: Sequence[Job],
    project: Project,
    machines: Machines,
    *,
    restart: bool = False,
    progress: Progress = silent,
    open_table: Callable[[], AbstractContextManager[OnChange]] = lambda: nullcontext(
        lambda entries: None
    ),
) -> list[Entry]:
    """Run jobs, as `plan` lists them, until each has ended; `open_table` shows them all.

    With `restart` what they have left is first removed, unless one of them could not begin anew.

    Raises:
        ConfigError: No Dask scheduler answers, or a member that is to restart cannot be built.
        WeightsError: First weights of an encoder cannot be had, and a restart needs them.
        MissingArtefactError: Restored gray is missing that a restart needs.
        LockedError: Another process runs a job that is to be removed.
    """
    if machines.dask:
        with connect(machines.dask) as client:
            _prepare(jobs, project, Hardware(), restart, progress)
            with open_table() as on_change:
                return run_on_cluster(jobs, project, client, on_change)
    # Of several machines that share the folder, the first removes.
    first = machines.nodes == 1 or os.environ.get("NODE_RANK", "0") == "0"
    hardware = Hardware(machines.devices, machines.nodes)
    _prepare(jobs, project, hardware, restart and first, progress)
    several = machines.devices * machines.nodes > 1

    def run(job: Job) -> None:
        if several and project.member(job.stage, job.member).kind == "trained":
            run_distributed(job, project, devices=machines.devices, nodes=machines.nodes)
        else:
            run_job(job, project)

    with open_table() as on_change:
        if machines.gpus and not several:
            slots = [Slot(f"on GPU {gpu}", gpu) for gpu in machines.gpus]
            return Queue(jobs, project, slots, on_change).run()
        return run_here(jobs, run, on_change)


def _prepare(
    jobs: Sequence[Job], project: Project, hardware: Hardware, restart: bool, progress: Progress
) -> None:
    """Decode the photographs if a training is going to read them, then remove what is to go."""
    trained = [job for job in jobs if project.member(job.stage, job.member).kind == "trained"]
    files = [job.files(project.workspace) for job in trained]
    if trained and (restart or not all(file.manifest.exists() for file in files)):
        project.photographs.check(progress)
    if restart:
        for job in trained:
            require_start(job, jobs, project, hardware)
        remove(trained, project)
