"""Trains in float64, where what rounding leaves is far below what a wrong gradient leaves.

`python -m tests.reference.double ORDER` does what `ensemble.jobs.worker` does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from ensemble.jobs import worker
from ensemble.training import fit, trainer


@contextmanager
def in_double() -> Iterator[None]:
    """Make every network that this process trains float64."""
    build = fit.build

    def built(*args: Any, **kwargs: Any) -> nn.Module:
        network = build(*args, **kwargs)
        network.register_forward_pre_hook(_double)
        return network

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "build", built)
        patch.setitem(trainer.LIGHTNING_NAMES, "float32", "64-true")
        yield


def _double(network: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    (shown,) = inputs
    return (shown.double(),)


if __name__ == "__main__":
    with in_double():
        sys.exit(worker.main(sys.argv[1:]))
