"""SIGKILL at random moments: `ENS_KILLS=30 pytest tests/jobs/test_kill.py` for thirty in a row."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from safetensors.torch import load_file

from ensemble.jobs import worker
from ensemble.jobs.worker import Order
from ensemble.project import Project
from ensemble.training.job import Job

KILLS = int(os.environ.get("ENS_KILLS", "3"))
JOB = Job("restoration", "tiny-restorer", 0)
SETTINGS = {"epochs": 4, "checkpoint_minutes": 1e-9, "ema_decay": 0.9, "batch_size": 2}


def _process(project: Project) -> BaseProcess:
    """A process of its own that does the job; the server has the imports done already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ensemble.jobs.run"])
    order = Order.of(JOB, project).model_dump_json()
    process = context.Process(target=worker.main, args=([order],))
    process.start()
    return process


def _run_to_the_end(project: Project) -> float:
    started = time.monotonic()
    process = _process(project)
    process.join(120)
    assert process.exitcode == 0
    return time.monotonic() - started


def _kill_once(project: Project, after: float) -> bool:
    """Kill the job; False if it was faster."""
    process = _process(project)
    process.join(after)
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


def _same(one: Path, other: Path) -> bool:
    ours, theirs = load_file(one), load_file(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_a_job_killed_at_any_moment_ends_as_if_it_had_not_been(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    whole = make_project(tmp_path / "whole", **SETTINGS)
    duration = _run_to_the_end(whole)
    duration = max(duration / 2, 0.5)
    killed = make_project(tmp_path / "killed", **SETTINGS)
    moments = random.Random(KILLS)
    kills = rounds = 0
    while kills < KILLS:
        if not _kill_once(killed, moments.uniform(0.05, duration)):
            rounds += 1
            _compare(killed, whole)
            shutil.rmtree(killed.workspace.checkpoints)
        else:
            kills += 1
    _run_to_the_end(killed)
    _compare(killed, whole)


def _compare(killed: Project, whole: Project) -> None:
    ours, theirs = JOB.files(killed.workspace), JOB.files(whole.workspace)
    assert _same(ours.weights, theirs.weights)
    assert ours.metrics.read_text().count("\n") == theirs.metrics.read_text().count("\n")
    assert not [path for path in ours.folder.glob(".*") if path.is_dir()]
