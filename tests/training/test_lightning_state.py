"""A checkpoint counts in Lightning's own names, which a new minor release may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ensemble import training  # noqa: F401  (before Lightning: see its docstring)

# isort: split
from lightning.pytorch import LightningModule, Trainer

from ensemble.training.progress import Position
from ensemble.training.state import mark_position


def _paths(content: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for name, value in content.items():
        path = (*prefix, name)
        found |= _paths(value, path) if isinstance(value, Mapping) else {path: value}
    return found


def test_lightning_counts_by_the_names_that_a_checkpoint_uses() -> None:
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(LightningModule())
    checkpoint: dict[str, Any] = {}
    mark_position(checkpoint, Position(epoch=3, batch=2, updates=17))
    written = checkpoint["loops"]["fit_loop"]
    own = _paths(trainer.fit_loop.state_dict())
    assert set(_paths(written)) <= set(own)
    trainer.fit_loop.load_state_dict(written)
    assert (trainer.current_epoch, trainer.global_step) == (3, 17)
    assert trainer.fit_loop.epoch_loop._batches_that_stepped == 17
    assert "reload_dataloaders_every_n_epochs" in vars(trainer)
