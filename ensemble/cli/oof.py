"""`ens oof`: refill the cache of out-of-fold predictions, or import a teammate's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ensemble.cli.context import Context
from ensemble.cli.folds_option import parse_folds
from ensemble.cli.progress import progress_bar
from ensemble.errors import ConfigError, unknown_name
from ensemble.vocabulary import STAGES, Stage

if TYPE_CHECKING:
    from ensemble.members import Member
    from ensemble.project import Project

app = typer.Typer(
    help="Refill the cache of out-of-fold predictions, or import a teammate's.",
    invoke_without_command=True,
    add_completion=False,
)


@app.callback()
def oof(
    ctx: typer.Context,
    fold: Annotated[str, typer.Option(help="0, or 0,2, or 0..4, or all.")] = "all",
    stage: Annotated[Stage | None, typer.Option(help="Only this stage.")] = None,
    member: Annotated[str | None, typer.Option(help="Only this member.")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="A released colorizer's weights file; needs --member.")
    ] = None,
) -> None:
    """Collect the out-of-fold predictions that are missing or stale.

    `ens train` does this at the end of each training; nobody needs to remember it.
    """
    if ctx.invoked_subcommand:
        return
    from ensemble.oof.collect import collect
    from ensemble.provenance import finished_folds, restoration_for

    context: Context = ctx.obj
    project = context.open_project()
    if weights is not None:
        _install(member, weights)
    wanted = parse_folds(fold, project.folds.n_folds)
    jobs = [
        (one, k)
        for one in _chosen(project, stage, member)
        for k in finished_folds(project, one)
        if k in wanted
    ]
    if jobs:
        project.photographs.prepare(partial(progress_bar, context.console))
    for one, k in jobs:
        total = len(project.folds.validation(k))
        with progress_bar(context.console, f"{one.stage} {one.name} fold {k}", total) as advance:
            restoration = restoration_for(project, one, k)
            archive = collect(project, one, k, restoration=restoration, advance=advance)
        context.say(f"complete: {archive.path}")
    if not jobs:
        context.say("nothing is trained yet")
    context.say(
        f"next: {context.command('blend --trials 200' if jobs else f'train --fold {fold}')}"
    )


def _chosen(project: Project, stage: Stage | None, member: str | None) -> list[Member]:
    members = [
        one
        for one_stage in STAGES
        if stage in (None, one_stage)
        for one in project.members(one_stage)
        if one.kind != "external"
    ]
    chosen = [one for one in members if member in (None, one.name)]
    if member is not None and not chosen:
        what = f"{stage} member" if stage else "member"
        raise ConfigError(unknown_name(f"{what} to collect", member, [one.name for one in members]))
    return chosen


def _install(member: str | None, weights: Path) -> None:
    from ensemble.networks.colorizers.released import install_weights

    if member is None:
        raise ConfigError("--weights is the file of one released colorizer; name it by --member")
    install_weights(member, weights)


@app.command("import")
def import_(
    ctx: typer.Context,
    member: Annotated[str, typer.Argument(help="Name of an external member in ens.toml.")],
    stage: Annotated[Stage, typer.Option(help="Its stage.")] = "colorization",
    predictions: Annotated[
        Path | None, typer.Option("--oof", help="Folder or zip of out-of-fold PNGs.")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Folder or zip of test PNGs.")] = None,
) -> None:
    """Import predictions made elsewhere as one more member.

    The member must be in ens.toml: a [[member]] table with `arch = "external"`, and its name in
    the stage's `members`. Its out-of-fold predictions must come from the folds of folds.csv.
    """
    from ensemble.oof.external import import_oof, import_test

    context: Context = ctx.obj
    project = context.open_project()
    known = {one.name: one for one in project.members(stage)}
    if member not in known:
        raise ConfigError(
            f"`{member}` must be one of the {stage} members in ens.toml, {sorted(known)}"
        )
    if predictions is None and test is None:
        raise ConfigError("nothing to import: give --oof, --test, or both")
    if predictions is not None:
        total = len(project.folds.image_ids)
        with progress_bar(context.console, "importing predictions", total) as advance:
            for archive in import_oof(project, known[member], predictions, advance=advance):
                context.say(f"wrote {archive.path}")
    if test is not None:
        total = len(project.competition.test_ids)
        with progress_bar(context.console, "importing test predictions", total) as advance:
            archive = import_test(project, known[member], test, advance=advance)
        context.say(f"wrote {archive.path}")
    context.say(f"next: {context.command('blend --trials 200')}")
