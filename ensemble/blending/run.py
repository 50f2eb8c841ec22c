"""Tune both stages of a project and write the recipe: the work of `ens blend`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

from ensemble.blending.decide.ablation import ablate
from ensemble.blending.evidence import ArchivedEvidence, fit_priors
from ensemble.blending.lineup import Lineup, choose_lineup
from ensemble.blending.samplers import check_sampler
from ensemble.blending.scores_file import Summary, to_json
from ensemble.blending.space import SearchSpace
from ensemble.blending.summary import summarize
from ensemble.blending.tune import Settings, Tuned, tune
from ensemble.composition.recipe import Composition, Recipe, StageRecipe
from ensemble.files import atomic_write
from ensemble.folds.sample import sample_groups
from ensemble.members import Member
from ensemble.oof.collect import collect, restore
from ensemble.oof.priors import Priors, unfitted_priors, write_priors
from ensemble.parallel import Advance, Progress, Say, silent
from ensemble.project import Project
from ensemble.provenance import check_sources, recipe_digest, recipe_digests

Show = Callable[[Summary], None]


def run_blend(
    project: Project,  # data, folds, settings and trainings
    folds: Sequence[int],  # folds that may be used
    settings: Settings,  # how to tune
    *,
    names: Sequence[str] = (),  # members that may be used; see `choose_lineup`
    progress: Progress = silent,  # opens a progress bar
    say: Say = lambda _: None,  # called with each sentence for the user
    show: Show = lambda _: None,  # called with the summary of each stage, once it is tuned
) -> Recipe:
    """Tune stage 1, then stage 2 on the restored gray that it makes, and write the recipe.

    Missing predictions are collected first. The recipe, the hue priors and the scores are written
    at the end, so an error or a second Ctrl-C leaves those of an earlier call.

    Raises:
        ConfigError: There is no such sampler, storage, member or `prior_encoder`.
        MissingArtefactError: No fold is finished in both stages, or weights or imports are gone.
        StaleArtefactError: They were made from something else, or changed afterwards.
        WeightsError: The weights of `prior_encoder` cannot be had.
    """
    check_sampler(settings.sampler)
    # What is refused is refused before minutes of tuning.
    unfitted = unfitted_priors(project)
    lineup = choose_lineup(project, folds, names)
    say(f"folds: {', '.join(map(str, lineup.folds))}")
    for stage, chosen in lineup.members.items():
        say(f"{stage}: {', '.join(member.name for member in chosen)}")
    for sentence in lineup.left_out:
        say(sentence)
    members = [member for of_stage in lineup.members.values() for member in of_stage]
    check_sources(project, members, lineup.folds, progress)
    project.photographs.check(progress)
    run = _Run(project, lineup, unfitted, settings, progress, say, show)
    first, first_summary = run.tune_restoration()
    priors, second, second_summary = run.tune_colorization(first)
    digest = priors.digest()
    recipe = Recipe(
        restoration=first.kept.recipe,
        colorization=second.kept.recipe,
        composition=second.kept.composition,
        folds=lineup.folds,
        made_from=recipe_digests(project, members, lineup.folds, priors=digest),
    )
    workspace = project.workspace
    write_priors(workspace.priors_file, priors)
    atomic_write(workspace.recipe_file, recipe.to_json())
    summaries = {"restoration": first_summary, "colorization": second_summary}
    atomic_write(workspace.table_file, to_json(summaries, recipe=recipe_digest(recipe)))
    return recipe


@dataclass(frozen=True, eq=False)
class _Run:
    """What both stages share."""

    project: Project
    lineup: Lineup
    unfitted: Priors
    settings: Settings
    progress: Progress
    say: Say
    show: Show

    def tune_restoration(self) -> tuple[Tuned, Summary]:
        members, folds = self.lineup.members["restoration"], self.lineup.folds
        self._collect(members, None)
        evidence = ArchivedEvidence(self.project, members, folds)
        space = SearchSpace(
            views=evidence.views,
            fixed=Composition(hue="none"),
            views_per=self.settings.views_per,
            minimum_risk=sum(map(len, evidence.views.values())) > 1,
            untrained=frozenset(member.name for member in members if member.kind == "fixed"),
        )
        return self._tune(evidence, space, self.settings)

    def tune_colorization(self, first: Tuned) -> tuple[Priors, Tuned, Summary]:
        members, folds = self.lineup.members["colorization"], self.lineup.folds
        recipe, settings = first.kept.recipe, self.settings
        for fold in folds:
            with self._bar("restoring", fold) as advance:
                restore(self.project, fold, recipe, advance=advance)
        self._collect(members, recipe)
        priors = fit_priors(self.project, folds, self.unfitted)
        evidence = ArchivedEvidence(self.project, members, folds, restoration=recipe, priors=priors)
        pictures = [v for m in members if m.output == "rgb" for v in m.views]
        space = SearchSpace(
            views=evidence.views,
            histogram_members=evidence.histogram_members,
            # Of one picture each way to blend makes the same.
            chroma=("mean", "median", "preserving") if len(pictures) > 1 else (),
            hue=("none", "score", "natural"),
            data_range=("full", "as-is"),
            views_per=settings.views_per,
        )
        if first.found.missing:
            self.say("interrupted: colorization is not searched, its plain blends are compared")
            settings = replace(settings, trials=0)
        return priors, *self._tune(evidence, space, settings)

    def _tune(
        self, evidence: ArchivedEvidence, space: SearchSpace, settings: Settings
    ) -> tuple[Tuned, Summary]:
        drawn = sample_groups(
            evidence.folds, evidence.groups, count=settings.sample, seed=settings.seed
        )
        if len(drawn) < len(evidence.folds):
            self.say(
                f"{evidence.stage}: tuned and scored on {len(drawn)} of {len(evidence.folds)} "
                "photographs, whole groups drawn at random (--sample)"
            )
        tuned = tune(evidence, space, drawn, settings, progress=self.progress, say=self.say)
        with self.progress(f"{evidence.stage}: leaving out each member", len(drawn)) as advance:
            ablation = ablate(evidence, tuned.kept, drawn, advance)
        summary = summarize(evidence, tuned, ablation)
        self.show(summary)
        return tuned, summary

    def _collect(self, members: Sequence[Member], restoration: StageRecipe | None) -> None:
        """Collect what is missing or was made from another blend of stage 1."""
        fill = partial(collect, self.project, restoration=restoration, wait=True)
        for member, fold in product(members, self.lineup.folds):
            with self._bar(f"collecting {member.stage} {member.name}", fold) as advance:
                fill(member, fold, advance=advance)

    def _bar(self, what: str, fold: int) -> AbstractContextManager[Advance]:
        return self.progress(f"{what} fold {fold}", len(self.project.oof_sample(fold)))
