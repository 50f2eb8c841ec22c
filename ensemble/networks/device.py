"""The device that networks run on, and the precision it is good at."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

Precision = Literal["float32", "bf16", "fp16"]

_OUT_OF_MEMORY = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "ALLOCATION_FAILED")
_HAS_BF16 = (8, 0)
_HAS_TENSOR_CORES = (7, 0)


def best_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_precision(setting: Literal["auto", "float32", "bf16", "fp16"]) -> Precision:
    """The precision that training and prediction both use; `auto` asks the GPU.

    torch reports bf16 support for every GPU, but below compute capability 8.0 it is a slow
    emulation. T4 (7.5) and V100 (7.0) are fast in fp16; a P100 (6.0) has no tensor cores at all.

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


class Forward:
    """Predicts batches, in halves of them from where the GPU's memory has run out.

    A prediction depends on its picture alone.
    """

    def __init__(self, predict: Callable[[Tensor], Tensor]) -> None:
        self.predict = predict
        self._most = 0

    def __call__(self, batch: Tensor) -> Tensor:
        """Predict a batch.

        Raises:
            OutOfMemoryError: There is no room for a single picture.
        """
        while True:
            size = min(self._most or len(batch), len(batch))
            try:
                with raise_out_of_memory():
                    parts = [self.predict(part) for part in torch.split(batch, size)]
                    return parts[0] if len(parts) == 1 else torch.cat(parts)
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
            self._most = size // 2  # tried again out here, where the error holds no tensors
            free_memory()
            logging.getLogger("ensemble").warning(
                f"{size} photographs at once do not fit into the GPU's memory; from now on "
                f"{self._most} are predicted at once"
            )


@contextmanager
def raise_out_of_memory() -> Iterator[None]:
    """Raise OutOfMemoryError also where cuBLAS or cuDNN, which allocate by themselves, ran out."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if not any(text in str(error) for text in _OUT_OF_MEMORY):
            raise
        raise torch.OutOfMemoryError(str(error)) from None


def free_memory() -> None:
    """Give back what a computation that ran out of GPU memory has left."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
