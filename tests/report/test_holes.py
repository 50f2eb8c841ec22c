from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from ensemble.data.competition import Competition
from ensemble.data.photographs import mask_file
from ensemble.data.png import write_png
from ensemble.report import holes
from ensemble.report.holes import (
    ENLARGED,
    RED,
    Hole,
    describe_accuracy,
    draw_holes,
    draw_outline,
    find_hole,
)
from ensemble.report.sheets import WARNING

DAMAGED = np.full((48, 48), 90, np.uint8)
MASK = np.zeros((48, 48), dtype=bool)
MASK[4:20, 4:20] = True


def hole(iou: float | None, *, doubtful: bool = False) -> Hole:
    return Hole("TRAIN_00000", DAMAGED, MASK, 0.5, doubtful, iou)


def test_training_holes_are_judged_by_the_truth(competition: Competition):
    for image_id in competition.train_ids:
        found = find_hole(competition, image_id)
        truth = competition.train_sample(image_id).lost_mask
        filled = truth | (found.damaged != found.damaged[truth][0])
        union = ((found.lost_mask | truth) & filled).sum()
        assert found.iou == pytest.approx((found.lost_mask & truth).sum() / union)


def test_the_overlap_is_exact_and_the_located_hole_is_told(competition, monkeypatch):
    sample = competition.train_sample("TRAIN_00000")
    lost, fill = sample.lost_mask, int(np.median(sample.damaged[sample.lost_mask]))
    half = lost & (np.cumsum(lost).reshape(lost.shape) % 2 == 0)
    known = np.argwhere(~lost & (sample.damaged != fill))[0]
    generous = lost.copy()
    generous[tuple(known)] = True
    expected = {1.0: lost, half.sum() / lost.sum(): half, lost.sum() / (lost.sum() + 1): generous}
    for iou, mask in {**expected, 0.0: ~lost}.items():
        located = SimpleNamespace(lost_mask=mask, fill=fill, confidence=0.25, doubtful=True)
        monkeypatch.setattr(holes, "locate_hole", lambda damaged, found=located: found)
        found = find_hole(competition, "TRAIN_00000")
        assert found.iou == pytest.approx(iou)
        assert (found.confidence, found.doubtful) == (0.25, True)
        np.testing.assert_array_equal(found.lost_mask, mask)


def test_lost_pixels_that_show_no_damage_count_neither_way(competition, monkeypatch):
    sample = competition.train_sample("TRAIN_00001")
    fill = int(np.median(sample.damaged[sample.lost_mask]))
    mask = sample.lost_mask | (sample.damaged == fill)
    located = SimpleNamespace(lost_mask=mask, fill=fill, confidence=1.0, doubtful=False)
    monkeypatch.setattr(holes, "locate_hole", lambda damaged: located)
    assert find_hole(competition, "TRAIN_00001").iou == 1.0


def test_captions_tell_the_overlap_where_it_is_known(monkeypatch):
    captions = []
    monkeypatch.setattr(
        holes, "draw_grid", lambda cells, columns: captions.extend(c.caption for c in cells)
    )
    draw_holes([hole(None), hole(0.5), hole(0.25, doubtful=True)], columns=3)
    assert captions == ["TRAIN_00000", "TRAIN_00000, IoU 0.500", "TRAIN_00000, IoU 0.250, doubtful"]


def test_the_truth_of_a_test_hole_is_not_known(competition: Competition):
    found = find_hole(competition, "TEST_000")
    assert found.iou is None
    np.testing.assert_array_equal(found.damaged, competition.test_input("TEST_000"))


def test_a_drawn_hole_is_taken_as_it_is(competition: Competition):
    write_png(mask_file(competition, "TEST_000"), MASK)
    found = find_hole(competition, "TEST_000")
    np.testing.assert_array_equal(found.lost_mask, MASK)
    assert (found.confidence, found.doubtful) == (1.0, False)


def test_accuracy_counts_failures_and_flags():
    found = [hole(1.0), hole(0.995), hole(0.5, doubtful=True), hole(0.6)]
    assert describe_accuracy(found) == (
        "against the true holes: mean IoU 0.7738, IoU >= 0.99 on 50.0%, 1 of 2 failures flagged, "
        "25.0% flagged in all"
    )


def test_doubtful_holes_have_a_red_caption():
    calm = draw_holes([hole(1.0), hole(None)], columns=2)
    alarmed = draw_holes([hole(1.0), hole(None, doubtful=True)], columns=2)
    assert calm.shape == alarmed.shape
    assert not (calm == WARNING).all(axis=-1).any()
    assert (alarmed == WARNING).all(axis=-1).any()


def test_only_the_rim_is_drawn():
    gray = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    mask = np.zeros(gray.shape, dtype=bool)
    mask[4:12, 6:21] = True
    mask[6:9, 10:12] = False
    mask[15:18, 2:8] = True
    mask[15, 20] = True
    large = np.repeat(np.repeat(mask, ENLARGED, axis=0), ENLARGED, axis=1)
    rim = large & ~binary_erosion(large)
    picture = draw_outline(gray, mask)
    np.testing.assert_array_equal((picture == RED).all(axis=-1), rim)
    known = np.repeat(np.repeat(gray, ENLARGED, axis=0), ENLARGED, axis=1)[~rim]
    np.testing.assert_array_equal(picture[~rim], np.repeat(known[:, None], 3, axis=1))


def test_no_hole_leaves_the_picture():
    picture = draw_outline(DAMAGED, np.zeros(DAMAGED.shape, dtype=bool))
    np.testing.assert_array_equal(picture, np.full((96, 96, 3), 90))
