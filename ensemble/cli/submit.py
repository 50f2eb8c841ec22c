"""`ens submit`: from the recipe to a verified zip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.cli.context import SUBMISSION, Context
from ensemble.cli.options import Full
from ensemble.vocabulary import counted

SHEET_ROWS = 12


def submit(
    ctx: typer.Context,
    name: Annotated[str, typer.Option(help="Name of the zip.")] = SUBMISSION,
    force: Annotated[bool, typer.Option("--force", help="Replace a zip of that name.")] = False,
    full: Full = False,
    mix: Annotated[
        Path | None, typer.Option(help="Another zip to average in; the result is not scored.")
    ] = None,
    mix_weight: Annotated[
        float, typer.Option(min=0, max=1, help="The share of --mix, 0 to 1.")
    ] = 0.5,
) -> None:
    """Predict the test photographs and build a verified zip.

    All folds the recipe was tuned on take part, with its weights, views and composition. Beside
    the zip go a manifest and a contact sheet. With `--full` the networks that `ens train --fold
    full` trained on all photographs take part too, as those of one more fold. With `--mix` the
    pictures of another zip, of which nothing is known, are averaged in; the known grays stay exact.

    Examples:

        ens submit

        ens submit --name second --force

        ens submit --full

        ens submit --name mixed --mix theirs.zip --mix-weight 0.3
    """
    from ensemble.data.png import write_png
    from ensemble.provenance import read_recipe
    from ensemble.report.sheets import draw_answers
    from ensemble.submission import submit as room

    context: Context = ctx.obj
    room.check_free(context.workspace.submission_file(name), force=force)
    mixed = None if mix is None else room.Mix(mix, mix_weight)
    project = context.open_project()
    recipe = read_recipe(project)
    total = len(project.competition.test_ids) * (len(recipe.folds) + full)
    with context.progress("predicting test photographs", total) as advance:
        made = room.submit(
            project, recipe, name=name, force=force, full=full, mix=mixed, advance=advance
        )
    sheet = made.zip_file.with_suffix(".png")
    write_png(sheet, draw_answers(made.answers[:SHEET_ROWS], made.targets))
    say = context.say
    say(
        f"wrote {made.zip_file}: {counted(len(made.answers), 'picture')}, opened again and verified"
    )
    say(f"wrote {made.zip_file.with_suffix('.json')}")
    say(f"wrote {sheet}")
    if full:
        say(f"note: {room.FULL_NOTE}")
    if mixed:
        say(f"note: {mixed.note}")
    if made.score:
        terms = ", ".join(f"{term} {value:.4f}" for term, value in made.score.items())
        say(f"against data/test_target: {terms}")
    say(f"next: send the zip; what it is made of shows: {context.command('report')}")
