from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ensemble.config_text import config_text
from ensemble.errors import ConfigError, TrainingError
from ensemble.jobs import cluster
from ensemble.jobs.cluster import connect, run_on_cluster
from ensemble.jobs.plan import Entry
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
    assert "`unknown` is no member of restoration in ens.toml" in reason

    alone = make_project(tmp_path / "alone", **SETTINGS)
    run_job(RESTORER, alone)
    ours, theirs = (load_file(RESTORER.files(p.workspace).weights) for p in (project, alone))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 1.5)


@contextmanager
def serving(answer: bytes) -> Iterator[str]:
    """A server that is no scheduler: it greets each caller, and never says more."""
    callers = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                callers.append(caller)
                caller.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for caller in callers:
                caller.close()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"])
def test_a_port_that_is_no_scheduler_is_refused(answer: bytes) -> None:
    started = time.monotonic()
    with (
        serving(answer) as address,
        pytest.raises(ConfigError, match=r"no Dask scheduler answers.*start one with"),
    ):
        connect(address)
    assert time.monotonic() - started < 10


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1", "foo://127.0.0.1:9"])
def test_no_scheduler_is_told_with_what_to_start(address: str) -> None:
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers.*dask worker "):
        connect(address)


class Cluster:
    """A scheduler and workers, each in a process of its own that may be killed."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self._start("dask_scheduler", "--host=127.0.0.1", f"--port={port}")
        self.processes = [self.scheduler]

    def start_worker(self) -> subprocess.Popen[bytes]:
        worker = self._start("dask_worker", self.address, "--nthreads=1", "--no-nanny")
        self.processes.append(worker)
        return worker

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments, "--no-dashboard"]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)


@contextmanager
def run_cluster() -> Iterator[Cluster]:
    found = Cluster()
    try:
        yield found
    finally:
        for process in found.processes:
            process.kill()
            process.wait()


@pytest.fixture
def machines() -> Iterator[Cluster]:
    with run_cluster() as found:
        yield found


def connect_soon(address: str, *refusals: type[Exception]) -> Any:
    """Connect to a scheduler that is just being started; other refusals may pass as well."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return connect(address)
        except (ConfigError, *refusals):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.usefixtures("impatient")
def test_a_scheduler_without_workers_is_refused_and_a_worker_is_no_scheduler(
    machines: Cluster,
) -> None:
    with pytest.raises(TrainingError, match=r"must have a worker, but had none .*dask worker tcp"):
        connect_soon(machines.address)
    machines.start_worker()
    with connect_soon(machines.address, TrainingError) as client:
        (worker,) = client.scheduler_info()["workers"]
        with pytest.raises(ConfigError, match=r"is the address of a Worker\); start one"):
            connect(worker)


def test_the_same_command_goes_on_after_its_scheduler_was_killed(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    project = make_project(tmp_path / "shared", **SETTINGS)
    project.workspace.config_file.write_text(config_text(project.config))
    files = RESTORER.files(project.workspace)
    with run_cluster() as first:
        first.start_worker()
        command = start_train(project, first.address)
        while not files.last.exists():
            assert command.poll() is None
            time.sleep(0.01)
        first.scheduler.kill()
        assert not files.weights.exists()
        said = command.communicate()[0]
        assert command.returncode == 2
        assert re.search(r"\nerror: .*the connection to it is lost .*goes on from its last", said)
        assert "Traceback" not in said
        # The first worker still runs: it must not keep the job from the next.
        with run_cluster() as second:
            second.start_worker()
            command = start_train(project, second.address)
            assert command.communicate()[0].strip().endswith("blend --trials 200")
            assert command.returncode == 0

    alone = make_project(tmp_path / "alone", **SETTINGS)
    run_job(RESTORER, alone)
    ours, theirs = (load_file(RESTORER.files(p.workspace).weights) for p in (project, alone))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def start_train(project: Project, address: str) -> subprocess.Popen[str]:
    flags = ["--fold", "0", "--stage", RESTORER.stage, "--dask", address]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "ensemble.cli.app",
            "--root",
            project.workspace.root,
            "train",
            *flags,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("victim", "sent", "told"),
    [
        ("scheduler", signal.SIGKILL, r"the connection to it is lost \(.*goes on from"),
        ("scheduler", signal.SIGSTOP, r"the connection to it is lost \(.*goes on from"),
        ("worker", signal.SIGKILL, r"must have a worker, but had none"),
    ],
)
def test_a_cluster_that_dies_ends_the_run_with_the_remedy(
    make_project: Callable[..., Project],
    machines: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    victim: str,
    sent: signal.Signals,
    told: str,
) -> None:
    def sleep(order_json: str, needed: Sequence[None]) -> None:
        time.sleep(60)

    monkeypatch.setattr(cluster, "do_order", sleep)
    victims = {"scheduler": machines.scheduler, "worker": machines.start_worker()}

    def kill(entries: Sequence[Entry]) -> None:
        if entries[0].state == "running":
            victims[victim].send_signal(sent)

    with connect_soon(machines.address, TrainingError) as client:
        started = time.monotonic()
        with pytest.raises(TrainingError, match=told):
            run_on_cluster([RESTORER], make_project(), client, kill)
    assert time.monotonic() - started < 20
