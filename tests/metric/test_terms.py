from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ensemble.metric import score as module
from ensemble.metric.score import STAGE_TERMS, TERMS, GrayScore, Score, mean_of, weigh

ONE, OTHER = Score(0.9, 0.5, 0.25), Score(0.1, 0.3, -0.5)


def test_the_competitions_weights():
    assert ONE.score == pytest.approx(0.2 * 0.9 + 0.4 * 0.5 + 0.4 * 0.25, abs=1e-15)
    assert GrayScore(0.9, 0.5).score == pytest.approx((0.2 * 0.9 + 0.4 * 0.5) / 0.6, abs=1e-15)


def test_arrays_are_weighed_as_scores_are():
    assert TERMS == ("ssim", "masked_ssim", "hue")
    terms = np.array([[0.9, 0.5, 0.25], [0.1, 0.3, -0.5]])
    np.testing.assert_allclose(weigh("colorization", terms), [ONE.score, OTHER.score], atol=1e-15)
    gray = [GrayScore(0.9, 0.5).score, GrayScore(0.1, 0.3).score]
    np.testing.assert_allclose(weigh("restoration", terms), gray, atol=1e-15)


def test_a_score_is_a_row_of_a_table():
    assert ONE.as_dict() == {"score": ONE.score, "ssim": 0.9, "masked_ssim": 0.5, "hue": 0.25}
    assert list(GrayScore(0.9, 0.5).as_dict()) == ["score", *STAGE_TERMS["restoration"]]
    mean = mean_of([ONE, OTHER])
    assert mean["hue"] == -0.125
    assert mean["score"] == pytest.approx((ONE.score + OTHER.score) / 2)


def test_nobody_else_spells_the_weights_or_the_terms():
    """What is written a second time does not follow the first."""
    here = Path(module.__file__)
    spelled = [
        path.name
        for path in here.parents[1].rglob("*.py")
        if path != here and re.search(r'"masked_ssim"|0\.2, 0\.4, 0\.4', path.read_text())
    ]
    assert spelled == []
