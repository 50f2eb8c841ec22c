"""The device that networks run on, and the precision it is good at."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal

import torch

Precision = Literal["float32", "bf16", "fp16"]

_HAS_BF16 = (8, 0)
_HAS_TENSOR_CORES = (7, 0)


def best_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_precision(setting: Literal["auto", "float32", "bf16", "fp16"]) -> Precision:
    """The precision that training and prediction both use.

    torch reports bf16 support for every GPU, but below compute capability 8.0 it is a slow
    emulation. T4 (7.5) and V100 (7.0) are fast in fp16; a P100 (6.0) has no tensor cores at all.

    Args:
        setting: `precision` under [training]; `auto` asks the GPU.

    Source: compute capabilities, NVIDIA's CUDA programming guide.
    """
    if setting != "auto":
        return setting
    if not torch.cuda.is_available():
        return "float32"
    capability = torch.cuda.get_device_capability()
    if capability >= _HAS_BF16:
        return "bf16"
    return "fp16" if capability >= _HAS_TENSOR_CORES else "float32"


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """Run a network's forward pass in this precision."""
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "float32")
