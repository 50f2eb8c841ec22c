"""What everything will cost on this machine: hours, memory, disk."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ensemble.config import Config
from ensemble.data.photographs import Photographs
from ensemble.data.scan import PIXELS, shape_files
from ensemble.doctor.finding import Finding
from ensemble.folds.sample import sample_size
from ensemble.members import Member
from ensemble.networks.build import build
from ensemble.networks.device import autocast, best_device, choose_precision
from ensemble.training.batches import Shape, TrainingBatches
from ensemble.training.fit import make_task
from ensemble.training.loaders import choose_bank

_STEPS = 3
_ON_CPU = 2
"""Photographs a timed step on a processor; the time of a whole batch is in proportion."""

_STATES = 4
"""While it trains, a member keeps its weights, and in the checkpoint once more with two moments."""

_FEWEST = 200
"""Fewer photographs do not tell members apart."""


@dataclass(frozen=True)
class NetworkCost:
    """What one trained member costs.

    Attributes:
        member: The member.
        step_seconds: A training step of a whole batch.
        photo_seconds: Prediction of one view of one photograph.
        gpu_bytes: Most GPU memory while training; 0 on a processor.
        weight_bytes: Its weights on disk.
    """

    member: Member
    step_seconds: float
    photo_seconds: float
    gpu_bytes: int
    weight_bytes: int

    @property
    def fits(self) -> bool:
        """Whether a step fits the GPU's memory; else its times are NaN."""
        return not math.isnan(self.step_seconds)


def time_network(
    member: Member, config: Config, photographs: Photographs, image_ids: Sequence[str]
) -> NetworkCost:
    """Train and predict a few steps, with random weights, on the best device there is.

    Args:
        member: Of kind `trained`.
        config: The settings: batch size, precision, losses.
        photographs: Where training photographs come from.
        image_ids: Some of them; they are used over and over.
    """
    trial = _Trial(member, config, photographs, image_ids)
    on_gpu = trial.device.type == "cuda"
    try:
        trial.learn()
        step_seconds = _time(trial.learn) * config.training.batch_size / trial.count
        gpu_bytes = torch.cuda.max_memory_allocated() if on_gpu else 0
        trial.network.eval()
        photo_seconds = _time(trial.predict) / trial.count
    except torch.OutOfMemoryError:
        step_seconds, photo_seconds, gpu_bytes = math.nan, math.nan, 0
    finally:
        if on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
    return NetworkCost(member, step_seconds, photo_seconds, gpu_bytes, trial.weight_bytes)


class _Trial:
    """A network with random weights, and batches of real photographs."""

    def __init__(
        self, member: Member, config: Config, photographs: Photographs, image_ids: Sequence[str]
    ) -> None:
        self.device, self.precision = best_device(), choose_precision(config.training.precision)
        whole = config.training.batch_size
        self.count = whole if self.device.type == "cuda" else min(whole, _ON_CPU)
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
        self.shown: Tensor | None = None

    @property
    def weight_bytes(self) -> int:
        tensors = self.network.state_dict().values()
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def learn(self) -> None:
        batch = self.batches[0, 0]
        parts = {k: part.to(self.device) for k, part in batch._asdict().items() if part is not None}
        example = self.task.example(batch._replace(**parts))
        with autocast(self.device, self.precision):
            loss = self.task.loss(self.network(example.shown), example)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.shown = example.shown

    @torch.inference_mode()
    def predict(self) -> None:
        with autocast(self.device, self.precision):
            self.network(self.shown)


def fold_hours(cost: NetworkCost, config: Config, n_photographs: int) -> float:
    """Hours to train one fold of a member for all its epochs, and to predict its sample.

    Args:
        cost: Its measured times.
        config: The settings.
        n_photographs: All training photographs, of all folds.
    """
    validated = sample_size(config.oof.photographs, n_photographs) / config.folds.n_folds
    learned = n_photographs - n_photographs // config.folds.n_folds
    steps = Shape(learned, config.training.batch_size, config.training.max_steps_per_epoch).batches
    epoch = steps * cost.step_seconds + validated * cost.photo_seconds
    collected = validated * len(cost.member.views) * cost.photo_seconds
    return (config.training.epochs * epoch + collected) / 3600


def disk_bytes(
    members: Sequence[Member], costs: Sequence[NetworkCost], config: Config, n_photographs: int
) -> dict[str, int]:
    """Bytes on disk by the end, by what they are for.

    Args:
        members: All members of `ens.toml`.
        costs: Of the trained ones.
        config: The settings.
        n_photographs: All training photographs.
    """
    size, n_folds = (config.data.size, config.data.size), config.folds.n_folds
    restored = math.prod(size)
    predicted = sum(
        len(m.views) * math.prod(m.item_shape(size)) * np.dtype(m.dtype).itemsize for m in members
    )
    sampled = sample_size(config.oof.photographs, n_photographs)
    scanned = {name: math.prod(shape) for name, shape in shape_files(n_photographs, size).items()}
    decoded = sum(scanned[name] for name in PIXELS)
    return {
        "descriptions and located holes": sum(scanned.values()) - decoded,
        **({"decoded photographs": decoded} if config.training.cache else {}),
        "checkpoints": n_folds * sum(_STATES * cost.weight_bytes for cost in costs),
        "out-of-fold predictions": sampled * (restored + predicted),
    }


def check_memory(costs: Sequence[NetworkCost], config: Config) -> list[Finding]:
    """Whether every network trains within the GPU's memory; nothing without a GPU."""
    whole = config.training.batch_size
    large = [cost.member.name for cost in costs if not cost.fits]
    if large:
        text = (
            f"{', '.join(large)} do not fit with `batch_size = {whole}`; set `batch_size = "
            f"{max(1, whole // 2)}` and `accumulate = 2` under [training]"
        )
        return [Finding("wrong", "GPU memory", text)]
    most = max((cost.gpu_bytes for cost in costs), default=0)
    return [Finding("ok", "GPU memory", f"at most {most / 1e9:.1f} GB")] if most else []


def check_disk(needed: dict[str, int], free: int, config: Config) -> Finding:
    """Whether the disk has room for everything, and which setting would make it fit.

    Args:
        needed: Of `disk_bytes`.
        free: Bytes that are free.
        config: The settings.
    """
    total = sum(needed.values())
    parts = ", ".join(f"{what} {size / 1e9:.1f}" for what, size in needed.items())
    text = f"{total / 1e9:.1f} GB by the end ({parts}), {free / 1e9:.1f} GB are free"
    if total <= free:
        return Finding("ok", "disk", text)
    return Finding("wrong", "disk", f"{text}; {_make_fit(needed, free, config)}")


def _make_fit(needed: dict[str, int], free: int, config: Config) -> str:
    rest = sum(needed.values()) - needed.get("decoded photographs", 0)
    if rest <= free:
        return "set `cache = false` under [training]: slower, but it fits"
    predictions = needed["out-of-fold predictions"]
    room = free - (rest - predictions)
    count = int(config.oof.photographs * max(room, 0) / predictions)
    if count >= _FEWEST:
        also = "`cache = false` under [training] and " if config.training.cache else ""
        return f"set {also}`photographs = {count}` under [oof]"
    return "free some space, or name fewer members"


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
