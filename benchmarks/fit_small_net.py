"""Fit a `SmallNet` by Adam on weighted cross entropy."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ensemble.damage.small_nets import SmallNet

_RATE, _DECAY = 2e-3, 1e-2


def fit_small_net(
    features: NDArray[np.floating],
    answers: NDArray[np.bool_],
    weights: NDArray[np.floating],
    *,
    hidden: tuple[int, ...],
    epochs: int,
    batch: int,
) -> SmallNet:
    """Fit a net whose probability is that of the answer being True.

    Args:
        features: (N, F), finite.
        answers: (N,) bool.
        weights: (N,), how much each row counts.
        hidden: The widths of the hidden layers.
        epochs: Passes over the rows; the rate rises and falls once in all of them.
        batch: Rows a step.
    """
    torch.manual_seed(0)
    center = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = features.std(axis=0, dtype=np.float64).astype(np.float32) + np.float32(1e-6)
    x = torch.from_numpy((features.astype(np.float32) - center) / scale)
    y = torch.from_numpy(answers.astype(np.float32))
    w = torch.from_numpy((weights / weights.mean()).astype(np.float32))
    layers = [nn.Linear(a, b) for a, b in itertools.pairwise((x.shape[1], *hidden, 1))]
    _descend(_chain(layers), x, y, w, epochs=epochs, batch=batch)
    return SmallNet(
        center,
        scale,
        tuple(layer.weight.detach().numpy().T.copy() for layer in layers),
        tuple(layer.bias.detach().numpy().copy() for layer in layers),
    )


def _chain(layers: list[nn.Linear]) -> nn.Sequential:
    steps: list[nn.Module] = [layers[0]]
    for layer in layers[1:]:
        steps += [nn.ReLU(), layer]
    return nn.Sequential(*steps)


def _descend(
    net: nn.Sequential,
    x: torch.Tensor,
    y: torch.Tensor,
    w: torch.Tensor,
    *,
    epochs: int,
    batch: int,
) -> None:
    loss = nn.BCEWithLogitsLoss(reduction="none")
    optimizer = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=_DECAY)
    batches = max(1, len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _RATE, total_steps=epochs * batches, pct_start=0.1
    )
    for _ in range(epochs):
        for rows in torch.randperm(len(x))[: batches * batch].chunk(batches):
            optimizer.zero_grad()
            (loss(net(x[rows])[:, 0], y[rows]) * w[rows]).mean().backward()
            optimizer.step()
            schedule.step()
