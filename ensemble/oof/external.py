"""External members: predictions that a teammate's model made elsewhere, checked and archived."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.data.pairs import PngSource
from ensemble.data.png import decode_gray, decode_rgb
from ensemble.errors import ConfigError, DataError, MissingFileError
from ensemble.manifest import MANIFEST, digest_bytes, digest_json, read_manifest, require_same
from ensemble.members import Member
from ensemble.oof.archive import Archive
from ensemble.parallel import Advance, map_in_order
from ensemble.project import Project
from ensemble.provenance import (
    CONTENT,
    archive_digests,
    external_test_digests,
    import_remedy,
)
from ensemble.vocabulary import VIEWS
from ensemble.workspace import atomic_path, exclusive_lock

BATCH = 32

Picture = NDArray[np.uint8]


def import_oof(
    project: Project, member: Member, source: Path, *, advance: Advance
) -> list[Archive]:
    """Archive out-of-fold predictions made elsewhere, one archive a fold.

    That they were made out of *these* folds cannot be seen from the pictures: whoever made them
    has to have used `folds.csv`. An external member has one picture a photograph, which stands
    for all views. An earlier import stays until every picture has been checked.

    Args:
        project: Whose folds say which photographs are due: all of them.
        member: Of kind `external`.
        source: A folder or flat zip of PNGs named as the training photographs.
        advance: Told how many photographs are newly done.

    Raises:
        ConfigError: The member is not external.
        MissingFileError: A photograph's prediction is not there.
        DataError: A prediction is unreadable, of the wrong mode or size, or there twice.
    """
    _check_external(member)
    pictures = _Pictures(source, member, project.competition.size)
    pictures.require(project.folds.image_ids)
    with ExitStack() as stack:
        paths = []
        for fold in range(project.folds.n_folds):
            path = project.archive_folder(member, fold)
            digests = archive_digests(project, member, fold, None)
            temporary = _enter(stack, path)
            _fill(temporary, project, pictures, project.folds.validation(fold), digests, advance)
            paths.append(path)
    return [Archive(path) for path in paths]


def import_test(project: Project, member: Member, source: Path, *, advance: Advance) -> Archive:
    """Archive an external member's predictions of the test photographs; see `import_oof`."""
    _check_external(member)
    pictures = _Pictures(source, member, project.competition.size)
    image_ids = project.competition.test_ids
    pictures.require(image_ids)
    path = project.test_archive_folder(member)
    with ExitStack() as stack:
        temporary = _enter(stack, path)
        digests = external_test_digests(project, member)
        _fill(temporary, project, pictures, image_ids, digests, advance)
    return Archive(path)


def open_external_test(project: Project, member: Member) -> Archive:
    """Open an external member's predictions of the present test photographs.

    Raises:
        MissingArtefactError: They were not imported.
        StaleArtefactError: They are of other test photographs, or the archive is damaged.
    """
    path, remedy = project.test_archive_folder(member), import_remedy(member, "--test")
    manifest = read_manifest(path / MANIFEST, remedy=remedy)
    name = f"the test predictions in `{path}`"
    require_same(
        manifest.made_from, external_test_digests(project, member), name=name, remedy=remedy
    )
    return Archive(path)


def _check_external(member: Member) -> None:
    if member.kind != "external":
        raise ConfigError(
            f"only external members are imported, but `{member.name}` is {member.kind}; add a "
            '[[member]] table with `arch = "external"` to ens.toml'
        )


def _enter(stack: ExitStack, path: Path) -> Path:
    """Hold an archive's folder, and give a path that replaces it when the stack is left whole."""
    stack.enter_context(exclusive_lock(path, what=f"importing into `{path}`"))
    return stack.enter_context(atomic_path(path))


def _fill(
    path: Path,
    project: Project,
    pictures: _Pictures,
    image_ids: Sequence[str],
    made_from: dict[str, str],
    advance: Advance,
) -> None:
    archive = Archive.create(
        path,
        image_ids=image_ids,
        views=VIEWS,
        item_shape=pictures.shape,
        dtype="uint8",
        made_from=made_from,
        seed=project.config.seed,
    )
    digests: dict[str, str] = {}
    decoded = zip(image_ids, map_in_order(pictures.read, image_ids), strict=True)
    for batch in iter(partial(_take, decoded), []):
        names = [image_id for image_id, _ in batch]
        stacked = np.stack([picture for _, (picture, _) in batch])
        archive.write(names, dict.fromkeys(VIEWS, stacked))
        digests |= {image_id: digest for image_id, (_, digest) in batch}
        advance(len(batch))
    archive.add_source(CONTENT, digest_json(digests))


def _take(decoded: Iterator[Any]) -> list[Any]:
    return list(islice(decoded, BATCH))


class _Pictures:
    """PNGs by image id, in a folder or a zip."""

    def __init__(self, path: Path, member: Member, size: tuple[int, int]) -> None:
        self.source = PngSource(path)
        gray = member.output == "gray"
        self.shape = size if gray else (*size, 3)
        self._decode: Callable[..., Picture] = decode_gray if gray else decode_rgb
        self._names: dict[str, str] = {}
        for name in self.source.names:
            other = self._names.setdefault(PurePath(name).stem, name)
            if other != name:
                raise DataError(
                    f"`{path}` must have one PNG for a photograph, but has `{other}` and `{name}`"
                )

    def require(self, image_ids: Sequence[str]) -> None:
        missing = [image_id for image_id in image_ids if image_id not in self._names]
        if missing:
            raise MissingFileError(
                f"`{self.source.path}` must have a PNG for every photograph, but lacks "
                f"{len(missing)} of {len(image_ids)}, `{missing[0]}.png` among them"
            )

    def read(self, image_id: str) -> tuple[Picture, str]:
        """The picture, and the digest of its file."""
        content = self.source.read(self._names[image_id])
        name = f"{self.source.path}/{image_id}.png"
        picture = self._decode(content, name=name)
        if picture.shape != self.shape:
            raise DataError(f"`{name}` must be {self.shape[:2]}, but is {picture.shape[:2]}")
        return picture, digest_bytes(content)
