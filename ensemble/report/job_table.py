"""The live table of trainings, with the time left of them all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from ensemble.errors import EnsembleError
from ensemble.jobs.plan import Entry
from ensemble.manifest import read_manifest
from ensemble.oof.archive import Archive
from ensemble.project import Project
from ensemble.report.tables import Column, FittingTable, make_table
from ensemble.training.job import Job
from ensemble.vocabulary import FULL, Fold

_STYLES = {"running": "cyan", "done": "green", "failed": "red", "skipped": "yellow"}
_COLUMNS = (
    Column("stage", drop=3),
    Column("member"),
    Column("fold"),
    Column("state"),
    Column("epoch", drop=2),
    Column("best", drop=4),
    Column("images/s", drop=5),
    Column("time left", drop=1),
)


def job_table(entries: Sequence[Entry], project: Project) -> FittingTable:
    """One row a job: where it is, how well it did, how fast it goes, how long it takes."""
    table = make_table("", *_COLUMNS)
    table.caption = say_time_left(entries, project)
    for entry in entries:
        job, state = entry.job, say_state(entry, project)
        row = (job.stage, job.member, str(job.fold), state, *_figures(entry, project))
        table.add_row(*row, style=_STYLES.get(entry.state))
    return table


def say_state(entry: Entry, project: Project) -> str:
    """The state of a job, where it runs, and in how many parts its batches fit into memory."""
    state = f"{entry.state} {entry.where}".strip()
    running = entry.state == "running"
    noted = entry.job.files(project.workspace).read_parts() if running else None
    return f"{state}, each batch in {noted.parts} parts" if noted else state


def say_time_left(entries: Sequence[Entry], project: Project) -> str:
    """The time until every job has ended, in words; empty where nothing is known, or left."""
    left = estimate_seconds_left(entries, project)
    return f"about {_duration(left)} left for all jobs, less if some stop early" if left else ""


def estimate_seconds_left(entries: Sequence[Entry], project: Project) -> float:
    """Seconds until every training has ended, judged by the epochs that are done.

    An epoch of a job that has not begun takes as long as one of the same member did in other folds;
    of a member that was never trained, as long as the others' did in the mean. Early stopping makes
    it less. As many jobs go on at once as are running now. It is 0 where no epoch of any job has
    begun, and where nothing is left.
    """
    paces = _seconds_per_epoch(entries, project)
    if not paces:
        return 0.0
    mean = sum(paces.values()) / len(paces)
    due = [
        entry
        for entry in entries
        if not entry.over and project.member(entry.job.stage, entry.job.member).kind == "trained"
    ]
    left = [
        _epochs_left(entry.job, project) * paces.get((entry.job.stage, entry.job.member), mean)
        for entry in due
    ]
    running = sum(entry.state == "running" for entry in due)
    return max(sum(left) / max(1, running), *left, 0.0)


def read_facts(job: Job, project: Project) -> dict[str, Any]:
    """The facts of the job's finished training; empty for a fixed member."""
    try:
        return read_manifest(job.files(project.workspace).manifest, "checkpoint").facts
    except EnsembleError:
        return {}


def _epochs_left(job: Job, project: Project) -> float:
    epochs = project.config.of_member(job.stage, job.member).training.epochs
    facts = read_facts(job, project)
    if facts:
        return 0.0 if facts.get("stopped_early") else max(0.0, epochs - facts["epochs"])
    progress = job.files(project.workspace).read_progress()
    return max(0.0, epochs - progress.done * progress.epochs) if progress else float(epochs)


def _seconds_per_epoch(entries: Sequence[Entry], project: Project) -> dict[tuple[str, str], float]:
    """By stage and member, the mean over the folds that have been trained as far as one step."""
    found: dict[tuple[str, str], float] = {}
    for stage, member in {(entry.job.stage, entry.job.member) for entry in entries}:
        folds: list[Fold] = [*range(project.folds.n_folds), FULL]
        files = [Job(stage, member, k).files(project.workspace) for k in folds]
        reached = [one.read_progress() for one in files]
        known = [one.epoch_seconds for one in reached if one and one.epoch_seconds]
        if known:
            found[stage, member] = sum(known) / len(known)
    return found


def _figures(entry: Entry, project: Project) -> tuple[str, str, str, str]:
    if entry.state == "done":
        facts = read_facts(entry.job, project)
        return str(facts.get("epochs", "-")), _score(facts.get("val_score")), "", ""
    files = entry.job.files(project.workspace)
    progress = files.read_progress() if entry.state == "running" else None
    if entry.state == "running" and (progress is None or progress.done == 1):
        done, total = _count_predicted(entry.job, project)
        if total:
            return f"predicts {done}/{total}", "", "", ""
    if not progress:
        return "", "", "", ""
    left = progress.seconds_left
    return (
        f"{progress.epoch}/{progress.epochs}",
        _score(progress.best_score),
        f"{progress.images_per_second:.0f}",
        "" if left is None else _duration(left),
    )


def _count_predicted(job: Job, project: Project) -> tuple[int, int]:
    """Out-of-fold predictions that are stored, and how many there will be; 0 and 0 before any."""
    if job.fold == FULL:
        return 0, 0
    folder = project.archive_folder(project.member(job.stage, job.member), job.fold)
    try:
        archive = Archive(folder)
    except EnsembleError:
        return 0, 0
    image_ids = project.oof_sample(job.fold)
    return len(image_ids) - len(archive.missing(image_ids)), len(image_ids)


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.4f}"
