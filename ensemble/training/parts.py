"""Batches too large for the GPU's memory: a step's gradients added up over parts of its batch.

The step stays that of the whole batch: only batch normalization sees the parts one by one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ensemble.files import atomic_write
from ensemble.training.job import Job, JobFiles
from ensemble.training.tasks.task import Example, Task


def read_parts(files: JobFiles) -> int:
    """In how many parts a job learns from a batch: 1, unless memory ran out on this kind of GPU."""
    noted = files.read_parts()  # where it is damaged, it is noted again if memory runs out again
    return noted.parts if noted and noted.gpu == _gpu() else 1


def double_parts(job: Job, files: JobFiles, parts: int, batch_size: int) -> bool:
    """Have a job learn from twice as many parts from now on, and say so in a line.

    It is noted for when the job is resumed. Of a step's photographs in this process, `batch_size`,
    a part holds one at least: returns whether that is possible.
    """
    if parts >= batch_size:
        return False
    more = min(2 * parts, batch_size)
    atomic_write(files.parts, json.dumps({"parts": more, "gpu": _gpu()}))
    logging.getLogger("ensemble").warning(
        f"{job}: {-(-batch_size // parts)} photographs at once do not fit into the GPU's memory; "
        f"from now on {-(-batch_size // more)}, and the gradients of {more} such parts are added "
        f"up: a step stays one of {batch_size}"
    )
    return True


def loss_in_parts(
    task: Task,
    network: nn.Module,
    example: Example,
    *,
    parts: int,
    done: float = 0.0,
    scale: float = 1.0,
) -> Tensor:
    """The loss of a batch, with its gradients, in the memory that a part of it takes.

    Losses are multiplied by `scale` before their gradients are taken, against underflow in fp16;
    the gradients are divided by it.

    Returns:
        A scalar; `backward` gives the network's parameters the gradients of the whole batch.
    """
    if parts == 1:
        return task.loss(network(example.shown), example, done=done)
    parameters = [p for p in network.parameters() if p.requires_grad]
    total = torch.zeros((), device=example.shown.device)
    sums: list[Tensor | None] = [None] * len(parameters)
    for part in example.split(parts):
        loss = task.loss(network(part.shown), part, done=done)
        loss = loss * (len(part.shown) / len(example.shown))
        found = torch.autograd.grad(loss * scale, parameters, allow_unused=True)
        sums = [_add(*pair) for pair in zip(sums, found, strict=True)]
        total = total + loss.detach()
    used = [(p, g / scale) for p, g in zip(parameters, sums, strict=True) if g is not None]
    known: Tensor = _Known.apply(total, [g for _, g in used], *(p for p, _ in used))  # type: ignore[no-untyped-call]
    return known


class _Known(torch.autograd.Function):
    """A number whose gradients are known already."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: Sequence[Tensor], *parameters: Tensor) -> Any:
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx: Any, factor: Tensor) -> Any:
        return None, None, *(gradient * factor for gradient in ctx.gradients)


def _add(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    return total if more is None else more if total is None else total + more


def _gpu() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""
