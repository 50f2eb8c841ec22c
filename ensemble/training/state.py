"""The state of a training on disk: written whole, read without running anything in it.

Lightning resumes the middle of an epoch by counters whose meaning depends on which hook saved
them. Here a checkpoint always claims to be between two epochs, which every loop resumes the same
way. `Position` says how many batches of the next one are done; the sampler yields the rest only.
No state of random generators is kept: a step's random numbers follow from its position.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO

from ensemble.errors import StaleArtefactError
from ensemble.training.progress import Position
from ensemble.workspace import atomic_path

KEY = "ens"


class AtomicCheckpoints(CheckpointIO):
    """Writes a checkpoint whole or not at all, and never unpickles code."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write; the file that was there stays until the new one is on disk."""
        with atomic_path(Path(path)) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read tensors and plain values."""
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state

    def remove_checkpoint(self, path: Any) -> None:
        """Remove the file."""
        Path(path).unlink(missing_ok=True)


def mark_position(checkpoint: dict[str, Any], position: Position) -> None:
    """Note the position in a checkpoint of Lightning's, which then is between two epochs to it."""
    checkpoint["loops"] = {"fit_loop": _loops(position)}
    checkpoint.setdefault(KEY, {})["position"] = asdict(position)


def read_state(path: Path) -> dict[str, Any]:
    """What `ens` itself noted in a checkpoint: `position`, `scores`, `made_from`, `settings`.

    Raises:
        StaleArtefactError: The file is damaged or was not written by this toolkit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise ValueError(f"its part `{damaged}` is damaged")
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        state: dict[str, Any] = dict(content[KEY])
        _check_state(state)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError) as error:
        raise _no_checkpoint(path, error) from None
    except (zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise _no_checkpoint(path, error) from None
    return state


def _check_state(state: Mapping[str, Any]) -> None:
    position = Position(**state["position"])
    counts = (position.epoch, position.batch, position.updates)
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        raise ValueError(f"its position is {counts}")
    scores = state["scores"]
    if len(scores) != position.epoch or not all(isinstance(one, float | None) for one in scores):
        raise ValueError(f"it has scores {scores!r} of {position.epoch} epochs")


def _no_checkpoint(path: Path, error: Exception) -> StaleArtefactError:
    reason = str(error).partition("\n")[0] or type(error).__name__
    return StaleArtefactError(
        f"`{path}` is not a whole checkpoint of this toolkit ({reason}); nothing has been changed; "
        "put back the file that was there, or train from the start with --restart"
    )


def _loops(position: Position) -> Mapping[str, Any]:
    epochs = _counters(position.epoch, "ready", "started", "processed", "completed")
    steps = _counters(position.updates, "ready", "completed")
    zeroed = _counters(position.updates, "ready", "started", "completed")
    return {
        "epoch_progress": epochs,
        "epoch_loop.state_dict": {"_batches_that_stepped": position.updates},
        "epoch_loop.automatic_optimization.optim_progress": {
            "optimizer": {"step": steps, "zero_grad": zeroed}
        },
    }


def _counters(value: int, *names: str) -> dict[str, dict[str, int]]:
    return {"total": dict.fromkeys(names, value), "current": dict.fromkeys(names, value)}
