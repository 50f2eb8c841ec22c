from __future__ import annotations

import numpy as np
import pytest

from ensemble.errors import ArrayError
from ensemble.folds.audit import Audit, Suspect
from ensemble.report.suspects import CAPTION, LEAK, MARGIN, SIDE, draw_suspects

RED, TALL = np.full((40, 40, 3), (250, 0, 0), np.uint8), np.full((80, 40, 3), (0, 0, 250), np.uint8)


def audit(*similarities: float) -> Audit:
    suspects = tuple(Suspect("red", "tall", 0, 1, s) for s in similarities)
    return Audit(suspects, 1, 2, 2)


def load(image_id: str) -> np.ndarray:
    return {"red": RED, "tall": TALL}[image_id]


def test_pairs_stand_side_by_side_and_keep_their_shape() -> None:
    picture = draw_suspects(audit(0.9), load)
    width = 2 * SIDE + 3 * MARGIN
    assert picture.shape == (SIDE + CAPTION + 2 * MARGIN, 3 * width, 3)
    assert picture.dtype == np.uint8
    photographs = picture[MARGIN : MARGIN + SIDE]
    assert (photographs == (250, 0, 0)).all(axis=-1).sum() == SIDE * SIDE
    assert (photographs == (0, 0, 250)).all(axis=-1).sum() == SIDE * SIDE // 2


def test_leaks_are_captioned_in_red() -> None:
    captions = [draw_suspects(audit(s), load)[-CAPTION:] for s in (0.5, 0.49)]
    red = [(caption == LEAK).all(axis=-1).any() for caption in captions]
    assert red == [True, False]


def test_rows_are_filled_up_with_background() -> None:
    row = draw_suspects(audit(0.9), load).shape
    picture = draw_suspects(audit(0.9, 0.8, 0.7, 0.6), load)
    assert picture.shape == (2 * row[0], row[1], 3)
    assert (picture[row[0] :, row[1] // 3 :] == 255).all()


def test_nothing_to_draw() -> None:
    with pytest.raises(ArrayError, match="must be a suspect to draw"):
        draw_suspects(Audit((), 0, 0, 2), load)
