"""`ens history`: submissions, what was expected of them, and what the board gave them."""

from __future__ import annotations

from typing import Annotated

import typer

from ensemble.cli.complete import complete_submission
from ensemble.cli.context import Context
from ensemble.errors import ConfigError


def history(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Option(
            help="The submission that --public is of.", autocompletion=complete_submission
        ),
    ] = None,
    public: Annotated[
        float | None, typer.Option(min=-1, max=1, help="Note the score that the board gave it.")
    ] = None,
) -> None:
    """List submissions with their expected and public scores, and how the two agree.

    Expected is the score of the recipe on out-of-fold predictions when the zip was built:
    cross-fitted where it was tuned. A public score is noted for the very zip that is there.

    Examples:

        ens history

        ens history --name submission --public 0.5762
    """
    from ensemble.report.submission_table import table_submissions
    from ensemble.submission.history import (
        describe_agreement,
        measure_agreement,
        note_public,
        read_history,
    )

    context: Context = ctx.obj
    if (name is None) != (public is None):
        raise ConfigError("a public score is noted with both --name and --public")
    if name is not None and public is not None:
        note_public(context.workspace, name, public)
    found = read_history(context.workspace)
    if not found:
        context.say(f"no submissions in {context.workspace.submissions}")
        context.say(f"next: {context.command('submit')}")
        return
    context.show(table_submissions(found))
    agreement = measure_agreement(found)
    context.say(
        describe_agreement(agreement)
        if agreement
        else f"next, once the board has scored one: {context.command('history')} --name NAME "
        "--public SCORE"
    )
