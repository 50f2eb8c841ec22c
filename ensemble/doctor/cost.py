"""What everything will cost on this machine: hours, memory, disk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ensemble.config import Config, TrainingSection
from ensemble.data.scan import PIXELS, shape_files
from ensemble.doctor.finding import Finding
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


def fold_hours(
    cost: NetworkCost, config: Config, *, decoded_per_second: float, n_photographs: int
) -> float:
    """Hours to train one fold of a member for all its epochs, and to predict its sample.

    Args:
        cost: Its measured times.
        config: The settings.
        decoded_per_second: Photographs that all cores decode.
        n_photographs: All training photographs, of all folds.
    """
    validated = sample_size(config.oof.photographs, n_photographs) / config.folds.n_folds
    learned = n_photographs - n_photographs // config.folds.n_folds
    epochs = _training_of(cost, config).epochs
    predicted = validated * (epochs + len(cost.member.views)) * cost.photo_seconds
    return _learning_hours(cost, config, decoded_per_second, learned) + predicted / 3600


def _learning_hours(
    cost: NetworkCost, config: Config, decoded_per_second: float, n_learned: int
) -> float:
    """Hours to learn from so many photographs for all epochs, validation left out."""
    training = _training_of(cost, config)
    steps = Shape(n_learned, training.batch_size, training.max_steps_per_epoch).batches
    step = cost.step_seconds + waiting_seconds(cost, config, decoded_per_second)
    return training.epochs * steps * step / 3600


def waiting_seconds(cost: NetworkCost, config: Config, decoded_per_second: float) -> float:
    """Seconds of a step that the device waits for its batch.

    Args:
        cost: Its measured times.
        config: The settings; without `cache` each photograph is decoded at each use.
        decoded_per_second: Photographs that all cores decode.
    """
    training = _training_of(cost, config)
    decode = 0.0 if config.training.cache else count_cores() / decoded_per_second
    read = training.batch_size * (cost.batch_seconds + decode)
    readers = min(count_workers(training), count_cores())
    return max(0.0, read / readers - cost.step_seconds) if readers else read


def check_reading(
    costs: Sequence[NetworkCost],
    config: Config,
    *,
    decoded_per_second: float,
    n_photographs: int,
) -> Iterator[Finding]:
    """How fast photographs are decoded, and which networks would wait for their batches."""
    text = (
        f"{count_cores()} cores decode {decoded_per_second:.0f} photographs/s: "
        f"{_duration(n_photographs / decoded_per_second / 3600)} for all {n_photographs} once"
    )
    yield Finding("ok", "decoding", text)
    for cost in costs:
        waiting = waiting_seconds(cost, config, decoded_per_second)
        share = waiting / (cost.step_seconds + waiting)
        if share > _MOST_WAITING:
            training = _training_of(cost, config)
            yield Finding(
                "warning",
                "reading",
                f"{cost.member.stage} {cost.member.name} could learn from "
                f"{training.batch_size / cost.step_seconds:.0f} photographs/s, but waits for them "
                f"{share:.0%} of the time; {_read_faster(config, training)}",
            )


def _read_faster(config: Config, training: TrainingSection) -> str:
    if not config.training.cache:
        return "set `cache = true` under [training]"
    if 0 <= training.num_workers < count_cores() - 1:
        return "set `num_workers = -1` under [training]"
    return 'a machine with more cores would help, and `input_mode = "damaged"` makes batches faster'


def check_hours(
    costs: Sequence[NetworkCost],
    config: Config,
    *,
    decoded_per_second: float,
    n_photographs: int,
) -> Iterator[Finding]:
    """The hours of each network, then of all together."""
    total, full, n_folds = 0.0, 0.0, config.folds.n_folds
    fitting = [cost for cost in costs if cost.fits]
    for cost in fitting:
        hours = fold_hours(
            cost, config, decoded_per_second=decoded_per_second, n_photographs=n_photographs
        )
        memory = f", {cost.gpu_bytes / 1e9:.1f} GB of GPU memory" if cost.gpu_bytes else ""
        text = f"{cost.step_seconds:.3g} s a step, {_duration(hours)} a fold{memory}"
        yield Finding("ok", f"{cost.member.stage} {cost.member.name}", text)
        total += hours
        full += _learning_hours(cost, config, decoded_per_second, n_photographs)
    if fitting:
        text = (
            f"{_duration(total)} a fold, {_duration(n_folds * total)} for {n_folds} folds, and "
            f"{_duration(full)} more for all photographs (`train --fold full`), if each network "
            "learns for all its epochs; `patience` mostly ends it earlier, "
            "`max_steps_per_epoch` under [training] shortens it"
        )
        yield Finding("ok", "hours", text)


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


def _training_of(cost: NetworkCost, config: Config) -> TrainingSection:
    """[training] as it is for the member."""
    return config.of_member(cost.member.stage, cost.member.name).training


def _duration(hours: float) -> str:
    return f"{60 * hours:.0f} min" if hours < 1 else f"{hours:.1f} h"
