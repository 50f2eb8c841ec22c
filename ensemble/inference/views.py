"""Views of tensors, as pairs of a transform of ttach and its inverse.

ttach's own wrappers merge the views at once; here they stay apart, because which of them to
average is for `ens blend` to decide. What each view does is said in `ensemble.vocabulary`.
"""

from __future__ import annotations

import ttach
from torch import Tensor

from ensemble.vocabulary import TURNS, View

_ROTATE = ttach.Rotate90(angles=[0, 90, 180, 270])
_MIRROR = ttach.HorizontalFlip()


def augment(batch: Tensor, view: View) -> Tensor:
    """Turn a batch as the view says.

    Args:
        batch: (N, C, H, W).
        view: One of `VIEWS`.

    Returns:
        (N, C, H, W), the same dtype and device; H and W change places with odd quarter turns.
    """
    quarters, mirrored = TURNS[view]
    turned: Tensor = _ROTATE.apply_aug_image(batch, angle=90 * quarters)
    return _MIRROR.apply_aug_image(turned, apply=mirrored)


def deaugment(batch: Tensor, view: View) -> Tensor:
    """Undo `augment`: `deaugment(augment(x, view), view) == x` for every view."""
    quarters, mirrored = TURNS[view]
    turned: Tensor = _MIRROR.apply_deaug_mask(batch, apply=mirrored)
    return _ROTATE.apply_deaug_mask(turned, angle=90 * quarters)
