"""The state of a training on disk: written whole, read without running anything in it.

Lightning resumes the middle of an epoch by counters whose meaning depends on which hook saved
them. Here a checkpoint always claims to be between two epochs, which every loop resumes the same
way. `Position` says how many batches of the next one are done; the sampler yields the rest only.
No state of random generators is kept: a step's random numbers follow from its position.
"""

from __future__ import annotations

import pickletools
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO
from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from ensemble.data.zip_file import open_zip, read_entry
from ensemble.errors import StaleArtefactError
from ensemble.files import atomic_path
from ensemble.reading import shorten
from ensemble.training.progress import Position

KEY = "ens"

_CALLED = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)"
    r"|torch (\w+Storage|Size|device|b?float\d+|u?int\d+|bool)"
)
"""What the pickle of a checkpoint may name, as `module name`."""


class _State(BaseModel):
    """What `ens` notes in a checkpoint."""

    model_config = ConfigDict(allow_inf_nan=False)

    position: Position
    scores: list[float | None]
    made_from: dict[str, str] = {}
    settings: dict[str, Any] = {}
    epochs: dict[int, str] = {}

    @model_validator(mode="after")
    def _check_position(self) -> _State:
        if len(self.scores) != self.position.epoch:
            raise ValueError(f"it has {len(self.scores)} scores of {self.position.epoch} epochs")
        return self


_STATE = TypeAdapter(_State)


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
    """What `ens` itself noted in a checkpoint; see `_State`.

    Raises:
        StaleArtefactError: The file is damaged or was not written by this toolkit.
    """
    try:
        with open_zip(path) as archive:
            _check_parts(archive)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        state = content[KEY]
        _STATE.validate_python(state)
    except Exception as error:  # torch raises whatever what it finds makes it raise
        raise no_checkpoint(path, error) from None
    return dict(state)


def _check_parts(archive: zipfile.ZipFile) -> None:
    """Refuse a damaged part, one that unfolds, and a pickle that calls anything but a tensor.

    torch calls some harmless functions of a stranger's choice, with any arguments: a few bytes
    would fill the memory.
    """
    for part in archive.infolist():
        if part.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"its part `{part.filename}` is compressed")
    damaged = archive.testzip()
    if damaged:
        raise ValueError(f"its part `{damaged}` is damaged")
    for name in [name for name in archive.namelist() if name.endswith(".pkl")]:
        for code, argument, _ in pickletools.genops(read_entry(archive, name)):
            called = str(argument) if code.name == "GLOBAL" else code.name
            if "GLOBAL" in code.name and not _CALLED.fullmatch(called):
                raise ValueError(f"it calls `{called}`")


def no_checkpoint(path: Path, error: Exception) -> StaleArtefactError:
    """The error that a checkpoint cannot be used, and why."""
    reason = shorten(str(error)) or type(error).__name__
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
