"""A small restorer at full resolution: convolutions, halvings and GELU, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class PlainUnet(nn.Module):
    """A U-Net without normalization or encoder; 0.9 M parameters by default.

    It is for holes, after Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015: normalization takes
    away the level of a crop, and pooling its phase. Two 3x3 convolutions a level, halvings by 2x2
    convolutions of stride 2, and a decoder that adds what the encoder had at the same resolution.
    It starts with the answer 0, so that a residual starts from the prefill. `widths` are the
    channels of each level, full resolution first; height and width must be multiples of `stride`.

    Raises:
        ValueError: There is no level.
    """

    def __init__(
        self, in_channels: int, classes: int, *, widths: Sequence[int] = (24, 48, 96, 144)
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("`widths` must name the channels of at least one level, but is empty")
        self.stride = 1 << (len(widths) - 1)
        steps = list(pairwise(widths))
        self.first = nn.Sequential(_convolve(in_channels, widths[0]), nn.GELU(), _level(widths[0]))
        self.encoder = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, d, 2, stride=2), nn.GELU(), _level(d), _level(d))
            for c, d in steps
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(d, c, 2, stride=2) for c, d in reversed(steps))
        self.decoder = nn.ModuleList(_level(c) for c, _ in reversed(steps))
        self.last = _convolve(widths[0], classes)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Predict (N, classes, H, W) from (N, in_channels, H, W) float32."""
        levels = [self.first(x)]  # (N, widths[0], H, W)
        for level in self.encoder:
            levels.append(level(levels[-1]))  # (N, widths[k], H / 2^k, W / 2^k)
        x = levels.pop()
        for up, level in zip(self.up, self.decoder, strict=True):
            x = level(up(x) + levels.pop())
        y: Tensor = self.last(x)
        return y


def _convolve(channels: int, made: int) -> nn.Conv2d:
    return nn.Conv2d(channels, made, 3, padding=1)


def _level(channels: int) -> nn.Sequential:
    return nn.Sequential(_convolve(channels, channels), nn.GELU())
