"""Ablation: the exact score of a blend without each of its members, and with fewer views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ensemble.blending.candidate import Candidate, Terms, score_exactly
from ensemble.blending.evidence import Evidence
from ensemble.blending.space import join_views
from ensemble.composition.recipe import StageRecipe
from ensemble.parallel import Advance
from ensemble.vocabulary import VIEWS, View


@dataclass(frozen=True)
class Ablation:
    """Exact scores of parts of a blend."""

    # terms (N, T) of the blend without each member, whose weight the others share; a member is
    # missing where no picture would be left
    without: Mapping[str, Terms]
    # forward passes and terms (N, T) of the blend with only these views of every member, by the
    # views' names, fewest first
    views: Mapping[str, tuple[int, Terms]]


def ablate(
    evidence: Evidence,
    blend: Candidate,
    image_ids: Sequence[str],
    advance: Advance = lambda _: None,
) -> Ablation:
    """Score a blend exactly without each of its members, and with one, two, three, four views."""
    without = _drop_each_member(blend, evidence.histogram_members)
    viewed = _add_view_by_view(blend, evidence.views)
    candidates = [*without.values(), *viewed.values()]
    terms = list(score_exactly(evidence, candidates, image_ids, advance))
    by_views = {
        name: (one.forward_passes, found)
        for (name, one), found in zip(viewed.items(), terms[len(without) :], strict=True)
    }
    return Ablation(dict(zip(without, terms, strict=False)), by_views)


def _drop_each_member(blend: Candidate, histogram_members: frozenset[str]) -> dict[str, Candidate]:
    recipe, found = blend.recipe, {}
    for member in recipe.weights:
        rest = {name: weight for name, weight in recipe.weights.items() if name != member}
        if set(rest) - histogram_members:
            whole = sum(rest.values())
            weights = {name: weight / whole for name, weight in rest.items()}
            views = {name: recipe.views[name] for name in rest}
            one = StageRecipe(weights=weights, views=views, decode=recipe.decode)
            found[member] = Candidate(one, blend.composition)
    return found


def _add_view_by_view(
    blend: Candidate, available: Mapping[str, tuple[View, ...]]
) -> dict[str, Candidate]:
    recipe, found = blend.recipe, {}
    every = [view for view in VIEWS if any(view in available[m] for m in recipe.weights)]
    for count in range(1, len(every) + 1):
        chosen = every[:count]
        views = {
            member: tuple(v for v in available[member] if v in chosen) for member in recipe.weights
        }
        one = StageRecipe(weights=recipe.weights, views=views, decode=recipe.decode)
        found[join_views(chosen)] = Candidate(one, blend.composition)
    return found
