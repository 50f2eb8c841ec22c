from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ensemble.errors import ConfigError
from ensemble.jobs import cluster
from ensemble.jobs.cluster import connect, run_on_cluster
from ensemble.jobs.entry import Entry
from ensemble.jobs.run import run_job
from ensemble.project import Project
from ensemble.training.job import Job

distributed = pytest.importorskip("distributed")

RESTORER = Job("restoration", "tiny-restorer", 0)
UNKNOWN = Job("restoration", "unknown", 1)
COLORIZER = Job("colorization", "tiny-colorizer", 1)
SETTINGS = {"epochs": 10, "patience": 0, "checkpoint_minutes": 1e-9}


@pytest.fixture
def client() -> Iterator[Any]:
    workers = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with workers, distributed.Client(workers) as connected:
        yield connected


class Killer:
    """Kills the worker that trains, once its job has left a checkpoint."""

    def __init__(self, client: Any, project: Project) -> None:
        self.pids = client.run(os.getpid)
        self.last = RESTORER.files(project.workspace).last
        self.killed = ""

    def __call__(self, entries: Sequence[Entry]) -> None:
        where = next(entry.where for entry in entries if entry.job == RESTORER)
        if not self.killed and where in self.pids and self.last.exists():
            self.killed = where
            os.kill(self.pids[where], signal.SIGKILL)


def test_jobs_survive_the_loss_of_a_worker_and_failures_stay_their_own(
    make_project: Callable[..., Project], tmp_path: Path, client: Any
) -> None:
    project = make_project(tmp_path / "shared", **SETTINGS)
    killer = Killer(client, project)
    jobs = [RESTORER, UNKNOWN, COLORIZER]
    entries = run_on_cluster(jobs, project, client, killer)
    assert killer.killed
    states = {entry.job: entry.state for entry in entries}
    assert states == {RESTORER: "done", UNKNOWN: "failed", COLORIZER: "skipped"}
    reason = next(entry.reason for entry in entries if entry.job == UNKNOWN)
    assert "`unknown` must be a restoration member" in reason

    alone = make_project(tmp_path / "alone", **SETTINGS)
    run_job(RESTORER, alone)
    ours, theirs = (load_file(RESTORER.files(p.workspace).weights) for p in (project, alone))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_no_scheduler_is_told_with_what_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    with pytest.raises(ConfigError, match=r"(?s)no Dask scheduler answers.*dask worker tcp://"):
        connect("tcp://127.0.0.1:9")
