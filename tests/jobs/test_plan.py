from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ensemble.errors import ConfigError
from ensemble.jobs.plan import blockers, plan
from ensemble.jobs.worker import Order
from ensemble.project import Project
from ensemble.training.job import Job
from ensemble.vocabulary import FULL

MakeProject = Callable[..., Project]


def test_restoration_of_a_fold_comes_before_its_colorization(make_project: MakeProject) -> None:
    jobs = plan(make_project(), [1, 0])
    assert [(job.fold, job.stage, job.member) for job in jobs[:4]] == [
        (1, "restoration", "tiny-restorer"),
        (1, "restoration", "navier-stokes"),
        (1, "colorization", "tiny-colorizer"),
        (1, "colorization", "tiny-histogram"),
    ]
    assert [job.fold for job in jobs] == [1] * 4 + [0] * 4


def test_of_all_photographs_there_are_trained_members_that_wait_for_nothing(
    make_project: MakeProject,
) -> None:
    jobs = plan(make_project(), [FULL])
    assert [job.member for job in jobs] == ["tiny-restorer", "tiny-colorizer", "tiny-histogram"]
    assert {blockers(job, jobs) for job in jobs} == {frozenset()}
    order = Order(root=".", config=make_project().config, job=jobs[0])
    assert Order.model_validate_json(order.model_dump_json()) == order


def test_stage_and_member_choose(make_project: MakeProject) -> None:
    project = make_project()
    assert {job.stage for job in plan(project, [0], stage="colorization")} == {"colorization"}
    assert plan(project, [0], member="navier-stokes") == (Job("restoration", "navier-stokes", 0),)
    with pytest.raises(
        ConfigError, match=r"`unet` is no member to train or collect; .*`tiny-restorer`"
    ):
        plan(project, [0], member="unet")


def test_colorization_waits_for_the_restoration_of_its_fold() -> None:
    jobs = [Job("restoration", "a", 0), Job("restoration", "a", 1), Job("colorization", "b", 0)]
    assert blockers(jobs[2], jobs) == {jobs[0]}
    assert blockers(jobs[0], jobs) == frozenset()


def test_an_unknown_network_of_ones_own_is_refused_before_anything_is_done(
    make_project: MakeProject,
) -> None:
    project = make_project()
    tables = [
        table.model_copy(update={"encoder": "resnet81"}) if table.name == "tiny-restorer" else table
        for table in project.config.member
    ]
    config = project.config.model_copy(update={"member": tuple(tables)})
    with pytest.raises(ConfigError, match=r"`resnet81` is no encoder \(of member `tiny-restorer`"):
        plan(replace(project, config=config), [0])
