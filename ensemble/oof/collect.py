"""Filling the archives: each fold's networks predict the photographs they never saw.

The restored gray that stage 2 starts from is archived once a fold, blended from the archives of
stage 1, so that stage 2 is made from that archive and from nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.composition.blend import blend_gray, restored_gray
from ensemble.composition.recipe import StageRecipe
from ensemble.errors import MissingArtefactError, StaleArtefactError
from ensemble.files import atomic_path, exclusive_lock
from ensemble.inference.load import load_predictor
from ensemble.inference.predictor import Shown
from ensemble.manifest import require_same
from ensemble.members import Member
from ensemble.oof.archive import Archive
from ensemble.oof.predictions import RESTORED_VIEW, ArchivedPredictions, open_imported
from ensemble.parallel import Advance, map_in_order, split_in_batches
from ensemble.project import Project
from ensemble.provenance import archive_digests, restored_digests
from ensemble.vocabulary import View

FLUSH_EVERY = 32
READ_AHEAD = 1
"""Threads that prepare batches beside the network; each prepares two ahead."""


def collect(
    project: Project,  # data, folds, settings and checkpoints
    member: Member,  # whose predictions
    fold: int,  # whose photographs, and whose network
    *,
    # for colorization, the blend of the same fold's restoration to start from
    restoration: StageRecipe | None = None,
    advance: Advance = lambda _: None,  # called with the number of photographs newly done
    wait: bool = False,  # wait for another process that is filling the same archive
) -> Archive:
    """Predict the views of a fold's sampled photographs, where that has not been done yet.

    An archive made from something else is made anew; an interrupted one is continued, and one of
    fewer photographs is added to. An external member's is only looked at.

    Raises:
        MissingArtefactError: The member's training has not finished, or imports are missing.
        StaleArtefactError: Its training was made from something else.
        LockedError: Another process is filling the same archive, and `wait` is False.
    """
    path = project.archive_folder(member, fold)
    made_from = archive_digests(project, member, fold, restoration)
    with exclusive_lock(path, what=f"collecting predictions into `{path}`", wait=wait):
        if member.kind == "external":
            return open_imported(project, member, fold)
        shape = member.item_shape(project.competition.size)
        archive = _open_or_create(project, path, fold, made_from, member.views, shape, member.dtype)
        due = archive.missing(project.oof_sample(fold))
        if due:
            shown = _shown(project, member, fold, restoration)
            predictor = load_predictor(project, member, fold)
            _fill(archive, due, shown, partial(predictor.predict, views=member.views), advance)
    return archive


def restore(
    project: Project, fold: int, restoration: StageRecipe, *, advance: Advance = lambda _: None
) -> Archive:
    """Archive the restored gray of a fold's photographs, where that has not been done yet.

    Another process that is at it is waited for. The archive's only view is `RESTORED_VIEW`, each
    picture (H, W) uint8.

    Raises:
        MissingArtefactError: An archive of stage 1 is missing or not complete.
        StaleArtefactError: An archive of stage 1 was made from something else.
    """
    path = project.workspace.restored_dir(fold)
    made_from = restored_digests(project, fold, restoration)
    with exclusive_lock(path, what=f"restoring into `{path}`", wait=True):
        views, shape = (RESTORED_VIEW,), project.competition.size
        archive = _open_or_create(project, path, fold, made_from, views, shape, "uint8")
        due = archive.missing(project.oof_sample(fold))
        if due:
            chosen = [project.member("restoration", name) for name in restoration.weights]
            predictions = ArchivedPredictions(project, chosen, [fold])

            def one(image_id: str) -> NDArray[np.uint8]:
                located = project.photographs.located(image_id)
                blend = blend_gray(restoration, partial(predictions.read, image_id), located)
                return restored_gray(blend, project.photographs.damaged(image_id), located)

            def blend(image_ids: Sequence[str]) -> NDArray[np.uint8]:
                return np.stack(list(map_in_order(one, image_ids)))

            _fill(archive, due, blend, lambda grays: {RESTORED_VIEW: grays}, advance)
    return archive


def _open_or_create(
    project: Project,
    path: Path,
    fold: int,
    made_from: Mapping[str, str],
    views: Sequence[View],
    item_shape: tuple[int, ...],
    dtype: str,
) -> Archive:
    due, earlier = project.oof_sample(fold), _open_same(path, made_from)
    if earlier is not None and set(due) <= set(earlier.image_ids):
        return earlier
    create = partial(
        Archive.create,
        image_ids=due,
        views=views,
        item_shape=item_shape,
        dtype=dtype,
        made_from=made_from,
        seed=project.config.seed,
    )
    if earlier is None:
        return create(path)
    with atomic_path(path) as larger:
        create(larger).copy_from(earlier)
    return Archive(path)


def _open_same(path: Path, made_from: Mapping[str, str]) -> Archive | None:
    """The archive that is there, if it is whole and was made from the present things."""
    try:
        archive = Archive(path)
        require_same(archive.manifest.made_from, made_from, name=str(path), remedy="")
        archive.require_arrays()
        archive.mend()
    except (MissingArtefactError, StaleArtefactError):
        return None
    return archive


def _shown(
    project: Project, member: Member, fold: int, restoration: StageRecipe | None
) -> Callable[[Sequence[str]], Shown]:
    """What a member is shown of some photographs."""
    photographs = project.photographs
    gray_of: Callable[[str], Any] = photographs.damaged
    if member.stage == "colorization" and restoration is not None:
        gray_of = partial(restore(project, fold, restoration).read, view=RESTORED_VIEW)

    def read(image_ids: Sequence[str]) -> Shown:
        grays = np.stack([gray_of(image_id) for image_id in image_ids])
        return Shown(grays, np.stack([photographs.located(image_id) for image_id in image_ids]))

    return read


def _fill(
    archive: Archive,
    due: Sequence[str],
    read: Callable[[Sequence[str]], Any],
    predict: Callable[[Any], Mapping[View, NDArray[Any]]],
    advance: Advance,
) -> None:
    """Read, predict and store batch by batch: one is predicted here, while threads read and store.

    To compress a prediction of 512 px in color takes some 15 ms, a while beside a GPU.
    """
    batches = list(split_in_batches(due, FLUSH_EVERY))
    ahead = map_in_order(read, batches, n_threads=READ_AHEAD)
    predicted = ((ids, predict(batch)) for ids, batch in zip(batches, ahead, strict=True))

    def store(one: tuple[list[str], Mapping[View, NDArray[Any]]]) -> int:
        archive.write(*one)
        return len(one[0])

    with closing(map_in_order(store, predicted, n_threads=1)) as stored:
        for count in stored:
            advance(count)
