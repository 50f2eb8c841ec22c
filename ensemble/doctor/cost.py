"""What everything will cost on this machine: hours, memory, disk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.config import Config, TrainingSection
from ensemble.data.scan import PIXELS, shape_files
from ensemble.doctor import Finding
from ensemble.doctor.timing import NetworkCost
from ensemble.folds.sample import sample_size
from ensemble.members import Member
from ensemble.parallel import count_cores
from ensemble.training.batches import Shape
from ensemble.training.loaders import count_workers

_MOST_WAITING = 0.1
"""The share of a step's time that a device may wait for its batch."""

_STATES = 4
"""While it trains, a member keeps its weights, and in the checkpoint once more with two moments."""

_FEWEST = 200
"""Fewer photographs do not tell members apart."""


@dataclass(frozen=True)
class Hours:
    """The time that trainings take of so many photographs, those of all folds.

    Without `cache` each is decoded at each use; all cores decode so many in a second.
    """

    config: Config
    decoded_per_second: float
    n_photographs: int

    def of_fold(self, cost: NetworkCost) -> float:
        """Hours to train one fold of a member for all its epochs, and to predict its sample."""
        n_folds, n_photographs = self.config.folds.n_folds, self.n_photographs
        validated = sample_size(self.config.oof.photographs, n_photographs) / n_folds
        epochs = _training_of(cost, self.config).epochs
        predicted = validated * (epochs + len(cost.member.views)) * cost.photo_seconds
        return self._learn(cost, n_photographs - n_photographs // n_folds) + predicted / 3600

    def _learn(self, cost: NetworkCost, n_learned: int) -> float:
        """Hours to learn from so many photographs for all epochs, validation left out."""
        training = _training_of(cost, self.config)
        steps = Shape(n_learned, training.batch_size, training.steps_per_epoch).batches
        return training.epochs * steps * (cost.step_seconds + self.wait(cost)) / 3600

    def wait(self, cost: NetworkCost) -> float:
        """Seconds of a step that the device waits for its batch."""
        training = _training_of(cost, self.config)
        decode = 0.0 if self.config.training.cache else count_cores() / self.decoded_per_second
        read = training.batch_size * (cost.batch_seconds + decode)
        readers = min(count_workers(training), count_cores())
        return max(0.0, read / readers - cost.step_seconds) if readers else read

    def check_reading(self, costs: Sequence[NetworkCost]) -> Iterator[Finding]:
        """How fast photographs are decoded, and which networks would wait for their batches."""
        text = (
            f"{count_cores()} cores decode {self.decoded_per_second:.0f} photographs/s: "
            f"{_duration(self.n_photographs / self.decoded_per_second / 3600)} for all "
            f"{self.n_photographs} once"
        )
        yield Finding("ok", "decoding", text)
        for cost in costs:
            waiting = self.wait(cost)
            share = waiting / (cost.step_seconds + waiting)
            if share > _MOST_WAITING:
                training = _training_of(cost, self.config)
                yield Finding(
                    "warning",
                    "reading",
                    f"{cost.member.stage} {cost.member.name} could learn from "
                    f"{training.batch_size / cost.step_seconds:.0f} photographs/s, but waits for "
                    f"them {share:.0%} of the time; {self._read_faster(training)}",
                )

    def _read_faster(self, training: TrainingSection) -> str:
        if not self.config.training.cache:
            return "set `cache = true` under [training]"
        if 0 <= training.num_workers < count_cores() - 1:
            return "set `num_workers = -1` under [training]"
        return (
            'a machine with more cores would help, and `input_mode = "damaged"` makes batches '
            "faster"
        )

    def check(self, costs: Sequence[NetworkCost]) -> Iterator[Finding]:
        """The hours of each network, then of all together."""
        total, full, n_folds = 0.0, 0.0, self.config.folds.n_folds
        fitting = [cost for cost in costs if cost.fits]
        for cost in fitting:
            hours = self.of_fold(cost)
            memory = f", {cost.gpu_bytes / 1e9:.1f} GB of GPU memory" if cost.gpu_bytes else ""
            text = f"{cost.step_seconds:.3g} s a step, {_duration(hours)} a fold{memory}"
            yield Finding("ok", f"{cost.member.stage} {cost.member.name}", text)
            total += hours
            full += self._learn(cost, self.n_photographs)
        if fitting:
            text = (
                f"{_duration(total)} a fold, {_duration(n_folds * total)} for {n_folds} folds, and "
                f"{_duration(full)} more for all photographs (`train --fold full`), if each "
                "network learns for all its epochs; `patience` mostly ends it earlier, "
                "`steps_per_epoch` under [training] shortens it"
            )
            yield Finding("ok", "hours", text)


def disk_bytes(
    members: Sequence[Member], costs: Sequence[NetworkCost], config: Config, n_photographs: int
) -> dict[str, int]:
    """Bytes on disk by the end, by what they are for; `costs` are those of the trained members."""
    size, n_folds = (config.data.size, config.data.size), config.folds.n_folds
    restored, state = math.prod(size), _STATES * sum(cost.weight_bytes for cost in costs)
    predicted = sum(
        len(m.views) * math.prod(m.item_shape(size)) * np.dtype(m.dtype).itemsize for m in members
    )
    sampled = sample_size(config.oof.photographs, n_photographs)
    scanned = {name: math.prod(shape) for name, shape in shape_files(n_photographs, size).items()}
    decoded = sum(scanned[name] for name in PIXELS)
    return {
        "descriptions and located holes": sum(scanned.values()) - decoded,
        **({"decoded photographs": decoded} if config.training.cache else {}),
        "checkpoints": n_folds * state,
        "those of `train --fold full`": state,
        "out-of-fold predictions": sampled * (restored + predicted),
    }


def check_memory(costs: Sequence[NetworkCost], config: Config) -> Iterator[Finding]:
    """Whether every network trains within the GPU's memory; nothing without a GPU."""
    large = [cost.member.name for cost in costs if not cost.fits]
    if large:
        text = (
            f"{', '.join(large)}: not even a single photograph fits; name smaller networks in "
            "their place"
        )
        yield Finding("wrong", "GPU memory", text)
    for cost in costs:
        if cost.fits and cost.parts > 1:
            training = _training_of(cost, config)
            text = (
                f"{cost.member.name}: a batch of {training.batch_size} fits in {cost.parts} parts, "
                "whose gradients `ens train` adds up"
            )
            yield Finding("warning", "GPU memory", text)
    most = max((cost.gpu_bytes for cost in costs), default=0)
    if most:
        yield Finding("ok", "GPU memory", f"at most {most / 1e9:.1f} GB")


def check_disk(needed: dict[str, int], free: int, config: Config) -> Finding:
    """Whether the disk has room for `disk_bytes`, and which setting would make it fit."""
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


def _training_of(cost: NetworkCost, config: Config) -> TrainingSection:
    """[training] as it is for the member."""
    return config.of_member(cost.member.stage, cost.member.name).training


def _duration(hours: float) -> str:
    return f"{60 * hours:.0f} min" if hours < 1 else f"{hours:.1f} h"
