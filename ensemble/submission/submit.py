"""A submission, whole: predicted, zipped, verified, and certified by a manifest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ensemble.arrays import Rgb, luma
from ensemble.composition.recipe import Recipe
from ensemble.data.masks import masks_digest
from ensemble.data.png import read_rgb
from ensemble.errors import EnsembleError, MissingArtefactError, StaleArtefactError, SubmissionError
from ensemble.manifest import Manifest, digest_bytes, digest_file, read_manifest, write_manifest
from ensemble.metric.score import Score, score
from ensemble.oof.priors import Priors, priors_digest, read_priors
from ensemble.project import Project
from ensemble.provenance import weights_digest
from ensemble.submission.build import build_zip
from ensemble.submission.chain import TestAnswer, predict_test
from ensemble.submission.verify import verify_zip
from ensemble.vocabulary import STAGES
from ensemble.workspace import exclusive_lock

TEST_TARGET = "test_target"


@dataclass(frozen=True)
class Submission:
    """What `submit` made.

    Attributes:
        zip_file: The zip to send.
        manifest_file: What it was made from, beside it.
        answers: Every picture in it, with what it was made from.
        targets: The test targets by image id, where `ens demo` kept them apart; else empty.
        score: Mean score and terms against those targets; None where there are none.
    """

    zip_file: Path
    manifest_file: Path
    answers: list[TestAnswer]
    targets: dict[str, Rgb]
    score: dict[str, float] | None


def submit(
    project: Project, recipe: Recipe, *, name: str, force: bool, advance: Callable[[int], None]
) -> Submission:
    """Predict the test photographs and build the zip.

    Args:
        project: Data, settings and checkpoints.
        recipe: What `read_recipe` gave for this project; it is not validated again.
        name: The zip's name, without its ending.
        force: Replace a zip of that name.
        advance: Told 1 for each photograph and fold that is done.

    Raises:
        MissingArtefactError: A checkpoint, or the hue priors, are missing.
        StaleArtefactError: One of them was made from something else.
        SubmissionError: The zip is there already, or the competition would refuse it.
    """
    path = project.workspace.submission_file(name)
    check_free(path, force=force)
    priors = read_recipe_priors(project, recipe)
    with exclusive_lock(path, what=f"building `{path}`"):
        answers = predict_test(project, recipe, priors, advance=advance)
        names = dict(zip(project.competition.test_ids, project.competition.test_names, strict=True))
        build_zip(path, ((names[a.image_id], a.picture) for a in answers))
        verify_zip(
            path,
            names=project.competition.test_names,
            size=project.competition.size,
            sample=project.competition.sample_submission_names(),
        )
        targets = _targets(project)
        mean = _mean_score(answers, targets)
        manifest_file = path.with_suffix(".json")
        _certify(manifest_file, project, recipe, path, mean)
    return Submission(path, manifest_file, answers, targets, mean)


def check_free(zip_file: Path, *, force: bool) -> None:
    """Refuse to replace a submission unasked, and to replace files that `submit` did not write.

    Args:
        zip_file: The zip to be; its manifest and contact sheet lie beside it.
        force: Whether an earlier submission of that name may go.

    Raises:
        SubmissionError: One of the three is there and may not be replaced.
    """
    manifest_file, sheet = zip_file.with_suffix(".json"), zip_file.with_suffix(".png")
    taken = [path for path in (zip_file, manifest_file, sheet) if path.exists()]
    if taken and not force:
        raise SubmissionError(
            f"a submission is never overwritten unasked, but `{taken[0]}` is there; "
            "give another --name, or --force"
        )
    foreign = [path for path in taken if path != zip_file]
    if foreign and not _is_submission(manifest_file):
        raise SubmissionError(
            f"--force replaces what `ens submit` wrote, but `{foreign[0]}` is something else; "
            "move it away, or give another --name"
        )


def _is_submission(manifest_file: Path) -> bool:
    try:
        return read_manifest(manifest_file).kind == "submission"
    except EnsembleError:
        return False


def require_current(project: Project, recipe: Recipe, zip_file: Path) -> None:
    """Refuse a submission that is not what `submit` would make now.

    Args:
        project: The present data and settings.
        recipe: The present recipe.
        zip_file: The zip, with its manifest beside it.

    Raises:
        MissingArtefactError: It has no manifest.
        StaleArtefactError: It was made from something else.
    """
    remedy = f"run `ens submit --name {zip_file.stem} --force`"
    manifest = read_manifest(zip_file.with_suffix(".json"), remedy=remedy)
    manifest.require(_made_from(project, recipe), name=f"`{zip_file}`", remedy=remedy)


def read_recipe(project: Project) -> Recipe:
    """The recipe, if it was tuned on the present data and folds.

    Raises:
        MissingArtefactError: There is none.
        StaleArtefactError: It is of another version, or tuned on something else.
    """
    path = project.workspace.recipe_file
    if not path.exists():
        raise MissingArtefactError(f"`{path}` is not there; run `ens blend`")
    recipe = Recipe.from_json(path.read_bytes(), name=str(path))
    certificate = Manifest("recipe", recipe.made_from, project.config.seed)
    certificate.require(project.digests, name=f"`{path}`", remedy="run `ens blend` again")
    _require_same_checkpoints(project, recipe)
    return recipe


def read_recipe_priors(project: Project, recipe: Recipe) -> Priors:
    """The hue priors that the recipe counts on; none where its composition moves no hue.

    Raises:
        MissingArtefactError: They are not there.
        StaleArtefactError: They are not those that the recipe was tuned with.
    """
    if recipe.composition.hue == "none":
        return {}
    path = project.workspace.priors_file
    priors = read_priors(path)
    if recipe.made_from.get("priors") != priors_digest(priors):
        raise StaleArtefactError(
            f"the recipe was tuned with other hue priors than those in `{path}`; "
            "run `ens blend` again"
        )
    return priors


def _require_same_checkpoints(project: Project, recipe: Recipe) -> None:
    """Refuse a recipe tuned on other weights than those that would predict now."""
    for stage in STAGES:
        trained = {m.name for m in project.members(stage) if m.kind == "trained"}
        for name in trained & getattr(recipe, stage).weights.keys():
            for fold in recipe.folds:
                key = f"{stage}/{name}/fold-{fold}"
                folder = project.workspace.checkpoint_dir(stage, name, fold)
                if recipe.made_from.get(key) != weights_digest(folder):
                    raise StaleArtefactError(
                        f"the recipe was tuned on other weights of `{key}` than those in "
                        f"`{folder}`; run `ens blend` again"
                    )


def _targets(project: Project) -> dict[str, Rgb]:
    folder = project.workspace.data / TEST_TARGET
    if not folder.is_dir():
        return {}
    competition = project.competition
    named = zip(competition.test_ids, competition.test_names, strict=True)
    return {image_id: read_rgb(folder / file_name) for image_id, file_name in named}


def _mean_score(answers: list[TestAnswer], targets: dict[str, Rgb]) -> dict[str, float] | None:
    if not targets:
        return None
    scores = [_score(answer, targets[answer.image_id]) for answer in answers]
    terms = ("score", "ssim", "masked_ssim", "hue")
    return {term: sum(getattr(one, term) for one in scores) / len(scores) for term in terms}


def _score(answer: TestAnswer, target: Rgb) -> Score:
    lost_mask = answer.damaged != luma(target)
    return score(pred=answer.picture, target=target, lost_mask=lost_mask, name=answer.image_id)


def _certify(
    path: Path, project: Project, recipe: Recipe, zip_file: Path, mean: dict[str, float] | None
) -> None:
    facts = {
        "zip": digest_file(zip_file),
        "pictures": len(project.competition.test_ids),
        "folds": list(recipe.folds),
        "recipe": json.loads(recipe.to_json()),
        "score": mean,
    }
    write_manifest(
        path,
        kind="submission",
        made_from=_made_from(project, recipe),
        seed=project.config.seed,
        facts=facts,
    )


def _made_from(project: Project, recipe: Recipe) -> dict[str, str]:
    """Digests of what a submission depends on; checkpoints and priors are part of the recipe's."""
    return {
        **project.digests,
        "test": project.competition.test_digest(),
        "masks": masks_digest(project.competition),
        "recipe": digest_bytes(recipe.to_json().encode()),
    }
