"""Predicting the test photographs: fold by fold through both stages, then averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Rgb
from ensemble.composition.blend import (
    Colors,
    Read,
    blend_colors,
    blend_gray,
    compose_answer,
    restored_gray,
)
from ensemble.composition.recipe import Recipe, StageRecipe
from ensemble.inference.load import load_predictor
from ensemble.inference.predictor import Shown
from ensemble.members import Member
from ensemble.oof.predictions import open_external_test
from ensemble.oof.priors import Priors, mean_prior
from ensemble.parallel import Advance, map_in_order, split_in_batches
from ensemble.project import Project
from ensemble.vocabulary import FULL, Fold, Stage, View

Predict = Callable[[Sequence[str], Shown, tuple[View, ...]], Mapping[View, NDArray[Any]]]


@dataclass(frozen=True)
class TestAnswer:
    """The answer for one test photograph, and what it was made from.

    Attributes:
        image_id: The photograph.
        damaged: (H, W) uint8, as given.
        gray: (H, W) uint8, restored.
        picture: (H, W, 3) uint8, to be sent.
    """

    image_id: str
    damaged: Gray
    gray: Gray
    picture: Rgb


@dataclass(frozen=True)
class _Batch:
    """Some photographs; `shown` keeps their prefilled grays for every restorer and fold."""

    image_ids: tuple[str, ...]
    shown: Shown


@dataclass(frozen=True)
class _Blends:
    """Sums over some folds of one photograph's blends."""

    gray: NDArray[np.float32]
    colors: Colors

    def __add__(self, other: _Blends) -> _Blends:
        return _Blends(self.gray + other.gray, self.colors + other.colors)


class StageSource:
    """The members of a recipe's stage, those of one fold where they were trained.

    Args:
        project: Whose checkpoints and archives.
        stage: Which stage.
        recipe: Its members and views.
        fold: Whose networks; or FULL.

    Raises:
        ConfigError: The settings no longer name a member.
        MissingArtefactError: A checkpoint, or an external member's test predictions, is missing.
        StaleArtefactError: One was made from something else.
    """

    def __init__(self, project: Project, stage: Stage, recipe: StageRecipe, fold: Fold) -> None:
        self.recipe = recipe
        self._sources = {
            name: _open_source(project, project.member(stage, name), fold)
            for name in recipe.weights
        }

    def predict(self, image_ids: Sequence[str], shown: Shown) -> list[Read]:
        """Predict the views that the recipe averages.

        Args:
            image_ids: N photographs.
            shown: What the members are shown of them.

        Returns:
            For each photograph a function from a member and a view to its prediction.
        """
        found = {
            name: predict(image_ids, shown, self.recipe.views[name])
            for name, predict in self._sources.items()
        }

        def read(row: int, member: str, view: View) -> NDArray[Any]:
            return found[member][view][row]

        return [partial(read, row) for row in range(len(image_ids))]


def predict_test(
    project: Project,
    recipe: Recipe,
    priors: Priors,
    *,
    image_ids: Sequence[str] | None = None,
    full: bool = False,
    advance: Advance,
) -> list[TestAnswer]:
    """Answer every test photograph.

    Each fold's restoration, blended and composed, feeds the same fold's colorization, as it did
    out of fold; the folds' blends are then averaged and composed once. One fold's networks are
    in memory at a time.

    Args:
        project: Data, settings and checkpoints.
        recipe: Weights, views and options, and the folds whose networks it is for.
        priors: The hue prior of each of these folds; empty where no hue is moved.
        image_ids: Which photographs; all test photographs by default.
        full: Whether the networks of all photographs take part, as those of one more fold.
        advance: Called with the number of photographs newly done, fold by fold.

    Raises:
        MissingArtefactError: A checkpoint is missing.
        StaleArtefactError: A checkpoint was made from something else than the present things.
    """
    batches = list(_batches(project, image_ids or project.competition.test_ids))
    sums: dict[str, _Blends] = {}
    folds: tuple[Fold, ...] = (*recipe.folds, FULL) if full else recipe.folds
    for fold in folds:
        restoration = StageSource(project, "restoration", recipe.restoration, fold)
        colorization = StageSource(project, "colorization", recipe.colorization, fold)
        for batch in batches:
            for image_id, blends in _chain(recipe, restoration, colorization, batch):
                sums[image_id] = sums[image_id] + blends if image_id in sums else blends
            advance(len(batch.image_ids))
    return [
        _finish(recipe, priors, batch, row, sums[image_id])
        for batch in batches
        for row, image_id in enumerate(batch.image_ids)
    ]


def _batches(project: Project, image_ids: Sequence[str]) -> Iterator[_Batch]:
    photographs, size = project.photographs, project.config.inference.batch_size
    read = map_in_order(lambda i: (i, photographs.damaged(i), photographs.located(i)), image_ids)
    for batch in split_in_batches(read, size):
        ids, grays, lost_masks = zip(*batch, strict=True)
        yield _Batch(ids, Shown(np.stack(grays), np.stack(lost_masks)))


def _chain(
    recipe: Recipe, restoration: StageSource, colorization: StageSource, batch: _Batch
) -> Iterator[tuple[str, _Blends]]:
    """Both stages of one fold."""
    reads = restoration.predict(batch.image_ids, batch.shown)
    blends = [blend_gray(recipe.restoration, read) for read in reads]
    pairs = zip(blends, batch.shown.grays, batch.shown.lost_masks, strict=True)
    grays = np.stack([restored_gray(*pair) for pair in pairs])
    shown = Shown(grays, batch.shown.lost_masks)
    colored = colorization.predict(batch.image_ids, shown)
    for image_id, blend, read in zip(batch.image_ids, blends, colored, strict=True):
        colors = blend_colors(recipe.colorization, read, recipe.composition)
        yield image_id, _Blends(blend, colors)


def _finish(recipe: Recipe, priors: Priors, batch: _Batch, row: int, sums: _Blends) -> TestAnswer:
    damaged, lost_mask = batch.shown.grays[row], batch.shown.lost_masks[row]
    gray = restored_gray(sums.gray / np.float32(sums.colors.folds), damaged, lost_mask)
    prior = mean_prior(priors, gray) if priors else None
    picture = compose_answer(sums.colors, gray=gray, prior=prior, options=recipe.composition)
    return TestAnswer(batch.image_ids[row], damaged, gray, picture)


def _open_source(project: Project, member: Member, fold: Fold) -> Predict:
    if member.kind == "external":
        archive = open_external_test(project, member)
        return lambda image_ids, shown, views: {
            view: np.stack([archive.read(i, member.same_view(view)) for i in image_ids])
            for view in views
        }
    predictor = load_predictor(project, member, fold)
    return lambda image_ids, shown, views: predictor.predict(shown, views)
