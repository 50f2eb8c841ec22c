"""The live table of trainings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from rich.table import Table

from ensemble.errors import EnsembleError
from ensemble.jobs.plan import Entry
from ensemble.manifest import read_manifest
from ensemble.project import Project
from ensemble.training.job import Job

_STYLES = {"running": "cyan", "done": "green", "failed": "red", "skipped": "yellow"}


def job_table(entries: Sequence[Entry], project: Project) -> Table:
    """One row a job: where it is, how well it did, how fast it goes, how long it takes."""
    table = Table("stage", "member", "fold", "state", "epoch", "best", "images/s", "time left")
    for entry in entries:
        job = entry.job
        state = f"{entry.state} {entry.where}".strip()
        row = (job.stage, job.member, str(job.fold), state, *_figures(entry, project))
        table.add_row(*row, style=_STYLES.get(entry.state))
    return table


def read_facts(job: Job, project: Project) -> dict[str, Any]:
    """The facts of the job's finished training; empty for a fixed member."""
    try:
        return read_manifest(job.files(project.workspace).manifest).facts
    except EnsembleError:
        return {}


def _figures(entry: Entry, project: Project) -> tuple[str, str, str, str]:
    if entry.state == "done":
        facts = read_facts(entry.job, project)
        return str(facts.get("epochs", "-")), _score(facts.get("val_score")), "", ""
    progress = _read_progress(entry.job, project) if entry.state == "running" else {}
    if not progress:
        return "", "", "", ""
    left = progress["seconds_left"]
    return (
        f"{progress['epoch']}/{progress['epochs']}",
        _score(progress["best_score"]),
        f"{progress['images_per_second']:.0f}",
        "" if left is None else str(timedelta(seconds=round(left))),
    )


def _read_progress(job: Job, project: Project) -> dict[str, Any]:
    """What the job's process last wrote; empty if nothing yet, or while it is being replaced."""
    try:
        progress: dict[str, Any] = json.loads(job.files(project.workspace).progress.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return progress


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.4f}"
