"""The words that every room shares: stages, views, fills and hue bins.

A view is one way to turn a picture before a network sees it. `VIEWS` is the only list of them, and
this module the only place that says what each does: arrays are turned here, and
`ensemble.inference.network` applies ttach's transforms to tensors by the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ensemble.errors import ConfigError, unknown_name

Stage = Literal["restoration", "colorization"]
STAGES: tuple[Stage, ...] = get_args(Stage)

Fold = int | Literal["full"]
FULL: Literal["full"] = "full"
"""Stands for a fold where a network is trained on all photographs and none is left to judge it."""

FILLS = ("spline", "harmonic", "biharmonic", "rows", "navier-stokes", "telea")
"""Ways to fill a hole without a network (`ensemble.damage.fill`); the first is the prefill."""

HUE_BINS = 180
"""Hues of an 8-bit picture, as OpenCV counts them: two degrees each."""


class Turn(NamedTuple):
    """What a view does to a picture: quarter turns counterclockwise, then left and right swap."""

    quarters: int
    mirrored: bool


View = Literal["identity", "hflip", "vflip", "hvflip"]
VIEWS: tuple[View, ...] = get_args(View)

TURNS: Mapping[View, Turn] = MappingProxyType(
    {
        "identity": Turn(0, mirrored=False),
        "hflip": Turn(0, mirrored=True),
        "vflip": Turn(2, mirrored=True),
        "hvflip": Turn(2, mirrored=False),
    }
)


def apply_view(picture: NDArray[Any], view: View) -> NDArray[Any]:
    """Turn a picture (H, W) or (H, W, C) of any dtype; the result is contiguous.

    >>> apply_view(np.array([[1, 2], [3, 4]]), "hflip").tolist()
    [[2, 1], [4, 3]]
    """
    quarters, mirrored = TURNS[view]
    turned = np.rot90(picture, quarters)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def undo_view(picture: NDArray[Any], view: View) -> NDArray[Any]:
    """Undo `apply_view`: `undo_view(apply_view(x, view), view)` equals `x` for every view."""
    quarters, mirrored = TURNS[view]
    return np.ascontiguousarray(np.rot90(picture[:, ::-1] if mirrored else picture, -quarters))


def check_stage(stage: str) -> Stage:
    """Return `stage` if it is one; raises ConfigError otherwise."""
    for known in STAGES:
        if stage == known:
            return known
    raise ConfigError(unknown_name("stage", stage, STAGES))


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "group"), counted(2456, "group")
    ('1 group', '2,456 groups')
    """
    return f"{number:,} {noun if number == 1 else noun + 's'}"
