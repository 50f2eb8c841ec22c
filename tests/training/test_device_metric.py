from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from ensemble.errors import ArrayError, ScoreError
from ensemble.metric.score import gray_score, score
from ensemble.training.device_metric import (
    CHUNK,
    _correlations,
    _hue,
    gray_score_on_device,
    score_on_device,
)
from tests.reference.corpus import Case, hard_cases

TOLERANCE = 1e-12
CASES = hard_cases()
SIZES = sorted({case.target.shape for case in CASES})
CUDA = pytest.param(
    "cuda",
    marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    ],
)
DEVICES = pytest.mark.parametrize("device", ["cpu", CUDA])


def stacked(cases: list[Case], device: str) -> dict[str, torch.Tensor]:
    def pictures(one: int) -> torch.Tensor:
        return torch.from_numpy(np.stack([case[one] for case in cases])).movedim(-1, 1).to(device)

    masks = torch.from_numpy(np.stack([case.lost_mask for case in cases])).to(device)
    return {"preds": pictures(1), "targets": pictures(2), "lost_masks": masks}


@DEVICES
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equals_the_score_of_each_picture(size: tuple[int, ...], device: str) -> None:
    cases = [case for case in CASES if case.target.shape == size]
    found = score_on_device(**stacked(cases, device))
    assert found.dtype == torch.float64
    assert found.device.type == device
    for case, terms in zip(cases, found.tolist(), strict=True):
        due = score(pred=case.pred, target=case.target, lost_mask=case.lost_mask)
        assert terms == pytest.approx([due.ssim, due.masked_ssim, due.hue], abs=TOLERANCE, rel=0)


@DEVICES
def test_gray_equals_the_gray_score_of_each_picture(device: str) -> None:
    cases = [case for case in CASES if case.target.shape == CASES[0].target.shape]
    assert len(cases) > CHUNK
    arrays = stacked(cases, device)
    arrays |= {"preds": arrays["preds"][:, 1:2], "targets": arrays["targets"][:, 1:2]}
    found = gray_score_on_device(**arrays)
    for case, terms in zip(cases, found.tolist(), strict=True):
        due = gray_score(
            pred=case.pred[..., 1], target=case.target[..., 1], lost_mask=case.lost_mask
        )
        assert terms == pytest.approx([due.ssim, due.masked_ssim], abs=TOLERANCE, rel=0)


@DEVICES
def test_hue_is_opencvs_on_every_colour(device: str) -> None:
    colour = torch.arange(1 << 24).view(4096, 4096)
    pictures = torch.stack([colour >> 16, colour >> 8 & 255, colour & 255]).to(torch.uint8)
    due = cv2.cvtColor(pictures.movedim(0, -1).numpy(), cv2.COLOR_RGB2HSV)[..., 0]
    for strip, rows in zip(pictures.split(512, dim=1), np.split(due, 8), strict=True):
        assert (_hue(strip[None].to(device))[0].cpu().numpy() == rows).all()


def test_a_uniform_histogram_correlates_with_anything() -> None:
    uniform, peak = torch.full((1, 180), 180**-0.5).double(), torch.eye(1, 180).double()
    assert _correlations(uniform, peak).item() == 1
    assert _correlations(peak, peak.roll(5)).item() < 0


def batch(n: int = 3, side: int = 9, channels: int = 3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, n, channels, side, side), generator=generator)
    preds, targets = pictures.to(torch.uint8)
    return {
        "preds": preds,
        "targets": targets,
        "lost_masks": torch.ones(n, side, side, dtype=torch.bool),
    }


def test_undefined_pictures_are_named() -> None:
    arrays = batch()
    arrays["lost_masks"][1] = False
    with pytest.raises(ScoreError, match=r"7 pixels must be lost, but pictures \[1\] have fewer"):
        score_on_device(**arrays)
    arrays = batch()
    arrays["preds"][2] = arrays["targets"][2] = 60
    with pytest.raises(ScoreError, match=r"undefined \(0 / 0\) for pictures \[2\] of the batch"):
        score_on_device(**arrays)
    with pytest.raises(ScoreError, match=r"at least 7 pixels high and wide .* \(6, 6\)"):
        score_on_device(**batch(side=6))


def test_tensors_of_another_kind_are_refused() -> None:
    with pytest.raises(ArrayError, match=r"must be \(N, 3, H, W\).*got \(3, 1, 9, 9\)"):
        score_on_device(**batch(channels=1))
    with pytest.raises(ArrayError, match=r"must be \(N, 1, H, W\).*got \(3, 3, 9, 9\)"):
        gray_score_on_device(**batch())
    with pytest.raises(ArrayError, match=r"must be uint8, uint8 and bool, but got .*float32"):
        score_on_device(**batch() | {"preds": batch()["preds"].float()})
    with pytest.raises(ArrayError, match=r"`lost_masks` \(N, H, W\)"):
        score_on_device(**batch() | {"lost_masks": torch.ones(3, 8, 9, dtype=torch.bool)})
