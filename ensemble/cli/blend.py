"""`ens blend`: tune both stages on the cached predictions and write the recipe."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ensemble.cli.complete import complete_member, complete_recipe
from ensemble.cli.context import Context, parse_folds
from ensemble.cli.options import Folds

if TYPE_CHECKING:
    from ensemble.blending.scores_file import Summary

DEFAULT_SAMPLE = 1000


def blend(
    ctx: typer.Context,
    trials: Annotated[
        int | None, typer.Option(min=0, help="Trials a stage, those of earlier calls included.")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="Search strategy: tpe or greedy.")] = None,
    fold: Folds = "all",
    views: Annotated[
        Literal["stage", "member"], typer.Option(help="One set of views a stage, or a member.")
    ] = "stage",
    sample: Annotated[
        int, typer.Option(min=0, help="Tune and score on this many photographs; 0 for all.")
    ] = DEFAULT_SAMPLE,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything drawn.")] = None,
    jobs: Annotated[
        int, typer.Option(min=1, max=64, help="Trials at once; more than 1 is not reproducible.")
    ] = 1,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Study: a journal file, or a database URL of Optuna. Whoever may write to it "
            "decides what is tried."
        ),
    ] = None,
    force_tuned: Annotated[
        bool, typer.Option("--force-tuned", help="Keep the tuned blend, convincing or not.")
    ] = False,
    member: Annotated[
        list[str] | None,
        typer.Option(
            help="Blend only this member of its stage; may be repeated.",
            autocompletion=complete_member,
        ),
    ] = None,
    evaluate: Annotated[
        Path | None,
        typer.Option(
            help="Only score this recipe beside the kept one.", autocompletion=complete_recipe
        ),
    ] = None,
) -> None:
    """Tune weights, views and composition on out-of-fold predictions.

    Networks run only to fill in missing predictions. The study is continued by the next call, and
    may be shared by several; Ctrl-C keeps the best so far. The plain mean is kept unless the
    tuned blend is convincingly better on photographs it was not tuned on.

    Examples:

        ens blend --trials 200

        ens blend --trials 500 --sampler greedy --views member

        ens blend --trials 500 --storage /shared/study.log

        ens blend --member unet-efficientnet-b1 --member fpn-resnet50

        ens blend --evaluate mine.json
    """
    from ensemble.blending.run import run_blend
    from ensemble.blending.tune import Settings

    context: Context = ctx.obj
    if evaluate is not None:
        _evaluate(context, evaluate, sample, context.config.seed if seed is None else seed)
        return
    config = context.config.replace("blend", trials=trials, sampler=sampler, storage=storage)
    project = context.open_project(config)
    workspace, chosen = context.workspace, config.blend
    settings = Settings(
        trials=chosen.trials,
        sampler=chosen.sampler,
        seed=config.seed if seed is None else seed,
        jobs=jobs,
        storage=chosen.storage or str(workspace.study_file),
        force_tuned=force_tuned,
        sample=sample,
        views_per=views,
    )
    run_blend(
        project,
        parse_folds(fold, project.folds.n_folds),
        settings,
        names=member or (),
        progress=context.progress,
        say=context.say,
        show=partial(_show, context),
    )
    context.say(f"wrote {workspace.recipe_file}")
    context.say(f"wrote {workspace.table_file}")
    context.say(f"next: {context.submit_command()}")


def _show(context: Context, summary: Summary) -> None:
    from ensemble.report.blend_tables import list_sentences, make_tables

    for table in make_tables(summary):
        context.show(table)
    for sentence in list_sentences(summary):
        context.say(sentence)


def _evaluate(context: Context, path: Path, sample: int, seed: int) -> None:
    from ensemble.blending.evaluate import evaluate, read_other_recipe
    from ensemble.report.tables import Table, make_row, number_cell

    project, other = context.open_project(), read_other_recipe(path)
    for found in evaluate(project, other, sample=sample, seed=seed, progress=context.progress):
        title = f"{found.stage}: exact scores on {found.photographs} photographs"
        rows = [
            make_row(name, *map(number_cell, terms.values()))
            for name, terms in (("kept", found.kept), (str(path), found.other))
        ]
        *terms, score = found.kept
        context.show(Table(title, ("recipe", *terms, score), rows, least=tuple(terms[::-1])))
        gain = found.gain
        context.say(
            f"{path} less the kept recipe: {gain.gain:+z.4f}, standard error {gain.error:.4f}, "
            f"95 % interval {gain.low:+z.4f} to {gain.high:+z.4f}"
        )
    context.say(
        "colors are scored on the kept recipe's restored gray. A recipe that was chosen by these "
        "photographs scores too high on them. Nothing was changed"
    )
