"""Archives of predictions, opened only if they are complete and up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ensemble.composition.recipe import StageRecipe
from ensemble.errors import MissingArtefactError
from ensemble.manifest import require_same
from ensemble.members import Member
from ensemble.oof.archive import Archive
from ensemble.project import Project
from ensemble.provenance import (
    archive_digests,
    external_test_digests,
    import_remedy,
    restored_digests,
)
from ensemble.vocabulary import Stage, View

RESTORED_VIEW: View = "identity"
"""The only view of an archive of restored gray."""


class ArchivedPredictions:
    """Out-of-fold predictions of some members of one stage, read from the archives of some folds.

    Each was made by a network that never saw the photograph's group, and from the present data,
    folds and settings; those of colorization start from `restoration`, the blend of stage 1.

    Attributes:
        stage: The members' stage.
        folds: The fold that validates each photograph, by image id, in reading order.

    Raises:
        MissingArtefactError: An archive is missing or not complete.
        StaleArtefactError: An archive was made from something else than the present things.
    """

    def __init__(
        self,
        project: Project,
        members: Sequence[Member],
        folds: Sequence[int],
        *,
        restoration: StageRecipe | None = None,
    ) -> None:
        self.stage: Stage = members[0].stage
        self._members = {member.name: member for member in members}
        self.folds: Mapping[str, int] = {
            image_id: fold for fold in folds for image_id in project.oof_sample(fold)
        }
        self._archives = {
            (member.name, fold): _open_archive(project, member, fold, restoration)
            for member in members
            for fold in folds
        }

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The photographs."""
        return tuple(self.folds)

    def read(self, image_id: str, member: str, view: View) -> NDArray[Any]:
        """Read one prediction: (H, W) uint8, (H, W, 3) uint8, or (180,) float32."""
        archive = self._archives[member, self.folds[image_id]]
        return archive.read(image_id, self._members[member].same_view(view))

    def made_from(self) -> dict[str, dict[str, str]]:
        """Of each archive, by `member/fold-k`, the digests it was made from."""
        return {
            f"{member}/fold-{fold}": archive.manifest.made_from
            for (member, fold), archive in self._archives.items()
        }


def open_restored(project: Project, fold: int, restoration: StageRecipe) -> Archive:
    """The archived restored gray of one fold's photographs, complete and up to date.

    MissingArtefactError where it is not complete, StaleArtefactError where it is out of date.
    """
    path = project.workspace.restored_dir(fold)
    due = restored_digests(project, fold, restoration)
    remedy = f"run `ens oof --stage colorization --fold {fold}`"
    return _open_complete(path, due, project.oof_sample(fold), "restored gray", remedy)


def open_external_test(project: Project, member: Member) -> Archive:
    """An external member's predictions of the present test photographs.

    MissingArtefactError where they were not imported, StaleArtefactError where they are of others.
    """
    path, due = project.test_archive_folder(member), external_test_digests(project, member)
    remedy = import_remedy(member, "--test")
    return _open_complete(path, due, project.competition.test_ids, "test predictions", remedy)


def open_imported(project: Project, member: Member, fold: int) -> Archive:
    """An external member's predictions of a fold's photographs; call it where nobody else writes.

    MissingArtefactError where some are missing, StaleArtefactError where they are of others.
    """
    path = project.archive_folder(member, fold)
    if path.exists():
        Archive(path).mend()
    return _open_archive(project, member, fold, None)


def _open_archive(
    project: Project, member: Member, fold: int, restoration: StageRecipe | None
) -> Archive:
    path = project.archive_folder(member, fold)
    remedy = f"run `ens oof --stage {member.stage} --member {member.name} --fold {fold}`"
    if member.kind == "external":
        remedy = import_remedy(member, "--oof")
    due = archive_digests(project, member, fold, restoration) if path.exists() else {}
    return _open_complete(path, due, project.oof_sample(fold), "predictions", remedy)


def _open_complete(
    path: Path, due: Mapping[str, str], image_ids: Sequence[str], what: str, remedy: str
) -> Archive:
    try:
        archive = Archive(path)
    except MissingArtefactError:
        raise MissingArtefactError(f"`{path}` holds no {what}; {remedy}") from None
    require_same(archive.manifest.made_from, due, name=f"the {what} in `{path}`", remedy=remedy)
    missing = archive.missing(image_ids)
    if missing:
        raise MissingArtefactError(
            f"`{path}` lacks {len(missing)} of {len(image_ids)} photographs; {remedy}"
        )
    return archive
