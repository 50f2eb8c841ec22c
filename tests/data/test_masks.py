from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ensemble.damage.locate import locate_hole
from ensemble.data.competition import Competition
from ensemble.data.masks import located_mask, mask_file, masks_digest
from ensemble.data.png import write_png
from ensemble.errors import DataError


def drawn(competition: Competition) -> np.ndarray:
    mask = np.zeros(competition.size, dtype=bool)
    mask[3:9, 4:30] = True
    return mask


def test_without_a_drawn_mask_the_hole_is_located(competition: Competition):
    damaged = competition.test_input("TEST_000")
    expected = locate_hole(damaged).lost_mask
    np.testing.assert_array_equal(located_mask(competition, "TEST_000", damaged), expected)
    assert expected.any()


def test_a_drawn_mask_overrides_its_own_test_photograph_only(competition: Competition):
    write_png(mask_file(competition, "TEST_000"), drawn(competition))
    for image_id, expected in (
        ("TEST_000", drawn(competition)),
        ("TEST_001", locate_hole(competition.test_input("TEST_001")).lost_mask),
    ):
        damaged = competition.test_input(image_id)
        np.testing.assert_array_equal(located_mask(competition, image_id, damaged), expected)


def test_validation_never_sees_a_drawn_mask(competition: Competition):
    write_png(mask_file(competition, "TRAIN_00000"), drawn(competition))
    damaged = competition.train_sample("TRAIN_00000").damaged
    expected = locate_hole(damaged).lost_mask
    np.testing.assert_array_equal(located_mask(competition, "TRAIN_00000", damaged), expected)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((10, 10), dtype=bool), "must be as large as its photograph, (48, 48), but is"),
        (np.zeros((48, 48), dtype=bool), "but is all black"),
    ],
)
def test_a_useless_drawn_mask_is_refused(competition: Competition, mask, message: str):
    path = mask_file(competition, "TEST_000")
    write_png(path, mask)
    with pytest.raises(DataError, match=re.escape(f"`{path}`") + ".*" + re.escape(message)):
        located_mask(competition, "TEST_000", competition.test_input("TEST_000"))


def test_the_digest_tells_drawn_masks_apart(competition: Competition):
    digests = [masks_digest(competition)]
    path: Path = mask_file(competition, "TEST_001")
    for mask in (drawn(competition), ~drawn(competition)):
        write_png(path, mask)
        digests.append(masks_digest(competition))
    path.rename(mask_file(competition, "TEST_000"))
    digests.append(masks_digest(competition))
    assert len(set(digests)) == 4
    mask_file(competition, "TEST_000").unlink()
    assert masks_digest(competition) == digests[0]
