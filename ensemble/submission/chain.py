"""Predicting photographs: fold by fold through both stages, then averaged.

The test photographs and any others take the same path. They differ in their `Frame`: what each
stage is shown of a photograph, which is all of it where it has the size of the test photographs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Rgb
from ensemble.composition.blend import Colors, Read, blend_colors, blend_gray, compose_answer
from ensemble.composition.recipe import Recipe, StageRecipe
from ensemble.inference.fixed import fixed_predictor
from ensemble.inference.load import load_predictor
from ensemble.inference.predictor import Predictor, Shown
from ensemble.members import MEMBERS, Member
from ensemble.oof.predictions import open_external_test
from ensemble.oof.priors import Priors
from ensemble.parallel import Advance, map_in_order, split_in_batches
from ensemble.project import Project
from ensemble.provenance import blended_members
from ensemble.submission.frame import Frame
from ensemble.vocabulary import FULL, STAGES, Fold, Stage, View

Predict = Callable[[Sequence[str], Shown, tuple[View, ...]], Mapping[View, NDArray[Any]]]


@dataclass(frozen=True)
class TestAnswer:
    """The answer for one photograph: as given, restored, (H, W) uint8, and (H, W, 3) to be sent."""

    image_id: str
    damaged: Gray
    gray: Gray
    picture: Rgb


@dataclass(frozen=True)
class Batch:
    """Some photographs of one size, whose windows have one shape.

    What restoration is shown keeps the prefilled grays for every member and fold.
    """

    image_ids: tuple[str, ...]
    frames: tuple[Frame, ...]
    shown: Shown

    @classmethod
    def of(cls, image_ids: Sequence[str], frames: Sequence[Frame]) -> Batch:
        """The batch of these photographs."""
        grays = np.stack([frame.damaged[frame.window] for frame in frames])
        lost_masks = np.stack([frame.lost_mask[frame.window] for frame in frames])
        return cls(tuple(image_ids), tuple(frames), Shown(grays, lost_masks))


@dataclass(frozen=True)
class Blends:
    """Sums over some folds of one photograph's blends."""

    gray: NDArray[np.float32]
    colors: Colors

    def __add__(self, other: Blends) -> Blends:
        return Blends(self.gray + other.gray, self.colors + other.colors)


@dataclass(frozen=True)
class StageSource:
    """The members of a recipe's stage, those of one fold where they were trained."""

    recipe: StageRecipe
    sources: Mapping[str, Predict]

    @classmethod
    def open(cls, project: Project, stage: Stage, recipe: StageRecipe, fold: Fold) -> StageSource:
        """Open the members of a project.

        Raises:
            ConfigError: The settings no longer name a member.
            MissingArtefactError: A checkpoint, or an external member's test predictions, is
                missing.
            StaleArtefactError: One was made from something else.
        """
        members = [project.member(stage, name) for name in recipe.weights]
        return cls(recipe, {one.name: _open_source(project, one, fold) for one in members})

    @classmethod
    def fixed(cls, stage: Stage, recipe: StageRecipe) -> StageSource:
        """Open fixed members, which need no project; WeightsError where weights cannot be had."""
        known = MEMBERS[stage]
        predictors = {name: fixed_predictor(known[name]) for name in recipe.weights}
        return cls(recipe, {name: _source_of(one) for name, one in predictors.items()})

    def predict(self, image_ids: Sequence[str], shown: Shown) -> list[Read]:
        """Predict the views that the recipe averages: of each photograph, by member and view."""
        found = {
            name: predict(image_ids, shown, self.recipe.views[name])
            for name, predict in self.sources.items()
        }

        def read(row: int, member: str, view: View) -> NDArray[Any]:
            return found[member][view][row]

        return [partial(read, row) for row in range(len(image_ids))]


@dataclass(frozen=True)
class FoldSource:
    """What predicts both stages of one fold."""

    restoration: StageSource
    colorization: StageSource

    @classmethod
    def open(cls, project: Project, recipe: Recipe, fold: Fold) -> FoldSource:
        """Open a recipe's members of one fold; see `StageSource.open`."""
        return cls(*(StageSource.open(project, s, getattr(recipe, s), fold) for s in STAGES))


def predict_test(
    project: Project,
    recipe: Recipe,
    priors: Priors,
    *,
    image_ids: Sequence[str] | None = None,
    full: bool = False,
    advance: Advance,
) -> list[TestAnswer]:
    """Answer every test photograph, or those of these ids.

    Each fold's restoration, blended and composed, feeds the same fold's colorization, as it did out
    of fold; the folds' blends, and if `full` those of the networks of all photographs, are then
    averaged and composed once. One fold's networks are in memory at a time. Where no member is
    trained, the folds are alike and are predicted once. The hue priors are empty where no
    hue is moved. `advance` is called fold by fold.

    Raises:
        MissingArtefactError: A checkpoint is missing.
        StaleArtefactError: A checkpoint was made from something else than the present things.
    """
    batches = list(_batches(project, image_ids or project.competition.test_ids))
    folds, repeats = recipe_folds(recipe, full=full), 1
    if not any(one.kind == "trained" for one in blended_members(project, recipe)):
        folds, repeats = folds[:1], len(folds)
    sums: dict[str, Blends] = {}
    for fold in folds:
        source = FoldSource.open(project, recipe, fold)
        for batch in batches:
            for image_id, blends in zip(
                batch.image_ids, blend_fold(recipe, source, batch), strict=True
            ):
                for _ in range(repeats):
                    sums[image_id] = sums[image_id] + blends if image_id in sums else blends
            advance(repeats * len(batch.image_ids))

    def answer(pair: tuple[str, Frame]) -> TestAnswer:
        return finish(recipe, priors, *pair, sums[pair[0]])

    pairs = [pair for b in batches for pair in zip(b.image_ids, b.frames, strict=True)]
    return list(map_in_order(answer, pairs))


def recipe_folds(recipe: Recipe, *, full: bool) -> tuple[Fold, ...]:
    """The folds whose networks take part; `full` adds those of all photographs."""
    return (*recipe.folds, FULL) if full else recipe.folds


def blend_fold(recipe: Recipe, source: FoldSource, batch: Batch) -> Iterator[Blends]:
    """Both stages of one fold: each photograph's blends."""
    if batch.shown.lost_masks.any():
        reads = source.restoration.predict(batch.image_ids, batch.shown)
        pairs = zip(reads, batch.shown.lost_masks, strict=True)
        blends = [blend_gray(recipe.restoration, read, lost_mask) for read, lost_mask in pairs]
    else:  # nothing is lost: all of the blend would be pasted over
        blends = list(batch.shown.grays.astype(np.float32))
    restored = map(Frame.restore, batch.frames, blends)
    grays = np.stack(list(map(Frame.reduce, batch.frames, restored)))
    shown = Shown(grays, np.stack([frame.colored_mask for frame in batch.frames]))
    colored = source.colorization.predict(batch.image_ids, shown)
    for blend, read in zip(blends, colored, strict=True):
        yield Blends(blend, blend_colors(recipe.colorization, read, recipe.composition))


def finish(recipe: Recipe, priors: Priors, image_id: str, frame: Frame, sums: Blends) -> TestAnswer:
    """Compose a photograph's answer from its blends, summed over all folds.

    The hue `priors` are empty where no hue is moved.
    """
    gray = frame.restore(sums.gray / np.float32(sums.colors.folds))
    prior = priors.predict(FULL, gray) if priors else None
    colors = replace(sums.colors, picture=frame.enlarge(sums.colors.picture))
    picture = compose_answer(colors, gray=gray, prior=prior, options=recipe.composition)
    return TestAnswer(image_id, frame.damaged, gray, picture)


def _batches(project: Project, image_ids: Sequence[str]) -> Iterator[Batch]:
    photographs, config = project.photographs, project.config

    def frame(image_id: str) -> Frame:
        damaged, lost_mask = photographs.damaged(image_id), photographs.located(image_id)
        return Frame(damaged, lost_mask, config.data.size)

    pairs = zip(image_ids, map_in_order(frame, image_ids), strict=True)
    for batch in split_in_batches(pairs, config.inference.batch_size):
        yield Batch.of(*zip(*batch, strict=True))


def _open_source(project: Project, member: Member, fold: Fold) -> Predict:
    if member.kind == "external":
        archive = open_external_test(project, member)
        return lambda image_ids, shown, views: {
            view: np.stack([archive.read(i, member.same_view(view)) for i in image_ids])
            for view in views
        }
    return _source_of(load_predictor(project, member, fold))


def _source_of(predictor: Predictor) -> Predict:
    return lambda image_ids, shown, views: predictor.predict(shown, views)
