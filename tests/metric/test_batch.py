from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest

from ensemble.errors import ScoreError
from ensemble.metric.batch import NamedScore, Pair, score_lazily
from ensemble.metric.score import score
from tests.reference.corpus import Case


def test_pictures_are_loaded_scored_and_named_in_order(cases: list[Case]) -> None:
    found = list(score_lazily([partial(Pair, *case) for case in cases], n_threads=2))
    assert found == [
        NamedScore(name, score(pred=pred, target=target, lost_mask=lost_mask))
        for name, pred, target, lost_mask in cases
    ]


def test_no_more_is_loaded_than_is_in_flight(cases: list[Case]) -> None:
    loaded: list[int] = []

    def load(number: int) -> Pair:
        loaded.append(number)
        return Pair(*cases[0])

    endless = (partial(load, number) for number in itertools.count())
    scores = score_lazily(endless, n_threads=2)
    assert len(list(itertools.islice(scores, 6))) == 6
    assert len(loaded) <= 6 + 4
    scores.close()  # type: ignore[attr-defined]


def test_an_undefined_picture_is_named() -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    pair = partial(Pair, "TEST_042", black, black, np.zeros((8, 8), bool))
    with pytest.raises(ScoreError, match="TEST_042"):
        list(score_lazily([pair]))
