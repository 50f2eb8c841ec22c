"""Two searches of our own: greedy selection with replacement, and local refinement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from ensemble.blending.space import Params, SearchSpace
from ensemble.blending.strategies import (
    STARTUP,
    History,
    HistoryStrategy,
    Refined,
    Strategy,
    cma_es,
    random,
    random_params,
    tpe,
)
from ensemble.blending.weights import LEAST_DRAW, bag_weights, draws_of, on_simplex, one_more
from ensemble.errors import ConfigError

LARGEST_BAG = 24
WIDEST, NARROWEST = 0.6, 0.05
NARROWING = 60


class Greedy(HistoryStrategy):
    """Forward selection with replacement: add the member that helps most, again and again.

    It starts from the best trial that is one member alone, with its views and options. Every
    second step, the neighbouring views and options of the grown bag are tried instead of one more
    member. A full bag, or a step that has nothing new to try, hands over to `Local`.

    Source: Caruana et al., Ensemble selection from libraries of models, ICML 2004.
    """

    def propose(self, space: SearchSpace, history: History, rng: np.random.Generator) -> Params:
        """See `HistoryStrategy.propose`."""
        known = {_frozen(params): value for params, value in history}
        bag, options = _start(space, history)
        while bag is not None and sum(bag) < LARGEST_BAG:
            grown = [(next_bag, options) for next_bag in one_more(bag)]
            for params in (_params(space, *state) for state in grown):
                if _frozen(params) not in known:
                    return params
            bag, options = max(grown, key=lambda state: known[_frozen(_params(space, *state))])
            moves = [(bag, other) for other in _other_options(space, options)]
            for params in (_params(space, *state) for state in moves):
                if _frozen(params) not in known:
                    return params
            stay = [(bag, options), *moves]
            bag, options = max(stay, key=lambda state: known[_frozen(_params(space, *state))])
        return Local().propose(space, history, rng)


class Local(HistoryStrategy):
    """Refinement of the best trial: small steps in the weights, now and then another option.

    Steps shrink as trials pile up. The first few trials, if nothing was enqueued, are random.
    """

    def propose(self, space: SearchSpace, history: History, rng: np.random.Generator) -> Params:
        """See `HistoryStrategy.propose`."""
        if len(history) < STARTUP:
            return random_params(space, rng)
        best = max(history, key=lambda trial: trial[1])[0]
        width = max(NARROWEST, WIDEST * 0.5 ** (len(history) / NARROWING))
        weights = _weights(space, best) * np.exp(rng.normal(0, width, len(space.members)))
        # A member without any weight may come back in.
        weights = weights + (rng.uniform(size=weights.size) < 0.15) * rng.exponential(width / 4)
        options = {name: best[name] for name in space.distributions if not _is_weight(name)}
        if options and rng.uniform() < 0.3:
            others = list(_other_options(space, options))
            options = others[rng.integers(len(others))] if others else options
        return {**_weight_params(space, weights.tolist()), **options}


def _start(space: SearchSpace, history: History) -> tuple[tuple[int, ...] | None, Params]:
    """The bag and options of the best trial of one member alone; None where there is none."""
    alone = [trial for trial in history if _weights(space, trial[0]).max() > 0.999]
    if not alone:
        return None, {}
    best = max(alone, key=lambda trial: trial[1])[0]
    options = {name: best[name] for name in space.distributions if not _is_weight(name)}
    leading = int(_weights(space, best).argmax())
    return tuple(int(k == leading) for k in range(len(space.members))), options


def _other_options(space: SearchSpace, options: Mapping[str, Any]) -> Iterator[Params]:
    """Options that differ in one: another category, or one step of a number."""
    for name, value in options.items():
        distribution = space.distributions[name]
        for other in _neighbours(distribution, value):
            yield {**options, name: other}


def _neighbours(distribution: BaseDistribution, value: Any) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return [choice for choice in distribution.choices if choice != value]
    assert isinstance(distribution, FloatDistribution)
    step = 2 * (distribution.step or 0.05)
    steps = [round(value - step, 9), round(value + step, 9)]
    return [other for other in steps if distribution.low <= other <= distribution.high]


def _is_weight(name: str) -> bool:
    return name.startswith("weight/")


def _weights(space: SearchSpace, params: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    return on_simplex([params[f"weight/{member}"] for member in space.members])


def _weight_params(space: SearchSpace, weights: list[float]) -> Params:
    draws = np.clip(draws_of(weights), LEAST_DRAW, 1.0).tolist()
    return {f"weight/{m}": draw for m, draw in zip(space.members, draws, strict=True)}


def _params(space: SearchSpace, bag: tuple[int, ...], options: Mapping[str, Any]) -> Params:
    return {**_weight_params(space, bag_weights(bag).tolist()), **options}


def _frozen(params: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(params.items()))


STRATEGIES = MappingProxyType[str, Callable[[], Strategy]](
    {
        "tpe": lambda: Refined(tpe(), Local()),
        "cma-es": cma_es,
        "random": random,
        "greedy": Greedy,
        "local": Local,
    }
)
"""Every strategy, by the name `--sampler` takes."""


def strategy(name: str) -> Strategy:
    """The strategy called `name`.

    Raises:
        ConfigError: There is none; the message lists the valid ones.
    """
    if name not in STRATEGIES:
        raise ConfigError(f"a sampler must be one of {', '.join(STRATEGIES)}, but got `{name}`")
    return STRATEGIES[name]()
