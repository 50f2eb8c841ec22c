from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ensemble.data.competition import Competition
from ensemble.data.masks import mask_file
from ensemble.data.png import write_png
from ensemble.report.contact_sheet import WARNING
from ensemble.report.holes import Hole, accuracy, hole_sheet, look

DAMAGED = np.full((48, 48), 90, np.uint8)
MASK = np.zeros((48, 48), dtype=bool)
MASK[4:20, 4:20] = True


@pytest.fixture
def competition(make_workspace: Callable[..., tuple]) -> Competition:
    workspace, config = make_workspace()
    return Competition.load(workspace.data, size=config.data.size, seed=0)


def hole(iou: float | None, *, doubtful: bool = False) -> Hole:
    return Hole("TRAIN_00000", DAMAGED, MASK, 0.5, doubtful, iou)


def test_training_holes_are_judged_by_the_truth(competition: Competition):
    for image_id in competition.train_ids:
        found = look(competition, image_id)
        truth = competition.train_sample(image_id).lost_mask
        filled = truth | (found.damaged != found.damaged[truth][0])
        union = ((found.lost_mask | truth) & filled).sum()
        assert found.iou == pytest.approx((found.lost_mask & truth).sum() / union)


def test_the_truth_of_a_test_hole_is_not_known(competition: Competition):
    found = look(competition, "TEST_000")
    assert found.iou is None
    np.testing.assert_array_equal(found.damaged, competition.test_input("TEST_000"))


def test_a_drawn_hole_is_taken_as_it_is(competition: Competition):
    write_png(mask_file(competition, "TEST_000"), MASK)
    found = look(competition, "TEST_000")
    np.testing.assert_array_equal(found.lost_mask, MASK)
    assert (found.confidence, found.doubtful) == (1.0, False)


def test_accuracy_counts_failures_and_flags():
    holes = [hole(1.0), hole(0.995), hole(0.5, doubtful=True), hole(0.6)]
    assert accuracy(holes) == (
        "against the true holes: mean IoU 0.7738, IoU >= 0.99 on 50.0%, 1 of 2 failures flagged, "
        "25.0% flagged in all"
    )


def test_doubtful_holes_have_a_red_caption():
    calm = hole_sheet([hole(1.0), hole(None)], columns=2)
    alarmed = hole_sheet([hole(1.0), hole(None, doubtful=True)], columns=2)
    assert calm.shape == alarmed.shape
    assert not (calm == WARNING).all(axis=-1).any()
    assert (alarmed == WARNING).all(axis=-1).any()
