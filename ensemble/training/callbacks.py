"""The callbacks of a training: one writes its checkpoints, one its metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from ensemble.config import TrainingSection
from ensemble.data.tables import read_numbers, write_columns
from ensemble.files import atomic_write
from ensemble.manifest import digest_file
from ensemble.networks.weights import save_weights
from ensemble.training.job import JobFiles
from ensemble.training.learner import Learner
from ensemble.training.progress import Position, best_epoch, epochs_to_keep, out_of_patience
from ensemble.training.state import KEY

CHECK_EVERY = 50
"""Steps between two questions whether all numbers are finite."""

WRITE_EVERY_S = 2.0


@dataclass(eq=False)
class _JobCallback(Callback):
    """Knows a training's files and settings, how far it is, and the `val_score` of each epoch.

    There is None in place of a score without validation.
    """

    files: JobFiles
    settings: TrainingSection
    position: Position
    scores: list[float | None]


@dataclass(eq=False)
class Checkpointing(_JobCallback):
    """Moves the position, keeps the epochs' weights, writes `last.ckpt`, stops when patience ends.

    `last.ckpt` is written after each epoch's validation, and within an epoch once the interval has
    passed, though only where no step's gradients are waiting and the epoch has batches left. It
    holds the notes on what the training is made from, and under `epochs` the SHA-256 of each
    epoch's weights, which is added to.
    """

    notes: Mapping[str, Any]
    _saved_at: float = 0.0

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
        """Count the step; write a checkpoint if it is time, or the last."""
        learner: Learner = pl_module
        self.position.batch += 1
        if self.position.batch % CHECK_EVERY == 0:
            learner.require_finite()
        waiting = self.position.batch % self.settings.accumulate
        if waiting or self.position.batch >= learner.batches or not self._due(trainer):
            return
        learner.require_finite()
        self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Note the epoch's score, keep its weights if they may be needed, write a checkpoint."""
        learner: Learner = pl_module
        epoch = self.position.epoch
        learner.require_finite()
        validated = trainer.enable_validation
        self.scores.append(float(trainer.callback_metrics["val_score"]) if validated else None)
        self.position.epoch, self.position.batch = epoch + 1, 0
        keep = epochs_to_keep(self.scores, self.settings.average_last)
        if trainer.is_global_zero and epoch in keep:
            path = self.files.epoch_weights(epoch)
            save_weights(path, learner.kept)
            self.notes["epochs"][epoch] = digest_file(path)
        self._save(trainer)
        if trainer.is_global_zero:
            for other in set(self.files.kept_epochs()) - set(keep):
                self.files.epoch_weights(other).unlink(missing_ok=True)
        if out_of_patience(self.scores, self.settings.patience):
            trainer.should_stop = True

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note the scores and what the training is made from."""
        checkpoint.setdefault(KEY, {}).update({**self.notes, "scores": list(self.scores)})

    def _due(self, trainer: Trainer) -> bool:
        """Whether enough time has passed, or a scheduler asks to end: then nothing is lost."""
        passed = time.monotonic() - self._saved_at >= 60 * self.settings.checkpoint_minutes
        due = passed or trainer.received_sigterm
        if trainer.world_size > 1:
            due = trainer.strategy.reduce_boolean_decision(due, all=False)
        return due

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.files.last)
        self._saved_at = time.monotonic()


@dataclass(eq=False)
class MetricsLog(_JobCallback):
    """Writes a row an epoch, and every two seconds how far the training is.

    It runs before `Checkpointing`: a row is on disk before the checkpoint that counts its epoch.
    When a training is resumed, rows newer than the checkpoint are deleted. An epoch has `batches`
    steps.
    """

    batches: int
    rate: float = 0.0

    def __post_init__(self) -> None:
        self._rows = _read_rows(self.files.metrics, epochs=self.position.epoch)
        self._epoch_seconds = self._rows[-1].get("seconds", 0.0) if self._rows else None
        self._started = self._epoch_started = self._written_at = 0.0
        self._done_before = self._first_batch = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()
        self._done_before = self._count_steps()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._epoch_started, self._first_batch = time.monotonic(), self.position.batch

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write the progress, if it is time."""
        seconds = time.monotonic() - self._epoch_started
        steps = self.position.batch - self._first_batch
        self.rate = steps * self.settings.batch_size / max(seconds, 1e-9)
        if time.monotonic() - self._written_at >= WRITE_EVERY_S:
            self._write_progress(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add a row."""
        metrics = {
            name: float(value)
            for name, value in sorted(trainer.callback_metrics.items())
            if name == "train_loss" or name.startswith("val_")
        }
        row = {
            "epoch": self.position.epoch + 1,
            "updates": self.position.updates,
            "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
            **metrics,
            "images_per_second": round(self.rate, 2),
            "seconds": round(time.monotonic() - self._epoch_started, 2),
        }
        self._rows.append(row)
        if trainer.is_global_zero:
            columns = {name: [row.get(name) for row in self._rows] for name in row}
            write_columns(self.files.metrics, columns)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the progress a last time."""
        self._write_progress(trainer, over=True)

    def _write_progress(self, trainer: Trainer, *, over: bool = False) -> None:
        self._written_at = time.monotonic()
        if not trainer.is_global_zero:
            return
        total, done = self.settings.epochs * self.batches, self._count_steps()
        pace = (done - self._done_before) / max(time.monotonic() - self._started, 1e-9)
        progress = {
            "epoch": min(self.position.epoch + 1, self.settings.epochs),
            "epochs": self.settings.epochs,
            "done": 1.0 if over else done / total,
            "best_score": self.scores[best_epoch(self.scores)] if self.scores else None,
            "images_per_second": self.rate,
            "seconds_left": 0.0 if over else (total - done) / pace if pace else None,
            "epoch_seconds": self.batches / pace if pace else self._epoch_seconds,
        }
        atomic_write(self.files.progress, json.dumps(progress))

    def _count_steps(self) -> int:
        return self.position.epoch * self.batches + self.position.batch


def _read_rows(path: Path, *, epochs: int) -> list[dict[str, float]]:
    """The rows of the epochs that are done; a file that is no table of ours has none."""
    table = read_numbers(path)
    rows = [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)]
    return [
        {name: int(n) if name in ("epoch", "updates") else n for name, n in row.items()}
        for row in rows
        if row.get("epoch") in range(1, epochs + 1)
    ]
