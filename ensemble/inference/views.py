"""The four flips, as pairs of a transform and its inverse.

ttach's own wrappers merge the views at once; here they stay apart, because which of them to
average is for `ens blend` to decide.
"""

from __future__ import annotations

import ttach
from torch import Tensor

from ensemble.composition.recipe import VIEWS, View

_FLIPS: dict[View, tuple[ttach.base.DualTransform, ...]] = {
    "identity": (),
    "hflip": (ttach.HorizontalFlip(),),
    "vflip": (ttach.VerticalFlip(),),
    "hvflip": (ttach.HorizontalFlip(), ttach.VerticalFlip()),
}


def augment(batch: Tensor, view: View) -> Tensor:
    """Flip a batch as the view says.

    Args:
        batch: (N, C, H, W).
        view: One of `VIEWS`.

    Returns:
        (N, C, H, W), the same dtype and device.
    """
    for flip in _FLIPS[view]:
        batch = flip.apply_aug_image(batch, apply=True)
    return batch


def deaugment(batch: Tensor, view: View) -> Tensor:
    """Undo `augment`: `deaugment(augment(x, view), view) == x` for every view."""
    for flip in reversed(_FLIPS[view]):
        batch = flip.apply_deaug_mask(batch, apply=True)
    return batch


__all__ = ["VIEWS", "View", "augment", "deaugment"]
