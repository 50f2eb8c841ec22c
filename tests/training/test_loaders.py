from __future__ import annotations

import multiprocessing
from collections.abc import Callable

from ensemble.project import Project
from ensemble.training.fit import make_task
from ensemble.training.job import Job
from ensemble.training.loaders import cut_epoch, make_training_loader
from ensemble.training.progress import Position
from ensemble.training.trainer import Hardware


def test_a_reader_leaves_a_request_to_end_to_its_owner(
    make_project: Callable[..., Project], restoration_job: Job
) -> None:
    project = make_project(num_workers=1, steps_per_epoch=8)
    member = project.member("restoration", restoration_job.member)
    task = make_task(member, project.config, None)
    shape = cut_epoch(project, restoration_job, Hardware())
    loader = make_training_loader(project, restoration_job, task, shape, Position(0, 0))
    batches = iter(loader)
    next(batches)
    [reader] = multiprocessing.active_children()
    reader.terminate()  # SIGTERM, as a scheduler sends it to all processes of a job
    assert len(list(batches)) == 7
    assert reader.is_alive()
