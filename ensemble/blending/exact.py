"""Exact scores of candidates: the only ones that are ever reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from ensemble.blending.candidate import Candidate, Subject, rendered
from ensemble.blending.evidence import Evidence
from ensemble.metric.score import PreparedGray, PreparedTarget, Score, prepare, prepare_gray
from ensemble.vocabulary import Stage

Terms = NDArray[np.float64]
"""(..., 3): ssim, masked_ssim, hue; hue is 0 for restoration, and has no weight there."""

TERM_NAMES = ("ssim", "masked_ssim", "hue")

_SHARES = {
    "restoration": np.array([1 / 3, 2 / 3, 0.0]),
    "colorization": np.array([0.2, 0.4, 0.4]),
}


def total(stage: Stage, terms: Terms) -> Terms:
    """The score (...) of terms (..., 3), as `Score.score` and `GrayScore.score` weigh them."""
    return np.asarray(terms @ _SHARES[stage])


def exact_scores(
    evidence: Evidence,
    candidates: Sequence[Candidate],
    image_ids: Sequence[str],
    *,
    jobs: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> Terms:
    """Compose and score every candidate on every photograph, as it would be sent.

    Each picture is read once for all candidates; no more than `jobs` photographs are in memory.

    Args:
        evidence: What to read.
        candidates: C of them.
        image_ids: N photographs.
        jobs: joblib's number of jobs.
        advance: Told 1 for each photograph that is done.

    Returns:
        (C, N, 3) float64.

    Raises:
        ScoreError: A candidate's picture has no score; the message names the photograph.
    """

    def one(image_id: str) -> Terms:
        terms = _photo_scores(evidence, candidates, image_id)
        advance(1)
        return terms

    if not candidates or not image_ids:
        return np.zeros((len(candidates), len(image_ids), 3))
    parallel = joblib.Parallel(n_jobs=jobs, prefer="threads")
    return np.stack(parallel(joblib.delayed(one)(i) for i in image_ids), axis=1)


def _photo_scores(evidence: Evidence, candidates: Sequence[Candidate], image_id: str) -> Terms:
    subject, read = evidence.subject(image_id), evidence.reader(image_id)
    prepared = _prepared(evidence.stage, subject)
    pictures = (rendered(evidence.stage, subject, read, one) for one in candidates)
    return np.array([_terms(prepared, picture) for picture in pictures])


def _prepared(stage: Stage, subject: Subject) -> PreparedGray | PreparedTarget:
    make: Any = prepare_gray if stage == "restoration" else prepare
    return make(target=subject.target, lost_mask=subject.lost_mask, name=subject.image_id)


def _terms(prepared: PreparedGray | PreparedTarget, picture: NDArray[np.uint8]) -> list[float]:
    score = prepared.score(picture)
    hue = score.hue if isinstance(score, Score) else 0.0
    return [score.ssim, score.masked_ssim, hue]
