"""What each member, and each view, is worth to a blend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ensemble.blending.candidate import Candidate
from ensemble.blending.evidence import Evidence
from ensemble.blending.exact import Terms, exact_scores
from ensemble.blending.space import names
from ensemble.composition.recipe import StageRecipe
from ensemble.vocabulary import VIEWS, View


@dataclass(frozen=True)
class Worth:
    """A blend taken apart, exactly scored.

    Attributes:
        without: Terms (N, T) of the blend without each member, its weight shared by the others;
            a member that cannot be left out is not there.
        views: Terms (N, T) of the blend when every member averages only these views, and the
            forward passes that takes, by the views' names, fewest first.
    """

    without: Mapping[str, Terms]
    views: Mapping[str, tuple[int, Terms]]


def worth(
    evidence: Evidence,
    blend: Candidate,
    image_ids: Sequence[str],
    *,
    jobs: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> Worth:
    """Score a blend without each of its members, and with one view after another.

    Args:
        evidence: What to read.
        blend: The blend.
        image_ids: N photographs.
        jobs: joblib's number of jobs.
        advance: Told 1 for each photograph that is done.
    """
    without = _without_each(blend, evidence.voters)
    viewed = _with_more_and_more_views(blend, evidence.views)
    candidates = [*without.values(), *viewed.values()]
    terms = list(exact_scores(evidence, candidates, image_ids, jobs=jobs, advance=advance))
    by_member = dict(zip(without, terms, strict=False))
    by_views = {
        name: (one.forward_passes, found)
        for (name, one), found in zip(viewed.items(), terms[len(without) :], strict=True)
    }
    return Worth(by_member, by_views)


def _without_each(blend: Candidate, voters: frozenset[str]) -> dict[str, Candidate]:
    recipe, found = blend.recipe, {}
    for member in recipe.weights:
        rest = {name: weight for name, weight in recipe.weights.items() if name != member}
        if set(rest) - voters:
            whole = sum(rest.values())
            weights = {name: weight / whole for name, weight in rest.items()}
            views = {name: recipe.views[name] for name in rest}
            found[member] = Candidate(StageRecipe(weights=weights, views=views), blend.composition)
    return found


def _with_more_and_more_views(
    blend: Candidate, available: Mapping[str, tuple[View, ...]]
) -> dict[str, Candidate]:
    recipe, found = blend.recipe, {}
    there = [view for view in VIEWS if any(view in available[m] for m in recipe.weights)]
    for count in range(1, len(there) + 1):
        chosen = there[:count]
        views = {
            member: tuple(v for v in available[member] if v in chosen) or available[member][:1]
            for member in recipe.weights
        }
        one = StageRecipe(weights=recipe.weights, views=views)
        found[names(chosen)] = Candidate(one, blend.composition)
    return found
