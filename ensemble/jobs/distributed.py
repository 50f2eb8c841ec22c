"""One training over several GPUs or machines: torchrun starts the processes, Lightning does DDP."""

from __future__ import annotations

import os
import subprocess

from ensemble.errors import ConfigError, TrainingError
from ensemble.jobs.worker import REFUSED, Order
from ensemble.project import Project
from ensemble.training.data import epoch_shape
from ensemble.training.job import Job
from ensemble.training.trainer import Hardware

RENDEZVOUS = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")


def run_distributed(job: Job, project: Project, *, devices: int, nodes: int) -> None:
    """Do a job with `devices` processes on each of `nodes` machines.

    The batch of the settings is the whole step's: each process takes its share, so the result does
    not depend on how many there are, beyond rounding (and, without GPUs, batch normalisation,
    which torch synchronises on GPUs only).

    Args:
        job: What to do; run this on every machine.
        project: In a folder that every machine shares.
        devices: Processes a machine.
        nodes: Machines.

    Raises:
        ConfigError: The batch cannot be divided among the processes, or there are several machines
            and the environment does not say where they meet.
        TrainingError: A process failed or refused; what it said was printed.
    """
    epoch_shape(project, job, Hardware(devices, nodes))  # raises here rather than in each process
    order = Order.of(job, project, devices=devices, nodes=nodes)
    launcher = ["-m", "torch.distributed.run", f"--nproc-per-node={devices}", *_meeting(nodes)]
    status = subprocess.run(order.command(launcher), check=False).returncode
    if status:
        told = "refused" if status == REFUSED else f"failed with exit status {status}"
        raise TrainingError(f"{job} on {devices} x {nodes} devices {told}; see what it said above")


def _meeting(nodes: int) -> list[str]:
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
