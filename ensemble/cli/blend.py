"""`ens blend`: tune both stages on the cached predictions, and keep what the evidence supports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ensemble.cli.context import Context
from ensemble.cli.folds_option import parse_folds
from ensemble.cli.progress import progress_bar
from ensemble.cli.submit import submit_command
from ensemble.errors import LockedError

if TYPE_CHECKING:
    from ensemble.blending.evidence import Evidence
    from ensemble.blending.lineup import Lineup
    from ensemble.blending.space import SearchSpace
    from ensemble.blending.tune import Settings, Tuned
    from ensemble.composition.recipe import Recipe, StageRecipe
    from ensemble.members import Member
    from ensemble.oof.priors import Priors
    from ensemble.project import Project

DEFAULT_SAMPLE = 1000
RETRY_SECONDS = 2.0

Sampler = Literal["tpe", "cma-es", "random", "greedy", "local"]


def blend(
    ctx: typer.Context,
    trials: Annotated[
        int | None, typer.Option(min=0, help="Trials a stage, those of earlier calls included.")
    ] = None,
    sampler: Annotated[Sampler | None, typer.Option(help="Search strategy.")] = None,
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
        str | None,
        typer.Option(help="Study: a SQLite file, journal:///PATH, or a database URL."),
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

        ens blend --trials 500 --sampler cma-es --jobs 4

        ens blend --trials 500 --storage journal:///shared/blend.log
    """
    from ensemble.blending.lineup import choose_lineup

    context: Context = ctx.obj
    config = context.config.replace("blend", trials=trials, sampler=sampler)
    project = context.open_project(config)
    lineup = choose_lineup(project, parse_folds(fold, project.folds.n_folds))
    members = lineup.members
    _say_lineup(context, lineup)
    project.photographs.prepare(partial(progress_bar, context.console))
    settings = _settings(context, project, seed, jobs, storage, force_tuned=force_tuned)
    run = _Run(context, project, lineup.folds, settings, sample, views)
    first = run.restoration(members["restoration"])
    second = run.colorization(members["colorization"], first)
    _write(context, run, members, first, second)


@dataclass(frozen=True)
class _Stage:
    """One stage, tuned."""

    tuned: Tuned
    summary: dict[str, Any]
    priors: Priors


@dataclass(frozen=True, eq=False)
class _Run:
    """What both stages of one call share."""

    context: Context
    project: Project
    folds: tuple[int, ...]
    settings: Settings
    sample: int
    views_per: Literal["stage", "member"]

    def restoration(self, members: Sequence[Member]) -> _Stage:
        from ensemble.blending.archived import ArchivedEvidence
        from ensemble.blending.space import SearchSpace
        from ensemble.composition.recipe import Composition

        self._collect(members, None)
        evidence = ArchivedEvidence(self.project, members, self.folds)
        space = SearchSpace(
            views=evidence.views, fixed=Composition(hue="none"), views_per=self.views_per
        )
        return self._tune(evidence, space, {}, self.settings)

    def colorization(self, members: Sequence[Member], first: _Stage) -> _Stage:
        from ensemble.blending.archived import ArchivedEvidence, fold_priors
        from ensemble.blending.space import SearchSpace

        recipe = first.tuned.kept.recipe
        self._collect(members, recipe)
        priors = fold_priors(self.project, self.folds, threads=self.settings.threads)
        evidence = ArchivedEvidence(
            self.project, members, self.folds, restoration=recipe, priors=priors
        )
        space = SearchSpace(
            views=evidence.views,
            voters=evidence.voters,
            chroma=("mean", "median", "preserving"),
            hue=("none", "score", "natural"),
            data_range=("full", "as-is"),
            views_per=self.views_per,
        )
        settings = self.settings
        if first.tuned.found.missing:
            self.say("interrupted: colorization is not searched, its plain blends are compared")
            settings = replace(settings, trials=0)
        return self._tune(evidence, space, priors, settings)

    def _tune(
        self, evidence: Evidence, space: SearchSpace, priors: Priors, settings: Settings
    ) -> _Stage:
        from ensemble.blending.evidence import sample_groups
        from ensemble.blending.tune import tune
        from ensemble.blending.worth import worth
        from ensemble.report.blend_tables import sentences, stage_tables, summary

        drawn = sample_groups(
            evidence.folds, evidence.groups, count=self.sample, seed=self.settings.seed
        )
        if len(drawn) < len(evidence.folds):
            self.say(
                f"{evidence.stage}: tuned and scored on {len(drawn)} of {len(evidence.folds)} "
                "photographs, whole groups drawn at random (--sample)"
            )
        tuned = tune(evidence, space, drawn, settings, progress=self.bar)
        with self.bar(f"{evidence.stage}: taking the blend apart", len(drawn)) as advance:
            apart = worth(evidence, tuned.kept, drawn, jobs=self.settings.threads, advance=advance)
        found = summary(evidence, tuned, apart)
        for table in stage_tables(found):
            self.context.console.print(table)
        for sentence in sentences(found):
            self.say(sentence)
        return _Stage(tuned, found, priors)

    def _collect(self, members: Sequence[Member], restoration: StageRecipe | None) -> None:
        """Collect what is missing or was made from another blend of stage 1."""
        from ensemble.oof.collect import collect, restore

        for fold in self.folds if restoration else ():
            total = len(self.project.folds.validation(fold))
            with self.bar(f"restoring fold {fold}", total) as advance:
                assert restoration
                restore(self.project, fold, restoration, advance=advance)
        for member in members:
            for fold in self.folds:
                what = f"collecting {member.stage} {member.name} fold {fold}"
                total = len(self.project.folds.validation(fold))
                with self.bar(what, total) as advance:
                    _when_free(
                        lambda m=member, k=fold, tell=advance: collect(  # type: ignore[misc]
                            self.project, m, k, restoration=restoration, advance=tell
                        )
                    )

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        with progress_bar(self.context.console, what, total) as advance:
            yield advance

    def say(self, text: str) -> None:
        self.context.console.print(text, highlight=False, markup=False)


def _settings(
    context: Context,
    project: Project,
    seed: int | None,
    jobs: int,
    storage: str | None,
    *,
    force_tuned: bool,
) -> Settings:
    from ensemble.blending.tune import Settings

    blending = project.config.blend
    chosen = project.config.seed if seed is None else seed
    return Settings(
        trials=blending.trials,
        sampler=blending.sampler,
        seed=chosen,
        jobs=jobs,
        storage=storage or blending.storage or str(context.workspace.study_file),
        force_tuned=force_tuned,
    )


def _when_free(collect: Callable[[], object]) -> None:
    """Wait while another process collects the same: two may tune one study at once."""
    while True:
        try:
            collect()
        except LockedError:
            time.sleep(RETRY_SECONDS)
        else:
            return


def _say_lineup(context: Context, lineup: Lineup) -> None:
    context.say(f"folds: {', '.join(map(str, lineup.folds))}")
    for stage, chosen in lineup.members.items():
        context.say(f"{stage}: {', '.join(member.name for member in chosen)}")
    for sentence in lineup.left_out:
        context.say(sentence)


def _write(context: Context, run: _Run, members: Any, first: _Stage, second: _Stage) -> None:
    from ensemble.oof.priors import write_priors
    from ensemble.report.blend_tables import to_json
    from ensemble.workspace import atomic_write

    recipe = _recipe(run, members, first, second)
    workspace = context.workspace
    write_priors(workspace.priors_file, second.priors)
    atomic_write(workspace.recipe_file, recipe.to_json())
    summaries = {"restoration": first.summary, "colorization": second.summary}
    atomic_write(workspace.table_file, to_json(summaries))
    context.say(f"wrote {workspace.recipe_file}")
    context.say(f"wrote {workspace.table_file}")
    context.say(f"next: {submit_command(context)}")


def _recipe(run: _Run, members: Any, first: _Stage, second: _Stage) -> Recipe:
    from ensemble.composition.recipe import Recipe
    from ensemble.oof.priors import priors_digest
    from ensemble.provenance import recipe_digests

    read = [member for chosen in members.values() for member in chosen]
    return Recipe(
        restoration=first.tuned.kept.recipe,
        colorization=second.tuned.kept.recipe,
        composition=second.tuned.kept.composition,
        folds=run.folds,
        made_from=recipe_digests(run.project, read, run.folds, priors=priors_digest(second.priors)),
    )
