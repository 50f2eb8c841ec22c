"""`ens blend`: tune both stages on the cached predictions and write the recipe."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ensemble.cli.context import Context, parse_folds

if TYPE_CHECKING:
    from ensemble.blending.summary import Summary

DEFAULT_SAMPLE = 1000


def blend(
    ctx: typer.Context,
    trials: Annotated[
        int | None, typer.Option(min=0, help="Trials a stage, those of earlier calls included.")
    ] = None,
    sampler: Annotated[
        str | None, typer.Option(help="Search strategy, such as tpe or greedy.")
    ] = None,
    fold: Annotated[
        str, typer.Option(help="0, or 0,2, or 0..4, or all that are finished.")
    ] = "all",
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
        str | None, typer.Option(help="Study: a journal file, or a database URL of Optuna.")
    ] = None,
    force_tuned: Annotated[
        bool, typer.Option("--force-tuned", help="Keep the tuned blend, convincing or not.")
    ] = False,
) -> None:
    """Tune weights, views and composition on out-of-fold predictions.

    Networks run only to fill in missing predictions. The study is continued by the next call, and
    may be shared by several; Ctrl-C keeps the best so far. The plain mean is kept unless the
    tuned blend is convincingly better on photographs it was not tuned on.

    Examples:

        ens blend --trials 200

        ens blend --trials 500 --sampler greedy --views member

        ens blend --trials 500 --storage /shared/study.log
    """
    from ensemble.blending.run import run_blend
    from ensemble.blending.tune import Settings

    context: Context = ctx.obj
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
        context.console.print(table)
    for sentence in list_sentences(summary):
        context.say(sentence)
