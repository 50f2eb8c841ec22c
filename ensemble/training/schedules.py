"""How the learning rate moves: a factor for each point of a training."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["constant", "cosine", "one-cycle"]

_WARM_UP = 0.3
_FIRST = 1 / 25
_LAST = 1e-4


def factor(schedule: Schedule, *, update: int, updates: int) -> float:
    """What the learning rate is multiplied by.

    A function of the point alone, without a memory: a training that is extended goes on with the
    schedule of the longer one.

    Args:
        schedule: `constant`; `cosine`, from 1 to 0; or `one-cycle`, which rises from 1/25 for the
            first 30 %, then falls to 1/10000, both along a cosine.
        update: How often the weights have been changed.
        updates: How often they will be altogether.

    >>> factor("cosine", update=50, updates=100)
    0.5
    """
    share = min(1.0, update / max(1, updates))
    if schedule == "cosine":
        return _along_cosine(1.0, 0.0, share)
    if schedule == "one-cycle":
        if share < _WARM_UP:
            return _along_cosine(_FIRST, 1.0, share / _WARM_UP)
        return _along_cosine(1.0, _LAST, (share - _WARM_UP) / (1 - _WARM_UP))
    return 1.0


def _along_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
