"""`ens folds`: find near-duplicates, write folds that they cannot leak through, and prove it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ensemble.cli.context import Context
from ensemble.data.folding import MadeFolds, audit_folds, make_folds, require_replaceable
from ensemble.data.folds_csv import read_foreign_folds, read_groups, write_folds
from ensemble.data.photographs import Photographs
from ensemble.data.png import write_png
from ensemble.errors import ConfigError
from ensemble.folds.match import SAME_SCENE
from ensemble.project import open_photographs
from ensemble.report.fold_table import table_folds
from ensemble.report.sheets import draw_suspects
from ensemble.vocabulary import counted

_SHOWN = 5
"""Suspects, and photographs with unusual damage, that are named."""


def folds(
    ctx: typer.Context,
    n_folds: Annotated[int | None, typer.Option(help="Number of folds.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Decides which group goes where.")] = None,
    groups: Annotated[
        Path | None, typer.Option(help="CSV of image, label; -1 is like no other.", dir_okay=False)
    ] = None,
    descriptor: Annotated[
        Literal["classical", "none"] | None, typer.Option(help="How near-duplicates are found.")
    ] = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Look for leaks; exits with 1 if there are any.")
    ] = False,
    folds_file: Annotated[
        Path | None, typer.Option(help="Folds to write or to audit; else folds.csv.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace other folds.")] = False,
) -> None:
    """Write folds.csv: photographs of one scene in one fold, folds of equal size and difficulty.

    Options that are not given come from ens.toml. With --audit nothing is split: the folds that
    are there, or anybody's CSV of image_id and fold, are searched for near-duplicates that lie in
    different folds, and the top suspects are drawn.

    Examples:

        ens folds

        ens folds --groups clusters.csv --n-folds 4

        ens folds --audit --folds-file plain_kfold.csv
    """
    context: Context = ctx.obj
    config = context.config.replace("folds", n_folds=n_folds, descriptor=descriptor)
    photographs = open_photographs(context.workspace, config)
    path = folds_file or context.workspace.folds_file
    if audit:
        if config.folds.descriptor == "none":
            raise ConfigError("`--audit` needs `--descriptor classical`, but got none")
        _audit(context, photographs, path)
        return
    following = context.command_after_folds()  # refuses unknown members before anything is written
    made = make_folds(
        photographs,
        n_folds=config.folds.n_folds,
        seed=config.seed if seed is None else seed,
        labels=read_groups(groups, photographs.competition.train_ids) if groups else None,
        find_duplicates=config.folds.descriptor != "none",
        progress=context.progress,
    )
    _tell(context, made)
    ours = path == context.workspace.folds_file
    require_replaceable(path, made.folds, force=force, damaged_too=ours)
    write_folds(path, made.folds)
    context.show(table_folds(made.folds, made.traits))
    context.say(f"wrote {path}: digest {made.folds.digest()[:12]}")
    context.say(f"next: {following}")


def _tell(context: Context, made: MadeFolds) -> None:
    say = context.say
    for warning in made.warnings[:_SHOWN]:
        say(f"warning: {warning}")
    if len(made.warnings) > _SHOWN:
        say(f"warning: {len(made.warnings) - _SHOWN} more photographs with unusual damage")
    if made.groups is None:
        return
    say(
        f"found {counted(made.groups.n_groups, 'group')} of near-duplicates and "
        f"{counted(made.groups.n_singletons, 'single photograph')}"
    )
    if made.groups.n_cut:
        say(
            f"warning: {counted(made.groups.n_cut, 'pair')} of near-duplicates torn apart to keep "
            f"groups within a fold's share of {made.max_size} photographs; see `ens folds --audit`"
        )


def _audit(context: Context, photographs: Photographs, path: Path) -> None:
    found = audit_folds(photographs, read_foreign_folds(path), context.progress)
    say = context.say
    say(
        f"{counted(found.n_leaks, 'pair')} of near-duplicates across folds, {found.n_leaking} of "
        f"{found.n_photographs} photographs leak (similarity {SAME_SCENE:.2f} or more)"
    )
    if found.suspects:
        say("the most alike, by similarity:")
        for suspect in found.suspects[:_SHOWN]:
            say(
                f"{suspect.similarity:.3f}  {suspect.first} (fold {suspect.first_fold})  "
                f"{suspect.second} (fold {suspect.second_fold})"
            )
        picture = path.with_name(f"{path.stem}-suspects.png")
        write_png(picture, draw_suspects(found, photographs.target))
        say(f"wrote {picture}")
    if found.n_leaks:
        say(f"next: {context.command('folds --force')}, or look at the picture and judge")
        raise typer.Exit(1)
    say(f"next: {context.command_after_folds()}")
