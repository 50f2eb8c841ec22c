from __future__ import annotations

import dataclasses
import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ensemble.errors import StaleArtefactError, TrainingError
from ensemble.manifest import read_manifest
from ensemble.project import Project
from ensemble.training import callbacks, state
from ensemble.training.fit import fit
from ensemble.training.job import Job
from ensemble.training.learner import Learner

MakeProject = Callable[..., Project]
LONG = {"epochs": 2, "checkpoint_minutes": 1e-9, "ema_decay": 0.9, "batch_size": 2}


class KilledError(Exception):
    """Stands in for SIGKILL where the test must go on."""


@contextmanager
def killed_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> Iterator[None]:
    """Break off in the middle of the step after `steps`."""
    left = [steps]
    original = Learner.training_step

    def step(self: Learner, batch: Any, batch_idx: int) -> Any:
        if left[0] == 0:
            raise KilledError
        left[0] -= 1
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", step)
        with pytest.raises(KilledError):
            yield


def same_state(one: Path, other: Path) -> bool:
    a, b = (torch.load(path, weights_only=True) for path in (one, other))
    equal = [torch.equal(a["state_dict"][key], b["state_dict"][key]) for key in a["state_dict"]]
    moments = [
        torch.equal(value, b["optimizer_states"][0]["state"][row][name])
        for row, state in a["optimizer_states"][0]["state"].items()
        for name, value in state.items()
    ]
    return all(equal + moments) and a["ens"] == b["ens"]


@pytest.fixture
def uninterrupted(make_project: MakeProject, tmp_path: Path, restoration_job: Job) -> Project:
    project = make_project(tmp_path / "whole", **LONG)
    fit(restoration_job, project=project)
    return project


def test_a_training_broken_at_every_step_ends_the_same_bit_for_bit(
    make_project: MakeProject,
    uninterrupted: Project,
    tmp_path: Path,
    restoration_job: Job,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = restoration_job.files(uninterrupted.workspace)
    project = make_project(tmp_path / "broken", **LONG)
    files = restoration_job.files(project.workspace)
    # 10 training photographs are 5 steps an epoch. One step at a time, across the epoch's end.
    for _ in range(9):
        with killed_after(monkeypatch, 1):
            fit(restoration_job, project=project)
    manifest = fit(restoration_job, project=project)
    assert same_state(files.last, expected.last)
    ours, theirs = load_file(files.weights), load_file(expected.weights)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert manifest.facts == read_manifest(expected.manifest, "checkpoint").facts
    assert files.metrics.read_text().count("\n") == 3


def test_sigterm_ends_a_training_after_its_step_with_a_checkpoint(
    make_project: MakeProject,
    uninterrupted: Project,
    tmp_path: Path,
    restoration_job: Job,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = make_project(tmp_path / "ended", **(LONG | {"checkpoint_minutes": 60.0}))
    original, begun = Learner.training_step, []

    def step(self: Learner, batch: Any, batch_idx: int) -> Any:
        begun.append(batch_idx)
        if len(begun) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", step)
        with pytest.raises(KeyboardInterrupt):
            fit(restoration_job, project=project)
    files = restoration_job.files(project.workspace)
    assert state.read_state(files.last)["position"] == {"epoch": 0, "batch": 3, "updates": 3}
    fit(restoration_job, project=project)
    assert same_state(files.last, restoration_job.files(uninterrupted.workspace).last)


def test_accumulated_gradients_are_never_cut_in_two(
    make_project: MakeProject, tmp_path: Path, restoration_job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = LONG | {"accumulate": 2, "schedule": "cosine", "epochs": 1}
    whole = make_project(tmp_path / "whole", **settings)
    fit(restoration_job, project=whole)
    broken = make_project(tmp_path / "broken", **settings)
    with killed_after(monkeypatch, 3):
        fit(restoration_job, project=broken)
    files = restoration_job.files(broken.workspace)
    assert state.read_state(files.last)["position"] == {"epoch": 0, "batch": 2, "updates": 1}
    fit(restoration_job, project=broken)
    assert same_state(files.last, restoration_job.files(whole.workspace).last)


def test_a_longer_training_goes_on_where_the_shorter_one_ended(
    make_project: MakeProject, uninterrupted: Project, tmp_path: Path, restoration_job: Job
) -> None:
    short = make_project(tmp_path / "short", **(LONG | {"epochs": 1}))
    fit(restoration_job, project=short)
    extended = make_project(tmp_path / "short", **LONG)
    assert fit(restoration_job, project=extended).facts["epochs"] == 2
    ours = restoration_job.files(extended.workspace)
    assert same_state(ours.last, restoration_job.files(uninterrupted.workspace).last)
    # Fewer epochs than there are is no reason to train.
    assert fit(restoration_job, project=short).facts["epochs"] == 2


def test_what_changed_is_named(
    make_project: MakeProject, restoration_job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed_after(monkeypatch, 2):
        fit(restoration_job, project=make_project(**LONG))
    other = make_project(**(LONG | {"learning_rate": 0.5, "clip_norm": 1.0}))
    with pytest.raises(StaleArtefactError) as error:
        fit(restoration_job, project=other)
    text = str(error.value)
    assert "`training.learning_rate` = 0.001 instead of 0.5" in text
    assert "`training.clip_norm` = 0.0 instead of 1.0" in text
    assert "--restart" in text
    # How fast it learns may change.
    faster = make_project(**(LONG | {"num_workers": 0, "checkpoint_minutes": 5.0}))
    fit(restoration_job, project=faster)
    with pytest.raises(StaleArtefactError, match=r"weights.safetensors.*learning_rate"):
        fit(restoration_job, project=other)


def test_changed_folds_are_named(make_project: MakeProject, restoration_job: Job) -> None:
    project = make_project(epochs=1)
    fit(restoration_job, project=project)
    folds = project.folds
    swapped = dataclasses.replace(folds, folds=tuple(1 - fold for fold in folds.folds))
    with pytest.raises(StaleArtefactError, match="another folds"):
        fit(restoration_job, project=dataclasses.replace(project, folds=swapped))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_is_refused_and_left_alone(
    make_project: MakeProject,
    restoration_job: Job,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
) -> None:
    project = make_project(**LONG)
    with killed_after(monkeypatch, 2):
        fit(restoration_job, project=project)
    last = restoration_job.files(project.workspace).last
    if content is None:  # one bit flips, somewhere in the weights
        whole = bytearray(last.read_bytes())
        whole[len(whole) // 2] ^= 1
        content = bytes(whole)
    last.write_bytes(content)
    with pytest.raises(StaleArtefactError, match="not a whole checkpoint.*--restart"):
        fit(restoration_job, project=project)
    assert last.read_bytes() == content


def test_a_foreign_checkpoint_is_refused(make_project: MakeProject, restoration_job: Job) -> None:
    project = make_project(**LONG)
    last = restoration_job.files(project.workspace).last
    last.parent.mkdir(parents=True)
    torch.save({"state_dict": {}, "epoch": 3}, last)
    with pytest.raises(StaleArtefactError, match="not a whole checkpoint of this toolkit"):
        fit(restoration_job, project=project)


def test_nothing_is_unpickled(
    make_project: MakeProject, restoration_job: Job, tmp_path: Path
) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "harm"),)

    project = make_project(**LONG)
    last = restoration_job.files(project.workspace).last
    last.parent.mkdir(parents=True)
    torch.save({"ens": Harm()}, last)
    with pytest.raises(StaleArtefactError, match="not a whole checkpoint"):
        fit(restoration_job, project=project)
    assert not (tmp_path / "harm").exists()


def test_a_full_disk_is_told_and_the_last_checkpoint_is_intact(
    make_project: MakeProject, restoration_job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(**LONG)
    with killed_after(monkeypatch, 2):
        fit(restoration_job, project=project)
    last = restoration_job.files(project.workspace).last
    before = last.read_bytes()

    def full(checkpoint: Any, path: Path) -> None:
        Path(path).write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(OSError, match="No space left on device: .*last.ckpt"):
            fit(restoration_job, project=project)
    assert last.read_bytes() == before
    assert fit(restoration_job, project=project).facts["epochs"] == 2


def test_a_loss_that_is_not_finite_stops_before_anything_is_overwritten(
    make_project: MakeProject, restoration_job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "CHECK_EVERY", 1)
    project = make_project(**LONG)
    with killed_after(monkeypatch, 2):
        fit(restoration_job, project=project)
    last = restoration_job.files(project.workspace).last
    before = last.read_bytes()
    original = Learner.training_step

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", lambda *a: original(*a) * float("nan"))
        with pytest.raises(TrainingError) as error:
            fit(restoration_job, project=project)
    assert "must be finite" in str(error.value)
    assert "learning_rate" in str(error.value)
    assert last.read_bytes() == before


def test_a_finished_training_without_its_state_cannot_be_extended(
    make_project: MakeProject, restoration_job: Job
) -> None:
    project = make_project(epochs=1)
    fit(restoration_job, project=project)
    restoration_job.files(project.workspace).last.unlink()
    with pytest.raises(TrainingError, match=r"cannot be extended to 2.*last.ckpt"):
        fit(restoration_job, project=make_project(epochs=2))


@pytest.mark.parametrize("average_last", [0, 2])
@pytest.mark.parametrize("name", ["weights", "manifest"])
@pytest.mark.parametrize("harm", ["rubbish", "gone"])
def test_a_damaged_result_is_written_again_and_nothing_is_learned(
    make_project: MakeProject,
    restoration_job: Job,
    monkeypatch: pytest.MonkeyPatch,
    average_last: int,
    name: str,
    harm: str,
) -> None:
    project = make_project(epochs=2, average_last=average_last)
    manifest = fit(restoration_job, project=project)
    files = restoration_job.files(project.workspace)
    before, path = files.weights.read_bytes(), getattr(files, name)
    path.unlink()
    if harm == "rubbish":
        path.write_bytes(b"rubbish")
    monkeypatch.setattr(Learner, "training_step", None)
    assert fit(restoration_job, project=project) == manifest
    assert files.weights.read_bytes() == before


@pytest.mark.parametrize("harm", [b"rubbish", b""])
def test_damaged_weights_without_the_last_checkpoint_are_refused(
    make_project: MakeProject, restoration_job: Job, harm: bytes
) -> None:
    project = make_project(epochs=1)
    fit(restoration_job, project=project)
    files = restoration_job.files(project.workspace)
    files.last.unlink()
    files.weights.write_bytes(harm)
    with pytest.raises(StaleArtefactError, match="is not the file that.*fold 0 --restart"):
        fit(restoration_job, project=project)


@pytest.mark.parametrize("harm", ["rubbish", "of another epoch", "gone"])
def test_an_epochs_weights_that_were_tampered_with_do_not_become_the_networks(
    make_project: MakeProject, restoration_job: Job, harm: str
) -> None:
    fit(restoration_job, project=make_project(epochs=2, average_last=2))
    files = restoration_job.files(make_project(epochs=2).workspace)
    before, harmed = files.weights.read_bytes(), files.epoch_weights(0)
    if harm == "gone":
        harmed.unlink()
    else:
        harmed.write_bytes(files.epoch_weights(1).read_bytes() if "of" in harm else b"rubbish")
    files.manifest.unlink()  # as if it had been killed before the end
    with pytest.raises(StaleArtefactError, match="epoch-0000.*is not the file that .*last.ckpt"):
        fit(restoration_job, project=make_project(epochs=2, average_last=2))
    assert files.weights.read_bytes() == before


def test_a_training_that_stopped_early_goes_on_with_more_patience(
    make_project: MakeProject, tmp_path: Path, restoration_job: Job
) -> None:
    """To the very weights of a training that had that patience from the start."""
    settings = LONG | {"epochs": 4, "learning_rate": 1e-12}
    patient = make_project(tmp_path / "patient", **settings, patience=0)
    fit(restoration_job, project=patient)
    stopped = make_project(tmp_path / "stopped", **settings, patience=1)
    assert fit(restoration_job, project=stopped).facts["epochs"] < 4
    extended = make_project(tmp_path / "stopped", **settings, patience=0)
    assert fit(restoration_job, project=extended).facts["epochs"] == 4
    ours, theirs = (restoration_job.files(p.workspace) for p in (extended, patient))
    assert same_state(ours.last, theirs.last)


@pytest.mark.parametrize(
    "change",
    [
        {"position": {"epoch": -5, "batch": 0, "updates": 0}},
        {"scores": "high"},
        {"scores": []},
    ],
)
def test_a_checkpoint_of_another_shape_is_refused_by_name(
    make_project: MakeProject, restoration_job: Job, change: dict[str, object]
) -> None:
    fit(restoration_job, project=make_project(**(LONG | {"epochs": 1})))
    project = make_project(**LONG)
    last = restoration_job.files(project.workspace).last
    content = torch.load(last, weights_only=True)
    content[state.KEY] |= change
    torch.save(content, last)
    with pytest.raises(StaleArtefactError, match=r"last.ckpt` is not a whole checkpoint"):
        fit(restoration_job, project=project)


def test_files_of_other_kinds_in_the_folder_do_no_harm(
    make_project: MakeProject, restoration_job: Job
) -> None:
    fit(restoration_job, project=make_project(**(LONG | {"epochs": 1})))
    project = make_project(**LONG)
    files = restoration_job.files(project.workspace)
    (files.folder / "epoch-abc.safetensors").write_bytes(b"mine")
    files.metrics.write_bytes(b"\xff\xfe no table")
    assert fit(restoration_job, project=project).facts["epochs"] == 2
    assert files.metrics.read_text().count("\n") == 2


def test_a_manifest_without_its_facts_is_refused_by_name(
    make_project: MakeProject, restoration_job: Job
) -> None:
    project = make_project(**(LONG | {"epochs": 1}))
    fit(restoration_job, project=project)
    path = restoration_job.files(project.workspace).manifest
    path.write_text(path.read_text().replace('"scores"', '"scored"'))
    restoration_job.files(project.workspace).last.unlink()
    with pytest.raises(StaleArtefactError, match="is not a manifest .*--restart"):
        fit(restoration_job, project=project)
