"""External members: predictions that a teammate's model made elsewhere, checked and archived."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from numpy.typing import NDArray

from ensemble.data.pairs import ZIP_FAULTS
from ensemble.data.png import decode_gray, decode_rgb
from ensemble.errors import ConfigError, DataError, MissingFileError
from ensemble.members import Member
from ensemble.oof.archive import ZarrArchive
from ensemble.project import Project
from ensemble.provenance import archive_digests
from ensemble.vocabulary import VIEWS
from ensemble.workspace import exclusive_lock

FLUSH_EVERY = 32


def import_oof(
    project: Project, member: Member, source: Path, *, advance: Callable[[int], None]
) -> list[ZarrArchive]:
    """Archive out-of-fold predictions made elsewhere, one archive a fold.

    That they were made out of *these* folds cannot be seen from the pictures: whoever made them
    has to have used `folds.csv`. An external member has one picture a photograph, which stands
    for all views.

    Args:
        project: Whose folds say which photographs are due: all of them.
        member: Of kind `external`.
        source: A folder or zip of PNGs named as the training photographs.
        advance: Told how many photographs are newly done.

    Raises:
        ConfigError: The member is not external.
        MissingFileError: A photograph's prediction is not there.
        DataError: A prediction is unreadable, of the wrong mode or size.
    """
    _check_external(member)
    folds = range(project.folds.n_folds)
    return [
        _archive(
            project,
            member,
            source,
            project.folds.validation(fold),
            project.archive_folder(member, fold),
            archive_digests(project, member, fold, None),
            advance,
        )
        for fold in folds
    ]


def import_test(
    project: Project, member: Member, source: Path, *, advance: Callable[[int], None]
) -> ZarrArchive:
    """Archive an external member's predictions of the test photographs; see `import_oof`."""
    _check_external(member)
    made_from = {"test": project.competition.test_digest(), "member": member.digest()}
    path = project.test_archive_folder(member)
    image_ids = project.competition.test_ids
    return _archive(project, member, source, image_ids, path, made_from, advance)


def _check_external(member: Member) -> None:
    if member.kind != "external":
        raise ConfigError(
            f"only external members are imported, but `{member.name}` is {member.kind}; add a "
            '[[member]] table with `arch = "external"` to ens.toml'
        )


def _archive(
    project: Project,
    member: Member,
    source: Path,
    image_ids: Sequence[str],
    path: Path,
    made_from: dict[str, str],
    advance: Callable[[int], None],
) -> ZarrArchive:
    pictures = _Pictures(source, member, project.competition.size)
    pictures.require(image_ids)
    height_width = project.competition.size
    with exclusive_lock(path, what=f"importing into `{path}`"):
        archive = ZarrArchive.create(
            path,
            image_ids=image_ids,
            views=VIEWS,
            item_shape=height_width if member.output == "gray" else (*height_width, 3),
            dtype="uint8",
            made_from=made_from,
            seed=project.config.seed,
        )
        for image_id in image_ids:
            picture = pictures.read(image_id)[None]
            archive.write([image_id], dict.fromkeys(VIEWS, picture))
            advance(1)
    return archive


class _Pictures:
    """PNGs by image id, in a folder or a zip."""

    def __init__(self, source: Path, member: Member, size: tuple[int, int]) -> None:
        self.source, self.size = source, size
        self._decode = decode_gray if member.output == "gray" else decode_rgb
        if source.is_dir():
            files = {path.stem: path for path in sorted(source.glob("*.png"))}
            self._names: dict[str, Any] = files
            self._bytes: Callable[[Any], bytes] = Path.read_bytes
        elif zipfile.is_zipfile(source):
            archive = zipfile.ZipFile(source)
            self._names = {PurePosixPath(name).stem: name for name in archive.namelist()}
            self._bytes = archive.read
        else:
            raise MissingFileError(f"`{source}` must be a folder or a zip of PNGs, but is neither")

    def require(self, image_ids: Sequence[str]) -> None:
        missing = [image_id for image_id in image_ids if image_id not in self._names]
        if missing:
            raise MissingFileError(
                f"`{self.source}` must have a PNG for every photograph, but lacks "
                f"{len(missing)} of {len(image_ids)}, `{missing[0]}.png` among them"
            )

    def read(self, image_id: str) -> NDArray[Any]:
        name = f"{self.source}/{image_id}.png"
        try:
            content = self._bytes(self._names[image_id])
        except ZIP_FAULTS as error:
            raise DataError(f"`{name}` cannot be read: {error}; make it again") from None
        picture = self._decode(content, name=name)
        if picture.shape[:2] != self.size:
            raise DataError(f"`{name}` must be {self.size}, but is {picture.shape[:2]}")
        return picture
