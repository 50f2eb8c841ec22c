"""The Lightning Trainer, set up for one job."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy

from ensemble.config import TrainingSection
from ensemble.networks.device import Precision, choose_precision
from ensemble.training.job import JobFiles
from ensemble.training.state import AtomicCheckpoints

LIGHTNING_NAMES: dict[Precision, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "float32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}


@dataclass(frozen=True)
class Hardware:
    """What one training runs on: on each node a process a device, with a GPU if there are any."""

    devices: int = 1
    nodes: int = 1

    @property
    def world(self) -> int:
        """Processes altogether."""
        return self.devices * self.nodes

    @property
    def rank(self) -> int:
        """Of this process, as torchrun numbers them."""
        return int(os.environ.get("RANK", "0")) if self.world > 1 else 0


def make_trainer(
    settings: TrainingSection,
    files: JobFiles,
    hardware: Hardware,
    callbacks: Sequence[Callback],
) -> Trainer:
    """A trainer that validates each epoch and leaves checkpoints to the job's own callbacks."""
    gpu = torch.cuda.is_available()
    return Trainer(
        accelerator="gpu" if gpu else "cpu",
        devices=hardware.devices,
        num_nodes=hardware.nodes,
        strategy=_strategy(hardware),
        sync_batchnorm=gpu and hardware.world > 1,
        precision=LIGHTNING_NAMES[choose_precision(settings.precision)],
        max_epochs=settings.epochs,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.clip_norm or None,
        callbacks=list(callbacks),
        plugins=[AtomicCheckpoints()],
        logger=TensorBoardLogger(files.folder, name="", version="tensorboard")
        if find_spec("tensorboard")
        else False,
        enable_progress_bar=False,  # `ens train` has a table of all jobs
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=50,
    )


@contextmanager
def silence_lightning() -> Iterator[None]:
    """Hide Lightning's hints and warnings; its errors still show."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", module="torch.optim.lr_scheduler")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _strategy(hardware: Hardware) -> Any:
    if hardware.world == 1:
        return "auto"
    # Each process computes the same running statistics (synchronized on GPUs), and validates a
    # share of its own: buffers need no broadcast, which would have to happen equally often. smp's
    # EfficientNets and scSE decoders have parameters that no output depends on.
    return DDPStrategy(broadcast_buffers=False, find_unused_parameters=True)
