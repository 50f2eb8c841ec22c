"""`ens explore`: one page on the data, before any training."""

from __future__ import annotations

from typing import Annotated

import typer

from ensemble.cli.context import Context
from ensemble.cli.options import Html
from ensemble.files import atomic_write


def explore(
    ctx: typer.Context,
    photographs: Annotated[
        int, typer.Option(min=1, help="Photographs to look at pixel by pixel.")
    ] = 1000,
    output: Html = None,
) -> None:
    """Write one HTML page on the data: samples, colors, holes, near-duplicates, folds.

    Needs `ens folds`, and no training. The page is one file and loads nothing from elsewhere.

    Examples:

        ens explore

        ens explore --photographs 5000 --output data.html
    """
    # They load OpenCV, numba and matplotlib, which help does not need.
    from ensemble.doctor.data import check_copies
    from ensemble.report.exploration import write_exploration

    context: Context = ctx.obj
    project = context.open_project()
    project.photographs.prepare(context.progress)
    found = check_copies(project.photographs, context.progress)
    page = write_exploration(project, [found.text], count=photographs, progress=context.progress)
    path = output or context.workspace.root / "explore.html"
    atomic_write(path, page)
    context.say(f"wrote {path}")
    context.say(f"next: open it in a browser, then {context.command_after_folds()}")
