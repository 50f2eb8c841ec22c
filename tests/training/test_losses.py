from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import distributed, multiprocessing

from ensemble.metric.score import gray_score
from ensemble.training.losses import correlation, histogram_loss, hole_loss, masked_ssim, pixel_loss


@pytest.fixture
def pictures() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two low-contrast preds, their targets, and holes of different size; the second of 7 px.

    One lost pixel of each pred lies beyond all of its target.
    """
    rng = np.random.default_rng(0)
    target = rng.integers(0, 200, (2, 20, 17))
    pred = np.clip(target * 0.4 + 90 + rng.normal(0, 20, target.shape), 0, 255).round()
    masks = np.zeros(target.shape, bool)
    masks[0, 3:12, 5:16] = rng.random((9, 11)) < 0.8
    masks[1, 4, 5:12] = True
    pred = np.where(masks, pred, target)
    masks[0, 4, 5], pred[:, 4, 5] = True, 255
    return torch.from_numpy(pred), torch.from_numpy(target).double(), torch.from_numpy(masks)


def test_masked_ssim_is_the_competitions(pictures) -> None:
    pred, target, masks = pictures
    values = masked_ssim(pred=pred, target=target, lost_mask=masks)
    for row in range(2):
        expected = gray_score(
            pred=pred[row].numpy().astype(np.uint8),
            target=target[row].numpy().astype(np.uint8),
            lost_mask=masks[row].numpy(),
        ).masked_ssim
        assert float(values[row]) == pytest.approx(expected, abs=1e-10)
        x, y = (p[row][masks[row]].numpy() for p in (target, pred))
        span = float(pred[row].max() - pred[row].min())
        literal = structural_similarity(x, y, data_range=span)
        assert float(values[row]) == pytest.approx(literal, abs=1e-10)


def test_masked_ssim_in_float32_is_close(pictures) -> None:
    pred, target, masks = pictures
    exact = masked_ssim(pred=pred, target=target, lost_mask=masks)
    single = masked_ssim(pred=pred.float(), target=target.float(), lost_mask=masks)
    torch.testing.assert_close(single.double(), exact, atol=1e-3, rtol=0)


def test_masked_ssim_of_a_crop_that_is_one_level_is_finite() -> None:
    target = torch.full((2, 8, 8), 255.0)
    target[1, :, ::2] = 0
    lost_mask = torch.zeros(2, 8, 8, dtype=torch.bool)
    lost_mask[:, 2:6, 2:6] = True
    pred = torch.full((2, 8, 8), 255.0, requires_grad=True)
    found = masked_ssim(pred=pred, target=target, lost_mask=lost_mask)
    assert found[0].item() == pytest.approx(1)
    assert found[1].item() < 0.1
    (gradient,) = torch.autograd.grad(found.sum(), pred)
    assert torch.isfinite(gradient).all()


def test_masked_ssim_of_fewer_pixels_than_a_window_is_nothing_to_learn_from(pictures) -> None:
    pred, target, masks = pictures
    due = masked_ssim(pred=pred, target=target, lost_mask=masks)
    few = torch.zeros_like(masks)
    few[:, 5, 3:6] = True
    pred.requires_grad_()
    for mask, value in ((torch.stack([masks[0], few[1]]), due[0]), (few, torch.zeros(()))):
        found = masked_ssim(pred=pred, target=target, lost_mask=mask)
        assert found.detach().tolist() == [float(value), 0]
    found = masked_ssim(pred=pred, target=target, lost_mask=torch.stack([masks[0], few[1]]))
    (gradient,) = torch.autograd.grad(found.sum(), pred)
    assert torch.isfinite(gradient).all()
    assert gradient[0].any()
    assert not gradient[1].any()


def test_masked_ssim_rises_along_its_gradient(pictures) -> None:
    pred, target, masks = pictures
    pred.requires_grad_()
    before = masked_ssim(pred=pred, target=target, lost_mask=masks).sum()
    (gradient,) = torch.autograd.grad(before, pred)
    assert torch.isfinite(gradient).all()
    assert not gradient[~masks].any()
    after = masked_ssim(pred=pred + 0.5 * gradient.sign() * masks, target=target, lost_mask=masks)
    assert float((after.sum() - before).detach()) > 1e-4


def test_pixel_loss_weighs_its_terms() -> None:
    pred, target = torch.tensor([[[[1.0, -3.0]]]]), torch.tensor([[[[0.0, 1.0]]]])
    assert float(pixel_loss(pred, target, l1=1, mse=0)) == 2.5
    assert float(pixel_loss(pred, target, l1=0, mse=1)) == 8.5
    assert float(pixel_loss(pred, target, l1=0.5, mse=0.5)) == 5.5


def test_hole_loss_counts_the_hole_and_its_rim_alone() -> None:
    target, mask = torch.zeros(1, 1, 30, 30), torch.zeros(1, 30, 30, dtype=torch.bool)
    mask[0, 15, 15] = True
    near, far = torch.zeros_like(target), torch.zeros_like(target)
    near[0, 0, 11, 19], far[0, 0, 10, 15] = 9.0, 9.0
    assert float(hole_loss(near, target, mask, l1=1, mse=0)) == pytest.approx(9 / 81)
    assert float(hole_loss(near, target, mask, l1=0, mse=1)) == pytest.approx(1.0)
    assert float(hole_loss(far, target, mask, l1=1, mse=1)) == 0
    assert float(hole_loss(far, target, torch.zeros_like(mask), l1=1, mse=1)) == 0


def _holes() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Four predictions, their targets and holes of very different size; float64."""
    rng = np.random.default_rng(2)
    pred, target = torch.from_numpy(rng.normal(size=(2, 4, 1, 40, 40)))
    masks = torch.zeros(4, 40, 40, dtype=torch.bool)
    for row, side in enumerate((30, 2, 11, 5)):
        masks[row, 4 : 4 + side, 6 : 6 + side] = True
    return pred, target, masks


def _gradient_of_rank(rank: int, folder: Path) -> None:
    """Write the gradient of this process's share of the batch, averaged as DDP does."""
    store = f"file://{folder / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    pred, target, masks = (part[rank::2] for part in _holes())
    pred.requires_grad_()
    hole_loss(pred, target, masks, l1=0.3, mse=0.7).backward()
    torch.save(pred.grad / 2, folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_hole_loss_has_the_same_gradient_on_one_device_and_on_two(tmp_path: Path) -> None:
    pred, target, masks = _holes()
    pred.requires_grad_()
    hole_loss(pred, target, masks, l1=0.3, mse=0.7).backward()
    multiprocessing.spawn(_gradient_of_rank, (tmp_path,), nprocs=2)
    for rank in range(2):
        ours = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(ours, pred.grad[rank::2], rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_pixel_losses_keep_the_precision_of_pred(dtype: torch.dtype) -> None:
    """bf16 is compared in float32, float64 in float64."""
    value = 1 + (2**-7 if dtype == torch.bfloat16 else 2**-40)
    pred, target = torch.tensor([[[[value]]]], dtype=dtype), torch.tensor([[[[2**-20]]]])
    expected = float(pred) - float(target)
    mask = torch.ones(1, 1, 1, dtype=torch.bool)
    assert float(pixel_loss(pred, target, l1=1, mse=0)) == expected
    assert float(hole_loss(pred, target, mask, l1=1, mse=0)) == expected


def test_correlation_is_opencvs() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((3, 180), dtype=np.float32), rng.random((3, 180), dtype=np.float32) ** 3
    ours = correlation(torch.from_numpy(a), torch.from_numpy(b))
    theirs = [cv2.compareHist(y, x, cv2.HISTCMP_CORREL) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-6)
    loss = histogram_loss(torch.from_numpy(a), torch.from_numpy(b))
    assert float(loss) == pytest.approx(1 - np.mean(theirs), abs=1e-6)
