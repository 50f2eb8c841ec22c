from __future__ import annotations

from collections.abc import Callable

import pytest

from ensemble.errors import MissingArtefactError
from ensemble.jobs.plan import plan
from ensemble.jobs.run import run_job
from ensemble.oof.archive import Archive
from ensemble.project import Project
from ensemble.training.job import Job


def test_a_fold_is_trained_and_collected_and_then_left_alone(
    make_project: Callable[..., Project],
) -> None:
    project = make_project(epochs=1)
    jobs = plan(project, [0])
    for job in jobs:
        run_job(job, project)
        archive = Archive(project.workspace.oof_dir(job.stage, job.member, job.fold))
        assert archive.complete
        assert archive.image_ids == project.folds.validation(0)
    written = {p: p.stat().st_mtime_ns for p in project.workspace.oof.rglob("*") if p.is_file()}
    for job in jobs:
        run_job(job, project)
    assert {p: p.stat().st_mtime_ns for p in written} == written


def test_colorization_alone_says_what_it_needs(make_project: Callable[..., Project]) -> None:
    project = make_project(section="restoration", members=("tiny-restorer",))
    with pytest.raises(MissingArtefactError, match="ens train --stage restoration --fold 1"):
        run_job(Job("colorization", "tiny-colorizer", 1), project)
