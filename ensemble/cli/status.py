"""`ens status`: what is trained, cached, tuned and stale, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.table import Table

from ensemble.cli.context import Context
from ensemble.composition.recipe import STAGES
from ensemble.errors import EnsembleError

if TYPE_CHECKING:
    from ensemble.networks.project import Project
    from ensemble.oof.state import State

STYLES = {"-": "dim", "started": "yellow", "trained": "yellow", "cached": "green", "stale": "red"}


def status(ctx: typer.Context) -> None:
    """Show what is trained, cached, tuned and stale, and the next command."""
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
    project = context.open_project()
    states = _states(project)
    context.console.print(_table(project, states))
    recipe = _recipe_state(project)
    say(f"recipe: {recipe}")
    zips = sorted(workspace.submissions.glob("*.zip"))
    say(f"submissions: {', '.join(path.name for path in zips) or 'none'}")
    say(f"next: {_next(context, project, states, recipe, bool(zips))}")


States = dict[tuple[str, str, int], "State"]


def _states(project: Project) -> States:
    from ensemble.oof.state import member_state

    return {
        (stage, member.name, fold): member_state(project, member, fold)
        for stage in STAGES
        for member in project.members(stage)
        for fold in range(project.folds.n_folds)
    }


def _table(project: Project, states: States) -> Table:
    folds = range(project.folds.n_folds)
    table = Table("stage", "member", "kind", *(f"fold {fold}" for fold in folds))
    for stage in STAGES:
        for member in project.members(stage):
            cells = [states[stage, member.name, fold] for fold in folds]
            styled = [f"[{STYLES[cell]}]{cell}[/]" for cell in cells]
            table.add_row(stage, member.name, member.kind, *styled)
        table.add_section()
    return table


def _recipe_state(project: Project) -> str:
    from ensemble.submission.submit import read_recipe

    if not project.workspace.recipe_file.exists():
        return "none"
    try:
        recipe = read_recipe(project)
    except EnsembleError as error:
        return f"stale: {error}"
    return f"tuned on fold(s) {', '.join(map(str, recipe.folds))}"


def _next(context: Context, project: Project, states: States, recipe: str, zips: bool) -> str:
    trained = {
        member.name
        for stage in STAGES
        for member in project.members(stage)
        if member.kind == "trained"
    }
    waiting = [
        fold
        for (_, member, fold), state in states.items()
        if member in trained and state in ("-", "started", "stale")
    ]
    usable = set(range(project.folds.n_folds)) - set(waiting)
    train = context.command(f"train --fold {min(waiting, default=0)}")
    if waiting and not usable:
        return train
    more = f" (or train more: {train})" if waiting else ""
    if not recipe.startswith("tuned"):
        return context.command("blend --trials 200") + more
    return context.command("report" if zips else "submit") + more
