"""What a training is called, and the files it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveInt

from ensemble.checkpoint import LAST, METRICS, WEIGHTS, training_command
from ensemble.manifest import MANIFEST
from ensemble.reading import read_json_or_none
from ensemble.vocabulary import Fold, Stage
from ensemble.workspace import Workspace

_MOST_SECONDS = 1e10


@dataclass(frozen=True)
class Job:
    """One network to train: of a member by its name, for the fold it never sees, or FULL."""

    stage: Stage
    member: str
    fold: Fold

    def __str__(self) -> str:
        return f"{self.stage} {self.member} fold {self.fold}"

    @property
    def command(self) -> str:
        """What to type to run it."""
        return training_command(self.stage, self.member, self.fold)

    def files(self, workspace: Workspace) -> JobFiles:
        """Where its files lie."""
        return JobFiles(workspace.checkpoint_dir(self.stage, self.member, self.fold))


@dataclass(frozen=True)
class Reached:
    """How far a training is, as its process last wrote it."""

    epoch: NonNegativeInt  # the epoch under way, from 1
    epochs: PositiveInt  # most epochs
    done: Annotated[FiniteFloat, Field(ge=0, le=1)]  # share of their steps that is done, 0..1
    best_score: FiniteFloat | None  # the best `val_score` so far; None before any
    images_per_second: FiniteFloat  # photographs learned from in a second
    # until its end; None where that is not known yet
    seconds_left: Annotated[FiniteFloat, Field(ge=0, le=_MOST_SECONDS)] | None
    # that an epoch takes; None where that is not known yet
    epoch_seconds: Annotated[FiniteFloat, Field(ge=0, le=_MOST_SECONDS)] | None


@dataclass(frozen=True)
class Parts:
    """In how many parts a batch fits into memory, and on which kind of GPU."""

    parts: Annotated[int, Field(ge=1, le=2**16)]
    gpu: str


class JobFiles:
    """The files of one training, all in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.weights = folder / WEIGHTS  # the weights that predict; whole or not there
        # what they were made from; its presence says that the training has finished
        self.manifest = folder / MANIFEST
        self.last = folder / LAST  # the state of training, to go on from
        self.metrics = folder / METRICS  # one row an epoch
        self.progress = folder / "progress.json"  # how far it is, for the table of `ens train`
        # in how many parts a batch fits into memory, once one did not
        self.parts = folder / "parts.json"
        self.log = folder / "train.log"  # what its process printed

    def epoch_weights(self, epoch: int) -> Path:
        """The weights after an epoch, kept while they may still be wanted."""
        return self.folder / f"epoch-{epoch:04d}.safetensors"

    def read_progress(self) -> Reached | None:
        """How far the training is; None if nothing whole was written yet."""
        return read_json_or_none(self.progress, Reached)

    def read_parts(self) -> Parts | None:
        """In how many parts a batch fits; None unless memory has run out."""
        return read_json_or_none(self.parts, Parts)

    def kept_epochs(self) -> tuple[int, ...]:
        """The epochs whose weights are there, in order."""
        found = self.folder.glob("epoch-*.safetensors")
        numbers = [path.stem.removeprefix("epoch-") for path in found]
        return tuple(sorted(int(number) for number in numbers if number.isdecimal()))
