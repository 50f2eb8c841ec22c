"""The live table of all jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from rich.table import Table

from ensemble.jobs.entry import Entry, read_facts, read_progress
from ensemble.project import Project

_STYLES = {"running": "cyan", "done": "green", "failed": "red", "skipped": "yellow"}


def table_of(entries: Sequence[Entry], project: Project) -> Table:
    """One row a job: where it is, how well it did, how fast it goes, how long it takes."""
    table = Table("stage", "member", "fold", "state", "epoch", "best", "images/s", "time left")
    for entry in entries:
        job = entry.job
        state = f"{entry.state} {entry.where}".strip()
        row = (job.stage, job.member, str(job.fold), state, *_figures(entry, project))
        table.add_row(*row, style=_STYLES.get(entry.state))
    return table


def _figures(entry: Entry, project: Project) -> tuple[str, str, str, str]:
    if entry.state == "done":
        facts = read_facts(entry.job, project)
        return str(facts.get("epochs", "-")), _score(facts.get("val_score")), "", ""
    progress = read_progress(entry.job, project) if entry.state == "running" else {}
    if not progress:
        return "", "", "", ""
    left = progress["seconds_left"]
    return (
        f"{progress['epoch']}/{progress['epochs']}",
        _score(progress["best_score"]),
        f"{progress['images_per_second']:.0f}",
        "" if left is None else str(timedelta(seconds=round(left))),
    )


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.4f}"
