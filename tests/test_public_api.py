"""The public names are locked here: adding, renaming or removing one is a decision."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

import ensemble
from ensemble.composition.recipe import Composition, Recipe, StageRecipe
from ensemble.files import atomic_write
from ensemble.provenance import recipe_digests

NAMES = {
    "Composition",
    "EnsembleError",
    "Project",
    "Recipe",
    "Score",
    "__version__",
    "apply_damage",
    "compose_gray",
    "compose_rgb",
    "draw_damage",
    "fill_hole",
    "locate_hole",
    "luma",
    "open_project",
    "predict",
    "prepare_target",
    "read_recipe",
    "score",
}
HEAVY = ("numpy", "numba", "torch", "cv2", "pydantic", "ensemble.errors")


def test_the_names_are_these() -> None:
    assert ensemble.__all__ == sorted(NAMES)
    assert dir(ensemble) == sorted(NAMES)
    listed = set((ensemble.__doc__ or "").replace(",", " ").split())
    assert listed >= NAMES - {"__version__"}


@pytest.mark.parametrize("name", sorted(NAMES - {"__version__"}))
def test_every_name_is_there_and_documented(name: str) -> None:
    value = getattr(ensemble, name)
    assert inspect.getdoc(value)
    assert value.__module__.startswith("ensemble.")


def test_other_names_are_none() -> None:
    with pytest.raises(AttributeError, match="module `ensemble` has no attribute `scores`"):
        _ = ensemble.scores


def test_importing_the_package_imports_nothing_else() -> None:
    script = f"import sys, ensemble; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["score", "locate_hole", "open_project", "Recipe"])
def test_a_name_needs_no_torch(name: str) -> None:
    script = f"import sys, ensemble; ensemble.{name}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_pictures_go_from_damage_to_a_score(photograph: np.ndarray) -> None:
    target = np.ascontiguousarray(photograph[:128, 128:256])
    gray = ensemble.luma(target)
    damage = ensemble.draw_damage(size=gray.shape, seed=3)
    damaged = ensemble.apply_damage(gray, damage)
    lost_mask = ensemble.locate_hole(damaged).lost_mask
    restored = ensemble.compose_gray(
        blend=ensemble.fill_hole(damaged, lost_mask).astype(float),
        damaged=damaged,
        lost_mask=lost_mask,
        options=ensemble.Composition(),
    )
    picture = ensemble.compose_rgb(
        blend=np.stack([restored] * 3, axis=-1).astype(float),
        gray=restored,
        hue_target=None,
        options=ensemble.Composition(data_range="as-is"),
    )
    found = ensemble.score(pred=picture, target=target, lost_mask=lost_mask)
    prepared = ensemble.prepare_target(target=target, lost_mask=lost_mask)
    assert prepared.score(picture) == found
    assert isinstance(found, ensemble.Score)
    assert found.ssim > 0.8


def test_a_project_answers_its_test_photographs(project: ensemble.Project) -> None:
    recipe = Recipe(
        restoration=StageRecipe.single("telea"),
        colorization=StageRecipe.single("gray"),
        composition=Composition(hue="none"),
        folds=(0, 1),
        made_from=recipe_digests(project, [], (0, 1), priors=""),
    )
    with pytest.raises(ensemble.EnsembleError, match="run `ens blend`"):
        ensemble.read_recipe(project)
    atomic_write(project.workspace.recipe_file, recipe.to_json())
    assert ensemble.read_recipe(project) == recipe
    for image_id in project.competition.test_ids:
        damaged = project.photographs.damaged(image_id)
        lost_mask = project.photographs.located(image_id)
        [answer] = ensemble.predict([damaged], project, lost_masks=[lost_mask])
        np.testing.assert_array_equal(
            ensemble.luma(answer),
            np.where(lost_mask, ensemble.fill_hole(damaged, lost_mask, method="telea"), damaged),
        )
