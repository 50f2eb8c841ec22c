from __future__ import annotations

import numpy as np
import pytest
import torch

from ensemble.inference.network import augment, deaugment
from ensemble.vocabulary import VIEWS

BATCH = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
FLIPPED_AXES = {"identity": (), "hflip": (3,), "vflip": (2,), "hvflip": (2, 3)}


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_flips_the_axes_its_name_says(view):
    expected = np.flip(BATCH.numpy(), FLIPPED_AXES[view])
    assert np.array_equal(augment(BATCH, view).numpy(), expected)


@pytest.mark.parametrize("view", VIEWS)
def test_deaugment_undoes_augment(view):
    assert torch.equal(deaugment(augment(BATCH, view), view), BATCH)


def test_views_are_four_different_pictures():
    assert len({augment(BATCH, view).numpy().tobytes() for view in VIEWS}) == len(VIEWS) == 4
