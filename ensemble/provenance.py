"""What each artefact was made from, and the refusal of one that was made from something else.

    data, folds, settings, member        -> checkpoint of a fold
    data, epochs, settings, member       -> checkpoint of all photographs
    weights, views, locator, fill        -> archive of stage 1
    archives of stage 1 and their blend  -> restored gray
    weights, restored gray               -> archive of stage 2
    weights, imports, priors             -> recipe
    recipe, test photographs, masks      -> zip; and the checkpoints of all photographs, if asked

Weights are those of a checkpoint (`ensemble.checkpoint`), or an ONNX file.

Each `..._digests` function gives the present digests of what an artefact depends on, by name. They
are written into its manifest when it is made and compared before it is used. They raise
MissingArtefactError where something it depends on is not there, and StaleArtefactError where that
was itself made from something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from ensemble.checkpoint import (
    WEIGHTS,
    checkpoint_digests,
    finished_folds,
    other_weights,
    read_checkpoint,
)
from ensemble.composition.recipe import Recipe, StageRecipe
from ensemble.data.digests import digest_files
from ensemble.data.facts import locator_digest
from ensemble.data.photographs import masks_digest
from ensemble.errors import DataError, MissingArtefactError, StaleArtefactError
from ensemble.manifest import (
    MANIFEST,
    digest_bytes,
    digest_file,
    digest_json,
    read_manifest,
    require_same,
    tell_other_file,
)
from ensemble.members import Member
from ensemble.parallel import Progress, silent
from ensemble.project import Project
from ensemble.reading import read_bytes
from ensemble.vocabulary import FULL, STAGES, TURNS, Fold

CONTENT = "content"
"""What a manifest calls the digest of imported pictures."""


def check_sources(
    project: Project, members: Iterable[Member], folds: Sequence[int], progress: Progress = silent
) -> None:
    """Refuse weights, ONNX files and imports that members cannot predict from.

    Weights are read, once as long as they are not written to: a bar is shown.

    Raises:
        MissingArtefactError: One is missing.
        StaleArtefactError: One is another, or was made from something else.
    """
    noted: dict[Path, tuple[Member, int, str]] = {}
    for member, fold, digest in _source_digests(project, members, folds):
        if member.kind == "trained":
            noted[project.folder(member, fold) / WEIGHTS] = member, fold, digest
    if not noted:
        return
    folder = project.workspace.checkpoints
    found = digest_files(noted, folder=folder, what="checking weights", progress=progress)
    for (member, fold, digest), present in zip(noted.values(), found.values(), strict=True):
        if present != digest:
            raise other_weights(project, member, fold)


def archive_digests(
    project: Project, member: Member, fold: int, restoration: StageRecipe | None
) -> dict[str, str]:
    """The digests that the manifest of an archive of predictions for a fold must carry.

    `restoration` is the blend of stage 1 that stage 2 was shown; None for stage 1.
    """
    checkpoint = checkpoint_digests(project, member, fold)
    settings = checkpoint.pop("settings")
    digests = {**checkpoint, "views": _views_digest()}
    if member.kind == "external":
        return {**digests, "name": member.name}
    digests["locator"] = locator_digest()
    if member.file:
        digests["file"] = _source_digest(project, member, fold)
    if member.kind == "trained":
        digests["checkpoint"] = _source_digest(project, member, fold)
        digests["settings"] = settings
    if member.stage == "colorization":
        digests["restoration"] = digest_json(restored_digests(project, fold, restoration))
    return digests


def restored_digests(
    project: Project, fold: int, restoration: StageRecipe | None
) -> dict[str, str]:
    """The digests that the archive of a fold's restored gray must carry.

    `restoration` is the blend of stage 1; None where no restoration member has finished.
    """
    if restoration is None:
        raise MissingArtefactError(
            "colorization needs a blend of restoration to start from; train a restoration member "
            f"of fold {fold} first: `ens train --stage restoration --fold {fold}`"
        )
    sources = {
        name: read_manifest(
            project.workspace.oof_dir("restoration", name, fold) / MANIFEST,
            "oof",
            remedy=f"run `ens oof --stage restoration --fold {fold}`",
        ).made_from
        for name in sorted(restoration.weights)
    }
    return {
        **project.digests,
        "fold": str(fold),
        "locator": locator_digest(),
        "restoration": digest_json(restoration.model_dump(mode="json")),
        "archives": digest_json(sources),
    }


def external_test_digests(project: Project, member: Member) -> dict[str, str]:
    """The digests that the archive of an external member's test predictions must carry."""
    return {
        "test": project.competition.test_digest(),
        "member": member.digest(),
        "name": member.name,
        "views": _views_digest(),
    }


def restoration_for(project: Project, member: Member, fold: int) -> StageRecipe | None:
    """The blend of stage 1 that a member's archive starts from.

    The tuned recipe's where one is there and covers the fold; else the plain mean of the
    restoration members that have finished the fold, with every view that each predicts.

    Returns:
        The blend; None for a member of stage 1, and where no restoration member has finished.
    """
    if member.stage == "restoration":
        return None
    path = project.workspace.recipe_file
    if path.exists():
        recipe = read_recipe_file(path)
        if fold in recipe.folds:
            return recipe.restoration
    done = [m for m in project.members("restoration") if fold in finished_folds(project, m)]
    if not done:
        return None
    # The very recipe that `ens blend` has for the plain mean: else it would collect stage 2 again.
    return StageRecipe.mean_of({member.name: member.views for member in done})


def recipe_digest(recipe: Recipe) -> str:
    """SHA-256 of a recipe."""
    return digest_bytes(recipe.to_json().encode())


def recipe_digests(
    project: Project, members: Iterable[Member], folds: Sequence[int], *, priors: str
) -> dict[str, str]:
    """The digests of what a recipe is tuned on: these members' predictions of these folds.

    `priors` is the digest of the hue priors.
    """
    surroundings = {**_recipe_surroundings(project), "priors": priors}
    sources = _source_digests(project, members, folds)
    return surroundings | {_source_key(member, fold): digest for member, fold, digest in sources}


def read_recipe_file(path: Path) -> Recipe:
    """A recipe, whatever it was tuned on.

    Raises:
        StaleArtefactError: It is no file, or no recipe of this version.
    """
    try:
        return Recipe.from_json(read_bytes(path), name=str(path))
    except DataError as error:
        raise StaleArtefactError(f"{error}, and run `ens blend` again") from None


def read_recipe(project: Project) -> Recipe:
    """The recipe, if it was tuned on the present data, folds, weights and imports.

    Raises:
        MissingArtefactError: There is none, or a checkpoint it blends is not there.
        StaleArtefactError: It is of another version, or tuned on something else.
    """
    path, again = project.workspace.recipe_file, "run `ens blend` again"
    if not path.exists():
        raise MissingArtefactError(f"`{path}` is not there; run `ens blend`")
    recipe = read_recipe_file(path)
    if not recipe.folds or not set(recipe.folds) <= set(range(project.folds.n_folds)):
        raise StaleArtefactError(
            f"`{path}` must name some of the folds 0..{project.folds.n_folds - 1}, but names "
            f"{list(recipe.folds)}; {again}"
        )
    due = _recipe_surroundings(project)
    require_same(recipe.made_from, due, name=f"`{path}`", remedy=again)
    for member, fold, digest in _source_digests(
        project, blended_members(project, recipe), recipe.folds
    ):
        key = _source_key(member, fold)
        if recipe.made_from.get(key) != digest:
            what = "predictions" if member.kind == "external" else "weights"
            raise StaleArtefactError(
                f"the recipe was tuned on other {what} of `{key}` than those that are there "
                f"now; {again}"
            )
    return recipe


def blended_members(project: Project, recipe: Recipe) -> list[Member]:
    """The members that a recipe blends; StaleArtefactError where ens.toml lacks one."""
    known = {(member.stage, member.name): member for member in project.all_members()}
    names = [(stage, name) for stage in STAGES for name in getattr(recipe, stage).weights]
    for stage, name in names:
        if (stage, name) not in known:
            raise StaleArtefactError(
                f"the recipe blends `{name}`, which is no longer a member of {stage} in "
                "ens.toml; run `ens blend` again"
            )
    return [known[key] for key in names]


def submission_digests(project: Project, recipe: Recipe, *, full: bool = False) -> dict[str, str]:
    """The digests of what a submission is made from; checkpoints and priors are in the recipe's.

    If `full`, the networks of all photographs take part.
    """
    blended = blended_members(project, recipe)
    trained = [m for m in blended if full and m.kind == "trained"]
    return {
        **project.digests,
        "test": project.competition.test_digest(),
        "masks": masks_digest(project.competition),
        "recipe": recipe_digest(recipe),
        **{
            f"{m.stage}/{m.name}/test": _content_digest(project.test_archive_folder(m), m, "--test")
            for m in blended
            if m.kind == "external"
        },
        **{f"{m.stage}/{m.name}/{FULL}": _source_digest(project, m, FULL) for m in trained},
    }


def require_current_submission(project: Project, recipe: Recipe, zip_file: Path) -> None:
    """Refuse a submission that is not what `ens submit` would make now of the present recipe.

    Raises:
        MissingArtefactError: It has no manifest.
        StaleArtefactError: It was made from something else, or changed afterwards.
    """
    again = f"run `ens submit --name {zip_file.stem} --force"
    noted = zip_file.with_suffix(".json")
    manifest = read_manifest(noted, "submission", remedy=f"{again}`")
    mixed, full = manifest.facts.get("mixed"), bool(manifest.facts.get(FULL))
    flags = f" --mix {mixed['file']} --mix-weight {mixed['weight']}" if mixed else ""
    remedy = f"{again}{flags}{' --full' if full else ''}`"
    due = submission_digests(project, recipe, full=full)
    require_same(manifest.made_from, due, name=f"`{zip_file}`", remedy=remedy)
    if manifest.facts.get("zip") != digest_file(zip_file):
        raise StaleArtefactError(f"{tell_other_file(zip_file, noted)}; {remedy}")


def import_remedy(member: Member, flag: str) -> str:
    """What to run to import an external member's predictions; `flag` is --oof or --test."""
    return f"run `ens oof import {member.name} --stage {member.stage} {flag} FOLDER_OR_ZIP`"


def _views_digest() -> str:
    """SHA-256 of what every view does: a new view makes every archive stale."""
    return digest_json(dict(TURNS))


def _recipe_surroundings(project: Project) -> dict[str, str]:
    encoder = project.config.colorization.prior_encoder
    surroundings = {"views": _views_digest(), "locator": locator_digest(), "prior_encoder": encoder}
    return {**project.digests, **surroundings}


def _source_digests(
    project: Project, members: Iterable[Member], folds: Sequence[int]
) -> Iterator[tuple[Member, int, str]]:
    """The members whose predictions come from a file that may change, with its digest."""
    for member in members:
        for fold in folds if member.kind != "fixed" or member.file else ():
            yield member, fold, _source_digest(project, member, fold)


def _source_key(member: Member, fold: int) -> str:
    """What a recipe calls it."""
    return f"{member.stage}/{member.name}/fold-{fold}"


def _source_digest(project: Project, member: Member, fold: Fold) -> str:
    """Digest of a member's weights or ONNX file, or of an external member's pictures of a fold."""
    if member.file:
        return _file_digest(project, member)
    if member.kind == "trained" or fold == FULL:
        return str(read_checkpoint(project, member, fold).facts["weights"])
    return _content_digest(project.archive_folder(member, fold), member, "--oof")


def _file_digest(project: Project, member: Member) -> str:
    """SHA-256 of a member's file, read once as long as it is not written to."""
    path = project.workspace.root / member.file
    try:
        stat = path.stat()
    except OSError as error:
        raise MissingArtefactError(
            f"`{path}`, the file of member `{member.name}`, cannot be read "
            f"({error.strerror}); put it there, or correct `file` in ens.toml"
        ) from None
    return _digest_once(path, stat.st_size, stat.st_mtime_ns)


@lru_cache
def _digest_once(path: Path, size: int, modified: int) -> str:
    return digest_file(path)


def _content_digest(folder: Path, member: Member, flag: str) -> str:
    remedy = import_remedy(member, flag)
    made_from = read_manifest(folder / MANIFEST, "oof", remedy=remedy).made_from
    if CONTENT not in made_from:
        raise StaleArtefactError(f"`{folder}` is of another version of ens; {remedy}")
    return made_from[CONTENT]
