"""`ens status`: what is trained, cached, tuned and stale, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from ensemble.cli.context import Context
from ensemble.cli.submit import submit_command
from ensemble.errors import EnsembleError
from ensemble.vocabulary import STAGES

if TYPE_CHECKING:
    from ensemble.composition.recipe import Recipe
    from ensemble.oof.state import State
    from ensemble.project import Project

STYLES = {"-": "dim", "started": "yellow", "trained": "yellow", "cached": "green", "stale": "red"}
CURRENT = "up to date"


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
    recipe = _recipe(context, project)
    current = _submissions(context, project, recipe)
    say(f"next: {_next(context, project, states, recipe is not None, current)}")


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


def _recipe(context: Context, project: Project) -> Recipe | None:
    """Say how the recipe is; gives it if it is up to date."""
    from ensemble.provenance import read_recipe

    if not project.workspace.recipe_file.exists():
        context.say("recipe: none")
        return None
    try:
        recipe = read_recipe(project)
    except EnsembleError as error:
        context.say(f"recipe: stale: {error}")
        return None
    context.say(f"recipe: tuned on fold(s) {', '.join(map(str, recipe.folds))}")
    return recipe


def _submissions(context: Context, project: Project, recipe: Recipe | None) -> bool:
    """Say how each zip is; gives whether one of them is up to date."""
    zips = sorted(project.workspace.submissions.glob("*.zip"))
    states = [_submission_state(project, recipe, path) for path in zips]
    for path, state in zip(zips, states, strict=True):
        context.say(f"submission {path.name}: {state}")
    if not zips:
        context.say("submissions: none")
    return CURRENT in states


def _submission_state(project: Project, recipe: Recipe | None, path: Path) -> str:
    from ensemble.provenance import require_current_submission

    if recipe is None:
        return "stale: there is no recipe that is up to date"
    try:
        require_current_submission(project, recipe, path)
    except EnsembleError as error:
        return f"stale: {error}"
    return CURRENT


def _next(context: Context, project: Project, states: States, tuned: bool, zipped: bool) -> str:
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
    if not tuned:
        return context.command("blend --trials 200") + more
    return (context.command("report") if zipped else submit_command(context)) + more
