"""From a blend to the answer: the one path of what is scored out of fold and what is sent."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb
from ensemble.composition.luma import lock_luma
from ensemble.composition.paste_back import paste_back
from ensemble.composition.quantise import quantise
from ensemble.composition.recipe import Composition


def compose_gray(
    *, blend: NDArray[Any], damaged: Gray, lost_mask: Mask, options: Composition
) -> Gray:
    """Restored gray (H, W) uint8 from stage 1's blend (H, W) float32."""
    restored = quantise(blend)
    if not options.paste_back:
        return restored
    return paste_back(restored=restored, damaged=damaged, lost_mask=lost_mask)


def compose_rgb(
    *, blend: NDArray[Any], gray: Gray, hue_target: NDArray[Any] | None, options: Composition
) -> Rgb:
    """The answer (H, W, 3) uint8 from stage 2's blend (H, W, 3) float32."""
    return lock_luma(rgb=blend, gray=gray) if options.luma_lock else quantise(blend)
