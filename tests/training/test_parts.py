"""A batch that does not fit into memory is learned from in parts, to the same weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ensemble.networks.device import Forward
from ensemble.project import Project
from ensemble.training import fit as room
from ensemble.training.callbacks import Checkpointing
from ensemble.training.fit import fit
from ensemble.training.job import Job
from ensemble.training.parts import loss_in_parts, read_parts
from ensemble.training.tasks.task import Example
from ensemble.training.trainer import Hardware, make_trainer
from tests.jobs.test_distributed import rounding
from tests.reference import double

# Without batch normalization, the one thing that sees the parts.
NORMLESS = Job("restoration", "normless", 0)
LOSSES = {"members": ("normless",), "hole_loss": 0.5, "ssim_finish": 0.5}


class Memory:
    """Networks that are built run out of memory above a number of photographs while they learn."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.most, self.seen = 10**9, list[int]()
        build = room.build

        def built(*args: Any, **kwargs: Any) -> nn.Module:
            network = build(*args, **kwargs)
            network.register_forward_pre_hook(self._count)
            return network

        patch.setattr(room, "build", built)

    def _count(self, network: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        (shown,) = inputs
        self.seen.append(len(shown))
        if len(shown) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    return Memory(monkeypatch)


@pytest.fixture
def make(make_project: Callable[..., Project]) -> Callable[..., Project]:
    """A project whose loss has every term, with a batch that three parts do not divide evenly."""

    def make(folder: Path, **training: Any) -> Project:
        project = make_project(folder, section="restoration", **LOSSES)
        config = project.config.replace("training", **{"batch_size": 5, **training})
        return Project(project.workspace, config, project.competition, project.folds)

    return make


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_batch_that_does_not_fit_teaches_what_the_whole_one_does(
    make, memory: Memory, tmp_path: Path, caplog: pytest.LogCaptureFixture, accumulate: int
) -> None:
    projects = [make(tmp_path / name, accumulate=accumulate) for name in ("whole", "parts")]
    with double.in_double():
        fit(NORMLESS, project=projects[0])
        memory.most, memory.seen = 1, []
        fit(NORMLESS, project=projects[1])
    expected, ours = (load_file(NORMLESS.files(p.workspace).weights) for p in projects)
    for key, value in expected.items():
        assert value.dtype == torch.float64
        torch.testing.assert_close(ours[key], value, atol=rounding(projects[0]), rtol=0)
    assert memory.seen[:5] == [5, 3, 2, 1, 1]  # in 1, 2, 4 parts, and at last in 5
    told = [r.getMessage() for r in caplog.records if "gradients" in r.getMessage()]
    assert told[0] == (
        "restoration normless fold 0: 5 photographs at once do not fit into the GPU's memory; "
        "from now on 3, and the gradients of 2 such parts are added up: a step stays one of 5"
    )
    assert len(told) == 3


def test_memory_that_runs_out_later_resumes_from_the_last_checkpoint(
    make, memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was learned before is not learned again; the parts are kept when it is resumed."""
    ends = []
    original = Checkpointing.on_train_epoch_end

    def end(self: Checkpointing, *args: Any) -> None:
        original(self, *args)
        ends.append(self.position.epoch)
        memory.most = 3

    monkeypatch.setattr(Checkpointing, "on_train_epoch_end", end)
    project = make(tmp_path)
    assert fit(NORMLESS, project=project).facts["epochs"] == 2
    assert ends == [1, 2]
    files = NORMLESS.files(project.workspace)
    assert read_parts(files) == 2
    memory.most, memory.seen = 10**9, []
    fit(NORMLESS, project=make(tmp_path, epochs=3))
    assert memory.seen[0] == 3


def test_another_gpu_begins_with_whole_batches(
    make, memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = NORMLESS.files(make(tmp_path).workspace)
    files.folder.mkdir(parents=True)
    files.parts.write_text(json.dumps({"parts": 4, "gpu": "Tesla T4"}))
    assert read_parts(files) == 1
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    assert read_parts(files) == 4


def test_a_single_photograph_that_does_not_fit_is_an_error(
    make, memory: Memory, tmp_path: Path
) -> None:
    memory.most = 0
    with pytest.raises(torch.OutOfMemoryError):
        fit(NORMLESS, project=make(tmp_path))


@pytest.mark.parametrize("scale", [1.0, 2.0**16])
def test_gradients_under_autocast_are_those_of_the_whole_batch(scale: float) -> None:
    """In fp16 they are scaled as the scaler scales the loss; a parameter without one has none."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 1, 3))
    network.register_parameter("unused", nn.Parameter(torch.ones(1)))
    pictures = torch.randn(5, 1, 12, 12)
    task: Any = SimpleNamespace(loss=lambda y, part, done: (y - part.wanted).abs().mean())

    def gradients(parts: int) -> list[torch.Tensor | None]:
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            example = Example(pictures, torch.zeros(5, 1, 8, 8))
            loss = loss_in_parts(task, network, example, parts=parts, scale=scale)
        (3 * loss).backward()
        return [loss.detach(), *(p.grad for p in network.parameters())]

    for one, other in zip(gradients(1), gradients(3), strict=True):
        if one is None:
            assert other is None
        else:
            torch.testing.assert_close(other, one, atol=2e-3, rtol=2e-2)


def test_fp16_trains_with_a_gradient_scaler_whose_state_is_kept(
    make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make(tmp_path, precision="fp16")
    settings, files = project.config.training, NORMLESS.files(project.workspace)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    trainer = make_trainer(settings, files, Hardware(), [])
    assert trainer.precision == "16-mixed"
    assert isinstance(trainer.precision_plugin.scaler, torch.amp.GradScaler)
    assert trainer.precision_plugin.state_dict()["scale"] == 65536


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_predictions_of_a_batch_that_does_not_fit_are_the_same(
    error: RuntimeError,
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = []

    def predict(batch: torch.Tensor) -> torch.Tensor:
        seen.append(len(batch))
        if len(batch) > 2:
            raise error
        return 2 * batch

    forward, batch = Forward(predict), torch.arange(7.0)
    assert torch.equal(forward(batch), 2 * batch)
    assert seen == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert torch.equal(forward(batch), 2 * batch)  # the size that fits is kept
    assert seen[9:] == [1] * 7
    assert [record.getMessage() for record in caplog.records] == [
        "7 photographs at once do not fit into the GPU's memory; from now on 3 are predicted at "
        "once",
        "3 photographs at once do not fit into the GPU's memory; from now on 1 are predicted at "
        "once",
    ]
    with pytest.raises(torch.OutOfMemoryError):
        Forward(lambda batch: torch.cat([predict(batch), predict(torch.ones(3))]))(batch)


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def predict(batch: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")

    with pytest.raises(RuntimeError, match="EXECUTION_FAILED") as caught:
        Forward(predict)(torch.ones(2))
    assert not isinstance(caught.value, torch.OutOfMemoryError)
