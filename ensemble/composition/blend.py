"""One stage's blend, as its recipe says: the same sums for out-of-fold and for test pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.composition.chroma import ChromaMode, blend_chroma
from ensemble.composition.recipe import StageRecipe, View

Read = Callable[[str, View], NDArray[Any]]
"""Gives the prediction of a member for a view of one photograph."""


def blend_gray(recipe: StageRecipe, read: Read) -> NDArray[np.float32]:
    """The weighted mean of the restored grays.

    Args:
        recipe: Members, views and weights.
        read: Gives (H, W) uint8.

    Returns:
        (H, W) float32 on the scale 0..255, not yet pasted back or rounded.
    """
    terms = recipe.terms()
    first = read(*terms[0][:2])
    blend = np.zeros(first.shape, dtype=np.float32)
    for member, view, weight in terms:
        blend += np.float32(weight) * read(member, view)
    return blend


def blend_rgb(recipe: StageRecipe, read: Read, mode: ChromaMode) -> NDArray[np.float32]:
    """The members' pictures as one; see `blend_chroma`.

    Args:
        recipe: Members, views and weights.
        read: Gives (H, W, 3) uint8.
        mode: How chroma is combined.

    Returns:
        (H, W, 3) float32 on the scale 0..255.
    """
    terms = recipe.terms()
    pictures = np.stack([read(member, view) for member, view, _ in terms])
    weights = np.array([weight for *_, weight in terms])
    return blend_chroma(pictures=pictures, weights=weights, mode=mode)
