"""The tables behind a recipe: as plain data for JSON, and as they are printed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.table import Table

from ensemble.blending.evidence import Evidence
from ensemble.blending.exact import Terms
from ensemble.blending.tune import Tuned
from ensemble.blending.verdict import Judged
from ensemble.blending.worth import Worth
from ensemble.metric.score import STAGE_TERMS, TERMS, weigh

Summary = dict[str, Any]


def summary(evidence: Evidence, tuned: Tuned, taken_apart: Worth) -> Summary:
    """Everything that was exactly scored of one stage, as plain data.

    Args:
        evidence: What was read.
        tuned: What was found.
        taken_apart: Scores of the kept blend without each member, and with fewer views.

    Returns:
        JSON values only; `stage_tables` prints it, and `ens report` draws it.
    """
    stage, kept = evidence.stage, float(weigh(evidence.stage, tuned.terms[tuned.kept_name]).mean())
    folds = np.array([evidence.folds[image_id] for image_id in tuned.image_ids])
    rows = [
        {
            "name": name,
            "forward_passes": tuned.rows[name].forward_passes,
            **_mean(stage, terms),
            "folds": {str(k): _mean(stage, terms[folds == k]) for k in np.unique(folds)},
        }
        for name, terms in tuned.terms.items()
    ]
    return {
        "stage": stage,
        "kept": tuned.kept_name,
        "photographs": len(tuned.image_ids),
        "groups": len({evidence.groups[image_id] for image_id in tuned.image_ids}),
        "folds": [int(fold) for fold in np.unique(folds)],
        "trials": {"done": tuned.found.done, "wanted": tuned.found.wanted},
        "rows": rows,
        "cross_fitted": {name: _mean(stage, terms) for name, terms in tuned.cross_fitted.items()},
        "judged": [_judged(one) for one in tuned.judged],
        "leave_one_out": [
            {"member": member, **_mean(stage, terms), "worth": kept - _score(stage, terms)}
            for member, terms in taken_apart.without.items()
        ],
        "views": _views(stage, taken_apart),
        "notes": list(tuned.notes),
    }


def stage_tables(found: Summary) -> list[Table]:
    """The tables of one stage's `summary`: scores, folds, without each member, by views."""
    tables = [_score_table(found)]
    if len(found["folds"]) > 1:
        tables.append(_fold_table(found))
    if found["leave_one_out"]:
        tables.append(_worth_table(found))
    if len(found["views"]) > 1:
        tables.append(_view_table(found))
    return tables


def sentences(found: Summary) -> list[str]:
    """The verdicts and notes of one stage's `summary`."""
    return [*(judged["sentence"] for judged in found["judged"]), *found["notes"]]


def _score(stage: Any, terms: Terms) -> float:
    return float(weigh(stage, terms).mean())


def _mean(stage: Any, terms: Terms) -> dict[str, float]:
    means = dict(zip(TERMS, map(float, terms.mean(axis=0)), strict=True))
    own = {name: means[name] for name in STAGE_TERMS[stage]}
    return {**own, "score": _score(stage, terms)}


def _judged(one: Judged) -> dict[str, Any]:
    error = one.cross_fitted.error
    return {
        "step": one.name,
        "against": one.against,
        "in_sample": one.in_sample,
        "cross_fitted": one.cross_fitted.gain,
        "standard_error": error if np.isfinite(error) else None,
        "interval": [one.cross_fitted.low, one.cross_fitted.high],
        "groups": one.cross_fitted.groups,
        "kept": one.cross_fitted.convincing,
        "sentence": one.sentence,
    }


def _views(stage: Any, taken_apart: Worth) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, (passes, terms) in taken_apart.views.items():
        score = _score(stage, terms)
        gain = score - rows[-1]["score"] if rows else 0.0
        rows.append({"views": name, "forward_passes": passes, "score": score, "gain": gain})
    return rows


def _terms_of(found: Summary) -> list[str]:
    return [*(name for name in TERMS if name in found["rows"][0]), "score"]


def _table(title: str, first: str, numbers: list[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", min_width=len(title) + 2)
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def _score_table(found: Summary) -> Table:
    terms = _terms_of(found)
    title = f"{found['stage']}: exact scores on {found['photographs']} photographs"
    table = _table(title, "blend", [*terms, "cross-fitted", "passes"])
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


def _fold_table(found: Summary) -> Table:
    folds = [str(fold) for fold in found["folds"]]
    title = f"{found['stage']}: score by fold"
    table = _table(title, "blend", [f"fold {fold}" for fold in folds])
    for row in found["rows"]:
        table.add_row(row["name"], *(_number(row["folds"][fold]["score"]) for fold in folds))
    return table


def _worth_table(found: Summary) -> Table:
    title = f"{found['stage']}: the kept blend without each member"
    table = _table(title, "without", ["score", "loss"])
    for row in found["leave_one_out"]:
        table.add_row(row["member"], _number(row["score"]), f"{row['worth']:+.4f}")
    return table


def _view_table(found: Summary) -> Table:
    title = f"{found['stage']}: gain of each view in the kept blend"
    table = _table(title, "views", ["score", "gain", "forward passes"])
    for row in found["views"]:
        gain = f"{row['gain']:+.4f}"
        table.add_row(row["views"], _number(row["score"]), gain, str(row["forward_passes"]))
    return table


def _number(value: float, *, bold: bool = False) -> str:
    return f"[bold]{value:.4f}[/bold]" if bold else f"{value:.4f}"


def to_json(stages: Mapping[str, Summary]) -> str:
    """The summaries of all stages as indented JSON."""
    return json.dumps({"version": 1, "stages": dict(stages)}, indent=2, sort_keys=True) + "\n"
