from __future__ import annotations

import numpy as np
import pytest

from ensemble.errors import ConfigError
from ensemble.vocabulary import TURNS, VIEWS, apply_view, check_stage, undo_view

FLIPPED_AXES = {"identity": (), "hflip": (1,), "vflip": (0,), "hvflip": (0, 1)}


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_flips_its_axes_and_is_undone(view, shape):
    picture = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    assert np.array_equal(apply_view(picture, view), np.flip(picture, FLIPPED_AXES[view]))
    assert np.array_equal(undo_view(apply_view(picture, view), view), picture)


def test_every_view_has_a_turn():
    assert tuple(TURNS) == VIEWS


def test_an_unknown_stage_is_answered_with_the_nearest():
    assert check_stage("restoration") == "restoration"
    with pytest.raises(ConfigError, match=r"`restore` is no stage; valid, nearest first: `resto"):
        check_stage("restore")
