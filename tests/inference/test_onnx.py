"""The adapters, against the same networks in torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.color import rgb2lab
from torch import nn

from ensemble.arrays import luma
from ensemble.errors import WeightsError
from ensemble.inference.onnx import PREDICTORS, onnx_predictor
from ensemble.inference.predictor import Shown
from ensemble.members import ADAPTERS, ONNX_ARCH, Member
from ensemble.networks.colorizers import lab
from ensemble.networks.colorizers.lab import colorize_with
from ensemble.networks.colorizers.networks import Eccv16, Siggraph17
from tests.reference.onnx_files import Inpainter, Tint, export


def member(adapter: str) -> Member:
    stage = ADAPTERS[adapter]
    return Member("mine", stage, "fixed", ONNX_ARCH, file="mine.onnx", adapter=adapter)


def predict(
    path: Path, adapter: str, gray: NDArray[np.uint8], lost: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    mask = np.zeros_like(gray, dtype=bool) if lost is None else lost
    shown = Shown(gray[None], mask[None])
    return onnx_predictor(member(adapter), path).predict(shown, ["identity"])["identity"][0]


def inpainter(folder: Path, side: int) -> Path:
    shapes = {"image": (1, 3, side, side), "mask": (1, 1, side, side)}
    return export(Inpainter(), folder / "inpainter.onnx", shapes)


@pytest.fixture
def gray(crops: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return luma(crops[0])


@pytest.fixture
def lost(gray: NDArray[np.uint8]) -> NDArray[np.bool_]:
    mask = np.zeros_like(gray, dtype=bool)
    mask[10:20, 5:25] = True
    return mask


def in_torch(gray: NDArray[np.uint8], lost: NDArray[np.bool_]) -> NDArray[np.uint8]:
    image = torch.from_numpy(np.where(lost, 0, gray) / 255).float().expand(1, 3, -1, -1)
    answer = Inpainter()(image, torch.from_numpy(lost.copy())[None, None].float())[0]
    return np.where(lost, answer[0].clamp(0, 255).round().numpy().astype(np.uint8), gray)


def test_each_adapter_has_a_predictor() -> None:
    assert PREDICTORS.keys() == ADAPTERS.keys()


def test_inpainting_at_the_files_own_size(tmp_path, gray, lost) -> None:
    found = predict(inpainter(tmp_path, 48), "inpainting", gray, lost)
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found.astype(int), in_torch(gray, lost), atol=1)
    assert (found[lost] != gray[lost]).mean() > 0.9
    np.testing.assert_array_equal(found[~lost], gray[~lost])


def test_a_smaller_picture_keeps_its_scale(tmp_path, gray, lost) -> None:
    """It is padded by reflection, evenly: 8 pixels on each side."""
    padded = np.pad(gray, 8, mode="reflect"), np.pad(lost, 8, mode="reflect")
    found = predict(inpainter(tmp_path, 64), "inpainting", gray, lost)
    expected = in_torch(*padded)[8:-8, 8:-8]
    np.testing.assert_allclose(found.astype(int), expected, atol=1)


def test_a_larger_picture_is_the_weighted_mean_of_its_tiles(tmp_path, gray, lost) -> None:
    """32 of 48 pixels: tiles begin at 0 and 16; those without lost pixels are passed over."""
    found = predict(inpainter(tmp_path, 32), "inpainting", gray, lost)
    total, weights = np.zeros((2, 48, 48))
    ramp = np.minimum(np.arange(1, 33), np.arange(32, 0, -1))
    for top in (0, 16):
        for left in (0, 16):
            here = (slice(top, top + 32), slice(left, left + 32))
            image = torch.from_numpy(np.where(lost, 0, gray)[here] / 255).float()
            mask = torch.from_numpy(lost[here]).float()[None, None]
            answer = Inpainter()(image.expand(1, 3, -1, -1), mask)[0, 0].numpy()
            total[here] += np.outer(ramp, ramp) * answer
            weights[here] += np.outer(ramp, ramp)
    expected = np.where(lost, (total / weights).clip(0, 255), gray)
    np.testing.assert_allclose(found, expected, atol=1)


def test_every_flip_is_predicted(tmp_path, gray, lost) -> None:
    predictor = onnx_predictor(member("inpainting"), inpainter(tmp_path, 48))
    found = predictor.predict(Shown(gray[None], lost[None]))
    mirrored = in_torch(gray[:, ::-1], lost[:, ::-1])[:, ::-1]
    np.testing.assert_allclose(found["hflip"][0].astype(int), mirrored, atol=1)
    assert (found["hflip"] != found["identity"]).any()


def test_a_network_for_any_size_is_shown_the_whole_picture(tmp_path, gray, lost) -> None:
    shapes = {"image": (1, 3, 16, 16), "mask": (1, 1, 16, 16)}
    path = export(Inpainter(), tmp_path / "any.onnx", shapes, free_size=True)
    found = predict(path, "inpainting", gray, lost)  # at 64 x 64, multiples of 32
    padded = np.pad(gray, 8, mode="reflect"), np.pad(lost, 8, mode="reflect")
    np.testing.assert_allclose(found.astype(int), in_torch(*padded)[8:-8, 8:-8], atol=1)


def test_without_a_hole_nothing_is_predicted(tmp_path, gray) -> None:
    np.testing.assert_array_equal(predict(inpainter(tmp_path, 32), "inpainting", gray), gray)


def test_an_answer_on_another_scale_is_refused(tmp_path, gray, lost) -> None:
    class Unit(Inpainter):
        def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return super().forward(image, mask).clamp(0, 255) / 255

    shapes = {"image": (1, 3, 48, 48), "mask": (1, 1, 48, 48)}
    path = export(Unit(), tmp_path / "unit.onnx", shapes)
    with pytest.raises(WeightsError, match=r"must answer on the scale 0\.\.255"):
        predict(path, "inpainting", gray, lost)


def test_gray_goes_in_as_rgb_and_chroma_comes_out(tmp_path, gray) -> None:
    path = export(Tint(), tmp_path / "tint.onnx", {"input": (1, 3, 48, 48)})
    color = predict(path, "gray-to-ab", gray)
    gamut = ((color > 0) & (color < 255)).all(-1)
    ab = rgb2lab(color)[..., 1:]
    expected = Tint()(torch.from_numpy(gray / 255).float().expand(1, 3, -1, -1))[0]
    error = np.abs(ab - expected.permute(1, 2, 0).numpy())[gamut]
    assert gamut.mean() > 0.3
    assert error.max() < 2.5  # half a level of each channel


@pytest.mark.parametrize("network", [Eccv16, Siggraph17])
def test_the_released_colorizers_are_reproduced(
    tmp_path: Path,
    gray: NDArray[np.uint8],
    network: Callable[[], nn.Module],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With random weights that give strong colors, which change from place to place."""
    monkeypatch.setattr(lab, "INSIDE", (32, 32))
    torch.manual_seed(0)
    module = network().eval()
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if isinstance(module, Eccv16):  # the mean of 313 colors is gray unless few are likely
        module.model8[6].weight.data *= 8
        module.model_out.weight.data *= 10
    path = export(module, tmp_path / "released.onnx", {"lightness": (1, 1, 32, 32)})
    expected = colorize_with(module, gray).astype(int)
    found = predict(path, "lightness-to-ab", gray)
    assert np.abs(found - expected).max() <= 1
    assert np.ptp(expected, axis=-1).mean() > 10
    assert (expected[..., 0] - expected[..., 2]).std() > 2
