"""A moving average of a network's weights, which is validated and kept instead of them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MovingAverage(nn.Module):
    """The exponential moving average of a network's parameters and buffers.

    Args:
        network: What to follow; it is copied.
        decay: The share of the past at each update; early on it is (1 + n) / (10 + n) if that is
            less, so that the random start is forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.average = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, updates: int) -> None:
        """Take in the network after its `updates`-th update."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        mine, theirs = self.average.state_dict(), network.state_dict()
        floats = [key for key, value in mine.items() if value.is_floating_point()]
        torch._foreach_lerp_([mine[k] for k in floats], [theirs[k] for k in floats], 1 - decay)
        for key in mine.keys() - floats:
            mine[key].copy_(theirs[key])

    def train(self, mode: bool = True) -> MovingAverage:
        """Stay in evaluation mode, whatever the learner is set to."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        """Predict with the average."""
        output: Tensor = self.average(x)
        return output


def mean_of_states(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The plain mean of the states of one network, by key; whole numbers are the last state's."""
    mean = {}
    for key, last in states[-1].items():
        if last.is_floating_point():
            mean[key] = torch.stack([state[key].double() for state in states]).mean(0).to(last)
        else:
            mean[key] = last.clone()
    return mean
