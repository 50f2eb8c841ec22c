"""What an archive of predictions must have been made from to be of use now."""

from __future__ import annotations

from ensemble.composition.recipe import StageRecipe
from ensemble.errors import MissingArtefactError
from ensemble.manifest import digest_json, read_manifest
from ensemble.networks.checkpoint import read_checkpoint, weights_digest
from ensemble.networks.member import Member
from ensemble.networks.project import Project
from ensemble.oof.archive import MANIFEST


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
        folder = project.workspace.checkpoint_dir(member.stage, member.name, fold)
        made_from = project.checkpoint_digests(member)
        read_checkpoint(folder, member, made_from)
        digests |= {"settings": made_from["settings"], "checkpoint": weights_digest(folder)}
    if member.stage == "colorization":
        digests["restoration"] = _restoration_digest(project, fold, restoration)
    return digests


def finished_folds(project: Project, member: Member) -> tuple[int, ...]:
    """The folds whose predictions a member can give: trained, fixed, or imported."""
    every = range(project.folds.n_folds)
    if member.kind == "fixed":
        return tuple(every)
    where = (
        project.workspace.oof_dir if member.kind == "external" else project.workspace.checkpoint_dir
    )
    return tuple(k for k in every if (where(member.stage, member.name, k) / MANIFEST).exists())


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
