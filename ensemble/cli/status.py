"""`ens status`: what is trained, cached, tuned and stale, and what to do next."""

from __future__ import annotations

import typer

from ensemble.cli.context import Context


def status(ctx: typer.Context) -> None:
    """Show what is trained, cached, tuned and stale, and the next command."""
    from ensemble.report.status import read_status, status_table

    context: Context = ctx.obj
    workspace, say = context.workspace, context.say
    if not workspace.data.exists():
        say(f"no data in {workspace.data}")
        say(f"next: put the competition's files there, or run: {context.command('demo')}")
        return
    if not workspace.folds_file.exists():
        say(f"data in {workspace.data}, no folds yet")
        say(f"next: {context.command('folds')}")
        return
    found = read_status(context.open_project())
    context.show(status_table(found))
    for line in found.lines:
        say(line)
    verb, train = found.next_verb, found.verb_to_train
    command = context.submit_command() if verb == "submit" else context.command(verb)
    more = f" (or train more: {context.command(train)})" if train and verb != train else ""
    say(f"next: {command}{more}")
