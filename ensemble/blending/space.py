"""The candidates of a search: weights, sets of views, options of composition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, product
from typing import Any, Literal, cast

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from ensemble.blending.candidate import Candidate
from ensemble.blending.weights import (
    LEAST_DRAW,
    LEAST_WEIGHT,
    Weights,
    round_weights,
    to_draws,
    to_weights,
)
from ensemble.composition.recipe import SLIDES, Composition, StageRecipe
from ensemble.vocabulary import VIEWS, View

Params = dict[str, Any]

OPTIONS = ("chroma", "hue", "data_range")
"""Options of `Composition` that a search chooses among; the prior's weight is a number."""

EVERY_MEMBER = "every member"
PRIOR_STEP = 0.05


@dataclass(frozen=True)
class SearchSpace:
    """The candidates of one stage, and their coding as a trial's parameters."""

    # the views each member has; one member at least predicts pictures
    views: Mapping[str, tuple[View, ...]]
    # members that predict a hue histogram and no picture
    histogram_members: frozenset[str] = frozenset()
    # the options of composition that are not searched
    fixed: Composition = field(default_factory=Composition)
    # values of `Composition.chroma` to search; empty keeps that of `fixed`
    chroma: tuple[str, ...] = ()
    # values of `Composition.hue`, likewise. With more than `none`, the prior's weight is searched
    # too
    hue: tuple[str, ...] = ()
    data_range: tuple[str, ...] = ()  # values of `Composition.data_range`, likewise
    # whether all members share one set of views, or each has its own
    views_per: Literal["stage", "member"] = "stage"
    # whether the picture of minimum risk is compared, once the means are searched
    minimum_risk: bool = False
    # members that have not learned, which are then tried without the others
    untrained: frozenset[str] = frozenset()

    @cached_property
    def members(self) -> tuple[str, ...]:
        """The members, sorted."""
        return tuple(sorted(self.views))

    @cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The parameters that Optuna suggests."""
        found: dict[str, BaseDistribution] = {
            f"weight/{member}": FloatDistribution(LEAST_DRAW, 1.0) for member in self.members
        }
        for owner in self._view_owners:
            sets = [join_views(views) for views in list_view_sets(self._available(owner))]
            if len(sets) > 1:
                found[f"views/{owner}"] = CategoricalDistribution(sets)
        for option in OPTIONS:
            values = getattr(self, option)
            if len(values) > 1:
                found[option] = CategoricalDistribution(values)
        if self._with_prior:
            found["prior_weight"] = FloatDistribution(0.0, 1.0, step=PRIOR_STEP)
        return found

    def weights_of(self, params: Mapping[str, Any]) -> Weights:
        """The weights (K,) of `members` that a trial's parameters code."""
        return to_weights([params[f"weight/{member}"] for member in self.members])

    def code_weights(self, weights: Sequence[float]) -> Params:
        """The parameters that code weights of `members`, of any positive sum."""
        draws = to_draws(weights)
        return {f"weight/{m}": draw for m, draw in zip(self.members, draws, strict=True)}

    def decode(self, params: Mapping[str, Any]) -> Candidate:
        """The candidate of a trial's parameters, weights rounded as they will be kept."""
        shares = round_weights(self._give_a_picture(self.weights_of(params)))
        kept = {m: float(w) for m, w in zip(self.members, shares, strict=True) if w > 0}
        views = {member: self._choose_views(member, params) for member in kept}
        return Candidate(StageRecipe(weights=kept, views=views), self._choose_options(params))

    def encode(self, candidate: Candidate) -> Params:
        """The parameters of a candidate; the inverse of `decode`."""
        recipe, options = candidate.recipe, candidate.composition
        params = self.code_weights([recipe.weights.get(member, 0.0) for member in self.members])
        for owner in self._view_owners:
            if f"views/{owner}" in self.distributions:
                params[f"views/{owner}"] = join_views(self._views_of(owner, recipe))
        searched = (*OPTIONS, "prior_weight")
        params |= {name: getattr(options, name) for name in searched if name in self.distributions}
        return params

    def plain_mean(self) -> Candidate:
        """Equal weights and every view of all members, composition as by default."""
        views = {member: self.views[member] for member in self.members}
        return Candidate(StageRecipe.mean_of(views), self._defaults)

    def singles(self) -> dict[str, Candidate]:
        """Each member that predicts pictures alone, with every view."""
        return {
            member: Candidate(StageRecipe.single(member, self.views[member]), self._defaults)
            for member in self.members
            if member not in self.histogram_members
        }

    def compositions(self) -> tuple[Composition, ...]:
        """Every combination of the options that are searched, without the prior's weight."""
        base = self._defaults
        choices = product(
            self.hue or (base.hue,),
            self.chroma or (base.chroma,),
            self.data_range or (base.data_range,),
        )
        return tuple(
            base.model_copy(update={"hue": hue, "chroma": chroma, "data_range": data_range})
            for hue, chroma, data_range in choices
        )

    def every_composition(self) -> tuple[Composition, ...]:
        """`compositions`, and that of the slides, which the plain mean may have."""
        if len(self.compositions()) == 1 or not self.fixed.luma_lock:
            return self.compositions()
        return (*self.compositions(), SLIDES)

    def baselines(self) -> list[Candidate]:
        """The candidates that are tried first, so that the result is never worse than they are.

        The plain mean with each composition, and each member alone with every view and with the
        identity only.
        """
        mean = self.plain_mean()
        one_view = [
            Candidate(StageRecipe.single(member), self._defaults) for member in self.singles()
        ]
        means = [Candidate(mean.recipe, composition) for composition in self.compositions()]
        every = {one.key: one for one in [mean, *self.singles().values(), *one_view, *means]}
        return list(every.values())

    def _choose_options(self, params: Mapping[str, Any]) -> Composition:
        """The options of composition. Those without effect stay as by default."""
        chosen = {name: params[name] for name in OPTIONS if name in params}
        options = self._defaults.model_copy(update=chosen)
        if options.hue == "none" or "prior_weight" not in params:
            return options
        # A multiple of the step as one writes it, not 0.35000000000000003.
        return options.model_copy(update={"prior_weight": round(params["prior_weight"], 9)})

    @cached_property
    def _defaults(self) -> Composition:
        """`fixed`, with the first value of each searched option that does not allow its own."""
        chosen: Params = {}
        for option in OPTIONS:
            values = getattr(self, option)
            if values and getattr(self.fixed, option) not in values:
                chosen[option] = values[0]
        if self._with_prior:
            steps = round(self.fixed.prior_weight / PRIOR_STEP)
            chosen["prior_weight"] = round(steps * PRIOR_STEP, 9)
        return self.fixed.model_copy(update=chosen)

    @property
    def _with_prior(self) -> bool:
        return any(value != "none" for value in self.hue)

    @property
    def _view_owners(self) -> tuple[str, ...]:
        return (EVERY_MEMBER,) if self.views_per == "stage" else self.members

    def _available(self, owner: str) -> tuple[View, ...]:
        if owner != EVERY_MEMBER:
            return self.views[owner]
        return tuple(view for view in VIEWS if any(view in own for own in self.views.values()))

    def _choose_views(self, member: str, params: Mapping[str, Any]) -> tuple[View, ...]:
        owner = EVERY_MEMBER if self.views_per == "stage" else member
        chosen = params.get(f"views/{owner}")
        if chosen is None:
            return self.views[member]
        return tuple(view for view in self.views[member] if view in chosen.split("+"))

    def _views_of(self, owner: str, recipe: StageRecipe) -> tuple[View, ...]:
        if owner != EVERY_MEMBER:
            return recipe.views.get(owner, self.views[owner])
        return max(recipe.views.values(), key=len)

    def _give_a_picture(self, weights: Weights) -> Weights:
        """The weights, with enough for one member with pictures, so that rounding keeps it."""
        drawn = [k for k, member in enumerate(self.members) if member not in self.histogram_members]
        largest = max(drawn, key=lambda k: weights[k])
        given = weights.copy()
        given[largest] = max(given[largest], 2 * LEAST_WEIGHT * weights.sum())
        return given


def list_view_sets(available: Sequence[View]) -> list[tuple[View, ...]]:
    """Every set of views that holds the first of them, the identity; smallest first."""
    first, rest = tuple(available[:1]), available[1:]
    return [first + extra for size in range(len(rest) + 1) for extra in combinations(rest, size)]


def join_views(views: Sequence[View]) -> str:
    """Views as one word, such as identity+hflip."""
    return "+".join(cast(Sequence[str], views))
