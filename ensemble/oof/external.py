"""External members: predictions that a teammate's model made elsewhere, checked and archived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ensemble.data.pairs import PngSource
from ensemble.data.png import decode_gray, decode_rgb, same_size
from ensemble.errors import ConfigError, MissingFileError
from ensemble.files import atomic_path, exclusive_lock
from ensemble.manifest import digest_bytes, digest_json
from ensemble.members import Member
from ensemble.oof.archive import Archive
from ensemble.parallel import Advance, Progress, map_in_order, silent, split_in_batches
from ensemble.project import Project
from ensemble.provenance import CONTENT, archive_digests, external_test_digests

BATCH = 32

Part = tuple[Path, Sequence[str], dict[str, str]]
"""Where an archive is to lie, for which photographs, and the digests of what it is made from."""


def import_oof(
    project: Project, member: Member, source: Path, *, progress: Progress = silent
) -> list[Archive]:
    """Archive out-of-fold predictions made elsewhere, one archive a fold.

    The pictures, a folder or flat zip of PNGs named as the training photographs, do not show which
    folds they were made out of: they must be those of `folds.csv`. One a photograph stands for all
    views. Those of the out-of-fold sample are due; others are taken where they are there. An
    earlier import stays until every picture has been checked.

    Raises:
        ConfigError: The member is not external.
        MissingFileError: A photograph's prediction is not there.
        DataError: A prediction is unreadable, of the wrong mode or size, or there twice.
    """
    pictures = PngSource(source)
    there = pictures.names_by_stem()

    def part(fold: int) -> Part:
        due = {*project.oof_sample(fold), *there}
        image_ids = [i for i in project.folds.validation(fold) if i in due]
        digests = archive_digests(project, member, fold, None)
        return project.archive_folder(member, fold), image_ids, digests

    return _import(project, member, pictures, map(part, range(project.folds.n_folds)), progress)


def import_test(
    project: Project, member: Member, source: Path, *, progress: Progress = silent
) -> Archive:
    """Archive an external member's predictions of the test photographs; see `import_oof`."""
    image_ids, digests = project.competition.test_ids, external_test_digests(project, member)
    parts = [(project.test_archive_folder(member), image_ids, digests)]
    (archive,) = _import(project, member, PngSource(source), parts, progress)
    return archive


def _import(
    project: Project,
    member: Member,
    pictures: PngSource,
    parts: Iterable[Part],
    progress: Progress,
) -> list[Archive]:
    """Archive each part; all of them replace the earlier ones, or none does."""
    if member.kind != "external":
        raise ConfigError(
            f"only external members are imported, but `{member.name}` is {member.kind}; add a "
            '[[member]] table with `arch = "external"` to ens.toml'
        )
    parts, names = list(parts), pictures.names_by_stem()
    due = [image_id for _, image_ids, _ in parts for image_id in image_ids]
    missing = [image_id for image_id in due if image_id not in names]
    if missing:
        raise MissingFileError(
            f"`{pictures.path}` must have a PNG for every photograph that is due, but lacks "
            f"{len(missing)} of {len(due)}, `{missing[0]}.png` among them; `ens oof sample` lists "
            "those of the out-of-fold sample"
        )
    with ExitStack() as stack:
        advance = stack.enter_context(progress(f"importing {member.name}", len(due)))
        for path, image_ids, digests in parts:
            stack.enter_context(exclusive_lock(path, what=f"importing into `{path}`"))
            temporary = stack.enter_context(atomic_path(path))
            files = {image_id: names[image_id] for image_id in image_ids}
            _fill(temporary, project, member, pictures, files, digests, advance)
    return [Archive(path) for path, _, _ in parts]


def _fill(
    path: Path,
    project: Project,
    member: Member,
    pictures: PngSource,
    files: dict[str, str],
    made_from: dict[str, str],
    advance: Advance,
) -> None:
    gray = member.output == "gray"
    size = project.competition.size
    archive = Archive.create(
        path,
        image_ids=tuple(files),
        views=member.views,
        item_shape=member.item_shape(size),
        dtype="uint8",
        made_from=made_from,
        seed=project.config.seed,
    )

    def read(image_id: str) -> tuple[np.ndarray, str]:
        content = pictures.read(files[image_id])
        name = f"{pictures.path}/{image_id}.png"
        check = same_size(size)
        picture = (decode_gray if gray else decode_rgb)(content, name=name, check_size=check)
        return picture, digest_bytes(content)

    digests: list[str] = []
    for batch in split_in_batches(zip(files, map_in_order(read, files), strict=True), BATCH):
        stacked = np.stack([picture for _, (picture, _) in batch])
        archive.write([image_id for image_id, _ in batch], dict.fromkeys(archive.views, stacked))
        digests += [digest for _, (_, digest) in batch]
        advance(len(batch))
    archive.add_source(CONTENT, digest_json(dict(zip(files, digests, strict=True))))
