from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ensemble.arrays import Gray, Mask
from ensemble.data.competition import Sample
from ensemble.project import Project
from ensemble.training.memo import Memo
from ensemble.training.validation import ValidationBatches

CALLS: list[str] = []


def shown_of(sample: Sample) -> tuple[Gray, Mask]:
    CALLS.append(sample.image_id)
    return 255 - sample.damaged, ~sample.lost_mask


def test_what_is_shown_is_computed_once_for_all_processes(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    competition = make_project().competition
    ids = competition.train_ids[:3]
    CALLS.clear()
    memo = Memo(shown_of, ids, competition.size, tmp_path / "memo")
    other = pickle.loads(pickle.dumps(memo))
    for image_id in ids:
        sample = competition.train_sample(image_id)
        for reader in (memo, other, memo):
            shown, located = reader(sample)
            np.testing.assert_array_equal(shown, 255 - sample.damaged)
            np.testing.assert_array_equal(located, ~sample.lost_mask)
    assert list(ids) == CALLS
    memo.close()
    assert not (tmp_path / "memo").exists()


def test_validation_batches_hold_each_photograph_once_in_order(
    make_project: Callable[..., Project],
) -> None:
    competition = make_project().competition
    batches = ValidationBatches(competition.train_ids[:7], competition, shown_of, batch_size=3)
    cases = [batches[n].case(row) for n in range(len(batches)) for row in range(len(batches[n][0]))]
    assert [case.sample.image_id for case in cases] == list(competition.train_ids[:7])
    for case in cases:
        sample = competition.train_sample(case.sample.image_id)
        np.testing.assert_array_equal(case.sample.target, sample.target)
        np.testing.assert_array_equal(case.sample.damaged, sample.damaged)
        np.testing.assert_array_equal(case.sample.lost_mask, sample.lost_mask)
        np.testing.assert_array_equal(case.shown, 255 - sample.damaged)
        np.testing.assert_array_equal(case.located, ~sample.lost_mask)
