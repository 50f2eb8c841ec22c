from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

State = dict[str, torch.Tensor]


@pytest.fixture
def unlike_its_start() -> Callable[[nn.Module], nn.Module]:
    """Moves batch normalization away from the identity, so that its place matters."""

    def change(network: nn.Module) -> nn.Module:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 3.0)
                nn.init.uniform_(module.bias, -0.5, 0.5)
                module.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr,operator]
                module.running_var.uniform_(0.01, 0.1)  # type: ignore[union-attr,operator]
        return network.eval()

    return change


@pytest.fixture
def conv() -> Callable[..., torch.Tensor]:
    """A 3x3 convolution by the key of its weights."""

    def apply(
        x: torch.Tensor, state: State, key: str, stride: int = 1, dilation: int = 1
    ) -> torch.Tensor:
        weight, bias = state[f"{key}.weight"], state[f"{key}.bias"]
        return functional.conv2d(x, weight, bias, stride, padding=dilation, dilation=dilation)

    return apply


@pytest.fixture
def norm() -> Callable[[torch.Tensor, State, str], torch.Tensor]:
    """Batch normalization by the key of its weights, from its definition."""

    def apply(x: torch.Tensor, state: State, key: str) -> torch.Tensor:
        names = ("weight", "bias", "running_mean", "running_var")
        weight, bias, mean, var = (state[f"{key}.{name}"][:, None, None] for name in names)
        return (x - mean) / torch.sqrt(var + 1e-5) * weight + bias

    return apply
