from __future__ import annotations

import numpy as np
import pytest

from ensemble.errors import ArrayError
from ensemble.folds.audit import Audit, Suspect
from ensemble.report.sheets import (
    GAP,
    INK,
    PAPER,
    SHOWN_SIDE,
    STEP_X,
    STEP_Y,
    TEXT,
    WARNING,
    Cell,
    draw_contact_sheet,
    draw_grid,
    draw_suspects,
)

RED = np.full((48, 48, 3), (250, 0, 0), np.uint8)
GRAY = np.full((300, 300), 100, np.uint8)
WIDE = np.full((20, 80, 3), (0, 0, 250), np.uint8)


def count(sheet: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((sheet == color).all(axis=-1).sum())


def place_of(sheet: np.ndarray, color: tuple[int, int, int]) -> tuple[int, int]:
    """Row and column of the first pixel of a color."""
    y, x = np.nonzero((sheet == color).all(axis=-1))
    return int(y.min()), int(x.min())


def test_pictures_of_any_size_fill_their_column():
    sheet = draw_contact_sheet([[RED, GRAY]], headings=["a", "b"], captions=["c"])
    assert sheet.dtype == np.uint8
    assert sheet.shape == (GAP + TEXT + STEP_Y, GAP + 2 * STEP_X, 3)
    assert count(sheet, (250, 0, 0)) == SHOWN_SIDE**2
    assert count(sheet, (100, 100, 100)) == SHOWN_SIDE**2
    assert place_of(sheet, (100, 100, 100))[1] - place_of(sheet, (250, 0, 0))[1] == STEP_X


def test_rows_are_one_below_the_other():
    sheet = draw_contact_sheet([[GRAY], [RED]], headings=["a"], captions=["c", "d"])
    assert place_of(sheet, (250, 0, 0))[0] - place_of(sheet, (100, 100, 100))[0] == STEP_Y


def test_a_picture_keeps_its_shape():
    sheet = draw_contact_sheet([[WIDE]], headings=["a"], captions=["c"])
    assert count(sheet, (0, 0, 250)) == SHOWN_SIDE * SHOWN_SIDE // 4


def test_enlarged_pixels_stay_square():
    """A checkerboard of 4 pixels becomes four even squares, without values between."""
    board = np.array([[0, 255], [255, 0]], dtype=np.uint8)
    sheet = draw_contact_sheet([[board]], headings=[""], captions=[""])
    assert count(sheet, (0, 0, 0)) == count(sheet, (255, 255, 255)) == SHOWN_SIDE**2 // 2


def test_words_are_written_above():
    silent = draw_contact_sheet([[RED]], headings=[""], captions=[""])
    heading = draw_contact_sheet([[RED]], headings=["heading"], captions=[""])
    caption = draw_contact_sheet([[RED]], headings=[""], captions=["caption"])
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
        draw_contact_sheet(rows, headings=["x", "y"], captions=captions)


def test_a_grid_goes_row_after_row():
    cells = [Cell(GRAY, "one"), Cell(WIDE, "two"), Cell(RED, "three")]
    sheet = draw_grid(cells, columns=2)
    assert sheet.shape == (GAP + 2 * STEP_Y, GAP + 2 * STEP_X, 3)
    gray, red = place_of(sheet, (100, 100, 100)), place_of(sheet, (250, 0, 0))
    assert (red[0] - gray[0], red[1] - gray[1]) == (STEP_Y, 0)
    assert place_of(sheet, (0, 0, 250)) == (gray[0], gray[1] + STEP_X)
    assert (sheet[GAP + STEP_Y :, GAP + STEP_X :] == PAPER).all()


def test_a_warned_caption_is_red():
    assert count(draw_grid([Cell(GRAY, "look")], columns=1), WARNING) == 0
    assert count(draw_grid([Cell(GRAY, "look", warned=True)], columns=1), WARNING) > 0


def test_an_empty_grid_is_refused():
    with pytest.raises(ArrayError, match="at least one picture"):
        draw_grid([], columns=2)


def test_a_caption_stands_clear_of_the_pictures_above_and_below():
    sheet = draw_grid([Cell(GRAY, "Ag"), Cell(GRAY, "Ag")], columns=1)
    written = (sheet != PAPER).any(axis=-1) & (sheet != 100).any(axis=-1)
    rows = np.nonzero(written.any(axis=1))[0]
    second = rows[rows > STEP_Y]
    above, below = GAP + TEXT - 4 + SHOWN_SIDE, GAP + STEP_Y + TEXT - 4
    assert 3 <= below - second.max() - 1 <= second.min() - above


def suspects(*similarities: float) -> Audit:
    pairs = tuple(Suspect("red", "wide", 0, 1, similarity) for similarity in similarities)
    return Audit(pairs, 1, 2, 2)


def load(image_id: str) -> np.ndarray:
    return {"red": RED, "wide": WIDE}[image_id]


def test_suspects_stand_side_by_side_three_pairs_a_row():
    sheet = draw_suspects(suspects(0.9, 0.8, 0.7, 0.6), load)
    assert sheet.shape == (GAP + 2 * STEP_Y, GAP + 6 * STEP_X, 3)
    assert place_of(sheet, (0, 0, 250))[1] - place_of(sheet, (250, 0, 0))[1] == STEP_X
    assert count(sheet, (250, 0, 0)) == 4 * SHOWN_SIDE**2


def test_leaks_are_captioned_in_red():
    red = [count(draw_suspects(suspects(similarity), load), WARNING) for similarity in (0.5, 0.49)]
    assert red[0] > 0
    assert red[1] == 0


def test_a_long_name_does_not_run_into_the_next_picture():
    long = Audit((Suspect("x" * 40, "y" * 40, 10, 11, 1.0),), 1, 2, 2)
    sheet = draw_suspects(long, lambda _: GRAY)
    columns = np.nonzero((sheet == WARNING).all(axis=-1).any(axis=0))[0]
    between = (columns >= GAP + SHOWN_SIDE) & (columns < GAP + STEP_X)
    assert not between.any()
    assert columns.max() < GAP + 2 * STEP_X


def test_no_suspect_is_nothing_to_draw():
    with pytest.raises(ArrayError, match="at least one picture"):
        draw_suspects(Audit((), 0, 0, 2), load)
