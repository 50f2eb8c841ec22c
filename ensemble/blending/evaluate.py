"""Score a recipe made by hand out of fold, beside the one that is kept; nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ensemble.blending.candidate import Candidate, mean_terms, score_exactly
from ensemble.blending.decide.cross_fit import PairedGain, measure_gain
from ensemble.blending.evidence import ArchivedEvidence
from ensemble.composition.recipe import Composition, Recipe
from ensemble.errors import ConfigError
from ensemble.folds.sample import sample_groups
from ensemble.metric.score import weigh
from ensemble.oof.priors import Priors, read_recipe_priors
from ensemble.parallel import Progress, silent
from ensemble.project import Project
from ensemble.provenance import read_recipe, read_recipe_file
from ensemble.vocabulary import STAGES, Stage


@dataclass(frozen=True)
class Evaluated:
    """One stage of two recipes on the same photographs: mean scores, and the other's gain."""

    stage: Stage
    photographs: int
    kept: Mapping[str, float]
    other: Mapping[str, float]
    gain: PairedGain


def read_other_recipe(path: Path) -> Recipe:
    """Read a recipe made by hand; StaleArtefactError where it is none."""
    if not path.exists():
        raise ConfigError(f"`{path}` is not there; copy oof/recipe.json to it, and edit the copy")
    return read_recipe_file(path)


def evaluate(
    project: Project, other: Recipe, *, sample: int, seed: int, progress: Progress = silent
) -> list[Evaluated]:
    """Score both stages of a recipe, of any members of the project, beside those of the kept one.

    Colors are scored on the restored gray of the kept recipe, which is the one that is archived.
    The photographs are `sample` of them in whole groups, drawn as in blending; 0 for all.

    Raises:
        ConfigError: `other` names another member or other folds than the project has.
        MissingArtefactError: There is no recipe, or predictions of a member are missing.
        StaleArtefactError: One of them was made from something else.
    """
    kept = read_recipe(project)
    if set(other.folds) != set(kept.folds):
        raise ConfigError(
            f"`folds` must be those of the kept recipe, {list(kept.folds)}, but are "
            f"{list(other.folds)}; put them back"
        )
    moving = kept.model_copy(update={"composition": Composition()})
    hues = {recipe.composition.hue for recipe in (kept, other)}
    priors = read_recipe_priors(project, moving) if hues != {"none"} else Priors()
    found = []
    for stage in STAGES:
        recipes = [getattr(recipe, stage) for recipe in (kept, other)]
        names = dict.fromkeys(name for recipe in recipes for name in recipe.weights)
        members = [project.member(stage, name) for name in names]
        colored = stage == "colorization"
        evidence = ArchivedEvidence(
            project,
            members,
            kept.folds,
            restoration=kept.restoration if colored else None,
            priors=priors if colored else None,
        )
        options = [r.composition if colored else Composition() for r in (kept, other)]
        candidates = list(map(Candidate, recipes, options))
        ids = sample_groups(evidence.folds, evidence.groups, count=sample, seed=seed)
        with progress(f"{stage}: scoring both recipes", len(ids)) as advance:
            terms = score_exactly(evidence, candidates, ids, advance)
        scores = weigh(stage, terms)
        groups = [evidence.groups[image_id] for image_id in ids]
        gain = measure_gain(scores[1] - scores[0], groups, seed=seed)
        first, second = (mean_terms(stage, each) for each in terms)
        found.append(Evaluated(stage, len(ids), first, second, gain))
    return found
