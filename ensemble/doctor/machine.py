"""The machine: Python, torch, the GPU and its precision, memory, and the files of networks."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from ensemble.config import Config
from ensemble.doctor import Finding
from ensemble.errors import ConfigError, WeightsError
from ensemble.inference.onnx import onnx_predictor
from ensemble.members import Member
from ensemble.networks.device import choose_precision
from ensemble.networks.encoder_weights import (
    Release,
    hub_answers,
    is_cached,
    release_of,
    timm_release,
)
from ensemble.parallel import count_cores

_LEAST_MEMORY = 8e9
_LEAST_GPU_MEMORY = 7e9


def check_machine(config: Config, members: Sequence[Member]) -> Iterator[Finding]:
    """Look at the machine: also at the weights of the encoders that ens.toml needs."""
    yield Finding("ok", "Python", f"{platform.python_version()}, torch {torch.__version__}")
    yield _check_device(config)
    yield _check_memory()
    trained = [member for member in members if member.kind == "trained"]
    settings = {m: config.of_member(m.stage, m.name).training for m in trained}
    needy = [m for m in trained if m.encoder and settings[m].encoder_weights == "imagenet"]
    due = {m.encoder: partial(release_of, m) for m in needy}
    if prior_encoder := config.colorization.prior_encoder:
        due[prior_encoder] = partial(timm_release, prior_encoder)
    if due:
        yield from _check_weights(due)


def check_onnx_files(root: Path, members: Iterable[Member]) -> Iterator[Finding]:
    """Open the file of each `onnx` member, and compare it with its adapter.

    `root` is the workspace's folder.
    """
    for member in members:
        if not member.file:
            continue
        try:
            onnx_predictor(member, root / member.file)
        except (ConfigError, WeightsError) as error:
            yield Finding("wrong", "ONNX", f"`{member.name}`: {error}")
        else:
            text = f"`{member.name}`: `{member.file}` is as its adapter `{member.adapter}` needs it"
            yield Finding("ok", "ONNX", text)


def _check_device(config: Config) -> Finding:
    precision = choose_precision(config.training.precision)
    if not torch.cuda.is_available():
        return Finding(
            "warning",
            "GPU",
            f"none that torch {torch.__version__} can use, so {count_cores()} processor cores "
            "train: see the hours below; without training, `ens init --preset training-free`",
        )
    properties = torch.cuda.get_device_properties(0)
    capability = f"{properties.major}.{properties.minor}"
    text = (
        f"{torch.cuda.device_count()} x {properties.name}, {properties.total_memory / 1e9:.0f} GB, "
        f"compute capability {capability}, trains in {precision}"
    )
    if properties.total_memory < _LEAST_GPU_MEMORY:
        return Finding("warning", "GPU", f"{text}: little memory; see what fits below")
    return Finding("ok", "GPU", text)


def _check_memory() -> Finding:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return Finding("ok", "memory", f"{count_cores()} cores; this system does not say how much")
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    text = f"{count_cores()} cores, {total / 1e9:.0f} GB of memory"
    if total < _LEAST_MEMORY:
        return Finding(
            "warning", "memory", f"{text}: set `num_workers = 1` under [training] if it runs out"
        )
    return Finding("ok", "memory", text)


def _check_weights(due: Mapping[str, Callable[[], Release]]) -> Iterator[Finding]:
    """The ImageNet weights of each encoder, by name; nothing is downloaded."""
    missing = []
    for encoder, release in due.items():
        try:
            if not is_cached(release()):
                missing.append(encoder)
        except WeightsError as error:
            yield Finding("wrong", "weights", str(error))
    names = ", ".join(sorted(missing))
    if not missing:
        yield Finding("ok", "weights", "the ImageNet weights of every encoder are in the cache")
    elif hub_answers():
        yield Finding("ok", "weights", f"will be downloaded once: {names}")
    else:
        yield Finding(
            "wrong",
            "weights",
            f"not in the cache, and the hub does not answer: {names}; connect to the internet, "
            'copy the cache of a connected machine (HF_HOME), or set `encoder_weights = "none"` '
            "under [training] and leave `prior_encoder` empty",
        )
