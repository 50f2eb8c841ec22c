from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from ensemble.files import atomic_write
from ensemble.jobs.plan import Entry
from ensemble.manifest import write_manifest
from ensemble.oof.archive import Archive
from ensemble.oof.collect import collect
from ensemble.project import Project
from ensemble.report.job_table import estimate_seconds_left, job_table, say_state
from ensemble.training.job import Job

RESTORER, COLORIZER = "tiny-restorer", "tiny-colorizer"


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project(epochs=40)


def note(project: Project, job: Job, **values: object) -> None:
    """Write the progress of a training as its process does."""
    progress = {
        "epoch": 3,
        "epochs": 40,
        "done": 0.05,
        "best_score": 0.51234,
        "images_per_second": 321.7,
        "seconds_left": 3725.2,
        "epoch_seconds": 100.0,
    }
    path = job.files(project.workspace).progress
    atomic_write(path, json.dumps(progress | values))


def shown(project: Project, *entries: Entry) -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(job_table(entries, project))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_a_row_says_how_far_a_job_is(project: Project) -> None:
    job = Job("restoration", RESTORER, 0)
    note(project, job)
    waiting = Entry(Job("colorization", COLORIZER, 1))
    text = shown(project, Entry(job, "running", 1, "on GPU 2"), waiting)
    for told in ("running on GPU 2", "3/40", "0.5123", "322", "1:02:05", "waiting"):
        assert told in text
    # 38 epochs of this one are left, and 40 of the other, each of 100 s.
    assert "about 2:10:00 left for all jobs" in text


def test_a_batch_in_parts_is_shown_while_the_job_runs(project: Project) -> None:
    entry = Entry(Job("restoration", RESTORER, 0), "running", 1, "on GPU 2")
    assert say_state(entry, project) == "running on GPU 2"
    atomic_write(entry.job.files(project.workspace).parts, '{"parts": 4, "gpu": "Tesla T4"}')
    assert say_state(entry, project) == "running on GPU 2, each batch in 4 parts"
    assert "4 parts" in " ".join(shown(project, entry).split())
    assert say_state(Entry(entry.job, "done"), project) == "done"


def test_a_job_that_predicts_shows_how_many_photographs_are_done(project: Project) -> None:
    job = Job("restoration", "navier-stokes", 0)
    entry = Entry(job, "running")
    assert "predicts" not in shown(project, entry)
    member = project.member(job.stage, job.member)
    archive = collect(project, member, 0)
    ids = project.oof_sample(0)
    made = Archive.create(
        archive.path,
        image_ids=archive.image_ids,
        views=archive.views,
        item_shape=(32, 32),
        dtype="uint8",
        made_from={},
        seed=0,
    )
    made.write(ids[:3], {v: np.zeros((3, 32, 32), np.uint8) for v in made.views})
    assert f"predicts 3/{len(ids)}" in shown(project, entry)
    # So does one whose training is over, and not one that is trained once more.
    other = Entry(Job("restoration", RESTORER, 0), "running")
    shutil.copytree(made.path, project.workspace.oof_dir("restoration", RESTORER, 0))
    note(project, other.job, done=0.5)
    assert "predicts" not in shown(project, other)
    note(project, other.job, done=1.0)
    assert f"predicts 3/{len(ids)}" in shown(project, other)


def test_the_time_left_counts_every_job(project: Project) -> None:
    def job(fold: int, member: str = RESTORER) -> Job:
        return Job("restoration" if member == RESTORER else "colorization", member, fold)

    def left(*entries: Entry) -> float:
        return estimate_seconds_left(entries, project)

    assert left(Entry(job(0)), Entry(job(1))) == 0  # nothing is known yet
    note(project, job(0), done=0.25, epoch_seconds=60.0)
    # 30 epochs of 60 s; 40 of the other fold alike; 40 of a member never trained, in the mean.
    entries = [Entry(job(0), "running"), Entry(job(1)), Entry(job(0, COLORIZER))]
    assert left(*entries) == 60 * (30 + 40 + 40)
    note(project, job(0, COLORIZER), done=0.0, epoch_seconds=100.0)
    assert left(*entries) == 60 * (30 + 40) + 100 * 40
    # Two at once take half, but no less than the longest.
    entries[2].state = "running"
    assert left(*entries) == (60 * 70 + 4000) / 2
    assert left(entries[0], entries[2]) == 4000
    # What has ended, failed, or is not trained takes none.
    entries[0].state, entries[1].state = "done", "failed"
    assert left(*entries, Entry(Job("restoration", "navier-stokes", 0))) == 4000


def test_trainings_that_have_ended_take_no_time_again(project: Project) -> None:
    entry = Entry(Job("restoration", RESTORER, 0))
    note(project, entry.job, done=1.0, epoch_seconds=60.0)
    for facts, seconds in (
        ({"epochs": 40, "stopped_early": False}, 0),
        ({"epochs": 30, "stopped_early": False}, 600),
        ({"epochs": 30, "stopped_early": True}, 0),
    ):
        path = entry.job.files(project.workspace).manifest
        facts |= {"best_epoch": 1, "scores": [], "weights": "", "weights_sample": ""}
        write_manifest(path, kind="checkpoint", made_from={}, seed=0, facts=facts)
        assert estimate_seconds_left([entry], project) == seconds
