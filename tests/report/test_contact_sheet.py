from __future__ import annotations

import numpy as np
import pytest

from ensemble.errors import ArrayError
from ensemble.report.contact_sheet import (
    GAP,
    INK,
    PAPER,
    SHOWN_SIDE,
    STEP_X,
    STEP_Y,
    TEXT,
    WARNING,
    Cell,
    contact_sheet,
    picture_grid,
)

RED = np.full((48, 48, 3), (250, 0, 0), np.uint8)
GRAY = np.full((300, 300), 100, np.uint8)
WIDE = np.full((20, 80, 3), (0, 0, 250), np.uint8)


def count(sheet: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((sheet == colour).all(axis=-1).sum())


def place_of(sheet: np.ndarray, colour: tuple[int, int, int]) -> tuple[int, int]:
    """Row and column of the first pixel of a colour."""
    y, x = np.nonzero((sheet == colour).all(axis=-1))
    return int(y.min()), int(x.min())


def test_pictures_of_any_size_fill_their_column():
    sheet = contact_sheet([[RED, GRAY]], headings=["a", "b"], captions=["c"])
    assert sheet.dtype == np.uint8
    assert sheet.shape == (GAP + TEXT + STEP_Y, GAP + 2 * STEP_X, 3)
    assert count(sheet, (250, 0, 0)) == SHOWN_SIDE**2
    assert count(sheet, (100, 100, 100)) == SHOWN_SIDE**2
    assert place_of(sheet, (100, 100, 100))[1] - place_of(sheet, (250, 0, 0))[1] == STEP_X


def test_rows_are_one_below_the_other():
    sheet = contact_sheet([[GRAY], [RED]], headings=["a"], captions=["c", "d"])
    assert place_of(sheet, (250, 0, 0))[0] - place_of(sheet, (100, 100, 100))[0] == STEP_Y


def test_a_picture_keeps_its_shape():
    sheet = contact_sheet([[WIDE]], headings=["a"], captions=["c"])
    assert count(sheet, (0, 0, 250)) == SHOWN_SIDE * SHOWN_SIDE // 4


def test_enlarged_pixels_stay_square():
    """A chequerboard of 4 pixels becomes four even squares, without values between."""
    board = np.array([[0, 255], [255, 0]], dtype=np.uint8)
    sheet = contact_sheet([[board]], headings=[""], captions=[""])
    assert count(sheet, (0, 0, 0)) == count(sheet, (255, 255, 255)) == SHOWN_SIDE**2 // 2


def test_words_are_written_above():
    silent = contact_sheet([[RED]], headings=[""], captions=[""])
    heading = contact_sheet([[RED]], headings=["heading"], captions=[""])
    caption = contact_sheet([[RED]], headings=[""], captions=["caption"])
    assert count(silent, INK) == 0
    for told, first, last in ((heading, 0, TEXT + GAP - 2), (caption, TEXT, 2 * TEXT + GAP)):
        rows = np.nonzero((told != silent).any(axis=(1, 2)))[0]
        assert len(rows) > 0
        assert first <= rows.min()
        assert rows.max() < last
        assert count(told, (250, 0, 0)) == SHOWN_SIDE**2


@pytest.mark.parametrize(
    ("rows", "captions", "message"),
    [
        ([], [], "one caption a row is due, but got 0 for 0 rows"),
        ([[RED, RED]], ["a", "b"], "one caption a row is due, but got 2 for 1 rows"),
        ([[RED]], ["a"], "`a` has 1 pictures for 2 headings"),
    ],
)
def test_a_ragged_sheet_is_refused(rows, captions, message: str):
    with pytest.raises(ArrayError, match=message):
        contact_sheet(rows, headings=["x", "y"], captions=captions)


def test_a_grid_goes_row_after_row():
    cells = [Cell(GRAY, "one"), Cell(WIDE, "two"), Cell(RED, "three")]
    sheet = picture_grid(cells, columns=2)
    assert sheet.shape == (GAP + 2 * STEP_Y, GAP + 2 * STEP_X, 3)
    gray, red = place_of(sheet, (100, 100, 100)), place_of(sheet, (250, 0, 0))
    assert (red[0] - gray[0], red[1] - gray[1]) == (STEP_Y, 0)
    assert place_of(sheet, (0, 0, 250)) == (gray[0], gray[1] + STEP_X)
    assert (sheet[GAP + STEP_Y :, GAP + STEP_X :] == PAPER).all()


def test_a_warned_caption_is_red():
    assert count(picture_grid([Cell(GRAY, "look")], columns=1), WARNING) == 0
    assert count(picture_grid([Cell(GRAY, "look", warned=True)], columns=1), WARNING) > 0


def test_an_empty_grid_is_refused():
    with pytest.raises(ArrayError, match="at least one picture"):
        picture_grid([], columns=2)
