"""What an earlier run of a job has left, what it was made from, and whether it can be used."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ensemble.checkpoint import checkpoint_digests, learning_settings
from ensemble.config import TrainingSection
from ensemble.errors import StaleArtefactError, TrainingError
from ensemble.manifest import (
    Manifest,
    differing,
    digest_file,
    read_manifest,
    tell_other_file,
)
from ensemble.members import Member
from ensemble.project import Project
from ensemble.training.job import Job, JobFiles
from ensemble.training.progress import Position, Scores, epochs_to_keep, out_of_patience
from ensemble.training.state import read_state


@dataclass(frozen=True)
class Origin:
    """What a training is made from."""

    made_from: Mapping[str, str]  # the digests its manifest carries
    # every setting that decides what is learned, by its name in ens.toml
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, job: Job, member: Member, project: Project) -> Origin:
        """What the job would be made from now."""
        settings = _flatten(learning_settings(project.config, job.stage, job.member))
        return cls(checkpoint_digests(project, member, job.fold), settings)

    def notes(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"made_from": dict(self.made_from), "settings": dict(self.settings)}

    def require_same(self, notes: Mapping[str, Any], job: Job, *, name: str) -> None:
        """Refuse what an earlier run left, called `name`, if its notes are of something else.

        Raises:
            StaleArtefactError: Something differs; the message names it, settings with both values.
        """
        changed = differing(notes.get("made_from", {}), self.made_from)
        if changed:
            changes = [
                self._describe_settings(notes.get("settings", {}))
                if what == "settings"
                else f"another {what}"
                for what in changed
            ]
            raise StaleArtefactError(
                f"{name} was made from {', '.join(changes)}; undo that change, or train anew with "
                f"`{job.command} --restart`"
            )

    def _describe_settings(self, before: Mapping[str, Any]) -> str:
        changes = [
            f"`{key}` = {before.get(key)!r} instead of {self.settings.get(key)!r}"
            for key in sorted(before.keys() | self.settings.keys())
            if before.get(key) != self.settings.get(key)
        ]
        return "other settings (" + "; ".join(changes or ["unknown"]) + ")"


def _flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


@dataclass
class EarlierRun:
    """What an earlier run of a job has left; nothing by default.

    The manifest of the finished training is None if there is something left to do. `last.ckpt` may
    be resumable from a position; `scores` are the `val_score` of each epoch so far, `epochs` the
    SHA-256 of each one's weights.
    """

    manifest: Manifest | None = None
    resumable: bool = False
    position: Position = field(default_factory=Position)
    scores: list[float | None] = field(default_factory=list)
    epochs: dict[int, str] = field(default_factory=dict)


def find_earlier_run(
    job: Job, files: JobFiles, origin: Origin, settings: TrainingSection
) -> EarlierRun:
    """Look for what an earlier run of a job has left.

    Raises:
        StaleArtefactError: It was made from something else, or a file is damaged and cannot be
            written again from others.
        TrainingError: A finished training is to be extended, but its state is gone.
    """
    manifest = _read_finished(job, files, origin)
    if manifest is not None and is_over(manifest.facts["scores"], settings):
        return EarlierRun(manifest)
    if not files.last.exists():
        if manifest is not None:
            raise TrainingError(
                f"{job} has finished after {manifest.facts['epochs']} epochs and cannot be "
                f"extended to {settings.epochs}: `{files.last}` is not there any more; put it "
                f"back, or train anew with `{job.command} --restart`"
            )
        return EarlierRun()
    state = read_state(files.last)
    origin.require_same(state, job, name=f"`{files.last}`")
    scores, epochs = list(state["scores"]), dict(state.get("epochs", {}))
    for epoch in epochs_to_keep(scores, settings.average_last):
        path, due = files.epoch_weights(epoch), epochs.get(epoch)  # earlier versions noted none
        if not path.exists() or (due is not None and digest_file(path) != due):
            raise StaleArtefactError(
                f"`{path}` is not the file that `{files.last}` was written with; put it back, or "
                f"train anew with `{job.command} --restart`"
            )
    return EarlierRun(None, True, Position(**state["position"]), scores, epochs)


def is_over(scores: Scores, settings: TrainingSection) -> bool:
    """Whether every epoch is done, or no better score came for too long."""
    return len(scores) >= settings.epochs or out_of_patience(scores, settings.patience)


def _read_finished(job: Job, files: JobFiles, origin: Origin) -> Manifest | None:
    """The manifest of the finished training.

    None where there is none, or where it is damaged, or its weights are, and `last.ckpt` is there:
    from that both are written again.
    """
    if not files.manifest.exists():
        return None
    anew = f"train anew with `{job.command} --restart`"
    try:
        manifest = read_manifest(files.manifest, "checkpoint", remedy=anew)
    except StaleArtefactError:
        if not files.last.exists():
            raise
        fault = f"`{files.manifest}` is damaged"
    else:
        facts = manifest.facts
        notes = {"made_from": manifest.made_from, "settings": facts.get("settings", {})}
        origin.require_same(notes, job, name=f"`{files.weights}`")
        if files.weights.is_file() and digest_file(files.weights) == facts["weights"]:
            return manifest
        fault = tell_other_file(files.weights, files.manifest)
        if not files.last.exists():
            raise StaleArtefactError(f"{fault}; put it back, or {anew}")
    logging.getLogger("ensemble").warning(f"{job}: {fault}; it is written again")
    return None
