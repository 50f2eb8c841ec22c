from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.blending.samplers import draw_params
from ensemble.blending.space import SearchSpace, list_view_sets
from ensemble.composition.recipe import Composition, StageRecipe
from ensemble.vocabulary import VIEWS

COLOR = SearchSpace(
    views={"b": VIEWS, "a": VIEWS, "v": VIEWS, "x": ("identity",)},
    histogram_members=frozenset({"v"}),
    chroma=("mean", "median", "preserving"),
    hue=("none", "score", "natural"),
    views_per="member",
)
GRAY = SearchSpace(views=dict.fromkeys("ab", VIEWS), fixed=Composition(hue="none"))


@pytest.mark.parametrize("space", [COLOR, GRAY])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_any_parameters_give_a_valid_candidate_that_codes_back(space, seed):
    candidate = space.decode(draw_params(space, np.random.default_rng(seed)))
    assert sum(candidate.recipe.weights.values()) == pytest.approx(1, abs=1e-12)
    assert set(candidate.recipe.weights) - space.histogram_members
    assert space.decode(space.encode(candidate)).key == candidate.key


@pytest.mark.parametrize("space", [COLOR, GRAY])
def test_every_baseline_codes_back(space):
    for baseline in space.baselines():
        again = space.decode(space.encode(baseline))
        assert again.composition == baseline.composition
        assert again.recipe.views == baseline.recipe.views
        for member, weight in baseline.recipe.weights.items():
            assert again.recipe.weights[member] == pytest.approx(weight, abs=1e-4)


def test_baselines_are_the_plain_means_and_each_member_with_pictures():
    baselines = COLOR.baselines()
    alone = {next(iter(b.recipe.weights)) for b in baselines if len(b.recipe.weights) == 1}
    assert alone == {"a", "b", "x"}
    looks = {
        (b.composition.chroma, b.composition.hue) for b in baselines if len(b.recipe.weights) == 4
    }
    assert len(looks) == 9
    assert len({b.key for b in baselines}) == len(baselines)


def test_the_plain_mean_is_the_one_that_stage_2_was_collected_on():
    space = SearchSpace(views=dict.fromkeys("cab", VIEWS), fixed=Composition(hue="none"))
    assert space.plain_mean().recipe == StageRecipe.plain_mean(["c", "a", "b"])


def test_a_member_averages_only_views_it_has():
    params = COLOR.encode(COLOR.plain_mean())
    assert COLOR.decode(params).recipe.views["x"] == ("identity",)


def test_one_set_of_views_for_all():
    space = SearchSpace(views={"a": VIEWS, "x": ("identity",)})
    params = {**space.encode(space.plain_mean()), "views/every member": "identity+vflip"}
    assert space.decode(params).recipe.views == {
        "a": ("identity", "vflip"),
        "x": ("identity",),
    }


def test_histogram_members_alone_are_given_a_picture():
    params = COLOR.encode(COLOR.plain_mean())
    candidate = COLOR.decode({**params, **COLOR.code_weights([0, 0, 1, 0])})
    assert candidate.recipe.weights["v"] > 0.9
    assert set(candidate.recipe.weights) - {"v"}


def test_view_sets_hold_the_picture_as_it_is():
    sets = list_view_sets(VIEWS)
    assert len(sets) == 8
    assert all(views[0] == "identity" for views in sets)
    assert sets[0] == ("identity",)
    assert sets[-1] == VIEWS


def test_options_that_are_moot_make_no_other_candidate():
    params = COLOR.encode(COLOR.plain_mean())
    unmoved = {
        COLOR.decode({**params, "hue": "none", "prior_weight": weight}).key
        for weight in (0.0, 0.35, 1.0)
    }
    assert len(unmoved) == 1


def test_a_prior_weight_is_a_multiple_of_its_step():
    params = {**COLOR.encode(COLOR.plain_mean()), "prior_weight": 7 * 0.05, "hue": "natural"}
    assert COLOR.decode(params).composition.prior_weight == 0.35
