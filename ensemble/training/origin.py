"""What a training is made from, in digests for machines and in settings for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ensemble.errors import StaleArtefactError
from ensemble.members import Member
from ensemble.project import Project
from ensemble.provenance import checkpoint_digests, learning_settings
from ensemble.training.job import Job
from ensemble.training.restorers import restorers_digest


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
