from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ensemble.arrays import luma
from ensemble.networks.tensors import to_tensor
from ensemble.project import Project
from ensemble.training.batches import Batch, Shape, TrainingBatches
from ensemble.training.data import damage_drawer
from ensemble.training.restorers import Restorers
from ensemble.training.tasks.colorization import ColorizationTask, HistogramTask
from ensemble.training.tasks.restoration import RestorationTask
from ensemble.training.tasks.task import Task

MakeProject = Callable[..., Project]


def batch_of(project: Project, task: Task) -> Batch:
    ids = project.competition.train_ids
    return TrainingBatches(
        ids,
        project.competition,
        damage_drawer(0, (32, 32)),
        wants=task.wants,
        shape=Shape(len(ids), 8),
        seed=0,
    )[0, 0]


def flipped(batch: Batch, array: np.ndarray) -> np.ndarray:
    """The chosen ones flipped, in numpy."""
    rows = zip(array, batch.flip.tolist(), strict=True)
    return np.stack([row[:, ::-1] if flip else row for row, flip in rows])


def seen(tensor: Tensor, project: Project) -> np.ndarray:
    """Normalised back to levels."""
    n = project.config.normalisation
    return ((tensor * n.std + n.mean) * 255).round().numpy()


@pytest.mark.parametrize("mode", ["damaged", "prefilled", "prefilled+mask"])
def test_restoration_is_shown_its_input_mode_and_wants_the_true_gray(
    make_project: MakeProject, mode: str
) -> None:
    project = make_project(section="restoration", input_mode=mode)
    task = RestorationTask(project.members("restoration")[0], project.config)
    batch = batch_of(project, task)
    assert batch.flip.any()
    example = task.example(batch)
    gray = luma(flipped(batch, batch.target.numpy()))
    mask = flipped(batch, batch.lost_mask.numpy())
    np.testing.assert_array_equal(seen(example.wanted, project)[:, 0], gray)
    np.testing.assert_array_equal(example.lost_mask.numpy(), mask)
    if mode == "damaged":
        base = np.where(mask, batch.fill.numpy()[:, None, None], gray)
    else:
        base = flipped(batch, batch.prefilled.numpy())
    np.testing.assert_array_equal(seen(example.shown[:, :1], project)[:, 0], base)
    if mode == "prefilled+mask":
        np.testing.assert_array_equal(example.shown[:, 1].numpy(), mask)
    else:
        assert example.shown.shape[1] == 1


def test_validation_shows_what_training_showed(make_project: MakeProject) -> None:
    project = make_project(section="restoration", input_mode="prefilled+mask")
    task = RestorationTask(project.members("restoration")[0], project.config)
    sample = project.competition.train_sample("TRAIN_00003")
    shown, located = task.validation_input(sample)
    np.testing.assert_array_equal(shown[~located], sample.damaged[~located])
    assert (shown[located] != sample.damaged[located]).any()


def test_losses_of_restoration_add_up(make_project: MakeProject) -> None:
    output = torch.zeros(8, 1, 32, 32)

    def loss(**settings: float) -> float:
        project = make_project(section="restoration", **settings)
        task = RestorationTask(project.members("restoration")[0], project.config)
        return float(task.loss(output, task.example(batch_of(project, task))))

    whole, hole, mixed = loss(), loss(hole_loss=1.0), loss(hole_loss=0.25)
    assert mixed == pytest.approx(0.75 * whole + 0.25 * hole, rel=1e-5)
    ssim = loss(masked_ssim_loss=1.0) - whole
    assert 0 < ssim < 2
    assert loss(masked_ssim_loss=0.5) == pytest.approx(whole + 0.5 * ssim, rel=1e-5)


class Constant(nn.Module):
    """Restores every pixel to the same normalised value."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return torch.full_like(x[:, :1], self.value)


def test_restored_gray_is_the_mean_of_the_restorers_pasted_back(make_project: MakeProject) -> None:
    project = make_project(section="colorization", train_on="restored")
    restorer = project.members("restoration")[0]
    networks = [(restorer, Constant(-0.5)), (restorer, Constant(1.0))]
    restorers = Restorers(networks, project.config.normalisation)
    member = project.members("colorization")[0]
    task = ColorizationTask(member, project.config, restorers=restorers)
    batch = batch_of(project, task)
    example = task.example(batch)
    mask = flipped(batch, batch.lost_mask.numpy())
    gray = luma(flipped(batch, batch.target.numpy()))
    level = round((0.25 * 0.225 + 0.5) * 255)
    np.testing.assert_array_equal(seen(example.shown, project)[:, 0], np.where(mask, level, gray))
    np.testing.assert_array_equal(
        seen(example.wanted, project).transpose(0, 2, 3, 1), flipped(batch, batch.target.numpy())
    )


def test_mixed_gray_restores_the_chosen_only(make_project: MakeProject) -> None:
    project = make_project(section="colorization", train_on="mixed")
    networks = [(project.members("restoration")[0], Constant(0.0))]
    restorers = Restorers(networks, project.config.normalisation)
    task = ColorizationTask(project.members("colorization")[0], project.config, restorers=restorers)
    batch = batch_of(project, task)
    assert batch.restored.any()
    assert not batch.restored.all()
    clean = luma(flipped(batch, batch.target.numpy()))
    changed = (seen(task.example(batch).shown, project)[:, 0] != clean).any((1, 2))
    np.testing.assert_array_equal(changed, batch.restored.numpy())


def test_colorization_on_clean_gray_needs_no_damage(make_project: MakeProject) -> None:
    project = make_project()
    task = ColorizationTask(project.members("colorization")[0], project.config)
    batch = batch_of(project, task)
    assert batch.lost_mask is None
    clean = luma(flipped(batch, batch.target.numpy()))
    expected = to_tensor(clean, mean=0.5, std=0.225)
    torch.testing.assert_close(task.example(batch).shown, expected)


def test_a_perfect_histogram_has_no_loss(make_project: MakeProject) -> None:
    project = make_project()
    task = HistogramTask(project.members("colorization")[1], project.config)
    batch = batch_of(project, task)
    example = task.example(batch)
    assert float(task.loss(example.wanted, example)) == pytest.approx(0, abs=1e-5)
    assert float(task.loss(example.wanted.roll(20, 1), example)) > 0.3
