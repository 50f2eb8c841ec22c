from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from ensemble import vocabulary
from ensemble.composition import recipe as module
from ensemble.composition.recipe import Composition, Recipe, StageRecipe
from ensemble.errors import StaleArtefactError

STAGE = StageRecipe(weights={"a": 0.25, "b": 0.75}, views=dict.fromkeys("ab", ("identity",)))
RECIPE = Recipe(
    restoration=STAGE, colorization=STAGE, composition=Composition(), folds=(0,), made_from={}
)


@pytest.mark.parametrize("weights", [{}, {"a": 0.5, "b": 0.4}, {"a": 0.0, "b": 1.0}, {"a": 1.1}])
def test_weights_off_the_simplex_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="weights must be positive and sum to 1, but got"):
        StageRecipe(weights=weights, views=dict.fromkeys(weights, ("identity",)))


@pytest.mark.parametrize("views", [(), ("hflip", "identity", "hflip")])
def test_views_twice_or_none_are_refused(views: Any) -> None:
    with pytest.raises(ValidationError, match="`a` must have distinct views, but got"):
        StageRecipe(weights={"a": 1.0}, views={"a": views})


def test_views_are_listed_in_the_vocabulary_alone() -> None:
    assert module.VIEWS is vocabulary.VIEWS


def test_a_recipe_survives_its_text() -> None:
    assert Recipe.from_json(RECIPE.to_json()) == RECIPE


@pytest.mark.parametrize(
    "change", [{"folds": "all"}, {"composition": {"sepia": True}}, {"restoration": {"weights": {}}}]
)
def test_a_recipe_of_another_version_is_refused_by_name(change: dict[str, Any]) -> None:
    text = json.dumps({**json.loads(RECIPE.to_json()), **change})
    with pytest.raises(
        StaleArtefactError,
        match=r"`here.json` is not a recipe of this version of ens .*; run `ens blend` again",
    ):
        Recipe.from_json(text, name="here.json")


def test_a_recipe_that_is_no_json_is_refused() -> None:
    with pytest.raises(StaleArtefactError, match="`recipe.json` is not a recipe"):
        Recipe.from_json("{")


@pytest.mark.parametrize(
    ("option", "value", "valid"),
    [
        ("chroma", "rgb", "`preserving`, `mean`, `median`"),
        ("hue", "Natural", "`natural`, `none`, `score`"),
        ("data_range", "as_is", "`as-is`, `full`"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_first(
    option: str, value: str, valid: str
) -> None:
    due = f"`{value}` is no value of `{option}`; valid, nearest first: {valid}"
    with pytest.raises(ValidationError, match=due):
        Composition.model_validate({option: value})
    text = json.dumps({**json.loads(RECIPE.to_json()), "composition": {option: value}})
    with pytest.raises(StaleArtefactError, match=f"the first: .*{due}.*; run `ens blend` again"):
        Recipe.from_json(text)
