"""What is worth an exact score: the baselines, and what each step of tuning may choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ensemble.blending.candidate import Candidate
from ensemble.blending.exact import Terms
from ensemble.blending.objective import Objective, Rows
from ensemble.blending.search import Found
from ensemble.blending.space import OPTIONS as SEARCHED
from ensemble.blending.space import PRIOR_STEP, SearchSpace
from ensemble.composition.recipe import SLIDES
from ensemble.metric.score import weigh
from ensemble.vocabulary import Stage

SHORTLIST = 8
SHORTER = 3

PRIOR_WEIGHTS = tuple(round(step * PRIOR_STEP, 9) for step in range(0, 21, 2))

PLAIN, SLIDES_ROW = "plain mean", "slides' plain mean"
OPTIONS, TUNED = "tuned composition", "tuned blend"


@dataclass(frozen=True)
class Shortlist:
    """Candidates to be scored exactly.

    Attributes:
        space: Where they come from.
        steps: What each step of tuning may choose from besides the plain mean, simplest first:
            the composition alone, where there is a choice, then everything.
    """

    space: SearchSpace
    steps: Mapping[str, tuple[Candidate, ...]]

    @cached_property
    def baselines(self) -> dict[str, Candidate]:
        """Each member alone, and the plain mean as it is and as the slides compose it."""
        plain = self.space.plain_mean()
        slides = Candidate(plain.recipe, SLIDES)
        return {**self.space.singles(), SLIDES_ROW: slides, PLAIN: plain}

    @cached_property
    def candidates(self) -> dict[str, Candidate]:
        """Every distinct candidate, by key."""
        listed = [*self.baselines.values(), *(one for step in self.steps.values() for one in step)]
        return {one.key: one for one in listed}

    def best(self, stage: Stage, terms: Mapping[str, Terms]) -> dict[str, Candidate]:
        """Of each step, the candidate (or the plain mean) with the best exact score.

        Args:
            stage: Whose score.
            terms: Exact terms (N, T) of each of `candidates`.
        """

        def score(one: Candidate) -> float:
            return float(weigh(stage, terms[one.key]).mean())

        plain = self.baselines[PLAIN]
        return {name: max([plain, *step], key=score) for name, step in self.steps.items()}


def shortlist(objective: Objective, found: Found) -> Shortlist:
    """The best few by estimate, the best of each composition, and each member alone."""
    space = objective.space
    tuned = [candidate for candidate, _ in found.ranked[:SHORTLIST]]
    tuned += _best_of_each_composition(found)
    every = {TUNED: (*tuned, *space.singles().values())}
    if len(space.compositions()) == 1:
        return Shortlist(space, every)
    options = options_only(objective, np.arange(len(objective.image_ids)))[:SHORTLIST]
    options.append(Candidate(space.plain_mean().recipe, SLIDES))
    return Shortlist(space, {OPTIONS: tuple(options), TUNED: (*every[TUNED], *options)})


def contenders(objective: Objective, found: Found, rows: Rows) -> list[Candidate]:
    """A shorter list, for tuning on some rows again and again: the few that may turn out best."""
    listed = [candidate for candidate, _ in found.ranked[:SHORTER]]
    looks: dict[str, Candidate] = {}
    for candidate, _ in found.ranked:
        looks.setdefault(candidate.composition.hue, candidate)
    listed += [*looks.values(), *options_only(objective, rows)[:1]]
    return list({one.key: one for one in listed}.values())


def options_only(objective: Objective, rows: Rows) -> list[Candidate]:
    """The plain mean with every composition, best first by estimate on some rows."""
    mean = objective.space.plain_mean()
    options = [
        composition.model_copy(update={"prior_weight": weight})
        for composition in objective.space.every_composition()
        for weight in (PRIOR_WEIGHTS if composition.hue != "none" else (composition.prior_weight,))
    ]
    candidates = [Candidate(mean.recipe, one) for one in options]
    return sorted(candidates, key=lambda one: -objective.value(one, rows))


def _best_of_each_composition(found: Found) -> list[Candidate]:
    best: dict[tuple[str, ...], Candidate] = {}
    for candidate, _ in found.ranked:
        look = tuple(getattr(candidate.composition, option) for option in SEARCHED)
        best.setdefault(look, candidate)
    return list(best.values())
