from __future__ import annotations

import pytest
import torch
from torch import nn

from ensemble.errors import TrainingError
from ensemble.training.guard import FiniteGuard
from ensemble.training.progress import Position


def test_a_loss_is_remembered_until_asked() -> None:
    guard, network = FiniteGuard(), nn.Linear(2, 2)
    guard.check(network, Position())
    for value in (1.0, float("inf"), 1.0):
        guard.watch(torch.tensor(value))
    with pytest.raises(TrainingError, match="the loss must be finite.*batch 7 of epoch 3"):
        guard.check(network, Position(epoch=2, batch=7))
    guard.check(network, Position())


def test_a_weight_that_is_not_finite_is_found() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    network[1].running_var[1] = float("nan")
    with pytest.raises(TrainingError, match="the weights must be finite"):
        FiniteGuard().check(network, Position())
