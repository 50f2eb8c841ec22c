"""What each artefact must have been made from to be of use now, and the refusal of what was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ensemble.composition.recipe import StageRecipe
from ensemble.config import RUNTIME_KEYS, Config
from ensemble.errors import MissingArtefactError
from ensemble.manifest import MANIFEST, Manifest, digest_file, digest_json, read_manifest
from ensemble.members import Member
from ensemble.project import Project
from ensemble.vocabulary import Stage

WEIGHTS = "weights.safetensors"


def learning_settings(config: Config, stage: Stage) -> dict[str, Any]:
    """Every setting that decides what a network of this stage learns, nested as in ens.toml.

    The members themselves are not in it (each has a digest of its own), nor are the keys that
    only decide how fast it learns, nor the number of epochs: a training can be extended.
    """
    content = config.model_dump(mode="json")
    stage_settings = {key: value for key, value in content[stage].items() if key != "members"}
    learning = {k: v for k, v in content["training"].items() if k not in RUNTIME_KEYS}
    shared = {key: content[key] for key in ("seed", "data", "normalisation")}
    return {**shared, "stage": stage_settings, "training": learning}


def settings_digest(config: Config, stage: Stage) -> str:
    """SHA-256 of `learning_settings`."""
    return digest_json(learning_settings(config, stage))


def checkpoint_digests(project: Project, member: Member) -> dict[str, str]:
    """The digests that the manifest of a training must carry to be of use."""
    settings = settings_digest(project.config, member.stage)
    return {**project.digests, "member": member.digest(), "settings": settings}


def read_checkpoint(project: Project, member: Member, fold: int) -> Manifest:
    """The manifest of a finished training, if it was made from the present things.

    Raises:
        MissingArtefactError: The training has not finished.
        StaleArtefactError: It was made from something else.
    """
    folder = project.folder(member, fold)
    name = f"the {member.stage} network `{member.name}` in `{folder}`"
    remedy = f"run `ens train --stage {member.stage} --member {member.name}`"
    manifest = read_manifest(folder / MANIFEST, remedy=remedy)
    manifest.require(
        checkpoint_digests(project, member),
        name=name,
        remedy=f"{remedy} --restart, or undo the change",
    )
    return manifest


def weights_digest(folder: Path) -> str:
    """SHA-256 of a finished training's weights."""
    return digest_file(folder / WEIGHTS)


def archive_digests(
    project: Project, member: Member, fold: int, restoration: StageRecipe | None
) -> dict[str, str]:
    """The digests an archive's manifest must carry.

    Args:
        project: The present data, folds, settings and checkpoints.
        member: Whose predictions.
        fold: For whose photographs.
        restoration: The blend of stage 1 that stage 2 saw; None for stage 1.

    Raises:
        MissingArtefactError: A training, or an archive of stage 1, is not there.
        StaleArtefactError: A training was made from something else than the present things.
    """
    digests = {**project.digests, "member": member.digest()}
    if member.kind == "external":
        return digests
    if member.kind == "trained":
        read_checkpoint(project, member, fold)
        digests["settings"] = checkpoint_digests(project, member)["settings"]
        digests["checkpoint"] = weights_digest(project.folder(member, fold))
    if member.stage == "colorization":
        digests["restoration"] = _restoration_digest(project, fold, restoration)
    return digests


def finished_folds(project: Project, member: Member) -> tuple[int, ...]:
    """The folds whose predictions a member can give: trained, fixed, or imported."""
    every = range(project.folds.n_folds)
    if member.kind == "fixed":
        return tuple(every)
    where = project.archive_folder if member.kind == "external" else project.folder
    return tuple(fold for fold in every if (where(member, fold) / MANIFEST).exists())


def _restoration_digest(project: Project, fold: int, restoration: StageRecipe | None) -> str:
    if restoration is None:
        raise MissingArtefactError(
            "colorization needs a blend of restoration to start from; train a restoration member "
            f"of fold {fold} first: `ens train --stage restoration --fold {fold}`"
        )
    sources = {
        member: read_manifest(
            project.workspace.oof_dir("restoration", member, fold) / MANIFEST,
            remedy=f"run `ens oof --stage restoration --fold {fold}`",
        ).made_from
        for member in sorted(restoration.weights)
    }
    return digest_json({"recipe": restoration.model_dump(mode="json"), "archives": sources})
