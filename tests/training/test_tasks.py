from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt
from skimage.metrics import structural_similarity
from torch import Tensor

from ensemble.arrays import luma
from ensemble.damage.bank import make_bank
from ensemble.damage.fill import fill_hole
from ensemble.inference.network import NetworkPredictor
from ensemble.inference.predictor import Shown
from ensemble.metric.score import gray_score
from ensemble.networks.tensors import normalize
from ensemble.project import Project
from ensemble.training.batches import Batch, Case, Shape, TrainingBatches, ValidationBatches
from ensemble.training.tasks.colorization import ColorizationTask, HistogramTask
from ensemble.training.tasks.restoration import RestorationTask
from ensemble.training.tasks.task import Task
from ensemble.vocabulary import FILLS

MakeProject = Callable[..., Project]


def batch_of(project: Project, task: Task) -> Batch:
    ids = project.competition.train_ids
    return TrainingBatches(
        ids,
        project.photographs,
        make_bank(0) if task.needs.damage else None,
        needs=task.needs,
        shape=Shape(len(ids), 8),
        seed=0,
    )[0, 0]


def flipped(batch: Batch, array: np.ndarray) -> np.ndarray:
    """The chosen ones flipped, in numpy."""
    rows = zip(array, batch.flip.tolist(), strict=True)
    return np.stack([row[:, ::-1] if flip else row for row, flip in rows])


def seen(tensor: Tensor, project: Project) -> np.ndarray:
    """Normalized back to levels."""
    n = project.config.normalization
    return ((tensor * n.std + n.mean) * 255).round().numpy()


@pytest.mark.parametrize(
    "mode",
    ["damaged", "prefilled", "prefilled+mask", "prefilled+mask+distance", "fills+mask+distance"],
)
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
        holes = (np.where(mask, np.uint8(0), gray), mask)
        base = np.stack([fill_hole(*pair) for pair in zip(*holes, strict=True)])
        planes = flipped(batch, batch.filled.numpy())
        np.testing.assert_array_equal(planes[..., 0], base)
    np.testing.assert_array_equal(seen(example.shown[:, :1], project)[:, 0], base)
    others = len(FILLS) - 1 if mode.startswith("fills") else 0
    assert example.shown.shape[1] == 1 + mode.count("+") + others
    if others:
        whole = example.shown[:, :1] + example.shown[:, 3:]
        np.testing.assert_array_equal(seen(whole, project).transpose(0, 2, 3, 1), planes[..., 1:])
    if "+mask" in mode:
        np.testing.assert_array_equal(example.shown[:, 1].numpy(), mask)
    if mode.endswith("+distance"):
        depth = np.stack([distance_transform_edt(one) for one in mask])
        np.testing.assert_allclose(example.shown[:, 2].numpy(), np.log2(1 + depth) / 4, atol=1e-6)


@pytest.mark.parametrize("start", ["prefilled", "fills"])
def test_validation_and_prediction_are_shown_the_same_channels(
    make_project: MakeProject, start: str
) -> None:
    project = make_project(section="restoration", input_mode=f"{start}+mask+distance")
    member = project.members("restoration")[0]
    task = RestorationTask(member, project.config)
    ids = project.competition.train_ids[:3]
    batch = ValidationBatches(ids, project.photographs, task.shown_gray, batch_size=3)[0]
    validated = task.validation_input(batch, torch.device("cpu"))
    seen: list[Tensor] = []

    class Network(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return x[:, :1]

    predictor = NetworkPredictor(member, Network(), project.config.normalization)
    predictor.predict(Shown(batch.damaged.numpy(), batch.located.numpy()), ["identity"])
    assert validated.shape[1] == {"prefilled": 3, "fills": 2 + len(FILLS)}[start]
    assert torch.equal(seen[0], validated)


def test_the_last_share_of_a_training_learns_the_masked_ssim(make_project: MakeProject) -> None:
    def losses(**settings: float) -> list[float]:
        project = make_project(section="restoration", **settings)
        task = RestorationTask(project.members("restoration")[0], project.config)
        example = task.example(batch_of(project, task))
        output = torch.linspace(-3, 3, 32).expand(8, 1, 32, 32)
        return [float(task.loss(output, example, done=done)) for done in (0.0, 0.74, 0.75, 1.0)]

    before = losses(hole_loss=1.0)
    assert len(set(before)) == 1
    found = losses(hole_loss=1.0, ssim_finish=0.25)
    assert found[:2] == before[:2]
    assert found[2] == found[3] != before[2]

    project = make_project(section="restoration", ssim_finish=1.0)
    task = RestorationTask(project.members("restoration")[0], project.config)
    batch = batch_of(project, task)
    gray = luma(flipped(batch, batch.target.numpy()))
    mask = flipped(batch, batch.lost_mask.numpy())
    level = (np.linspace(-3, 3, 32) * 0.225 + 0.5) * 255  # some are beyond black and white
    output = np.broadcast_to(level, gray.shape)
    pasted = np.where(mask, output.clip(0, 255), gray)
    ranges = np.ptp(pasted, axis=(1, 2))
    rows = zip(gray, pasted, mask, ranges, strict=True)
    ssim = [
        structural_similarity(t[m].astype(float), p[m].astype(float), win_size=7, data_range=r)
        for t, p, m, r in rows
    ]
    near = np.stack([binary_dilation(m, np.ones((9, 9))) for m in mask])
    error = np.abs(output - gray)[near].sum() / near.sum() / 255 / 0.225
    assert found[3] == pytest.approx(1 - np.mean(ssim) + 0.1 * error, abs=2e-4)


def test_validation_shows_what_training_showed(make_project: MakeProject, monkeypatch) -> None:
    project = make_project(section="restoration", input_mode="prefilled+mask")
    task = RestorationTask(project.members("restoration")[0], project.config)
    sample = project.competition.train_sample("TRAIN_00003")
    located = project.photographs.located("TRAIN_00003")
    shown = task.shown_gray(sample, located)
    np.testing.assert_array_equal(shown[..., 0], fill_hole(sample.damaged, located))
    assert (shown[located, 0] != sample.damaged[located]).any()
    monkeypatch.setattr(
        "ensemble.training.tasks.restoration.fill_in_ways", None
    )  # filled only once
    np.testing.assert_array_equal(task.shown_gray(sample, located), shown)


def test_an_answer_is_pasted_into_the_located_hole_and_judged_in_the_true_one(
    make_project: MakeProject,
) -> None:
    project = make_project(section="restoration")
    task = RestorationTask(project.members("restoration")[0], project.config)
    sample = project.competition.train_sample("TRAIN_00003")
    located = np.roll(sample.lost_mask, 2, axis=1)
    answer = np.random.default_rng(0).integers(0, 256, located.shape, dtype=np.uint8)
    found = task.score(answer, Case(sample, sample.damaged, located))
    due = gray_score(
        pred=np.where(located, answer, sample.damaged),
        target=luma(sample.target),
        lost_mask=sample.lost_mask,
    )
    assert found == due.as_dict()


def test_crops_and_flips_are_those_of_the_settings(make_project: MakeProject) -> None:
    project = make_project(crop=16, flips=False)
    task = RestorationTask(project.members("restoration")[0], project.config)
    assert (task.needs.crop, task.needs.flips) == (16, False)


def test_losses_of_restoration_add_up(make_project: MakeProject) -> None:
    output = torch.zeros(8, 1, 32, 32)

    def loss(**settings: float) -> float:
        project = make_project(section="restoration", **settings)
        task = RestorationTask(project.members("restoration")[0], project.config)
        return float(task.loss(output, task.example(batch_of(project, task))))

    whole, hole, mixed = loss(), loss(hole_loss=1.0), loss(hole_loss=0.25)
    assert mixed == pytest.approx(0.75 * whole + 0.25 * hole, rel=1e-5)


def test_colorization_on_clean_gray_needs_no_damage(make_project: MakeProject) -> None:
    project = make_project()
    task = ColorizationTask(project.members("colorization")[0], project.config)
    batch = batch_of(project, task)
    assert batch.lost_mask is None
    clean = luma(flipped(batch, batch.target.numpy()))
    expected = normalize(torch.from_numpy(clean), mean=0.5, std=0.225)
    torch.testing.assert_close(task.example(batch).shown, expected)


def test_a_perfect_histogram_has_no_loss(make_project: MakeProject) -> None:
    project = make_project()
    task = HistogramTask(project.members("colorization")[1], project.config)
    batch = batch_of(project, task)
    example = task.example(batch)
    assert float(task.loss(example.wanted, example)) == pytest.approx(0, abs=1e-5)
    assert float(task.loss(example.wanted.roll(20, 1), example)) > 0.3
