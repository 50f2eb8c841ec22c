"""From a blend to the answer, by one path for what is scored out of fold and what is sent."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ensemble.arrays import Gray, Mask, Rgb, luma
from ensemble.composition.hue_transport import transport_hue
from ensemble.composition.luma import fill_data_range, lock_luma, paste_back, quantize
from ensemble.composition.recipe import Composition


def compose_gray(
    *, blend: NDArray[Any], damaged: Gray, lost_mask: Mask, options: Composition
) -> Gray:
    """Make the restored gray from the blend of stage 1.

    Args:
        blend: (H, W) float on the scale 0..255.
        damaged: (H, W) uint8, the input.
        lost_mask: (H, W) bool, the located hole.
        options: `paste_back` says whether the input is put back outside the hole.

    Returns:
        (H, W) uint8.

    >>> import numpy as np
    >>> damaged, lost_mask = np.array([[7, 90]], np.uint8), np.array([[True, False]])
    >>> blend = np.array([[88.6, 80.0]])
    >>> options = Composition()
    >>> compose_gray(blend=blend, damaged=damaged, lost_mask=lost_mask, options=options).tolist()
    [[89, 90]]
    """
    restored = quantize(blend)
    if not options.paste_back:
        return restored
    return paste_back(restored=restored, damaged=damaged, lost_mask=lost_mask)


def compose_rgb(
    *, blend: NDArray[Any], gray: Gray, hue_target: NDArray[Any] | None, options: Composition
) -> Rgb:
    """Make the answer from the blend of stage 2.

    Hue transport keeps the luma: without the lock, the blend's own. The data range comes last,
    because it must be that of the picture that is scored.

    Args:
        blend: (H, W, 3) float on the scale 0..255, of one fold or the mean over folds.
        gray: (H, W) uint8, the restored gray.
        hue_target: (180,), or None to leave the hues as they are.
        options: Which steps are taken; `hue` also needs a `hue_target`.

    Returns:
        (H, W, 3) uint8, a function of the arguments alone.

    >>> import numpy as np
    >>> gray = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    >>> blend = np.full((8, 8, 3), (200.0, 120.0, 90.0))
    >>> picture = compose_rgb(blend=blend, gray=gray, hue_target=None, options=Composition())
    >>> np.array_equal(luma(picture), gray)
    True
    """
    picture = lock_luma(rgb=blend, gray=gray) if options.luma_lock else quantize(blend)
    if hue_target is not None and options.hue != "none":
        own = gray if options.luma_lock else luma(picture)
        picture = transport_hue(rgb=picture, gray=own, target=hue_target, mode=options.hue)
    return finish_rgb(picture, options)


def finish_rgb(picture: Rgb, options: Composition) -> Rgb:
    """The last step of `compose_rgb`: pictures that differ in it alone share all others."""
    return fill_data_range(picture) if options.data_range == "full" else picture
