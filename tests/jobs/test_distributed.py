from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ensemble.errors import ConfigError, TrainingError
from ensemble.jobs import worker
from ensemble.jobs.run import run_distributed, run_job
from ensemble.jobs.worker import Order
from ensemble.manifest import read_manifest
from ensemble.oof.archive import Archive
from ensemble.project import Project
from ensemble.training.job import Job
from ensemble.training.loaders import cut_epoch
from ensemble.training.trainer import Hardware
from tests.reference import double
from tests.reference.tiny import SIZE

MakeProject = Callable[..., Project]
# Without batch normalization, which torch synchronises between processes on GPUs only; and with
# parameters that no output depends on, as most of the real members have.
NORMLESS = Job("restoration", "normless", 0)


def _project(make_project: MakeProject, root: Path) -> Project:
    project = make_project(root, section="restoration", members=("normless",), hole_loss=0.5)
    config = project.config.replace("training", epochs=2, checkpoint_minutes=1e-9)
    return Project(project.workspace, config, project.competition, project.folds)


def test_two_processes_learn_what_one_does(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (_project(make_project, tmp_path / name) for name in ("one", "two"))
    monkeypatch.setattr(worker, "__name__", double.__name__)  # what the processes execute
    with double.in_double():
        run_job(NORMLESS, one)
    run_distributed(NORMLESS, two, devices=2, nodes=1)
    mine, theirs = (NORMLESS.files(project.workspace) for project in (one, two))
    ours, expected = load_file(theirs.weights), load_file(mine.weights)
    for key, value in expected.items():
        assert value.dtype == torch.float64
        torch.testing.assert_close(ours[key], value, atol=rounding(one), rtol=0)
    scores = [
        read_manifest(files.manifest, "checkpoint").facts["scores"] for files in (mine, theirs)
    ]
    assert scores[1] == pytest.approx(scores[0], abs=1e-7)  # a float32 mean
    archive = Archive(two.workspace.oof_dir("restoration", "normless", 0))
    assert not archive.missing(archive.image_ids)


def rounding(project: Project) -> float:
    """How far two orders of summation may lead the float64 weights apart.

    A gradient of about 1 is a mean over n pixels, which rounds by sqrt(n) 2^-53. AdamW divides it
    by its own size, or by eps where it is smaller: an update differs by at most rate / eps times
    as much.
    """
    settings, eps = project.config.training, 1e-8
    pixels = settings.batch_size * SIZE**2
    updates = settings.epochs * cut_epoch(project, NORMLESS, Hardware()).batches
    return updates * settings.learning_rate / eps * math.sqrt(pixels) * 2**-53


def test_a_batch_that_cannot_be_divided_is_told_at_once(
    make_project: MakeProject, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"batch_size=4, devices=3"):
        run_distributed(NORMLESS, _project(make_project, tmp_path), devices=3, nodes=1)


def test_a_failing_process_fails_the_training(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = [sys.executable, "-c", "import sys; sys.exit(3)"]
    monkeypatch.setattr(Order, "command", lambda self, launcher: failing)
    with pytest.raises(TrainingError, match="normless fold 0 on 2 x 1 devices failed .* 3"):
        run_distributed(NORMLESS, _project(make_project, tmp_path), devices=2, nodes=1)


def test_a_training_whose_batch_was_found_too_large_is_begun_again(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = _project(make_project, tmp_path)
    parts = NORMLESS.files(project.workspace).parts
    parts.parent.mkdir(parents=True)
    halve = f"import sys; open({str(parts)!r}, 'a').write('x'); sys.exit(1)"
    lines = [halve, halve, "", "import sys; sys.exit(1)"]
    monkeypatch.setattr(
        Order, "command", lambda self, launcher: [sys.executable, "-c", lines.pop(0)]
    )
    run_distributed(NORMLESS, project, devices=2, nodes=1)
    assert len(lines) == 1
    with pytest.raises(TrainingError, match="failed with exit status 1"):
        run_distributed(NORMLESS, project, devices=2, nodes=1)


def test_machines_must_know_where_to_meet(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ConfigError, match=r"MASTER_ADDR.* is not set; on every machine"):
        run_distributed(NORMLESS, _project(make_project, tmp_path), devices=1, nodes=2)
