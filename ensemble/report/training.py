"""The training of every job: its curves, and a row of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ensemble.data.tables import read_numbers
from ensemble.members import Member
from ensemble.project import Project
from ensemble.report.page import Cell, Row, Table, number_cell, text_cell
from ensemble.report.plots import Plot, draw_lines
from ensemble.training.job import Job
from ensemble.vocabulary import FULL, Fold

Columns = Mapping[str, tuple[float, ...]]
"""Of one training, the numbers of each epoch by the name of the column of `metrics.csv`."""


@dataclass(frozen=True)
class Trainings:
    """What trainings left behind.

    Attributes:
        plots: Of each member the scores, and the losses, of all its folds by epoch.
        jobs: One row a job.
    """

    plots: tuple[Plot, ...]
    jobs: Table


def collect_trainings(project: Project) -> Trainings:
    """Collect the epochs of every training of the workspace, finished or not."""
    plots: list[Plot] = []
    rows: list[Row] = []
    for member in project.all_members():
        folds = dict(_read_folds(project, member)) if member.kind == "trained" else {}
        if folds:
            plots += _plot(member, folds)
            rows += [_describe(member, fold, columns) for fold, columns in folds.items()]
    columns = ("stage", "member", "fold", "epochs", "best epoch", "score", "last loss", "minutes")
    return Trainings(tuple(plots), Table("Every training", columns, tuple(rows)))


def _read_folds(project: Project, member: Member) -> Iterator[tuple[Fold, Columns]]:
    folds: list[Fold] = [*range(project.folds.n_folds), FULL]
    for fold in folds:
        columns = read_numbers(
            Job(member.stage, member.name, fold).files(project.workspace).metrics
        )
        if all(columns.values()) and columns.keys() >= {"epoch", "seconds"}:
            yield fold, columns


def _plot(member: Member, folds: Mapping[Fold, Columns]) -> Iterator[Plot]:
    for column, what in (("val_score", "score out of fold"), ("train_loss", "training loss")):
        lines = {
            _name(fold): (columns["epoch"], columns[column])
            for fold, columns in folds.items()
            if column in columns and "epoch" in columns
        }
        if lines:
            ends = [f"{name} ends at {values[-1]:.4f}" for name, (_, values) in lines.items()]
            yield draw_lines(
                lines,
                name=f"{member.stage}-{member.name}-{column}",
                title=f"{member.stage}: {member.name}",
                x="epoch",
                y=what,
                text=f"{what} of {member.stage} {member.name} by epoch: {', '.join(ends)}.",
            )


def _describe(member: Member, fold: Fold, columns: Columns) -> Row:
    scores: Sequence[float] = columns.get("val_score", ())
    losses, seconds = columns.get("train_loss", ()), columns.get("seconds", ())
    best = max(range(len(scores)), key=scores.__getitem__) if scores else None
    epochs = columns.get("epoch", ())
    return Row(
        (
            text_cell(member.stage),
            text_cell(member.name),
            text_cell(fold),
            number_cell(len(epochs), "count"),
            number_cell(None if best is None else best + 1, "count"),
            number_cell(None if best is None else scores[best]),
            number_cell(losses[-1] if losses else None),
            Cell(f"{sum(seconds) / 60:.1f}", sum(seconds)),
        )
    )


def _name(fold: Fold) -> str:
    return "all photographs" if fold == FULL else f"fold {fold}"
