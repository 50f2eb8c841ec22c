"""What an earlier run of a job has left, what it was made from, and whether it is of use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ensemble.config import TrainingSection
from ensemble.errors import StaleArtefactError, TrainingError
from ensemble.manifest import Manifest, digest_file, read_manifest
from ensemble.members import Member
from ensemble.project import Project
from ensemble.provenance import checkpoint_digests, learning_settings
from ensemble.training.job import Job, JobFiles
from ensemble.training.progress import Position, out_of_patience, wanted_epochs
from ensemble.training.restorers import restorers_digest
from ensemble.training.state import read_state


@dataclass(frozen=True)
class Origin:
    """What a training is made from.

    Attributes:
        made_from: The digests its manifest carries.
        settings: Every setting that decides what is learnt, by its name in ens.toml.
    """

    made_from: Mapping[str, str]
    settings: Mapping[str, Any]

    def notes(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"made_from": dict(self.made_from), "settings": dict(self.settings)}

    def require(self, noted: Mapping[str, Any], job: Job, *, left: str) -> None:
        """Refuse what was made from something else.

        Args:
            noted: `notes()` of then.
            job: For the message.
            left: What the job has left, for the message.

        Raises:
            StaleArtefactError: Something differs; the message names it, settings with both values.
        """
        before = noted.get("made_from", {})
        changed = [name for name in self.made_from if before.get(name) != self.made_from[name]]
        if not changed:
            return
        told = [
            self._settings_told(noted) if name == "settings" else f"another {name}"
            for name in changed
        ]
        raise StaleArtefactError(
            f"{job}: {left} was made from {', '.join(told)}; undo that change, or train anew with "
            f"`{job.command} --restart`"
        )

    def _settings_told(self, noted: Mapping[str, Any]) -> str:
        before = noted.get("settings", {})
        names = sorted(before.keys() | self.settings.keys())
        told = [
            f"`{name}` = {before.get(name)!r} instead of {self.settings.get(name)!r}"
            for name in names
            if before.get(name) != self.settings.get(name)
        ]
        return "other settings (" + "; ".join(told or ["unknown"]) + ")"


def origin_of(job: Job, member: Member, project: Project) -> Origin:
    """What the job would be made from now.

    Raises:
        MissingArtefactError: It needs restorers that have not finished.
    """
    made_from = checkpoint_digests(project, member, job.fold)
    if needs_restorers(job, project):
        made_from["restorers"] = restorers_digest(project, job.fold)
    settings = _flat(learning_settings(project.config, job.stage))
    return Origin(made_from, settings)


def needs_restorers(job: Job, project: Project) -> bool:
    """Whether training itself is shown restored gray."""
    return job.stage == "colorization" and project.config.colorization.train_on != "clean"


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


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
