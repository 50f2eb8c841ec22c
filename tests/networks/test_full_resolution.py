from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ensemble.networks.full_resolution import CHANNELS, FullResolution


class Coarse(nn.Module):
    """Knows a picture at a quarter of its resolution only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.interpolate(functional.avg_pool2d(x[:, :1], 4), scale_factor=4.0)
        return y.expand(-1, CHANNELS, -1, -1)


def make(*, in_channels: int, classes: int) -> FullResolution:
    """As after some training: the head is no longer zero."""
    joined = FullResolution(Coarse(), in_channels=in_channels, classes=classes)
    for parameter in joined.head.parameters():
        nn.init.normal_(parameter)
    return joined


def test_the_path_is_two_convolutions_joined_before_the_head() -> None:
    joined = make(in_channels=2, classes=3)
    x = torch.randn(2, 2, 8, 12)
    w = joined.state_dict()
    path = functional.conv2d(x, w["path.0.weight"], w["path.0.bias"], padding=1)
    path = functional.gelu(path)
    path = functional.conv2d(path, w["path.2.weight"], w["path.2.bias"], padding=1)
    both = functional.gelu(torch.cat([Coarse()(x), path], dim=1))
    expected = functional.conv2d(both, w["head.1.weight"], w["head.1.bias"], padding=1)
    torch.testing.assert_close(joined(x), expected)


def test_what_the_network_loses_reaches_the_answer() -> None:
    stripes = torch.tensor([1.0, -1.0]).tile(4).expand(1, 1, 8, 8)
    assert torch.equal(Coarse()(stripes), Coarse()(-stripes))
    joined = make(in_channels=1, classes=1)
    assert (joined(stripes) - joined(-stripes)).abs().mean() > 0.01
