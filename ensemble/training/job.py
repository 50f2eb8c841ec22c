"""What a training is called, and the files it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt

from ensemble.manifest import MANIFEST
from ensemble.provenance import METRICS, WEIGHTS
from ensemble.reading import read_json_or_none
from ensemble.vocabulary import Fold, Stage
from ensemble.workspace import Workspace

_MOST_SECONDS = 1e10


@dataclass(frozen=True)
class Job:
    """One network to train.

    Attributes:
        stage: `restoration` or `colorization`.
        member: The member's name.
        fold: The fold it never sees; FULL where it sees all.
    """

    stage: Stage
    member: str
    fold: Fold

    def __str__(self) -> str:
        return f"{self.stage} {self.member} fold {self.fold}"

    @property
    def command(self) -> str:
        """What to type to run it."""
        return f"ens train --stage {self.stage} --member {self.member} --fold {self.fold}"

    def files(self, workspace: Workspace) -> JobFiles:
        """Where its files lie."""
        return JobFiles(workspace.checkpoint_dir(self.stage, self.member, self.fold))


@dataclass(frozen=True)
class Reached:
    """How far a training is, as its process last wrote it.

    Attributes:
        epoch: The epoch under way, from 1.
        epochs: Most epochs.
        done: Share of their steps that is done, 0..1.
        best_score: The best `val_score` so far; None before any.
        images_per_second: Photographs learned from in a second.
        seconds_left: Until its end; None where that is not known yet.
        epoch_seconds: That an epoch takes; None where that is not known yet.
    """

    epoch: NonNegativeInt
    epochs: PositiveInt
    done: Annotated[FiniteFloat, Field(ge=0, le=1)]
    best_score: FiniteFloat | None
    images_per_second: FiniteFloat
    seconds_left: Annotated[FiniteFloat, Field(ge=0, le=_MOST_SECONDS)] | None
    epoch_seconds: Annotated[FiniteFloat, Field(ge=0, le=_MOST_SECONDS)] | None


@dataclass(frozen=True)
class Parts:
    """In how many parts a batch fits into memory, and on which kind of GPU."""

    parts: Annotated[int, Field(ge=1, le=2**16)]
    gpu: str


@dataclass(frozen=True)
class JobFiles:
    """The files of one training, all in one folder."""

    folder: Path

    @property
    def weights(self) -> Path:
        """The weights that predict; whole or not there."""
        return self.folder / WEIGHTS

    @property
    def manifest(self) -> Path:
        """What they were made from; its presence says that the training has finished."""
        return self.folder / MANIFEST

    @property
    def last(self) -> Path:
        """The state of training, to go on from."""
        return self.folder / "last.ckpt"

    @property
    def metrics(self) -> Path:
        """One row an epoch."""
        return self.folder / METRICS

    @property
    def progress(self) -> Path:
        """How far it is, for the table of `ens train`."""
        return self.folder / "progress.json"

    @property
    def parts(self) -> Path:
        """In how many parts a batch fits into memory, once one did not; see `training.parts`."""
        return self.folder / "parts.json"

    @property
    def log(self) -> Path:
        """What its process printed."""
        return self.folder / "train.log"

    def epoch_weights(self, epoch: int) -> Path:
        """The weights after an epoch, kept while they may still be wanted."""
        return self.folder / f"epoch-{epoch:04d}.safetensors"

    def read_progress(self) -> Reached | None:
        """How far the training is; None if nothing whole was written yet."""
        found: Reached | None = read_json_or_none(self.progress, Reached)
        return found

    def read_parts(self) -> Parts | None:
        """In how many parts a batch fits; None unless memory has run out."""
        found: Parts | None = read_json_or_none(self.parts, Parts)
        return found

    def kept_epochs(self) -> tuple[int, ...]:
        """The epochs whose weights are there, in order."""
        found = self.folder.glob("epoch-*.safetensors")
        numbers = [path.stem.removeprefix("epoch-") for path in found]
        return tuple(sorted(int(number) for number in numbers if number.isdecimal()))
