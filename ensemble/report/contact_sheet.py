"""A contact sheet: photographs in rows, what happened to them in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ensemble.arrays import Rgb
from ensemble.errors import ArrayError

SHOWN_SIDE = 192
GAP = 8
TEXT = 22
STEP_X, STEP_Y = SHOWN_SIDE + GAP, SHOWN_SIDE + GAP + TEXT
PAPER, INK, WARNING = (250, 250, 248), (40, 40, 40), (200, 20, 20)

Ink = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Cell:
    """One picture of a grid; its caption is red where a person should look."""

    picture: NDArray[np.uint8]
    caption: str
    warned: bool = False


def contact_sheet(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    *,
    headings: Sequence[str],
    captions: Sequence[str],
) -> Rgb:
    """Draw pictures in a grid.

    Args:
        rows: For each photograph one picture a column, (H, W) or (H, W, 3) uint8 of any size.
        headings: Above each column.
        captions: Above each row.

    Returns:
        (height, width, 3) uint8.

    Raises:
        ArrayError: There are no rows, or a row has not one picture for each heading.
    """
    if not rows or len(rows) != len(captions):
        raise ArrayError(f"one caption a row is due, but got {len(captions)} for {len(rows)} rows")
    for caption, row in zip(captions, rows, strict=True):
        if len(row) != len(headings):
            raise ArrayError(f"`{caption}` has {len(row)} pictures for {len(headings)} headings")
    sheet = _blank_sheet(columns=len(headings), rows=len(rows), header=TEXT)
    for column, heading in enumerate(headings):
        _write(sheet, (GAP + column * STEP_X, GAP // 2), heading, INK)
    for index, (caption, row) in enumerate(zip(captions, rows, strict=True)):
        top = TEXT + GAP + index * STEP_Y
        _write(sheet, (GAP, top - 2), caption, INK)
        for column, picture in enumerate(row):
            sheet.paste(_shown(picture), (GAP + column * STEP_X, top + TEXT - 4))
    return np.asarray(sheet)


def picture_grid(cells: Sequence[Cell], *, columns: int) -> Rgb:
    """Draw pictures row after row, each under its own caption.

    Args:
        cells: The pictures, (H, W) or (H, W, 3) uint8 of any size.
        columns: How many a row.

    Returns:
        (height, width, 3) uint8.

    Raises:
        ArrayError: There are no pictures.
    """
    if not cells:
        raise ArrayError("a grid needs at least one picture, but got none")
    sheet = _blank_sheet(columns=columns, rows=-(-len(cells) // columns), header=0)
    for index, cell in enumerate(cells):
        left, top = GAP + index % columns * STEP_X, GAP + index // columns * STEP_Y
        _write(sheet, (left, top - 4), cell.caption, WARNING if cell.warned else INK)
        sheet.paste(_shown(cell.picture), (left, top + TEXT - 4))
    return np.asarray(sheet)


def _blank_sheet(*, columns: int, rows: int, header: int) -> Image.Image:
    size = (GAP + STEP_X * columns, GAP + header + STEP_Y * rows)
    return Image.new("RGB", size, PAPER)


def _write(sheet: Image.Image, place: tuple[int, int], text: str, ink: Ink) -> None:
    font: Any = ImageFont.load_default(size=14)
    ImageDraw.Draw(sheet).text(place, text, fill=ink, font=font)


def _shown(picture: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(picture).convert("RGB")
    scale = SHOWN_SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # Enlarged pixels stay square, so that a small picture is not flattered.
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    return image.resize(size, method)
