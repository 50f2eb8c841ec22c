from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from ensemble.composition.minimum_risk import RATE, STEPS, minimum_risk
from ensemble.composition.weighted_mean import weighted_mean
from ensemble.errors import ArrayError
from ensemble.training.losses import masked_ssim
from tests.reference.expected_ssim import expected_ssim

SHARES = np.array([0.2, 0.5, 0.3])


def draw(seed: int, *, count: int = 3, lost: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Lost pixels that lie within 0..255, and what they may be."""
    rng = np.random.default_rng(seed)
    smooth = np.cumsum(rng.normal(0, 9, (count, lost)), axis=1) + 120
    answers = np.clip(np.rint(smooth), 0, 255)
    return rng.uniform(0, 255, lost), answers


def test_the_expected_ssim_is_scikit_images() -> None:
    pixels, answers = draw(0)
    value, _ = expected_ssim(pixels, answers, SHARES)
    each = [structural_similarity(answer, pixels, data_range=255) for answer in answers]
    # scikit-image crops 3 pixels at both ends: every window is whole, as here
    assert value == pytest.approx(float(SHARES @ each), abs=1e-12)


def _loss(pixels: torch.Tensor, answers: np.ndarray) -> torch.Tensor:
    """The expected masked SSIM of (90,) pixels, by the term that networks learn."""
    lost = torch.ones(3, 1, 92, dtype=torch.bool)
    lost[..., :2] = False
    known = torch.tensor([[0.0, 255.0]], dtype=torch.float64)  # they set the data range
    picture = torch.cat([known, pixels[None]], dim=1).expand(3, 1, 92)
    target = torch.cat([known.expand(3, 2), torch.tensor(answers)], dim=1)[:, None]
    values = masked_ssim(pred=picture, target=target, lost_mask=lost)
    return (values * torch.tensor(SHARES)).sum()


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_the_loss(seed: int) -> None:
    """The reference is torch's automatic derivative of another implementation of the term."""
    pixels, answers = draw(seed)
    _, gradient = expected_ssim(pixels, answers, SHARES)
    moved = torch.tensor(pixels, requires_grad=True)
    _loss(moved, answers).backward()
    assert moved.grad is not None
    reference = moved.grad.numpy()
    np.testing.assert_allclose(gradient, reference, rtol=0, atol=1e-12 * np.abs(reference).max())


def pictures_of(answers: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """(10, 12) pictures whose lost pixels are these, and their mask; 5 is known all around."""
    lost = np.zeros((10, 12), dtype=bool)
    lost[:9, :10] = True
    pictures = []
    for answer in answers:
        picture = np.full((10, 12), 5, dtype=np.uint8)
        picture[lost] = answer
        pictures.append(picture)
    return pictures, lost


def test_it_agrees_better_with_all_than_their_mean_does() -> None:
    for seed in range(5):
        _, answers = draw(seed)
        pictures, lost = pictures_of(answers)
        shares = SHARES.astype(np.float32)
        mean, found = weighted_mean(pictures, shares), minimum_risk(pictures, shares, lost)
        before, after = (
            expected_ssim(one[lost].astype(np.float64), answers, SHARES)[0] for one in (mean, found)
        )
        assert after > before + 0.005
        assert found.dtype == np.float32
        assert np.array_equal(found[~lost], mean[~lost])
        assert found.min() >= 0
        assert found.max() <= 255
        assert np.abs(found - mean).max() <= 2 * RATE * STEPS


def test_the_ascent_is_that_of_adam_within_black_and_white() -> None:
    spots = 60.0 * (np.random.default_rng(3).random((3, 90)) < 0.3)
    answers = np.hstack([spots[:, :45], 255 - spots[:, 45:]])
    pictures, lost = pictures_of(answers)
    shares = SHARES.astype(np.float32)
    pixels = torch.tensor(weighted_mean(pictures, shares)[lost], dtype=torch.float64)
    pixels.requires_grad_()
    steps = torch.optim.Adam([pixels], lr=RATE, eps=1e-12, maximize=True)
    beyond = [0, 0]
    for _ in range(STEPS):
        steps.zero_grad()
        _loss(pixels, answers).backward()
        steps.step()
        with torch.no_grad():
            beyond = np.add(beyond, [int((pixels < 0).sum()), int((pixels > 255).sum())])
            pixels.clamp_(0, 255)
    assert min(beyond) > 0
    found = minimum_risk(pictures, shares, lost)[lost]
    np.testing.assert_allclose(found, pixels.detach().numpy(), rtol=0, atol=1e-3)


def test_one_of_two_that_is_likelier_is_followed() -> None:
    _, answers = draw(7, count=2)
    pictures, lost = pictures_of(answers)
    near = [
        np.abs(minimum_risk(pictures, np.array(s, np.float32), lost)[lost] - answers[0]).mean()
        for s in ([0.9, 0.1], [0.5, 0.5], [0.1, 0.9])
    ]
    assert near[0] < near[1] < near[2]


def test_one_picture_is_the_answer() -> None:
    pictures, lost = pictures_of(draw(1)[1])
    found = minimum_risk(pictures[:1], np.ones(1, np.float32), lost)
    assert np.array_equal(found, pictures[0].astype(np.float32))


def test_a_hole_smaller_than_a_window_has_the_mean() -> None:
    pictures, _ = pictures_of(draw(1)[1])
    lost = np.zeros((10, 12), dtype=bool)
    lost[0, :6] = True
    shares = SHARES.astype(np.float32)
    mean = weighted_mean(pictures, shares)
    assert np.array_equal(minimum_risk(pictures, shares, lost), mean)
    lost[0, 6] = True
    assert not np.array_equal(minimum_risk(pictures, shares, lost), mean)


def test_pictures_of_two_shapes_are_refused() -> None:
    with pytest.raises(ArrayError, match="must have one shape"):
        minimum_risk([np.zeros((8, 8)), np.zeros((8, 9))], np.ones(2, np.float32), np.ones((8, 8)))
