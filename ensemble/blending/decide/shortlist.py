"""List the candidates that are scored exactly: the baselines, and the best of each step of tuning.

Each step tunes more than the one before: the composition of the plain mean, where there is a
choice, then weights, views and composition together. In restoration the last step gives up the
mean: a few recipes are decoded for minimum risk. No estimate knows such pictures, so they are only
scored exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ensemble.blending.candidate import Candidate, Terms, score_exactly
from ensemble.blending.evidence import Evidence
from ensemble.blending.search import SearchResult
from ensemble.blending.space import OPTIONS, PRIOR_STEP, SearchSpace
from ensemble.blending.statistics.objective import Objective, Rows
from ensemble.composition.recipe import SLIDES, StageRecipe
from ensemble.metric.score import weigh
from ensemble.parallel import Advance
from ensemble.vocabulary import Stage

SHORTLIST = 8
SHORTER = 3

PRIOR_WEIGHTS = tuple(round(step * PRIOR_STEP, 9) for step in range(0, 21, 2))

PLAIN, SLIDES_PLAIN = "plain mean", "slides' plain mean"
TUNED_COMPOSITION, TUNED = "tuned composition", "tuned blend"
MINIMUM_RISK = "minimum risk"


@dataclass(frozen=True)
class Shortlist:
    """Candidates to be scored exactly."""

    space: SearchSpace
    # the candidates of each step of tuning, besides the plain mean; the simplest first
    steps: Mapping[str, tuple[Candidate, ...]]

    @cached_property
    def baselines(self) -> dict[str, Candidate]:
        """Each member alone, and the plain mean, as the slides and as by default composed."""
        plain = self.space.plain_mean()
        slides = Candidate(plain.recipe, SLIDES)
        return {**self.space.singles(), SLIDES_PLAIN: slides, PLAIN: plain}

    @cached_property
    def candidates(self) -> dict[str, Candidate]:
        """Every distinct candidate, by key."""
        listed = [*self.baselines.values(), *(one for step in self.steps.values() for one in step)]
        return {one.key: one for one in listed}

    def score(
        self,
        evidence: Evidence,
        image_ids: Sequence[str],
        advance: Advance = lambda _: None,
    ) -> dict[str, Terms]:
        """Score `candidates` exactly: terms (N, T) on N photographs, by key."""
        exact = score_exactly(evidence, list(self.candidates.values()), image_ids, advance)
        return dict(zip(self.candidates, exact, strict=True))

    def narrow(self, stage: Stage, terms: Mapping[str, Terms]) -> Shortlist:
        """Drop the candidates of a step that are convincingly worse than the best of it.

        That is, by more than two standard errors of the paired difference of what `score` found.
        """
        scores = {key: weigh(stage, found) for key, found in terms.items()}

        def rivals(step: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
            best = max((scores[one.key] for one in step), key=np.mean)
            losses = [best - scores[one.key] for one in step]
            errors = [loss.std(ddof=1) / np.sqrt(len(loss)) for loss in losses]
            worse = [loss.mean() > 2 * e for loss, e in zip(losses, errors, strict=True)]
            return tuple(one for one, bad in zip(step, worse, strict=True) if not bad)

        return Shortlist(self.space, {name: rivals(step) for name, step in self.steps.items()})

    def choose_best(self, stage: Stage, terms: Mapping[str, Terms]) -> dict[str, Candidate]:
        """Choose the candidate, or the plain mean, with the best exact score in each step."""

        def score(one: Candidate) -> float:
            return float(weigh(stage, terms[one.key]).mean())

        plain = self.baselines[PLAIN]
        return {name: max([plain, *step], key=score) for name, step in self.steps.items()}


def make_shortlist(objective: Objective, found: SearchResult) -> Shortlist:
    """List the best by estimate, the best of each composition, and each member alone."""
    space = objective.space
    best: dict[tuple[str, ...], Candidate] = {}
    for candidate, _ in found.ranked:
        options = tuple(getattr(candidate.composition, option) for option in OPTIONS)
        best.setdefault(options, candidate)
    tuned = [candidate for candidate, _ in found.ranked[:SHORTLIST]]
    tuned += [*best.values(), *space.singles().values()]
    if space.minimum_risk:
        risks = decode_for_minimum_risk(space, tuned)
        return Shortlist(space, {TUNED: tuple(tuned), MINIMUM_RISK: tuple(risks)})
    if len(space.compositions()) == 1:
        return Shortlist(space, {TUNED: tuple(tuned)})
    composed = rank_compositions(objective, np.arange(len(objective.image_ids)))[:SHORTLIST]
    composed.append(Candidate(space.plain_mean().recipe, SLIDES))
    return Shortlist(space, {TUNED_COMPOSITION: tuple(composed), TUNED: (*tuned, *composed)})


def list_finalists(objective: Objective, found: SearchResult, rows: Rows) -> list[Candidate]:
    """List fewer candidates than `make_shortlist`, for tuning on some rows only."""
    listed = [candidate for candidate, _ in found.ranked[:SHORTER]]
    by_hue: dict[str, Candidate] = {}
    for candidate, _ in found.ranked:
        by_hue.setdefault(candidate.composition.hue, candidate)
    listed += [*by_hue.values(), *rank_compositions(objective, rows)[:1]]
    return list({one.key: one for one in listed}.values())


def decode_for_minimum_risk(space: SearchSpace, tuned: Sequence[Candidate]) -> list[Candidate]:
    """Some recipes, decoded for minimum risk.

    The best tuned ones; all members alike, and those alike that have not learned, for several weak
    networks that answer alike outvote what differs; and, with one view each, all and all but one.
    """
    every = list(space.members)
    untrained = {name: space.views[name] for name in every if name in space.untrained}
    fewer = [[name for name in every if name != gone] for gone in every] if len(every) > 2 else []
    first = [StageRecipe.plain_mean(names, ("identity",)) for names in (every, *fewer)]
    recipes = [*(one.recipe for one in tuned[:SHORTER]), space.plain_mean().recipe, *first]
    if untrained:
        recipes.append(StageRecipe.mean_of(untrained))
    decoded = [
        Candidate(recipe.model_copy(update={"decode": "minimum-risk"}), space.fixed)
        for recipe in recipes
        if len(recipe.terms()) > 1
    ]
    return list({one.key: one for one in decoded}.values())


def rank_compositions(objective: Objective, rows: Rows) -> list[Candidate]:
    """The plain mean with every composition, best first by estimate on some rows."""
    mean = objective.space.plain_mean()
    candidates = [
        Candidate(mean.recipe, composition.model_copy(update={"prior_weight": weight}))
        for composition in objective.space.every_composition()
        for weight in (PRIOR_WEIGHTS if composition.hue != "none" else (composition.prior_weight,))
    ]
    return sorted(candidates, key=lambda one: -objective.value(one, rows))
