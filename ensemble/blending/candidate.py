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
from ensemble.metric.score import STAGE_TERMS, TERMS, prepare, prepare_gray, weigh
from ensemble.parallel import Advance
from ensemble.vocabulary import Stage

Terms = NDArray[np.float64]
"""(..., T), in the order of `TERMS`; a term that a stage does not have is 0, without weight."""


@dataclass(frozen=True)
class Candidate:
    """Weights and views of a stage's members, and the options of composition."""

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


def mean_terms(stage: Stage, terms: Terms) -> dict[str, float]:
    """The mean score over (N, T) terms, then the mean of each term that the stage has."""
    means = dict(zip(TERMS, map(float, terms.mean(axis=0)), strict=True))
    own = {name: means[name] for name in STAGE_TERMS[stage]}
    return {"score": float(weigh(stage, terms).mean()), **own}


def score_exactly(
    evidence: Evidence,
    candidates: Sequence[Candidate],
    image_ids: Sequence[str],
    advance: Advance = lambda _: None,
) -> Terms:
    """Compose and score C candidates on N photographs, as they would be sent: (C, N, T) float64.

    Each prediction is read once for all candidates. Terms are kept with the evidence, because
    cross-fitting and ablation ask for many of them again.

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

    return np.stack(map_photographs(score, image_ids, advance), axis=1)


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
