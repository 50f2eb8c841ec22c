from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from ensemble.errors import ArrayError
from ensemble.networks.colorizers.lab import colorize_with, lightness

# ITU-R BT.709 primaries to CIE XYZ, and the white of D65, 2 degrees
XYZ_OF_RGB = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
GRAY = np.arange(256, dtype=np.uint8).reshape(8, 32)


def rgb_of_lab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE 15:2004 and IEC 61966-2-1, by hand; 0..255, clipped, not rounded."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = WHITE * np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    linear = np.clip(xyz @ np.linalg.inv(XYZ_OF_RGB).T, 0, None)
    return 255 * np.clip(
        np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear), 0, 1
    )


class Painter(nn.Module):
    """Answers with given chroma and remembers what it was shown."""

    def __init__(self, chroma: torch.Tensor) -> None:
        super().__init__()
        self.chroma = nn.Parameter(chroma)
        self.shown = torch.empty(0)

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        self.shown = shown
        return self.chroma.expand(1, 2, *shown.shape[2:])


def painter(a: float, b: float) -> Painter:
    return Painter(torch.tensor([a, b]).reshape(1, 2, 1, 1))


def test_lightness_against_its_definition() -> None:
    value = GRAY / 255
    linear = np.where(value > 0.04045, ((value + 0.055) / 1.055) ** 2.4, value / 12.92)
    f = np.where(linear > (6 / 29) ** 3, np.cbrt(linear), linear * (29 / 6) ** 2 / 3 + 4 / 29)
    actual = lightness(GRAY)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, 116 * f - 16, atol=1e-2)


def test_no_chroma_gives_the_gray_back() -> None:
    colored = colorize_with(painter(0.0, 0.0), GRAY)
    assert colored.dtype == np.uint8
    np.testing.assert_array_equal(colored, np.repeat(GRAY[..., None], 3, axis=-1))


@pytest.mark.parametrize(("a", "b"), [(12.0, -7.0), (-20.0, 15.0), (90.0, -100.0)])
def test_constant_chroma_against_the_definition(a: float, b: float) -> None:
    colored = colorize_with(painter(a, b), GRAY)
    light = lightness(GRAY).astype(np.float64)
    expected = rgb_of_lab(np.stack([light, np.full_like(light, a), np.full_like(light, b)], -1))
    assert colored.shape == (8, 32, 3)
    assert np.abs(colored - expected).max() < 0.6


def test_the_network_sees_256_pixels_of_lightness() -> None:
    gray = np.zeros((40, 60), dtype=np.uint8)
    gray[:, 30:] = 255
    module = painter(0.0, 0.0)
    colorize_with(module, gray)
    assert module.shown.shape == (1, 1, 256, 256)
    assert module.shown.dtype == torch.float32
    assert module.shown[0, 0, :, :120].max() < 5
    assert module.shown[0, 0, :, 136:].min() > 95


def test_chroma_is_resized_to_the_picture_and_not_transposed() -> None:
    chroma = torch.zeros(1, 2, 256, 256)
    chroma[:, 0, :, :128] = 40  # red on the left
    chroma[:, 1, :128] = -40  # and blue at the top
    colored = colorize_with(Painter(chroma), np.full((20, 50), 128, dtype=np.uint8)).astype(int)
    red, green, blue = colored[..., 0], colored[..., 1], colored[..., 2]
    assert (red - green)[:, :24].min() > 20
    assert (red - green)[10:, 26:].max() < 5
    assert (blue - red)[:9, 26:].min() > 20
    assert (blue - green)[11:, 26:].max() < 5


def test_color_is_no_gray() -> None:
    with pytest.raises(ArrayError, match="the gray to color"):
        colorize_with(painter(0.0, 0.0), np.zeros((4, 4, 3), dtype=np.uint8))
