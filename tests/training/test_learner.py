from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ensemble.errors import TrainingError
from ensemble.project import Project
from ensemble.training.export import mean_of_states
from ensemble.training.fit import make_task
from ensemble.training.learner import Learner, update_average
from ensemble.training.progress import Position


def _network(value: float) -> nn.Module:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    nn.init.constant_(network[0].weight, value)
    return network


@pytest.fixture
def make_learner(make_project: Callable[..., Project]) -> Callable[..., Learner]:
    def make(network: nn.Module, **settings: float) -> Learner:
        project = make_project(**settings)
        task = make_task(project.members("restoration")[0], project.config)
        training = project.config.training
        return Learner(network, task, training, position=Position(), batches=1, seed=0)

    return make


def test_the_average_moves_towards_the_network_with_its_buffers() -> None:
    average, network = _network(0.0).requires_grad_(False), _network(1.0)
    network[1].running_mean.fill_(1.0)
    network[1].num_batches_tracked.fill_(5)
    update_average(average, network, 0.9)
    assert float(average[0].weight) == pytest.approx(0.1)
    assert float(average[1].running_mean) == pytest.approx(0.1)
    assert int(average[1].num_batches_tracked) == 5


def test_the_average_forgets_its_start_soon_and_learns_nothing(make_learner, monkeypatch) -> None:
    learner = make_learner(_network(0.0), ema_decay=0.5)
    monkeypatch.setattr("lightning.pytorch.LightningModule.optimizer_step", lambda *_: None)
    nn.init.constant_(learner.network[0].weight, 1.0)
    learner.optimizer_step()  # decay (1 + 1) / (10 + 1)
    assert float(learner.kept[0].weight) == pytest.approx(1 - 2 / 11)
    learner.position.updates = 1000
    learner.optimizer_step()  # decay 0.5
    assert float(learner.kept[0].weight) == pytest.approx(1 - 1 / 11, abs=1e-6)
    assert not any(p.requires_grad for p in learner.kept.parameters())
    assert not learner.kept.training
    assert learner.network.training


def test_without_a_decay_the_network_is_kept(make_learner) -> None:
    learner = make_learner(_network(0.0))
    assert learner.kept is learner.network


def test_mean_of_states_is_plain_and_keeps_dtypes() -> None:
    states = [_network(v).state_dict() for v in (1.0, 2.0, 6.0)]
    states[-1]["1.num_batches_tracked"] = torch.tensor(4)
    mean = mean_of_states(states)
    assert float(mean["0.weight"]) == 3.0
    assert mean["0.weight"].dtype == torch.float32
    assert int(mean["1.num_batches_tracked"]) == 4


def test_a_loss_that_is_not_finite_is_remembered_until_asked(make_learner, monkeypatch) -> None:
    learner = make_learner(_network(0.0))
    monkeypatch.setattr(learner, "log", lambda *_, **__: None)
    monkeypatch.setattr(learner, "task", Losses([1.0, float("inf"), 1.0]))
    learner.require_finite()
    for _ in range(3):
        learner.training_step(Losses, 0)
    learner.position.epoch, learner.position.batch = 2, 7
    with pytest.raises(TrainingError, match="the loss must be finite.*batch 7 of epoch 3"):
        learner.require_finite()
    learner.require_finite()


class Losses:
    """Stands for a task whose losses are these; and for its batches."""

    shown = torch.zeros(2, 1)
    target = ()

    def __init__(self, values: list[float]) -> None:
        self.values = iter(values)

    def example(self, batch: object) -> object:
        return self

    def loss(self, output: torch.Tensor, example: object, *, done: float) -> torch.Tensor:
        self.done = done
        return torch.tensor(next(self.values))


def test_a_loss_is_told_the_share_that_is_done(make_learner, monkeypatch) -> None:
    learner = make_learner(_network(0.0), epochs=4)
    monkeypatch.setattr(learner, "log", lambda *_, **__: None)
    monkeypatch.setattr(learner, "task", Losses([1.0]))
    learner.batches, learner.position.epoch, learner.position.batch = 10, 2, 5
    learner.training_step(Losses, 0)
    assert learner.task.done == 2.5 / 4


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_weight_that_is_not_finite_is_found(make_learner, ema_decay: float) -> None:
    learner = make_learner(_network(0.0), ema_decay=ema_decay)
    learner.kept[1].running_var[0] = float("nan")
    with pytest.raises(TrainingError, match="the weights must be finite"):
        learner.require_finite()
