"""The tables of one stage's scores, as `ens blend` prints and `ens report` draws them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from ensemble.metric.score import TERMS
from ensemble.report.tables import Column, FittingTable, make_table

Summary = Mapping[str, Any]
"""One stage of `scores.json`, see `ensemble.blending.summary`."""


def make_tables(found: Summary) -> list[FittingTable]:
    """Make the tables of a stage: scores, folds, without each member, by views."""
    tables = [_score_table(found)]
    if len(found["folds"]) > 1:
        tables.append(_fold_table(found))
    if found["leave_one_out"]:
        tables.append(_ablation_table(found))
    if len(found["views"]) > 1:
        tables.append(_view_table(found))
    return tables


def list_sentences(found: Summary) -> list[str]:
    """List the verdicts and notes of a stage."""
    return [*(verdict["sentence"] for verdict in found["judged"]), *found["notes"]]


def _score_table(found: Summary) -> FittingTable:
    terms = [*(name for name in TERMS if name in found["rows"][0]), "score"]
    title = f"{found['stage']}: exact scores on {found['photographs']} photographs"
    # The score stays, and what it is out of sample; the passes go first.
    columns = [Column(name, True, 0 if name == "score" else 2) for name in terms]
    last = [Column("cross-fitted", True, 1), Column("passes", True, 3)]
    table = make_table(title, Column("blend"), *columns, *last)
    best = max((row["score"] for row in found["rows"]), default=0.0)
    for row in found["rows"]:
        kept = row["name"] == found["kept"]
        crossed = found["cross_fitted"].get(row["name"])
        cells = [
            _number(row[term], bold=term == "score" and row["score"] == best) for term in terms
        ]
        table.add_row(
            f"{row['name']} (kept)" if kept else row["name"],
            *cells,
            _number(crossed["score"]) if crossed else "",
            str(row["forward_passes"]),
            style="green" if kept else "",
        )
    return table


def _fold_table(found: Summary) -> FittingTable:
    folds = [str(fold) for fold in found["folds"]]
    title = f"{found['stage']}: score by fold"
    table = make_table(title, Column("blend"), *(Column(f"fold {k}", True, 1) for k in folds))
    for row in found["rows"]:
        table.add_row(row["name"], *(_number(row["folds"][fold]["score"]) for fold in folds))
    return table


def _ablation_table(found: Summary) -> FittingTable:
    title = f"{found['stage']}: the kept blend without each member"
    table = make_table(title, Column("without"), Column("score", True, 1), Column("loss", True))
    for row in found["leave_one_out"]:
        table.add_row(row["member"], _number(row["score"]), f"{row['worth']:+z.4f}")
    return table


def _view_table(found: Summary) -> FittingTable:
    title = f"{found['stage']}: gain of each view in the kept blend"
    numbers = [Column("score", True, 1), Column("gain", True), Column("forward passes", True, 2)]
    table = make_table(title, Column("views"), *numbers)
    for row in found["views"]:
        gain = f"{row['gain']:+z.4f}"
        table.add_row(row["views"], _number(row["score"]), gain, str(row["forward_passes"]))
    return table


def _number(value: float, *, bold: bool = False) -> Text:
    return Text(f"{value:.4f}", "bold" if bold else "")
