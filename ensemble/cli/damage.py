"""`ens damage`: draw the holes that were located, the doubtful ones first."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ensemble.cli.context import Context
from ensemble.cli.options import Png
from ensemble.data.competition import Competition
from ensemble.data.photographs import MASK_FOLDER
from ensemble.data.png import write_png
from ensemble.report.holes import describe_accuracy, draw_holes, find_holes

COLUMNS = 4


def damage(
    ctx: typer.Context,
    split: Annotated[Literal["train", "test"], typer.Option(help="Which photographs.")] = "test",
    limit: Annotated[int, typer.Option(min=1, help="Most photographs searched.")] = 1000,
    shown: Annotated[int, typer.Option(min=1, help="Most photographs drawn.")] = 32,
    output: Png = None,
) -> None:
    """Locate the holes and draw their outlines, the doubtful ones first.

    A wrong one is put right by hand: paint the hole white on black and save it as
    data/test_masks/NAME.png. For training photographs the truth is known, and the accuracy of the
    locator on them is printed.

    Examples:

        ens damage

        ens damage --split train --limit 200
    """
    context: Context = ctx.obj
    workspace, config, say = context.workspace, context.config, context.say
    path = output or workspace.root / f"damage-{split}.png"
    competition = Competition.load(workspace.data, size=config.data.size, seed=config.seed)
    image_ids = (competition.test_ids if split == "test" else competition.train_ids)[:limit]
    holes = find_holes(competition, image_ids, context.progress)
    write_png(path, draw_holes(holes[:shown], columns=COLUMNS))
    doubtful = [hole.image_id for hole in holes if hole.doubtful]
    names = f": {' '.join(doubtful[:20])}" if doubtful else ""
    say(f"located {len(holes)} holes, {len(doubtful)} of them doubtful{names}")
    if split == "train":
        say(describe_accuracy(holes))
    say(f"wrote {path}")
    if split == "test":
        masks = workspace.data / MASK_FOLDER
        tuned = workspace.recipe_file.exists()
        then = context.submit_command() if tuned else context.command("status")
        say(f"next: paint what is wrong into {masks}, then: {then}")
    else:
        say(f"next: {context.command('damage --split test')}")
