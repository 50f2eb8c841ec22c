"""Predicting the test photographs: fold by fold through both stages, then averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb
from ensemble.composition.blend import Colours, Read, answer, blend_colours, blend_gray
from ensemble.composition.compose import compose_gray
from ensemble.composition.recipe import Composition, Recipe
from ensemble.data.masks import located_mask
from ensemble.oof.priors import Priors, mean_prior
from ensemble.project import Project
from ensemble.submission.stage import StageSource


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
class _Blends:
    """What some folds make of one photograph: sums over them."""

    gray: NDArray[np.float32]
    colours: Colours

    def __add__(self, other: _Blends) -> _Blends:
        return _Blends(self.gray + other.gray, self.colours + other.colours)


def predict_test(
    project: Project, recipe: Recipe, priors: Priors, *, advance: Callable[[int], None]
) -> list[TestAnswer]:
    """Answer every test photograph.

    Each fold's restoration, blended and composed, feeds the same fold's colorization, as it did
    out of fold; the folds' blends are then averaged and composed once. One fold's networks are
    in memory at a time.

    Args:
        project: Data, settings and checkpoints.
        recipe: Weights, views and options, and the folds whose networks it is for.
        priors: The hue prior of each of these folds; empty where no hue is moved.
        advance: Told 1 for each photograph and fold that is done.

    Raises:
        MissingArtefactError: A checkpoint is missing.
        StaleArtefactError: A checkpoint was made from something else than the present things.
    """
    competition = project.competition
    shown = {i: competition.test_input(i) for i in competition.test_ids}
    holes = {i: located_mask(competition, i, damaged) for i, damaged in shown.items()}
    sums: dict[str, _Blends] = {}
    for fold in recipe.folds:
        restoration = StageSource(project, "restoration", recipe.restoration, fold)
        colorization = StageSource(project, "colorization", recipe.colorization, fold)
        for i, damaged in shown.items():
            blends = _chain(recipe, restoration, colorization, i, damaged, holes[i])
            sums[i] = sums[i] + blends if i in sums else blends
            advance(1)
    return [_finish(recipe, priors, i, damaged, holes[i], sums[i]) for i, damaged in shown.items()]


def _chain(
    recipe: Recipe,
    restoration: StageSource,
    colorization: StageSource,
    image_id: str,
    damaged: Gray,
    lost_mask: Mask,
) -> _Blends:
    restored = restoration.predict(image_id, damaged, lost_mask)
    blend = blend_gray(recipe.restoration, _reader(restored))
    gray = compose_gray(blend=blend, damaged=damaged, lost_mask=lost_mask, options=Composition())
    coloured = colorization.predict(image_id, gray, lost_mask)
    mode = recipe.composition.chroma
    return _Blends(blend, blend_colours(recipe.colorization, _reader(coloured), mode))


def _finish(
    recipe: Recipe,
    priors: Priors,
    image_id: str,
    damaged: Gray,
    lost_mask: Mask,
    sums: _Blends,
) -> TestAnswer:
    options = recipe.composition
    blend = sums.gray / np.float32(sums.colours.folds)
    gray = compose_gray(blend=blend, damaged=damaged, lost_mask=lost_mask, options=options)
    prior = mean_prior(priors, gray) if priors else None
    picture = answer(sums.colours, gray=gray, prior=prior, options=options)
    return TestAnswer(image_id, damaged, gray, picture)


def _reader(predictions: Mapping[str, Mapping[Any, NDArray[Any]]]) -> Read:
    return lambda member, view: predictions[member][view]
