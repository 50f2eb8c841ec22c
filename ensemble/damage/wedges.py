"""How well the hole around a pixel looks like one straight-edged piece.

The hole is a polygon, so the disc around a pixel of its rim is cut by a straight edge, or filled
in one wedge whose tip is a vertex nearby. A pixel that merely clings to the rim fits none of them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.compiled import kernel

RADII = (3, 6)
EDGES = (0.5, -0.5, -1.5, -2.5)
WEDGES = (20, 45, 70, 90, 120, 150, 210, 270)
WEDGE_FEATURES = tuple(
    f"misfit in radius {radius}: {what}"
    for radius in RADII
    for what in (*(f"edge at {edge}" for edge in EDGES), *(f"wedge of {wedge}" for wedge in WEDGES))
)
_TURNS = 32
_REACH = max(RADII)


def wedge_misfits(hopes: NDArray[np.float32], pixels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Compare the disc around each pixel with half-planes and wedges turned all ways.

    Args:
        hopes: (H, W) float32 in [0, 1], how sure each pixel is of the hole; nothing beyond.
        pixels: (N, 2) int64, (y, x) a row.

    Returns:
        (N, len(WEDGE_FEATURES)) float32 in [0, 1]: by radius and shape, the mean difference
        between hopes and shape over the disc (its centre left out), least over 32 turns.
        An edge at d is the line d pixels past the centre: below zero it leaves the centre out.
        A wedge has its tip in the centre.
    """
    linear, constant = _templates()
    flat = np.zeros((len(pixels), len(linear)), dtype=np.float32)
    _cut(hopes, pixels, flat)
    misfits = (flat @ linear + constant).reshape(len(pixels), len(WEDGE_FEATURES), _TURNS)
    least: NDArray[np.float32] = misfits.min(axis=2)
    return least


@cache
def _templates() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean of |hope - shape| is linear in the hopes: its weights a template, and constants."""
    linear, constant = [], []
    for radius in RADII:
        disc = _disc(radius)
        for shape in _shapes():
            inside = shape & disc
            linear.append((disc.astype(np.float64) - 2.0 * inside).ravel() / disc.sum())
            constant.append(inside.sum() / disc.sum())
    return np.stack(linear, axis=1).astype(np.float32), np.array(constant, dtype=np.float32)


def _disc(radius: int) -> NDArray[np.bool_]:
    distance = np.hypot(*_grid())
    disc: NDArray[np.bool_] = (distance > 0) & (distance <= radius + 0.3)
    return disc


def _shapes() -> list[NDArray[np.bool_]]:
    """Each edge in every turn, then each wedge in every turn."""
    y, x = _grid()
    turns = 2.0 * np.pi * np.arange(_TURNS) / _TURNS
    edges = [np.cos(a) * x + np.sin(a) * y <= edge for edge in EDGES for a in turns]
    off = [np.abs((np.arctan2(y, x) - a + np.pi) % (2.0 * np.pi) - np.pi) for a in turns]
    wedges = [turn <= np.radians(wedge) / 2.0 + 1e-6 for wedge in WEDGES for turn in off]
    return edges + wedges


def _grid() -> NDArray[np.int64]:
    return np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1]


@kernel
def _cut(hopes: NDArray[Any], pixels: NDArray[Any], flat: NDArray[Any]) -> None:
    """Copy the square around each pixel into its row; zero stays where the picture ends."""
    height, width = hopes.shape
    side = 2 * _REACH + 1
    for i in range(len(pixels)):
        for k in range(side * side):
            y, x = pixels[i, 0] + k // side - _REACH, pixels[i, 1] + k % side - _REACH
            if 0 <= y < height and 0 <= x < width:
                flat[i, k] = hopes[y, x]
