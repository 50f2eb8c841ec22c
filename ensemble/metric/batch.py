"""Scores of more pictures than fit in memory: read, scored and let go, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ensemble.arrays import Mask, Rgb
from ensemble.metric.score import Score, score
from ensemble.parallel import map_in_order


@dataclass(frozen=True)
class Pair:
    """One prediction and its ground truth; the fields are the arguments of `score`."""

    name: str
    pred: Rgb
    target: Rgb
    lost_mask: Mask


@dataclass(frozen=True)
class NamedScore:
    """The score of the picture `name`."""

    name: str
    score: Score


def score_lazily(
    loaders: Iterable[Callable[[], Pair]], *, n_threads: int | None = None
) -> Iterator[NamedScore]:
    """Load and score pictures one after another, in order.

    Decoding a PNG costs more than scoring it, so the threads call the loaders too. At most two
    pairs a thread are in memory at once.

    Args:
        loaders: Each reads one `Pair`; called in a thread.
        n_threads: Threads to use; all cores by default.

    Raises:
        ScoreError: The first picture, in order, whose score is undefined.
        Exception: Whatever a loader raises.
    """
    return map_in_order(_load_and_score, loaders, n_threads=n_threads)


def _load_and_score(load: Callable[[], Pair]) -> NamedScore:
    pair = load()
    found = score(pred=pair.pred, target=pair.target, lost_mask=pair.lost_mask, name=pair.name)
    return NamedScore(pair.name, found)
