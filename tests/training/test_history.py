from __future__ import annotations

from ensemble.training.progress import best_epoch, epochs_to_keep, out_of_patience


def test_best_is_the_first_of_equals() -> None:
    assert best_epoch([0.2, 0.5, 0.5]) == 1


def test_patience_counts_epochs_since_the_best() -> None:
    assert not out_of_patience([0.5, 0.1, 0.2], 3)
    assert out_of_patience([0.5, 0.1, 0.2, 0.5], 3)
    assert not out_of_patience([0.5, 0.1, 0.2, 0.6], 3)
    assert not out_of_patience([0.5] * 50, 0)
    assert not out_of_patience([], 1)


def test_kept_are_the_best_and_the_last() -> None:
    assert epochs_to_keep([], 3) == ()
    assert epochs_to_keep([0.5, 0.1, 0.2, 0.3], 0) == (0,)
    assert epochs_to_keep([0.5, 0.1, 0.2, 0.3], 2) == (0, 2, 3)
    assert epochs_to_keep([0.5], 4) == (0,)
