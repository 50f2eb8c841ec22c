"""`ens score`: the exact competition score of any predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ensemble.cli.context import Context, ends_in
from ensemble.data.pairs import MaskOf, differing_masks, drawn_masks, pair_loaders
from ensemble.data.tables import write_columns
from ensemble.errors import ConfigError
from ensemble.metric.score import TERMS, Score, mean_of, score_pairs
from ensemble.report.tables import Cell, Table, make_row, number_cell

SHOWN = 5
"""Pictures listed of the worst, and of the best."""

TERMS_SHOWN = ("score", *TERMS)


def score(
    ctx: typer.Context,
    pred: Annotated[Path, typer.Option(help="Folder or zip of predicted PNGs.")],
    target: Annotated[Path, typer.Option(help="Folder of true RGB PNGs.")],
    masks: Annotated[Path | None, typer.Option(help="Folder of masks, white where lost.")] = None,
    inputs: Annotated[
        Path | None,
        typer.Option("--input", help="Folder of damaged PNGs: lost is where they differ."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False,
    per_image: Annotated[
        Path | None,
        typer.Option(
            help="Write each picture's terms to this CSV; list the worst and the best.",
            callback=ends_in(".csv"),
        ),
    ] = None,
) -> None:
    """Score predictions exactly as the competition does.

    Files are paired by name. The lost region is given by --masks, or is where --input differs.

    Examples:

        ens score --pred submissions/submission.zip --target truth --input data/test_input

        ens score --pred predictions --target truth --masks masks --json
    """
    context: Context = ctx.obj
    loaders = pair_loaders(pred, target, _mask_of(masks, inputs))
    scores: dict[str, Score] = {}
    with context.progress("scoring", len(loaders)) as advance:
        for name, found in score_pairs(loaders):
            scores[name] = found
            advance(1)
    if per_image is not None:
        terms = [found.as_dict() for found in scores.values()]
        by_term = {term: [row[term] for row in terms] for term in terms[0]}
        write_columns(per_image, {"image": list(scores), **by_term})
    mean = mean_of(list(scores.values()))
    if as_json:
        context.say(json.dumps({"pictures": len(scores), "mean": mean}))
        return
    row = make_row(number_cell(len(scores), "count"), *_write(mean))
    context.show(Table("", ("pictures", *mean), [row]))
    if per_image is not None:
        ranked = sorted(scores, key=lambda name: scores[name].score)
        _show_some(context, "worst", {name: scores[name] for name in ranked[:SHOWN]})
        _show_some(context, "best", {name: scores[name] for name in ranked[: -SHOWN - 1 : -1]})
        context.say(f"wrote {per_image}")


def _show_some(context: Context, title: str, scores: dict[str, Score]) -> None:
    rows = [
        make_row(name, *_write({term: found.as_dict()[term] for term in TERMS_SHOWN}))
        for name, found in scores.items()
    ]
    context.show(Table(title, ("picture", *TERMS_SHOWN), rows, least=TERMS[::-1]))


def _write(terms: dict[str, float]) -> list[Cell]:
    return [Cell(f"{value:.6f}", value) for value in terms.values()]


def _mask_of(masks: Path | None, inputs: Path | None) -> MaskOf:
    if masks is not None and inputs is None:
        return drawn_masks(masks)
    if inputs is not None and masks is None:
        return differing_masks(inputs)
    raise ConfigError("the lost region is known from --masks or from --input; give one of them")
