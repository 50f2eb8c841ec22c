"""`ens folds`: find near-duplicates, write folds that they cannot leak through, and prove it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from joblib import Parallel, delayed
from numpy.typing import NDArray
from rich.table import Table

from ensemble.cli.context import Context
from ensemble.cli.progress import progress_bar
from ensemble.data.competition import Competition, check_damage
from ensemble.data.folds_csv import read_folds, read_foreign_folds, read_groups, write_folds
from ensemble.data.png import write_png
from ensemble.errors import ConfigError
from ensemble.folds.audit import audit as find_leaks
from ensemble.folds.describe import describe
from ensemble.folds.match import SAME_SCENE, Groups, find_groups, find_pairs
from ensemble.folds.split import Folds, make_strata, measure_traits, split
from ensemble.report.sheets import draw_suspects

DescriptorName = Literal["classical", "none"]

_SHOWN = 5
"""Photographs with unusual damage that are named; of the others only the number is."""


def folds(
    ctx: typer.Context,
    n_folds: Annotated[int | None, typer.Option(help="Number of folds.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Decides which group goes where.")] = None,
    groups: Annotated[
        Path | None, typer.Option(help="CSV of image, label; -1 is like no other.", dir_okay=False)
    ] = None,
    descriptor: Annotated[
        DescriptorName | None, typer.Option(help="How near-duplicates are found.")
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
    competition = Competition.load(context.workspace.data, size=config.data.size, seed=config.seed)
    path = folds_file or context.workspace.folds_file
    if audit:
        _audit(context, competition, path, config.folds.descriptor)
        return
    _write(
        context,
        competition,
        _Wish(
            path=path,
            n_folds=config.folds.n_folds,
            seed=config.seed if seed is None else seed,
            groups=groups,
            descriptor=config.folds.descriptor,
            force=force,
        ),
    )


@dataclass(frozen=True)
class _Wish:
    path: Path
    n_folds: int
    seed: int
    groups: Path | None
    descriptor: DescriptorName
    force: bool


def _write(context: Context, competition: Competition, wish: _Wish) -> None:
    image_ids = competition.train_ids
    labels = read_groups(wish.groups, image_ids) if wish.groups else None
    with_vectors = labels is None and wish.descriptor != "none"
    traits, vectors = _describe(context, competition, with_vectors=with_vectors)
    if labels is None:
        labels = _find(context, wish, image_ids, vectors) if with_vectors else image_ids
    made = split(
        image_ids=image_ids,
        groups=labels,
        n_folds=wish.n_folds,
        seed=wish.seed,
        strata=make_strata(traits),
    )
    _refuse_to_replace(context, wish, made)
    write_folds(wish.path, made)
    context.console.print(_table(made, dict(zip(image_ids, traits, strict=True))))
    context.say(f"wrote {wish.path}: digest {made.digest()[:12]}")
    context.say(f"next: {context.command('train --fold all')}")


def _find(
    context: Context,
    wish: _Wish,
    image_ids: tuple[str, ...],
    vectors: NDArray[Any],
) -> tuple[str, ...]:
    """The group of each photograph, in the order of `image_ids`."""
    pairs = find_pairs(image_ids=image_ids, vectors=vectors)
    # A fold's share is the largest group that leaves folds of equal size possible.
    max_size = max(1, len(image_ids) // max(1, wish.n_folds))
    found = find_groups(pairs=pairs, max_size=max_size)
    _tell_groups(context, found, max_size)
    group_of = dict(zip(found.image_ids, found.labels, strict=True))
    return tuple(group_of[image_id] for image_id in image_ids)


def _tell_groups(context: Context, found: Groups, max_size: int) -> None:
    say = context.say
    say(
        f"found {found.n_groups} groups of near-duplicates and "
        f"{found.n_singletons} single photographs"
    )
    if found.n_cut:
        say(
            f"warning: {found.n_cut} pairs of near-duplicates were torn apart to keep "
            f"groups within a fold's share of {max_size} photographs; see `ens folds --audit`"
        )


def _refuse_to_replace(context: Context, wish: _Wish, made: Folds) -> None:
    """Replace other folds only with --force, and with it only what holds folds."""
    damaged_may_go = wish.force and wish.path == context.workspace.folds_file
    if not wish.path.exists() or damaged_may_go:
        return
    present = read_folds(wish.path)
    if present.digest() != made.digest() and not wish.force:
        raise ConfigError(
            f"`{wish.path}` holds other folds, and all that was trained on them would be stale; "
            "keep them, or replace them with `--force`"
        )


def _audit(context: Context, competition: Competition, path: Path, name: DescriptorName) -> None:
    foreign = read_foreign_folds(path)
    if name == "none":
        raise ConfigError("`--audit` needs `--descriptor classical`, but got none")
    _, vectors = _describe(context, competition, with_vectors=True)
    pairs = find_pairs(image_ids=competition.train_ids, vectors=vectors)
    found = find_leaks(folds=foreign, pairs=pairs)
    say = context.say
    for suspect in found.suspects[:5]:
        say(
            f"{suspect.similarity:.3f}  {suspect.first} (fold {suspect.first_fold})  "
            f"{suspect.second} (fold {suspect.second_fold})"
        )
    say(
        f"{found.n_leaks} pairs of near-duplicates across folds, {found.n_leaking} of "
        f"{found.n_photographs} photographs leak (similarity {SAME_SCENE:.2f} or more)"
    )
    if found.suspects:
        picture = path.with_name(f"{path.stem}-suspects.png")
        write_png(picture, draw_suspects(found, competition.target))
        context.say(f"wrote {picture}")
    if found.n_leaks:
        again = context.command("folds --force")
        context.say(f"next: {again}, or look at the picture and judge")
        raise typer.Exit(1)
    context.say(f"next: {context.command('train --fold all')}")


def _describe(
    context: Context, competition: Competition, *, with_vectors: bool
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Decode every training photograph once: (N, 3) traits and (N, LENGTH or 0) vectors."""

    def describe_one(image_id: str) -> tuple[NDArray[np.float64], NDArray[Any], str | None]:
        sample = competition.train_sample(image_id)
        warning = check_damage(sample)
        traits = measure_traits(target=sample.target, lost_mask=sample.lost_mask)
        return traits, describe(sample.target) if with_vectors else np.empty(0), warning

    image_ids = competition.train_ids
    traits, vectors, warnings = [], [], []
    jobs = (delayed(describe_one)(image_id) for image_id in image_ids)
    described = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(jobs)
    with progress_bar(context.console, "describing photographs", len(image_ids)) as advance:
        for row, vector, warning in described:
            traits.append(row)
            vectors.append(vector)
            warnings += [warning] if warning else []
            advance(1)
    for warning in warnings[:_SHOWN]:
        context.say(f"warning: {warning}")
    if len(warnings) > _SHOWN:
        context.say(f"warning: {len(warnings) - _SHOWN} more photographs with unusual damage")
    return np.stack(traits), np.stack(vectors)


def _table(made: Folds, traits: dict[str, NDArray[np.float64]]) -> Table:
    table = Table(title="folds")
    for heading in ("fold", "photographs", "groups", "brightness", "colorfulness", "damaged"):
        table.add_column(heading, justify="right")
    for k in range(made.n_folds):
        ids = made.validation(k)
        bright, colorful, damaged = np.mean([traits[image_id] for image_id in ids], axis=0)
        n_groups = len({made.group_of[image_id] for image_id in ids})
        cells = (k, len(ids), n_groups, f"{bright:.1f}", f"{colorful:.1f}", f"{damaged:.1%}")
        table.add_row(*map(str, cells))
    return table
