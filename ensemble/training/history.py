"""What the epochs so far scored, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence


def best_epoch(scores: Sequence[float]) -> int:
    """The first epoch with the highest score.

    >>> best_epoch([0.1, 0.3, 0.3, 0.2])
    1
    """
    return max(range(len(scores)), key=lambda epoch: (scores[epoch], -epoch))


def out_of_patience(scores: Sequence[float], patience: int) -> bool:
    """Whether the last `patience` epochs brought no better score; 0 is endless patience.

    >>> out_of_patience([0.1, 0.3, 0.3, 0.2], 2), out_of_patience([0.1, 0.3, 0.2], 2)
    (True, False)
    """
    return bool(patience and scores) and len(scores) - 1 - best_epoch(scores) >= patience


def wanted_epochs(scores: Sequence[float], average_last: int) -> tuple[int, ...]:
    """The epochs whose weights may still be wanted: the best, and the last `average_last`.

    >>> wanted_epochs([0.5, 0.1, 0.2, 0.3], 2)
    (0, 2, 3)
    """
    last = range(max(0, len(scores) - average_last), len(scores))
    return tuple(sorted({best_epoch(scores), *last})) if scores else ()
