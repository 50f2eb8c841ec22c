"""A path at full resolution beside a network of smp, most of which start by halving the picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS = 32


class FullResolution(nn.Module):
    """A network, and two convolutions at the input's own resolution, joined before the head.

    smp's decoders get nothing finer than half the resolution. Most lost pixels lie within 6 px of
    the rim, where the answer goes on with the pattern outside: its phase is lost by halving. The
    head starts at zero, so that a residual starts from the prefill. The network makes (N, CHANNELS,
    H, W) of (N, in_channels, H, W).
    """

    def __init__(self, net: nn.Module, *, in_channels: int, classes: int) -> None:
        super().__init__()
        self.net = net
        self.path = nn.Sequential(
            nn.Conv2d(in_channels, CHANNELS, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        )
        # What goes in has no normalization: behind a ReLU most channels were negative everywhere
        # after some steps, and learned no more.
        self.head = nn.Sequential(nn.GELU(), nn.Conv2d(2 * CHANNELS, classes, 3, padding=1))
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Predict: (N, in_channels, H, W) to (N, classes, H, W)."""
        y: Tensor = self.head(torch.cat([self.net(x), self.path(x)], dim=1))
        return y
