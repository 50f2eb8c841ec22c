"""What is known of a job on its way: the rows of the live table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ensemble.errors import EnsembleError
from ensemble.manifest import read_manifest
from ensemble.project import Project
from ensemble.training.job import Job

State = Literal["waiting", "running", "done", "failed", "skipped"]

_TAIL_BYTES = 4000


@dataclass
class Entry:
    """A job and how it fares.

    Attributes:
        job: The job.
        state: `skipped` is a job whose blocker has failed.
        attempts: How often it was begun.
        where: The GPU or worker it runs on.
        reason: Why it failed; the end of its log.
    """

    job: Job
    state: State = "waiting"
    attempts: int = 0
    where: str = ""
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "failed", "skipped")


def read_progress(job: Job, project: Project) -> dict[str, Any]:
    """What the job's process last told; empty if nothing yet, or while it is being replaced."""
    try:
        progress: dict[str, Any] = json.loads(job.files(project.workspace).progress.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return progress


def read_facts(job: Job, project: Project) -> dict[str, Any]:
    """The facts of the job's finished training; empty for a fixed member."""
    try:
        return read_manifest(job.files(project.workspace).manifest).facts
    except EnsembleError:
        return {}


def log_tail(path: Path) -> str:
    """The last paragraph of a log: the error, if the process ended with one."""
    if not path.exists():
        return ""
    text = path.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip()
    told = text.rfind("error: ")
    return text[told:] if told >= 0 else text.rpartition("\n")[2]
