"""A candidate blend of one stage, and the picture it makes of one photograph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask
from ensemble.composition.blend import Read, answer, blend_colours, blend_gray
from ensemble.composition.chroma import blend_chroma
from ensemble.composition.compose import compose_gray, compose_rgb
from ensemble.composition.recipe import ChromaMode, Composition, StageRecipe
from ensemble.composition.weighted_mean import weighted_mean_of
from ensemble.vocabulary import Stage


@dataclass(frozen=True)
class Candidate:
    """Weights and views of a stage's members, and the options of composition.

    Attributes:
        recipe: The blend.
        composition: The options.
    """

    recipe: StageRecipe
    composition: Composition = field(default_factory=Composition)

    @property
    def key(self) -> str:
        """Equal for equal candidates."""
        return f"{self.recipe.model_dump_json()} {self.composition.model_dump_json()}"

    @property
    def forward_passes(self) -> int:
        """Passes through a network that one photograph costs."""
        return len(self.recipe.terms())


@dataclass(frozen=True, eq=False)
class Subject:
    """What is known of one photograph before any member speaks.

    Attributes:
        image_id: Its name.
        target: The truth, (H, W) uint8 for restoration, (H, W, 3) for colorization.
        lost_mask: (H, W) bool, the true mask: what the score reads.
        located: (H, W) bool, the mask as found in the input: what composition reads.
        gray: (H, W) uint8, the damaged input for restoration, the restored gray for colorization.
        prior: (180,) hue histogram of what its fold's networks trained on; None for none.
    """

    image_id: str
    target: NDArray[np.uint8]
    lost_mask: Mask
    located: Mask
    gray: Gray
    prior: NDArray[Any] | None = None


def rendered(stage: Stage, subject: Subject, read: Read, candidate: Candidate) -> NDArray[np.uint8]:
    """The picture that is scored, by the very functions that make the one that is sent.

    Args:
        stage: Which stage is being blended.
        subject: The photograph.
        read: Gives the prediction of a member for a view of it.
        candidate: The blend and the options.

    Returns:
        (H, W) uint8 for restoration, (H, W, 3) for colorization.
    """
    options = candidate.composition
    if stage == "restoration":
        return compose_gray(
            blend=blend_gray(candidate.recipe, read),
            damaged=subject.gray,
            lost_mask=subject.located,
            options=options,
        )
    if options.hue == "none":
        # Nobody's hues are asked for: counting them would take longer than the score.
        blend = _blend_rgb(candidate.recipe, read, options.chroma)
        return compose_rgb(blend=blend, gray=subject.gray, hue_target=None, options=options)
    colours = blend_colours(candidate.recipe, read, options.chroma)
    return answer(colours, gray=subject.gray, prior=subject.prior, options=options)


def _blend_rgb(recipe: StageRecipe, read: Read, mode: ChromaMode) -> NDArray[np.float32]:
    """The picture of `blend_colours`, without the histograms."""
    said = [(read(member, view), weight) for member, view, weight in recipe.terms()]
    drawn = [(picture, weight) for picture, weight in said if picture.ndim == 3]
    weights = np.array([weight for _, weight in drawn])
    pictures = [picture for picture, _ in drawn]
    if mode == "mean":
        return weighted_mean_of(pictures, (weights / weights.sum()).astype(np.float32))
    return blend_chroma(pictures=np.stack(pictures), weights=weights, mode=mode)
