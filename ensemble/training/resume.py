"""What an earlier run of a job has left, and whether it is of use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ensemble.config import TrainingSection
from ensemble.errors import StaleArtefactError, TrainingError
from ensemble.manifest import Manifest, digest_file, read_manifest
from ensemble.training.history import out_of_patience, wanted_epochs
from ensemble.training.job import Job, JobFiles
from ensemble.training.origin import Origin
from ensemble.training.position import Position
from ensemble.training.state import read_state


@dataclass
class Found:
    """What is there of a job.

    Attributes:
        manifest: Of the finished training; None if there is something left to do.
        resumed: Whether `last.ckpt` is to be gone on from.
        position: Where it stopped.
        scores: The `val_score` of each epoch so far.
    """

    manifest: Manifest | None = None
    resumed: bool = False
    position: Position = field(default_factory=Position)
    scores: list[float] = field(default_factory=list)

    def is_over(self, settings: TrainingSection) -> bool:
        """Whether every epoch is done, and only the weights are to be exported."""
        return _is_over(self.scores, settings)


def find(job: Job, files: JobFiles, origin: Origin, settings: TrainingSection) -> Found:
    """Look at what an earlier run has left.

    Raises:
        StaleArtefactError: It was made from something else, or a file is damaged.
        TrainingError: A finished training is to be extended, but its state is gone.
    """
    manifest = _finished(job, files, origin)
    if manifest is not None and _suffices(manifest, settings):
        return Found(manifest)
    if not files.last.exists():
        if manifest is not None:
            raise TrainingError(
                f"{job} has finished after {manifest.facts['epochs']} epochs and cannot be "
                f"extended to {settings.epochs}: `{files.last}` is not there any more; put it "
                f"back, or train anew with `{job.command} --restart`"
            )
        return Found()
    state = read_state(files.last)
    origin.require(state, job, left=f"`{files.last}`")
    found = Found(None, True, Position(**state["position"]), list(state["scores"]))
    _require_weights(job, files, wanted_epochs(found.scores, settings.average_last))
    return found


def _finished(job: Job, files: JobFiles, origin: Origin) -> Manifest | None:
    if not files.manifest.exists():
        return None
    manifest = read_manifest(files.manifest, remedy=f"run `{job.command} --restart`")
    noted = {"made_from": manifest.made_from, "settings": manifest.facts.get("settings", {})}
    origin.require(noted, job, left=f"`{files.weights}`")
    facts = manifest.facts
    whole = {"weights", "epochs", "scores"} <= facts.keys()
    if not whole or not files.weights.exists() or digest_file(files.weights) != facts["weights"]:
        raise StaleArtefactError(
            f"`{files.weights}` is not the file that `{files.manifest}` describes; put it back, "
            f"or train anew with `{job.command} --restart`"
        )
    return manifest


def _suffices(manifest: Manifest, settings: TrainingSection) -> bool:
    return _is_over(manifest.facts["scores"], settings)


def _is_over(scores: Sequence[float], settings: TrainingSection) -> bool:
    return len(scores) >= settings.epochs or out_of_patience(scores, settings.patience)


def _require_weights(job: Job, files: JobFiles, wanted: tuple[int, ...]) -> None:
    missing = [files.epoch_weights(e) for e in wanted if not files.epoch_weights(e).exists()]
    if missing:
        raise StaleArtefactError(
            f"`{missing[0]}` is not there, but belongs to `{files.last}`; put it back, or train "
            f"anew with `{job.command} --restart`"
        )
