from __future__ import annotations

import io
import json
from collections.abc import Callable

from rich.console import Console

from ensemble.jobs.plan import Entry
from ensemble.project import Project
from ensemble.report.job_table import job_table
from ensemble.training.job import Job
from ensemble.workspace import atomic_write


def test_a_row_says_how_far_a_job_is(make_project: Callable[..., Project]) -> None:
    project = make_project()
    job = Job("restoration", "tiny-restorer", 0)
    progress = {
        "epoch": 3,
        "epochs": 40,
        "done": 0.05,
        "best_score": 0.51234,
        "images_per_second": 321.7,
        "seconds_left": 3725.2,
    }
    atomic_write(job.files(project.workspace).progress, json.dumps(progress))
    waiting = Entry(Job("colorization", "tiny-colorizer", 1))
    console = Console(file=io.StringIO(), width=120)
    console.print(job_table([Entry(job, "running", 1, "on GPU 2"), waiting], project))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for shown in ("running on GPU 2", "3/40", "0.5123", "322", "1:02:05", "waiting"):
        assert shown in text
