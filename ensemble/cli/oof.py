"""`ens oof`: refill the cache of out-of-fold predictions, or import a teammate's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.cli.complete import complete_member
from ensemble.cli.context import Context, ends_in, parse_folds
from ensemble.cli.options import Folds, OnlyMember, OnlyStage
from ensemble.data.tables import write_columns
from ensemble.errors import ConfigError
from ensemble.vocabulary import Stage

app = typer.Typer(
    help="Refill the cache of out-of-fold predictions, or import a teammate's.",
    invoke_without_command=True,
    add_completion=False,
)


@app.callback()
def oof(
    ctx: typer.Context,
    fold: Folds = "all",
    stage: OnlyStage = None,
    member: OnlyMember = None,
    weights: Annotated[
        Path | None, typer.Option(help="A released colorizer's weights file; needs --member.")
    ] = None,
) -> None:
    """Collect the out-of-fold predictions that are missing or stale.

    `ens train` does this at the end of each training; nobody needs to remember it.
    """
    if ctx.invoked_subcommand:
        return
    from ensemble.checkpoint import finished_folds
    from ensemble.oof.collect import collect
    from ensemble.provenance import restoration_for

    context: Context = ctx.obj
    project = context.open_project()
    if weights is not None:
        if member is None:
            raise ConfigError(
                "--weights is the file of one released colorizer; name it by --member"
            )
        from ensemble.networks.colorizers.released import install_weights

        install_weights(member, weights)
    wanted = parse_folds(fold, project.folds.n_folds)
    found = [
        (one, k)
        for one in project.select_members(stage, member)
        for k in finished_folds(project, one)
        if k in wanted
    ]
    if found:
        project.photographs.check(context.progress)
    for one, k in found:
        total = len(project.oof_sample(k))
        with context.progress(f"{one.stage} {one.name} fold {k}", total) as advance:
            restoration = restoration_for(project, one, k)
            archive = collect(project, one, k, restoration=restoration, advance=advance)
        context.say(f"complete: {archive.path}")
    if not found:
        context.say("nothing is trained yet")
    verb = "blend --trials 200" if found else f"train --fold {fold}"
    context.say(f"next: {context.command(verb)}")


@app.command("import")
def import_(
    ctx: typer.Context,
    member: Annotated[
        str,
        typer.Argument(
            help="Name of an external member in ens.toml.", autocompletion=complete_member
        ),
    ],
    stage: Annotated[Stage, typer.Option(help="Its stage.")] = "colorization",
    predictions: Annotated[
        Path | None, typer.Option("--oof", help="Folder or zip of out-of-fold PNGs.")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Folder or zip of test PNGs.")] = None,
) -> None:
    """Import predictions made elsewhere as one more member.

    The member must be in ens.toml: a [[member]] table with `arch = "external"`, and its name in
    the stage's `members`. Its out-of-fold predictions must come from the folds of folds.csv, and
    are due for the photographs that `ens oof sample` lists; what else is there is taken too.
    """
    from ensemble.oof.external import import_oof, import_test

    context: Context = ctx.obj
    project = context.open_project()
    one = project.member(stage, member)
    if predictions is None and test is None:
        raise ConfigError("nothing to import: give --oof, --test, or both")
    archives = []
    if predictions is not None:
        archives += import_oof(project, one, predictions, progress=context.progress)
    if test is not None:
        archives.append(import_test(project, one, test, progress=context.progress))
    for archive in archives:
        context.say(f"wrote {archive.path}")
    context.say(f"next: {context.command('blend --trials 200')}")


@app.command()
def sample(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option(help="CSV to write.", callback=ends_in(".csv"))] = Path(
        "oof-sample.csv"
    ),
) -> None:
    """List the photographs whose out-of-fold predictions are due, with their folds.

    It is what a teammate has to predict for `ens oof import --oof`: each photograph by a model
    that has not learned from its fold.
    """
    context: Context = ctx.obj
    project = context.open_project()
    rows = [(i, k) for k in range(project.folds.n_folds) for i in project.oof_sample(k)]
    write_columns(output, {"image": [i for i, _ in rows], "fold": [k for _, k in rows]})
    context.say(f"wrote {output}: {len(rows)} of {len(project.folds.image_ids)} photographs")
