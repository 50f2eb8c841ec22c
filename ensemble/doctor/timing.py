"""What photographs and networks take on this machine, by a few real steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ensemble.config import Config
from ensemble.data.competition import Competition
from ensemble.data.photographs import Photographs
from ensemble.members import Member
from ensemble.networks.build import build
from ensemble.networks.device import (
    autocast,
    best_device,
    choose_precision,
    free_memory,
    raise_out_of_memory,
)
from ensemble.parallel import map_in_order
from ensemble.training.batches import Shape, TrainingBatches
from ensemble.training.fit import make_task
from ensemble.training.loaders import choose_bank
from ensemble.training.parts import loss_in_parts
from ensemble.training.tasks.task import Example

_DECODED = 64
_STEPS = 3
_ON_CPU = 2
"""Photographs a timed step on a processor; the time of a whole batch is in proportion."""


@dataclass(frozen=True)
class NetworkCost:
    """What one trained member costs."""

    member: Member
    step_seconds: float  # a training step of a whole batch, once the batch is there
    batch_seconds: float  # to make one photograph of a batch on one core, once it is decoded
    photo_seconds: float  # prediction of one view of one photograph
    gpu_bytes: int  # most GPU memory while training; 0 on a processor
    weight_bytes: int  # its weights on disk
    parts: int = 1  # in how many parts a batch fits the GPU's memory

    @property
    def fits(self) -> bool:
        """Whether a single photograph fits the GPU's memory; else its times are NaN."""
        return not math.isnan(self.step_seconds)


def time_decoding(competition: Competition, image_ids: Sequence[str]) -> float:
    """Photographs that all cores decode in a second; DataError where one is not as due."""
    start, some = time.perf_counter(), image_ids[:_DECODED]
    for _ in map_in_order(competition.train_sample, some):
        pass
    return len(some) / (time.perf_counter() - start)


def time_network(
    member: Member, config: Config, photographs: Photographs, image_ids: Sequence[str]
) -> NetworkCost:
    """Train and predict a few steps, with random weights, on the best device there is.

    A batch that does not fit the GPU's memory is learned from in parts, as `ens train` does.
    The photographs `image_ids` are used over and over.
    """
    trial = _Trial(member, config.of_member(member.stage, member.name), photographs, image_ids)
    trial.make_batch()  # decodes the photographs, which are kept in memory
    batch_seconds = _time(trial.make_batch) / trial.count
    step, photo, gpu_bytes = math.nan, math.nan, 0
    while math.isnan(step):
        try:
            with raise_out_of_memory():
                step, photo, gpu_bytes = _time_steps(trial)
        except torch.OutOfMemoryError:
            if trial.parts == trial.count:
                break
            trial.parts = min(2 * trial.parts, trial.count)
        free_memory()
    whole = trial.config.training.batch_size / trial.count
    size = trial.weight_bytes
    return NetworkCost(member, step * whole, batch_seconds, photo, gpu_bytes, size, trial.parts)


def _time_steps(trial: _Trial) -> tuple[float, float, int]:
    """Seconds of a step and of a photograph's prediction, and the most GPU memory."""
    on_gpu = trial.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    trial.network.train()
    trial.learn()
    step = _time(trial.learn)
    gpu_bytes = torch.cuda.max_memory_allocated() if on_gpu else 0
    trial.network.eval()
    crop = math.prod(trial.batch.target.shape[1:3]) / trial.config.data.size**2  # else 1
    return step, _time(trial.predict) / trial.count / crop, gpu_bytes


class _Trial:
    """A network with random weights, and a batch of real photographs."""

    def __init__(
        self, member: Member, config: Config, photographs: Photographs, image_ids: Sequence[str]
    ) -> None:
        self.config = config
        self.device, self.precision = best_device(), choose_precision(config.training.precision)
        whole = config.training.batch_size
        self.count = whole if self.device.type == "cuda" else min(whole, _ON_CPU)
        self.parts = 1
        self.task = make_task(member, config)
        self.network = build(member, encoder_weights="none").to(self.device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), fused=True)
        self.batches = TrainingBatches(
            [image_ids[k % len(image_ids)] for k in range(self.count)],
            photographs,
            choose_bank(self.task, config.seed),
            needs=self.task.needs,
            shape=Shape(self.count, self.count),
            seed=config.seed,
        )

    @property
    def weight_bytes(self) -> int:
        tensors = self.network.state_dict().values()
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def make_batch(self) -> None:
        self.batch = self.batches[0, 0]

    def learn(self) -> None:
        self.optimizer.zero_grad()
        example = self._example()
        with autocast(self.device, self.precision):
            loss = loss_in_parts(self.task, self.network, example, parts=self.parts)
        torch.autograd.backward(loss)
        self.optimizer.step()

    @torch.inference_mode()
    def predict(self) -> None:
        with autocast(self.device, self.precision):
            for part in self._example().split(self.parts):
                self.network(part.shown)

    def _example(self) -> Example:
        given = self.batch._asdict().items()
        parts = {key: part.to(self.device) for key, part in given if part is not None}
        return self.task.example(self.batch._replace(**parts))


def _time(work: Callable[[], object]) -> float:
    """Median seconds of a call."""
    seconds = []
    for _ in range(_STEPS):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))
