from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ensemble.errors import MissingArtefactError, StaleArtefactError
from ensemble.jobs.plan import plan
from ensemble.jobs.run import run_job
from ensemble.oof.archive import Archive
from ensemble.project import Project
from ensemble.report.status import member_state
from ensemble.training.job import Job


def test_a_fold_is_trained_and_collected_and_then_left_alone(
    make_project: Callable[..., Project],
) -> None:
    project = make_project(epochs=1)
    jobs = plan(project, [0])
    for job in jobs:
        run_job(job, project)
        archive = Archive(project.workspace.oof_dir(job.stage, job.member, job.fold))
        assert not archive.missing(archive.image_ids)
        assert archive.image_ids == project.folds.validation(0)
    written = {p: p.stat().st_mtime_ns for p in project.workspace.oof.rglob("*") if p.is_file()}
    for job in jobs:
        run_job(job, project)
    assert {p: p.stat().st_mtime_ns for p in written} == written


def states(project: Project) -> dict[str, str]:
    return {member.name: member_state(project, member, 0) for member in project.all_members()}


def test_what_a_table_sets_makes_its_member_stale_and_no_other(
    make_project: Callable[..., Project],
) -> None:
    project = make_project(epochs=1)
    for job in plan(project, [0]):
        run_job(job, project)
    done = states(project)
    assert set(done.values()) == {"cached"}
    for settings, state in [
        ({"seed": 5}, "stale"),
        ({"l1": 0.25}, "stale"),
        ({"input_mode": "prefilled"}, "stale"),
        ({"patience": 7, "num_workers": 0}, "cached"),
        ({"seed": 3, "l1": 0.5}, "cached"),
    ]:
        tables = [
            t.model_copy(update=settings) if t.name == "tiny-restorer" else t
            for t in project.config.member
        ]
        config = project.config.model_copy(update={"member": tuple(tables)})
        changed = replace(project, config=config)
        assert states(changed) == {**done, "tiny-restorer": state}, settings
        if state == "stale":
            with pytest.raises(StaleArtefactError, match=f"{next(iter(settings))}.*--restart"):
                run_job(Job("restoration", "tiny-restorer", 0), changed)


def test_colorization_alone_says_what_it_needs(make_project: Callable[..., Project]) -> None:
    project = make_project(section="restoration", members=("tiny-restorer",))
    with pytest.raises(MissingArtefactError, match="ens train --stage restoration --fold 1"):
        run_job(Job("colorization", "tiny-colorizer", 1), project)
