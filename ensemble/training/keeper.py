"""The callback that keeps what a training has reached, by time and by epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from ensemble.config import TrainingSection
from ensemble.networks.weights import save_weights
from ensemble.training.history import out_of_patience, wanted_epochs
from ensemble.training.job import JobFiles
from ensemble.training.learner import Learner
from ensemble.training.position import Position
from ensemble.training.state import KEY, full_disk_is_told

CHECK_EVERY = 50


class Keeper(Callback):
    """Moves the position, keeps the weights worth keeping, writes `last.ckpt`, ends in time.

    `last.ckpt` is written after each epoch's validation, and within an epoch once the interval has
    passed, though only where the gradients of no step are waiting and the epoch has batches left.

    Args:
        files: Where to.
        settings: `[training]` of ens.toml.
        position: Where training is.
        scores: The `val_score` of each epoch so far; appended to.
        notes: What else to note in a checkpoint: what it was made from.
    """

    def __init__(
        self,
        files: JobFiles,
        settings: TrainingSection,
        position: Position,
        scores: list[float],
        notes: Mapping[str, Any],
    ) -> None:
        self.files = files
        self.settings = settings
        self.position = position
        self.scores = scores
        self.notes = dict(notes)
        self._saved_at = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; after a broken epoch, have the next one's batches counted anew."""
        self._saved_at = time.monotonic()
        vars(trainer)["reload_dataloaders_every_n_epochs"] = int(self.position.batch > 0)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count batches once only, from the first whole epoch on."""
        if self.position.batch == 0:
            vars(trainer)["reload_dataloaders_every_n_epochs"] = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Step on; write if it is time."""
        learner: Learner = pl_module
        self.position.batch += 1
        if self.position.batch % CHECK_EVERY == 0:
            learner.guard.check(learner.network, self.position)
        waiting = self.position.batch % self.settings.accumulate
        if waiting or self.position.batch >= learner.batches or not self._due(trainer):
            return
        learner.guard.check(learner.network, self.position)
        self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Note the epoch's score, keep its weights if wanted, write, stop if out of patience."""
        learner: Learner = pl_module
        epoch = self.position.epoch
        self.scores.append(float(trainer.callback_metrics["val_score"]))
        self.position.epoch, self.position.batch = epoch + 1, 0
        wanted = wanted_epochs(self.scores, self.settings.average_last)
        if trainer.is_global_zero and epoch in wanted:
            path = self.files.epoch_weights(epoch)
            with full_disk_is_told(path):
                save_weights(path, learner.kept)
        self._save(trainer)
        if trainer.is_global_zero:
            self._forget_all_but(wanted)
        if out_of_patience(self.scores, self.settings.patience):
            trainer.should_stop = True

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note the scores and what the training is made from."""
        checkpoint.setdefault(KEY, {}).update({**self.notes, "scores": list(self.scores)})

    def _due(self, trainer: Trainer) -> bool:
        due = time.monotonic() - self._saved_at >= 60 * self.settings.checkpoint_minutes
        if trainer.world_size > 1:
            due = trainer.strategy.reduce_boolean_decision(due, all=False)
        return due

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.files.last)
        self._saved_at = time.monotonic()

    def _forget_all_but(self, wanted: tuple[int, ...]) -> None:
        for epoch in set(self.files.kept_epochs()) - set(wanted):
            self.files.epoch_weights(epoch).unlink(missing_ok=True)
