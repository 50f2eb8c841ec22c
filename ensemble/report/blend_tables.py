"""The tables of one stage's scores, as `ens blend` prints and `ens report` draws them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ensemble.metric.score import TERMS
from ensemble.report.tables import Cell, Table, make_row, number_cell

Summary = Mapping[str, Any]
"""One stage of `scores.json`, see `ensemble.blending.summary`."""

TERM_WORDS = dict(zip(TERMS, ("SSIM", "masked SSIM", "hue"), strict=False))
"""What the terms are called; one that is not here is called by its name."""


def make_tables(found: Summary, *, without: Collection[str] = ()) -> Iterator[Table]:
    """Make the tables of a stage: scores, folds, without each member, by views.

    Rows of the names `without` are left out of the scores; so is what the blend loses without each
    member: both stand in a table of members then.
    """
    stage, kept = found["stage"], found["kept"]
    yield _table_scores(found, [row for row in found["rows"] if row["name"] not in without])
    if len(found["folds"]) > 1:
        columns = ("blend", *(f"fold {fold}" for fold in found["folds"]))
        rows = []
        for row in found["rows"]:
            scores = (number_cell(row["folds"][str(fold)]["score"]) for fold in found["folds"])
            rows.append(make_row(row["name"], *scores, kept=row["name"] == kept))
        yield Table(f"{stage}: score by fold", columns, rows, least=columns[:0:-1])
    if found["leave_one_out"] and not without:
        rows = [
            make_row(row["member"], number_cell(row["score"]), number_cell(row["worth"], "gain"))
            for row in found["leave_one_out"]
        ]
        caption = f"{stage}: the kept blend without each member"
        yield Table(caption, ("without", "score", "loss"), rows, least=("score",))
    if len(found["views"]) > 1:
        rows = []
        for row in found["views"]:
            score, gain = number_cell(row["score"]), number_cell(row["gain"], "gain")
            rows.append(make_row(row["views"], score, gain, _count(row["forward_passes"])))
        columns = ("view", "score", "gain", "passes")
        yield Table(f"{stage}: the kept blend by views", columns, rows, least=("passes", "score"))


def list_terms(found: Summary) -> dict[str, str]:
    """The terms of a stage by their names, and what they are called; the score is the last."""
    terms = (*(name for name in TERMS if name in found["rows"][0]), "score")
    return {term: TERM_WORDS.get(term, term) for term in terms}


def list_sentences(found: Summary) -> list[str]:
    """List the verdicts and notes of a stage."""
    return [*(verdict["sentence"] for verdict in found["judged"]), *found["notes"]]


def _table_scores(found: Summary, chosen: Collection[Mapping[str, Any]]) -> Table:
    terms = list_terms(found)
    rows = []
    for row in chosen:
        crossed = number_cell(found["cross_fitted"].get(row["name"], {}).get("score"))
        numbers = (*(number_cell(row[term]) for term in terms), crossed)
        count, kept = _count(row["forward_passes"]), row["name"] == found["kept"]
        rows.append(make_row(row["name"], *numbers, count, kept=kept))
    *details, score = terms.values()
    return Table(
        f"{found['stage']}: exact scores on {found['photographs']:,} photographs",
        ("blend", *details, score, "cross-fitted", "passes"),
        rows,
        least=("passes", *details[::-1], "cross-fitted"),
    )


def _count(number: int) -> Cell:
    return number_cell(number, "count")
