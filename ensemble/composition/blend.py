"""Blend the predictions of one stage by its recipe, for out-of-fold and for test pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb
from ensemble.composition.chroma import blend_chroma
from ensemble.composition.compose import compose_gray, compose_rgb
from ensemble.composition.hue_target import hue_histogram, hue_target
from ensemble.composition.minimum_risk import minimum_risk
from ensemble.composition.recipe import Composition, StageRecipe
from ensemble.composition.weighted_mean import weighted_mean
from ensemble.vocabulary import HUE_BINS, View

Read = Callable[[str, View], NDArray[Any]]
"""Gives the prediction of a member for a view of one photograph."""


def blend_gray(recipe: StageRecipe, read: Read, lost_mask: Mask) -> NDArray[np.float32]:
    """Blend the restored grays: their weighted mean, or the picture of minimum risk.

    Takes predictions (H, W) uint8 and the located hole (H, W). The blend is (H, W) float32 on the
    scale 0..255, not yet pasted back or rounded.
    """
    terms = recipe.terms()
    shares = np.array([weight for *_, weight in terms], dtype=np.float32)
    pictures = (read(member, view) for member, view, _ in terms)
    if recipe.decode == "minimum-risk":
        return minimum_risk(list(pictures), shares, lost_mask)
    return weighted_mean(pictures, shares)


def restored_gray(blend: NDArray[Any], damaged: Gray, lost_mask: Mask) -> Gray:
    """Make the gray (H, W) uint8 that stage 2 starts from, out of fold and for a test photograph.

    It is stage 1's blend in the located hole, and equal to the damaged input outside it.
    """
    return compose_gray(blend=blend, damaged=damaged, lost_mask=lost_mask, options=Composition())


@dataclass(frozen=True)
class Colors:
    """The blended colorization of one photograph, of one fold or summed over several."""

    picture: NDArray[np.float32]  # (H, W, 3) on the scale 0..255, the sum over `folds` folds
    # (K, 180), the hue histogram of each member, view and fold; K is 0 where hues are not moved
    histograms: NDArray[np.float64]
    weights: NDArray[np.float64]  # (K,)
    folds: int = 1  # how many folds were added up

    def __add__(self, other: Colors) -> Colors:
        return Colors(
            self.picture + other.picture,
            np.concatenate([self.histograms, other.histograms]),
            np.concatenate([self.weights, other.weights]),
            self.folds + other.folds,
        )


def blend_colors(recipe: StageRecipe, read: Read, options: Composition) -> Colors:
    """Blend one fold's colorization of one photograph; one member at least has pictures.

    A histogram member, whose prediction is (180,) float32 and not (H, W, 3) uint8, counts for the
    hues and has no picture. Where `hue` is none, no histogram is counted.
    """
    terms = recipe.terms()
    predictions = [read(member, view) for member, view, _ in terms]
    weights = np.array([weight for *_, weight in terms])
    drawn = [index for index, prediction in enumerate(predictions) if prediction.ndim == 3]
    pictures = [predictions[index] for index in drawn]
    picture = blend_chroma(pictures=pictures, weights=weights[drawn], mode=options.chroma)
    if options.hue == "none":
        return Colors(picture, np.empty((0, HUE_BINS)), np.empty(0))
    histograms = [p if p.ndim == 1 else hue_histogram(p) for p in predictions]
    return Colors(picture, np.stack(histograms).astype(np.float64), weights)


def compose_answer(
    colors: Colors, *, gray: Gray, prior: NDArray[Any] | None, options: Composition
) -> Rgb:
    """Compose the uint8 picture (H, W, 3) that is scored out of fold, and sent.

    The colors are of one fold out of fold, of all folds for a test photograph, and were blended
    with the same options; `gray` is the restored one, and `prior` (180,) of the photographs that
    the folds' networks trained on, or None.
    """
    wanted = wanted_hues(colors, prior=prior, options=options)
    blend = colors.picture if colors.folds == 1 else colors.picture / np.float32(colors.folds)
    return compose_rgb(blend=blend, gray=gray, hue_target=wanted, options=options)


def wanted_hues(
    colors: Colors, *, prior: NDArray[Any] | None, options: Composition
) -> NDArray[np.float64] | None:
    """The hue histogram (180,) that an answer's hues are moved to; None where none is moved."""
    if options.hue == "none":
        return None
    return hue_target(
        histograms=colors.histograms,
        weights=colors.weights,
        prior=prior,
        prior_weight=options.prior_weight,
    )
