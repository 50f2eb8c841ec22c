"""A contact sheet: photographs in rows, what happened to them in columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ensemble.arrays import Rgb
from ensemble.errors import ArrayError

SHOWN_SIDE = 192
GAP = 8
TEXT = 22
PAPER, INK = (250, 250, 248), (40, 40, 40)


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
    step_x, step_y = SHOWN_SIDE + GAP, SHOWN_SIDE + GAP + TEXT
    size = (GAP + step_x * len(headings), GAP + TEXT + step_y * len(rows))
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    font: Any = ImageFont.load_default(size=14)
    for column, heading in enumerate(headings):
        draw.text((GAP + column * step_x, GAP // 2), heading, fill=INK, font=font)
    for index, (caption, row) in enumerate(zip(captions, rows, strict=True)):
        top = TEXT + GAP + index * step_y
        draw.text((GAP, top - 2), caption, fill=INK, font=font)
        for column, picture in enumerate(row):
            sheet.paste(_shown(picture), (GAP + column * step_x, top + TEXT - 4))
    return np.asarray(sheet)


def _shown(picture: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(picture).convert("RGB")
    scale = SHOWN_SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # Enlarged pixels stay square, so that a small picture is not flattered.
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    return image.resize(size, method)
