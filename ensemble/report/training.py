"""The training of every job: its curves, and a row of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ensemble.checkpoint import METRICS
from ensemble.data.tables import read_numbers
from ensemble.members import Member
from ensemble.project import Project
from ensemble.report.plots import Labels, Plot, draw_lines
from ensemble.report.tables import Row, Table, make_row, number_cell
from ensemble.vocabulary import FULL, Fold

Columns = Mapping[str, tuple[float, ...]]
"""Of one training, the numbers of each epoch by the name of the column of `metrics.csv`."""


def list_trainings(project: Project) -> Table:
    """List every training of the workspace, finished or not, a row a job."""
    rows = [
        _describe(member, fold, columns)
        for member, folds in _read_metrics(project)
        for fold, columns in folds.items()
    ]
    columns = ("stage", "member", "fold", "epochs", "best epoch", "score", "last loss", "minutes")
    return Table("Every training", columns, rows)


def plot_trainings(project: Project) -> Iterator[Plot]:
    """Plot of each member the scores, then the losses, of all its folds by epoch."""
    for member, folds in _read_metrics(project):
        for column, what in (("val_score", "score out of fold"), ("train_loss", "training loss")):
            lines = {
                "all photographs" if fold == FULL else f"fold {fold}": (columns["epoch"], values)
                for fold, columns in folds.items()
                if (values := columns.get(column))
            }
            if lines:
                ends = [f"{name} ends at {values[-1]:.4f}" for name, (_, values) in lines.items()]
                text = f"{what} of {member.stage} {member.name} by epoch: {', '.join(ends)}."
                name, title = f"{member.stage}-{member.name}", f"{member.stage}: {member.name}"
                yield draw_lines(lines, Labels(f"{name}-{column}", title, "epoch", text, y=what))


def _read_metrics(project: Project) -> Iterator[tuple[Member, dict[Fold, Columns]]]:
    """Each trained member with the folds of which there are epochs."""
    for member in project.all_members():
        folds: dict[Fold, Columns] = {}
        for fold in (*range(project.folds.n_folds), FULL) if member.kind == "trained" else ():
            columns = read_numbers(project.folder(member, fold) / METRICS)
            if all(columns.values()) and columns.keys() >= {"epoch", "seconds"}:
                folds[fold] = columns
        yield member, folds


def _describe(member: Member, fold: Fold, columns: Columns) -> Row:
    scores: Sequence[float] = columns.get("val_score", ())
    losses, seconds = columns.get("train_loss", ()), sum(columns["seconds"])
    best = max(range(len(scores)), key=scores.__getitem__) if scores else None
    return make_row(
        member.stage,
        member.name,
        str(fold),
        number_cell(len(columns["epoch"]), "count"),
        number_cell(None if best is None else best + 1, "count"),
        number_cell(None if best is None else scores[best]),
        number_cell(losses[-1] if losses else None),
        number_cell(seconds / 60, "level"),
    )
