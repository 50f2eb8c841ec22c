from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import pytest
import torch

from ensemble.errors import WeightsError
from ensemble.jobs import dispatch
from ensemble.jobs.dispatch import Machines, parse_gpus, run_jobs
from ensemble.jobs.plan import Entry
from ensemble.jobs.worker import Order
from ensemble.project import Project
from ensemble.training.job import Job

JOBS = (Job("restoration", "tiny-restorer", 0), Job("restoration", "normless", 0))


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    """With a file in the folder of each job, as an earlier training leaves."""
    project = make_project(section="restoration", members=("tiny-restorer", "normless"))
    for job in JOBS:
        folder = job.files(project.workspace).folder
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("")
    return project


@pytest.fixture
def left(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[list[Job]]:
    """What is left of both jobs whenever one begins."""
    seen: list[list[Job]] = []

    def see(job: Job, project: Project, **_: object) -> None:
        seen.append([j for j in JOBS if j.files(project.workspace).folder.exists()])

    monkeypatch.setattr(dispatch, "run_job", see)
    monkeypatch.setattr(dispatch, "run_distributed", see)
    return seen


def test_a_restart_removes_every_job_before_the_first_begins(project: Project, left) -> None:
    shown: list[tuple[str, ...]] = []

    def show(entries: Sequence[Entry]) -> None:
        shown.append(tuple(entry.state for entry in entries))

    run_jobs(JOBS, project, Machines(), restart=True, open_table=lambda: nullcontext(show))
    assert left == [[], []]
    assert shown == [
        ("running", "waiting"),
        ("done", "waiting"),
        ("done", "running"),
        ("done",) * 2,
    ]


def test_without_a_restart_nothing_is_removed(project: Project, left) -> None:
    run_jobs(JOBS, project, Machines())
    assert left == [list(JOBS)] * 2


def test_a_restart_without_first_weights_removes_nothing(
    make_project: Callable[..., Project], project: Project, left, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    config = project.config.replace("training", encoder_weights="imagenet")
    other = Project(project.workspace, config, project.competition, project.folds)
    with pytest.raises(WeightsError):
        run_jobs(JOBS, other, Machines(), restart=True)
    assert left == []
    assert all(job.files(project.workspace).folder.exists() for job in JOBS)


def test_one_gpu_has_a_process_a_job_and_goes_on_after_a_failure(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "import os; print(os.getpid(), os.environ['CUDA_VISIBLE_DEVICES'])"

    def command(order: Order, launcher: Sequence[str] = ()) -> list[str]:
        fails = "; 1 / 0" if order.job == JOBS[0] else ""
        return [sys.executable, "-c", line + fails]

    monkeypatch.setattr(Order, "command", command)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    entries = run_jobs(JOBS, project, Machines(parse_gpus(None)))
    assert [(entry.state, entry.attempts) for entry in entries] == [("failed", 2), ("done", 1)]
    assert "ZeroDivisionError" in entries[0].reason
    logs = [job.files(project.workspace).log.read_text() for job in JOBS]
    began = [tuple(map(int, row)) for row in re.findall(r"^(\d+) (\d+)$", "".join(logs), re.M)]
    assert len(began) == len(set(began)) == 3
    assert {gpu for _, gpu in began} == {0}
    assert os.getpid() not in dict(began)


@pytest.mark.parametrize(("rank", "kept"), [("0", []), ("1", list(JOBS))])
def test_of_several_machines_the_first_removes(
    project: Project, left, monkeypatch: pytest.MonkeyPatch, rank: str, kept: list[Job]
) -> None:
    for name, value in {"ADDR": "127.0.0.1", "PORT": "29500"}.items():
        monkeypatch.setenv(f"MASTER_{name}", value)
    monkeypatch.setenv("NODE_RANK", rank)
    run_jobs(JOBS, project, Machines(nodes=2), restart=True)
    assert left == [kept, kept]
