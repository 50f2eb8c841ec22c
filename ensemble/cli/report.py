"""`ens report`: one page with the scores, verdicts, curves and pictures behind a recipe."""

from __future__ import annotations

from typing import Annotated

import typer

from ensemble.cli.context import Context
from ensemble.cli.options import Html
from ensemble.errors import MissingArtefactError
from ensemble.files import atomic_write


def report(
    ctx: typer.Context,
    photographs: Annotated[
        int, typer.Option(min=0, max=1000, help="Photographs to score step by step and to show.")
    ] = 100,
    output: Html = None,
) -> None:
    """Write one HTML page to send around: scores, curves, photographs, the recipe.

    Needs `ens blend`. The page is one file and loads nothing from elsewhere.

    Examples:

        ens report

        ens report --photographs 30 --output for-the-team.html
    """
    context: Context = ctx.obj
    workspace = context.workspace
    # They load numba, optuna and torch, which help does not need.
    from ensemble.blending.scores_file import read_scores
    from ensemble.provenance import read_recipe
    from ensemble.report.results import write_results

    summaries = read_scores(workspace.table_file)["stages"]
    if not workspace.recipe_file.exists():
        raise MissingArtefactError(f"`{workspace.recipe_file}` is not there; run `ens blend`")
    project = context.open_project()
    headline, page = write_results(
        project,
        read_recipe(project),
        summaries,
        photographs=photographs,
        progress=context.progress,
    )
    path = output or workspace.root / "report.html"
    atomic_write(path, page)
    context.say(headline.expected)
    context.say(headline.decided)
    context.say(f"wrote {path}")
    context.say("next: open it in a browser")
