from __future__ import annotations

import pytest
import torch
from torch import nn

from ensemble.training.ema import MovingAverage, mean_of_states


def _network(value: float) -> nn.Module:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    nn.init.constant_(network[0].weight, value)
    return network


def test_average_follows_with_the_decay_warmed_up() -> None:
    network = _network(0.0)
    average = MovingAverage(network, 0.5)
    nn.init.constant_(network[0].weight, 1.0)
    average.update(network, 1)  # decay (1 + 1) / (10 + 1)
    assert float(average.average[0].weight) == pytest.approx(1 - 2 / 11)
    average.update(network, 1000)  # decay 0.5
    assert float(average.average[0].weight) == pytest.approx(1 - 1 / 11, abs=1e-6)


def test_average_takes_buffers_along_and_learns_nothing() -> None:
    network = _network(0.0)
    average = MovingAverage(network, 0.9)
    network[1].running_mean.fill_(1.0)
    network[1].num_batches_tracked.fill_(5)
    average.update(network, 1000)
    assert float(average.average[1].running_mean) == pytest.approx(0.1)
    assert int(average.average[1].num_batches_tracked) == 5
    assert not any(p.requires_grad for p in average.parameters())
    assert not average.train().average.training


def test_mean_of_states_is_plain_and_keeps_dtypes() -> None:
    states = [_network(v).state_dict() for v in (1.0, 2.0, 6.0)]
    states[-1]["1.num_batches_tracked"] = torch.tensor(4)
    mean = mean_of_states(states)
    assert float(mean["0.weight"]) == 3.0
    assert mean["0.weight"].dtype == torch.float32
    assert int(mean["1.num_batches_tracked"]) == 4
