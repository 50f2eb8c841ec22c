from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from ensemble.jobs import worker
from ensemble.jobs.worker import REFUSED, Order, main
from ensemble.oof.archive import Archive
from ensemble.project import Project
from ensemble.training.job import Job

RESTORER = Job("restoration", "tiny-restorer", 0)


def test_an_order_is_carried_out_with_the_settings_it_carries(
    make_project: Callable[..., Project],
) -> None:
    project = make_project(epochs=1)
    order = Order.of(RESTORER, project)
    (project.workspace.root / "ens.toml").unlink()
    assert main([order.model_dump_json()]) == 0
    archive = Archive(project.workspace.oof_dir("restoration", "tiny-restorer", 0))
    assert not archive.missing(archive.image_ids)


def test_a_refusal_is_printed_and_told_by_the_status(
    make_project: Callable[..., Project], capsys: pytest.CaptureFixture[str]
) -> None:
    order = Order.of(RESTORER, make_project()).model_copy(update={"root": Path("/not/shared")})
    assert main([order.model_dump_json()]) == REFUSED
    assert "must be the same shared folder on every machine" in capsys.readouterr().err


@pytest.mark.parametrize(("platform", "prepared"), [("linux", True), ("win32", False)])
def test_a_process_is_prepared_only_where_that_is_possible(
    make_project: Callable[..., Project],
    restoration_job: Job,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    prepared: bool,
) -> None:
    popen = Mock()
    monkeypatch.setattr(worker, "Popen", popen)
    monkeypatch.setattr(worker.sys, "platform", platform)
    worker.start(Order.of(restoration_job, make_project()))
    assert (popen.call_args.kwargs["preexec_fn"] is not None) == prepared
