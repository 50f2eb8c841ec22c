"""Filling the archives: each fold's networks predict the photographs they never saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.composition.recipe import StageRecipe
from ensemble.data.masks import located_mask
from ensemble.errors import MissingArtefactError, StaleArtefactError
from ensemble.inference.load import load_predictor
from ensemble.inference.predictor import Predictor
from ensemble.manifest import require_same
from ensemble.members import Member
from ensemble.oof.archive import Archive
from ensemble.oof.predictions import ArchivedPredictions, restored_gray
from ensemble.project import Project
from ensemble.provenance import archive_digests
from ensemble.vocabulary import HUE_BINS, VIEWS
from ensemble.workspace import exclusive_lock

FLUSH_EVERY = 32


def collect(
    project: Project,
    member: Member,
    fold: int,
    *,
    restoration: StageRecipe | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Archive:
    """Predict all views of a fold's photographs, where that has not been done yet.

    An archive made from something else is made anew; an interrupted one is continued.

    Args:
        project: Data, folds, settings and checkpoints.
        member: Trained or fixed; nothing is done for an external one.
        fold: Whose photographs, and whose network.
        restoration: For colorization, the blend of the same fold's restoration to start from.
        advance: Told how many photographs are newly done.

    Raises:
        MissingArtefactError: The member's training has not finished.
        StaleArtefactError: Its training was made from something else.
        LockedError: Another process is filling the same archive.
    """
    path = project.archive_folder(member, fold)
    with exclusive_lock(path, what=f"collecting predictions into `{path}`"):
        archive = _open_or_create(project, member, fold, restoration)
        if not archive.complete:
            predictor = load_predictor(project, member, fold)
            _fill(archive, predictor, _inputs(project, member, fold, restoration), advance)
    return archive


def _open_or_create(
    project: Project, member: Member, fold: int, restoration: StageRecipe | None
) -> Archive:
    path = project.archive_folder(member, fold)
    made_from = archive_digests(project, member, fold, restoration)
    try:
        archive = Archive(path)
        require_same(archive.manifest.made_from, made_from, name=str(path), remedy="")
        archive.require_arrays()
    except (MissingArtefactError, StaleArtefactError):
        if member.kind == "external":
            raise
        return Archive.create(
            path,
            image_ids=project.folds.validation(fold),
            views=VIEWS,
            item_shape=_item_shape(project, member),
            dtype="float32" if member.output == "histogram" else "uint8",
            made_from=made_from,
            seed=project.config.seed,
        )
    return archive


def _item_shape(project: Project, member: Member) -> tuple[int, ...]:
    if member.output == "histogram":
        return (HUE_BINS,)
    size = project.competition.size
    return size if member.output == "gray" else (*size, 3)


Inputs = Callable[[Sequence[str]], tuple[NDArray[np.uint8], NDArray[np.bool_]]]


def _inputs(project: Project, member: Member, fold: int, restoration: StageRecipe | None) -> Inputs:
    """What gives the grays (N, H, W) uint8 and located masks (N, H, W) bool for image ids."""
    if restoration is None:
        gray_of = _damaged_reader(project)
    else:
        chosen = [m for m in project.members("restoration") if m.name in restoration.weights]
        predictions = ArchivedPredictions(project, chosen, [fold])

        def gray_of(image_id: str) -> Any:
            return restored_gray(project, predictions, restoration, image_id)

    def read(image_ids: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        masks = [_located(project, image_id) for image_id in image_ids]
        return np.stack([gray_of(image_id) for image_id in image_ids]), np.stack(masks)

    return read


def _damaged_reader(project: Project) -> Callable[[str], Any]:
    return lambda image_id: project.competition.train_sample(image_id).damaged


def _located(project: Project, image_id: str) -> NDArray[np.bool_]:
    damaged = project.competition.train_sample(image_id).damaged
    return located_mask(project.competition, image_id, damaged)


def _fill(
    archive: Archive,
    predictor: Predictor,
    inputs: Inputs,
    advance: Callable[[int], None],
) -> None:
    for image_ids in _batches(archive.missing()):
        archive.write(image_ids, predictor.predict(*inputs(image_ids)))
        advance(len(image_ids))


def _batches(image_ids: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(image_ids), FLUSH_EVERY):
        yield tuple(image_ids[start : start + FLUSH_EVERY])
