"""Sheets of pictures: a grid, a contact sheet, and the suspects of an audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ensemble.arrays import Rgb
from ensemble.errors import ArrayError
from ensemble.folds.audit import Audit

if TYPE_CHECKING:  # loads torch, which the help of `ens folds` does not need
    from ensemble.submission.chain import TestAnswer

SHOWN_SIDE = 192
GAP = 8
TEXT = 22
STEP_X, STEP_Y = SHOWN_SIDE + GAP, SHOWN_SIDE + GAP + TEXT
PAPER, INK, WARNING = (250, 250, 248), (40, 40, 40), (200, 20, 20)
SUSPECT_COLUMNS = 6
LONGEST_NAME = 12


class Cell(NamedTuple):
    """One picture of a grid; its caption is red where a person should look."""

    picture: NDArray[np.uint8]
    caption: str
    warned: bool = False


def draw_grid(cells: Sequence[Cell], *, columns: int, headings: Sequence[str] = ()) -> Rgb:
    """Draw pictures, (H, W) or (H, W, 3) uint8 of any size, row after row, each under its caption.

    Without headings of the columns no room is left for them.

    Raises:
        ArrayError: There are no pictures.
    """
    if not cells:
        raise ArrayError("a grid needs at least one picture, but got none")
    header = TEXT if headings else 0
    n_rows = -(-len(cells) // columns)
    size = (GAP + STEP_X * columns, GAP + header + STEP_Y * n_rows)
    sheet = Image.new("RGB", size, PAPER)
    for column, heading in enumerate(headings):
        _write(sheet, (GAP + column * STEP_X, GAP // 2), heading)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        left, top = GAP + column * STEP_X, GAP + header + row * STEP_Y
        _write(sheet, (left, top - 4), cell.caption, WARNING if cell.warned else INK)
        sheet.paste(_fit(cell.picture), (left, top + TEXT - 4))
    return np.asarray(sheet)


def draw_contact_sheet(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    *,
    headings: Sequence[str],
    captions: Sequence[str],
) -> Rgb:
    """Draw photographs in rows, and what happened to them in columns, as `draw_grid`.

    Raises:
        ArrayError: There are no rows, or a row has not one picture for each heading.
    """
    if not rows or len(rows) != len(captions):
        raise ArrayError(f"one caption a row is due, but got {len(captions)} for {len(rows)} rows")
    cells = []
    for caption, row in zip(captions, rows, strict=True):
        if len(row) != len(headings):
            raise ArrayError(f"`{caption}` has {len(row)} pictures for {len(headings)} headings")
        cells += [Cell(row[0], caption), *(Cell(picture, "") for picture in row[1:])]
    return draw_grid(cells, columns=len(headings), headings=headings)


def draw_answers(answers: Sequence[TestAnswer], targets: Mapping[str, Rgb]) -> Rgb:
    """Draw test photographs: damaged, restored, colorized, and the target where it is known."""
    headings = ["damaged input", "restored gray", "colorized", *(["target"] if targets else [])]
    rows = [[a.damaged, a.gray, a.picture] for a in answers]
    if targets:
        rows = [[*row, targets[a.image_id]] for row, a in zip(rows, answers, strict=True)]
    return draw_contact_sheet(rows, headings=headings, captions=[a.image_id for a in answers])


def draw_suspects(found: Audit, load: Callable[[str], Rgb]) -> Rgb:
    """Draw the suspects of an audit, most similar first, three pairs a row; leaks in red.

    `load` gives a photograph by its image id. Raises ArrayError where there is no suspect.
    """
    cells = []
    for suspect in found.suspects:
        first = f"{_shorten(suspect.first)} fold {suspect.first_fold}"
        second = f"{_shorten(suspect.second)} fold {suspect.second_fold}, {suspect.similarity:.2f}"
        cells.append(Cell(load(suspect.first), first, suspect.leaks))
        cells.append(Cell(load(suspect.second), second, suspect.leaks))
    return draw_grid(cells, columns=SUSPECT_COLUMNS)


def _shorten(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"..{name[2 - LONGEST_NAME :]}"


def _write(
    sheet: Image.Image, place: tuple[int, int], text: str, ink: tuple[int, int, int] = INK
) -> None:
    font: Any = ImageFont.load_default(size=14)
    ImageDraw.Draw(sheet).text(place, text, fill=ink, font=font)


def _fit(picture: NDArray[np.uint8]) -> Image.Image:
    """The picture enlarged or reduced until its longer side is `SHOWN_SIDE`."""
    image = Image.fromarray(picture).convert("RGB")
    scale = SHOWN_SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # Enlarged pixels stay square, so that a small picture shows how coarse it is.
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    return image.resize(size, method)
