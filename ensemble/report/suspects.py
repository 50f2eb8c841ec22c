"""A picture of the photographs that most look as if they leaked from one fold into another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from ensemble.arrays import Rgb
from ensemble.errors import ArrayError
from ensemble.folds.audit import Audit, Suspect

N_COLUMNS: Final = 3
SIDE: Final = 160
MARGIN: Final = 8
CAPTION: Final = 40
BACKGROUND: Final = 255
LEAK: Final = (190, 20, 20)
HARMLESS: Final = (60, 60, 60)


def draw_suspects(audit: Audit, load: Callable[[str], Rgb]) -> Rgb:
    """Draw the suspects of an audit, most similar first, three pairs a row.

    Leaks are captioned in red.

    Args:
        audit: From `ensemble.folds.audit`.
        load: Gives a photograph, (H, W, 3) uint8, by its image id.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ArrayError: There is no suspect to draw.
    """
    if not audit.suspects:
        raise ArrayError("there must be a suspect to draw, but no two photographs are similar")
    tiles = [_tile(suspect, load) for suspect in audit.suspects]
    blank = np.full_like(tiles[0], BACKGROUND)
    tiles += [blank] * (-len(tiles) % N_COLUMNS)
    rows = [np.hstack(tiles[k : k + N_COLUMNS]) for k in range(0, len(tiles), N_COLUMNS)]
    return np.vstack(rows)


def _tile(suspect: Suspect, load: Callable[[str], Rgb]) -> Rgb:
    """Both photographs side by side over their names: (SIDE + CAPTION + margins, ..., 3)."""
    tile = np.full(
        (SIDE + CAPTION + 2 * MARGIN, 2 * SIDE + 3 * MARGIN, 3), BACKGROUND, dtype=np.uint8
    )
    color = LEAK if suspect.leaks else HARMLESS
    sides = ((suspect.first, suspect.first_fold), (suspect.second, suspect.second_fold))
    for place, (image_id, fold) in enumerate(sides):
        left = MARGIN + place * (SIDE + MARGIN)
        tile[MARGIN : MARGIN + SIDE, left : left + SIDE] = _fit(load(image_id))
        _write(tile, f"{_shorten(image_id)} fold {fold}", left, 1, color)
    _write(tile, f"similarity {suspect.similarity:.3f}", MARGIN, 2, color)
    return tile


def _fit(rgb: Rgb) -> Rgb:
    """The whole photograph in a square, on the background."""
    height, width = rgb.shape[:2]
    zoom = SIDE / max(height, width)
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    square = np.full((SIDE, SIDE, 3), BACKGROUND, dtype=np.uint8)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


def _shorten(image_id: str, n: int = 14) -> str:
    return image_id if len(image_id) <= n else f"..{image_id[2 - n :]}"


def _write(tile: Rgb, text: str, left: int, line: int, color: tuple[int, int, int]) -> None:
    baseline = MARGIN + SIDE + 16 * line
    cv2.putText(tile, text, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.4, color, 1, cv2.LINE_AA)
