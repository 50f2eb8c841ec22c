"""What a training is called, and the files it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ensemble.manifest import MANIFEST
from ensemble.provenance import METRICS, WEIGHTS
from ensemble.vocabulary import Fold, Stage
from ensemble.workspace import Workspace


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

    def kept_epochs(self) -> tuple[int, ...]:
        """The epochs whose weights are there, in order."""
        found = self.folder.glob("epoch-*.safetensors")
        numbers = [path.stem.removeprefix("epoch-") for path in found]
        return tuple(sorted(int(number) for number in numbers if number.isdecimal()))
