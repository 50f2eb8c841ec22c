"""A candidate blend of one stage: the picture it makes, and its exact score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blending.evidence import Evidence, Subject, map_photographs
from ensemble.composition.blend import Read, blend_colors, blend_gray, compose_answer
from ensemble.composition.compose import compose_gray, finish_rgb
from ensemble.composition.recipe import Composition, StageRecipe
from ensemble.metric.score import TERMS, prepare, prepare_gray
from ensemble.parallel import Advance
from ensemble.vocabulary import Stage

Terms = NDArray[np.float64]
"""(..., T), in the order of `TERMS`; a term that a stage does not have is 0, without weight."""


@dataclass(frozen=True)
class Candidate:
    """Weights and views of a stage's members, and the options of composition.

    Attributes:
        recipe: The blend.
        composition: The options.
    """

    recipe: StageRecipe
    composition: Composition = field(default_factory=Composition)

    @cached_property
    def key(self) -> str:
        """Equal for equal candidates."""
        return f"{self.recipe.model_dump_json()} {self.composition.model_dump_json()}"

    @cached_property
    def unfinished(self) -> Candidate:
        """The candidate without the last step, `finish_rgb`, which is cheaper than all others."""
        options = self.composition.model_copy(update={"data_range": "as-is"})
        return replace(self, composition=options)

    @property
    def forward_passes(self) -> int:
        """Passes through a network that one photograph costs."""
        return len(self.recipe.terms())


def make_picture(
    stage: Stage, subject: Subject, read: Read, candidate: Candidate
) -> NDArray[np.uint8]:
    """Make the picture that is scored, by the functions that make the one that is sent.

    Args:
        stage: The stage that is blended.
        subject: The photograph.
        read: Gives the prediction of a member for a view of it.
        candidate: The blend and the options.

    Returns:
        (H, W) uint8 for restoration, (H, W, 3) for colorization.
    """
    options = candidate.composition
    if stage == "restoration":
        blend = blend_gray(candidate.recipe, read, subject.located)
        return compose_gray(
            blend=blend, damaged=subject.gray, lost_mask=subject.located, options=options
        )
    colors = blend_colors(candidate.recipe, read, options)
    return compose_answer(colors, gray=subject.gray, prior=subject.prior, options=options)


def score_exactly(
    evidence: Evidence,
    candidates: Sequence[Candidate],
    image_ids: Sequence[str],
    *,
    jobs: int = 1,
    advance: Advance = lambda _: None,
) -> Terms:
    """Compose and score every candidate on every photograph, as it would be sent.

    Each prediction is read once for all candidates; at most `jobs` photographs are in memory. Terms
    are kept with the evidence, because cross-fitting and ablation ask for many of them again.

    Args:
        evidence: Predictions and targets.
        candidates: C of them.
        image_ids: N photographs.
        jobs: joblib's number of jobs.
        advance: Called with 1 for each photograph that is done.

    Returns:
        (C, N, T) float64.

    Raises:
        ScoreError: A candidate's picture has no score; the message names the photograph.
    """
    if not candidates or not image_ids:
        return np.zeros((len(candidates), len(image_ids), len(TERMS)))

    def score(image_id: str) -> Terms:
        known = evidence.scored.setdefault(image_id, {})
        due = {one.key: one for one in candidates if one.key not in known}
        if due:
            terms = _score_photograph(evidence, list(due.values()), image_id)
            known.update(zip(due, terms, strict=True))
        return np.array([known[one.key] for one in candidates])

    return np.stack(map_photographs(score, image_ids, jobs=jobs, advance=advance), axis=1)


def _score_photograph(evidence: Evidence, candidates: Sequence[Candidate], image_id: str) -> Terms:
    subject, read = evidence.subject(image_id), evidence.reader(image_id)
    make: Any = prepare_gray if evidence.stage == "restoration" else prepare
    target = make(target=subject.target, lost_mask=subject.lost_mask, name=subject.image_id)
    made: dict[str, NDArray[np.uint8]] = {}
    rows = []
    for candidate in candidates:
        before = candidate.unfinished
        if before.key not in made:
            made[before.key] = make_picture(evidence.stage, subject, read, before)
        picture = made[before.key]
        if evidence.stage == "colorization":
            picture = finish_rgb(picture, candidate.composition)
        scored = target.score(picture).as_dict()
        rows.append([scored.get(name, 0.0) for name in TERMS])
    return np.array(rows)
