"""`ens submit`: from the recipe to a verified zip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ensemble.cli.context import Context
from ensemble.cli.progress import progress_bar

if TYPE_CHECKING:
    from ensemble.submission.submit import Submission

SUBMISSION = "submission"
"""The zip's name unless another is given."""

SHEET_ROWS = 12


def submit(
    ctx: typer.Context,
    name: Annotated[str, typer.Option(help="Name of the zip.")] = SUBMISSION,
    force: Annotated[bool, typer.Option("--force", help="Replace a zip of that name.")] = False,
) -> None:
    """Predict the test photographs and build a verified zip.

    All folds the recipe was tuned on take part, with its weights, views and composition. Beside
    the zip go a manifest and a contact sheet.

    Examples:

        ens submit

        ens submit --name second --force
    """
    from ensemble.provenance import read_recipe
    from ensemble.submission import submit as room

    context: Context = ctx.obj
    room.check_free(context.workspace.submission_file(name), force=force)
    project = context.open_project()
    recipe = read_recipe(project)
    total = len(project.competition.test_ids) * len(recipe.folds)
    with progress_bar(context.console, "predicting test photographs", total) as advance:
        made = room.submit(project, recipe, name=name, force=force, advance=advance)
    sheet = _write_sheet(made)
    say = context.say
    say(f"wrote {made.zip_file}: {len(made.answers)} pictures, opened again and verified")
    say(f"wrote {made.manifest_file}")
    say(f"wrote {sheet}")
    if made.score:
        terms = ", ".join(f"{term} {value:.4f}" for term, value in made.score.items())
        say(f"against data/test_target: {terms}")
    say(f"next: send the zip; what it is made of shows: {context.command('report')}")


def submit_command(context: Context) -> str:
    """The command that builds the zip; with --force if a zip of that name exists."""
    taken = context.workspace.submission_file(SUBMISSION).exists()
    return context.command("submit --force" if taken else "submit")


def _write_sheet(made: Submission) -> Path:
    from ensemble.data.png import write_png
    from ensemble.report.sheets import contact_sheet

    headings = ["damaged input", "restored gray", "colorized"]
    rows = [[a.damaged, a.gray, a.picture] for a in made.answers[:SHEET_ROWS]]
    if made.targets:
        headings.append("target")
        rows = [
            [*row, made.targets[answer.image_id]]
            for row, answer in zip(rows, made.answers[:SHEET_ROWS], strict=True)
        ]
    captions = [answer.image_id for answer in made.answers[:SHEET_ROWS]]
    path = made.zip_file.with_suffix(".png")
    write_png(path, contact_sheet(rows, headings=headings, captions=captions))
    return path
