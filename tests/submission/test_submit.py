from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from ensemble.arrays import luma
from ensemble.composition.recipe import SLIDES, Composition, Recipe, StageRecipe
from ensemble.damage.fill import fill_hole
from ensemble.data.masks import located_mask
from ensemble.data.png import decode_rgb, read_rgb, write_png
from ensemble.errors import MissingArtefactError, StaleArtefactError, SubmissionError
from ensemble.project import Project
from ensemble.submission.submit import Submission, read_recipe, require_current, submit
from ensemble.workspace import atomic_write
from tests.reference.score import literal_score


def write_recipe(project: Project, **changes) -> Recipe:
    values = {
        "restoration": StageRecipe(
            weights={"navier-stokes": 0.25, "telea": 0.75},
            views={"navier-stokes": ("identity",), "telea": ("identity",)},
        ),
        "colorization": StageRecipe.single("gray"),
        "composition": Composition(hue="none", data_range="as-is"),
        "folds": (0, 1),
        "made_from": project.digests,
        **changes,
    }
    recipe = Recipe(**values)
    atomic_write(project.workspace.recipe_file, recipe.to_json())
    return recipe


def send(project: Project, *, force: bool = False) -> Submission:
    recipe = read_recipe(project)
    return submit(project, recipe, name="s", force=force, advance=lambda _: None)


def test_a_picture_is_the_blend_of_both_stages(project):
    write_recipe(project)
    made = send(project)
    assert [answer.image_id for answer in made.answers] == list(project.competition.test_ids)
    for answer in made.answers:
        damaged = project.competition.test_input(answer.image_id)
        hole = located_mask(project.competition, answer.image_id, damaged)
        first = fill_hole(damaged, hole, method="navier-stokes").astype(float)
        second = fill_hole(damaged, hole, method="telea").astype(float)
        blend = np.where(hole, 0.25 * first + 0.75 * second, damaged)
        assert np.abs(answer.gray - blend).max() <= 0.5
        assert np.array_equal(answer.picture, np.stack([answer.gray] * 3, axis=-1))


def test_the_zip_holds_the_answers_and_the_manifest_their_score(project):
    write_recipe(project)
    made = send(project)
    scores = []
    with zipfile.ZipFile(made.zip_file) as archive:
        for answer in made.answers:
            name = f"{answer.image_id}.png"
            sent = decode_rgb(archive.read(name), name=name)
            assert np.array_equal(sent, answer.picture)
            target = read_rgb(project.workspace.data / "test_target" / name)
            mask = answer.damaged != luma(target)
            scores.append(literal_score(pred=sent, target=target, lost_mask=mask))
    facts = json.loads(made.manifest_file.read_text())["facts"]
    expected = np.mean([one.score for one in scores])
    assert facts["score"]["score"] == pytest.approx(expected, abs=1e-7)


def test_a_mask_drawn_by_hand_overrides_the_located_hole(project):
    write_recipe(project)
    image_id = project.competition.test_ids[0]
    drawn = np.zeros(project.competition.size, dtype=bool)
    drawn[4:14, 5:20] = True
    write_png(project.workspace.data / "test_masks" / f"{image_id}.png", drawn)
    first = send(project).answers[0]
    assert np.array_equal(first.gray[~drawn], first.damaged[~drawn])
    assert not np.array_equal(first.gray[drawn], first.damaged[drawn])


def test_the_slides_composition_pastes_nothing_back(project):
    write_recipe(project, composition=SLIDES)
    made = send(project)
    assert made.score is not None


def test_without_a_recipe(project):
    with pytest.raises(MissingArtefactError, match="run `ens blend`"):
        read_recipe(project)


def test_a_recipe_tuned_on_other_folds_is_refused(project):
    write_recipe(project, made_from={**project.digests, "folds": "other"})
    with pytest.raises(StaleArtefactError, match="another folds .* run `ens blend` again"):
        read_recipe(project)


def test_a_recipe_with_a_member_that_is_gone_is_refused(project):
    write_recipe(project, restoration=StageRecipe.single("biharmonic"))
    with pytest.raises(StaleArtefactError, match="`biharmonic`, which is no longer a member"):
        send(project)


def test_nothing_is_overwritten_unasked(project):
    write_recipe(project)
    made = send(project)
    before = made.zip_file.read_bytes()
    with pytest.raises(SubmissionError, match="--force"):
        send(project)
    again = send(project, force=True)
    assert again.zip_file.read_bytes() == before


def test_a_submission_is_current_until_something_it_depends_on_changes(project):
    recipe = write_recipe(project)
    made = send(project)
    require_current(project, recipe, made.zip_file)
    drawn = np.ones(project.competition.size, dtype=bool)
    write_png(project.workspace.data / "test_masks" / f"{made.answers[0].image_id}.png", drawn)
    other = write_recipe(project, folds=(0,))
    message = "another masks and another recipe than .* run `ens submit --name s --force`"
    with pytest.raises(StaleArtefactError, match=message):
        require_current(project, other, made.zip_file)
    made.manifest_file.unlink()
    with pytest.raises(MissingArtefactError, match="run `ens submit --name s --force`"):
        require_current(project, recipe, made.zip_file)
