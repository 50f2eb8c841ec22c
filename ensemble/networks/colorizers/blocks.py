"""What both colorizers are made of, and the scales of their input and output.

The released files name a layer by its place in its block, so the order below is a format.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

LIGHTNESS_CENTRE = 50.0
LIGHTNESS_SCALE = 100.0
CHROMA_SCALE = 110.0


def normalised_lightness(lightness: Tensor) -> Tensor:
    """CIE Lab lightness, 0..100, as the networks see it: -0.5..0.5."""
    return (lightness - LIGHTNESS_CENTRE) / LIGHTNESS_SCALE


def block(channels: Sequence[int], *, last_stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """3x3 convolutions, each with a ReLU, and one batch normalisation at the end.

    Args:
        channels: Of the input and of each convolution; (64, 128, 128) makes two.
        last_stride: Of the last convolution.
        dilation: Of all of them; the padding follows it.
    """
    layers: list[nn.Module] = []
    for index, (inside, outside) in enumerate(pairwise(channels), start=2):
        stride = last_stride if index == len(channels) else 1
        layers += [
            nn.Conv2d(inside, outside, 3, stride, padding=dilation, dilation=dilation),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers, nn.BatchNorm2d(channels[-1]))


def doubled(inside: int, outside: int) -> nn.ConvTranspose2d:
    """A transposed convolution that doubles height and width."""
    return nn.ConvTranspose2d(inside, outside, kernel_size=4, stride=2, padding=1)
