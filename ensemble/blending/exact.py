"""Exact scores of candidates: the only ones that are ever reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from ensemble.blending.candidate import Candidate, Subject, rendered
from ensemble.blending.evidence import Evidence
from ensemble.metric.score import TERMS, PreparedGray, PreparedTarget, prepare, prepare_gray
from ensemble.vocabulary import Stage

Terms = NDArray[np.float64]
"""(..., T), in the order of `TERMS`; a term that a stage has not is 0, and has no weight there."""


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
        (C, N, T) float64.

    Raises:
        ScoreError: A candidate's picture has no score; the message names the photograph.
    """

    def one(image_id: str) -> Terms:
        terms = _photo_scores(evidence, candidates, image_id)
        advance(1)
        return terms

    if not candidates or not image_ids:
        return np.zeros((len(candidates), len(image_ids), len(TERMS)))
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
    found = prepared.score(picture).as_dict()
    return [found.get(name, 0.0) for name in TERMS]
