from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from ensemble.arrays import luma
from ensemble.composition.hue_prior import N_STATISTICS, HuePrior
from ensemble.composition.recipe import SLIDES, Composition, Recipe, StageRecipe
from ensemble.damage.fill import fill_hole
from ensemble.data.png import decode_rgb, read_rgb, write_png
from ensemble.errors import (
    MissingArtefactError,
    MissingFileError,
    StaleArtefactError,
    SubmissionError,
)
from ensemble.files import atomic_write
from ensemble.inference.fixed import FixedPredictor
from ensemble.oof.priors import Priors, read_recipe_priors, write_priors
from ensemble.project import Project
from ensemble.provenance import read_recipe, recipe_digests, require_current_submission
from ensemble.submission.chain import predict_test
from ensemble.submission.submit import Mix, Submission, submit
from ensemble.submission.zip import build_zip
from ensemble.vocabulary import FULL
from tests.conftest import UNTRAINED
from tests.reference.score import literal_score


def digests(project: Project) -> dict[str, str]:
    return recipe_digests(project, project.all_members(), (0, 1), priors="")


def write_recipe(project: Project, **changes) -> Recipe:
    values = {
        "restoration": StageRecipe(
            weights={"navier-stokes": 0.25, "telea": 0.75},
            views={"navier-stokes": ("identity",), "telea": ("identity",)},
        ),
        "colorization": StageRecipe.single("gray"),
        "composition": Composition(hue="none", data_range="as-is"),
        "folds": (0, 1),
        "made_from": digests(project),
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
        hole = project.photographs.located(answer.image_id)
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
    facts = json.loads(made.zip_file.with_suffix(".json").read_text())["facts"]
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
    write_recipe(project, made_from={**digests(project), "folds": "other"})
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
    require_current_submission(project, recipe, made.zip_file)
    drawn = np.ones(project.competition.size, dtype=bool)
    write_png(project.workspace.data / "test_masks" / f"{made.answers[0].image_id}.png", drawn)
    other = write_recipe(project, folds=(0,))
    message = "another masks and another recipe than .* run `ens submit --name s --force`"
    with pytest.raises(StaleArtefactError, match=message):
        require_current_submission(project, other, made.zip_file)
    made.zip_file.with_suffix(".json").unlink()
    with pytest.raises(MissingArtefactError, match="run `ens submit --name s --force`"):
        require_current_submission(project, recipe, made.zip_file)


def replaced(project: Project, recipe: Recipe, name: str, content: bytes) -> None:
    path = project.workspace.submission_file("s").with_name(name)
    honest = path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(StaleArtefactError, match="is not the file that `.*json` was written"):
        require_current_submission(project, recipe, path)
    path.write_bytes(honest)
    require_current_submission(project, recipe, path)


def test_a_zip_that_was_changed_is_not_current(project):
    recipe = write_recipe(project)
    made = send(project)
    replaced(project, recipe, "s.zip", made.zip_file.read_bytes() + b" ")
    replaced(project, recipe, "s.zip", b"")


@pytest.mark.parametrize("fault", ["target", "sample"])
def test_a_refused_submission_leaves_the_earlier_one(project, fault):
    write_recipe(project)
    made = send(project)
    files = (made.zip_file, made.zip_file.with_suffix(".json"))
    before = [path.read_bytes() for path in files]
    write_recipe(project, restoration=StageRecipe.single("telea"))
    if fault == "target":
        (project.workspace.data / "test_target/TEST_001.png").unlink()
        refusal = pytest.raises(MissingFileError, match="TEST_001")
    else:
        with zipfile.ZipFile(project.workspace.data / "sample_submission.zip", "w") as sample:
            sample.writestr("other.png", b"")
        refusal = pytest.raises(SubmissionError, match="would be refused: `other.png` missing")
    with refusal:
        send(project, force=True)
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize("folds", [(), (-1,), (0, 99)])
def test_a_recipe_of_folds_that_are_not_there_is_refused(project, folds):
    write_recipe(project, folds=folds)
    with pytest.raises(StaleArtefactError, match=r"some of the folds 0\.\.1, but names"):
        read_recipe(project)


@pytest.mark.parametrize("changed", ["views", "locator"])
def test_a_recipe_tuned_with_other_views_or_another_locator_is_refused(project, changed):
    write_recipe(project, made_from={**digests(project), changed: "other"})
    with pytest.raises(
        StaleArtefactError, match=f"another {changed} than .* run `ens blend` again"
    ):
        read_recipe(project)


def test_a_recipe_tuned_with_other_priors_is_refused(project):
    prior = HuePrior.fit(statistics=[np.zeros((2, N_STATISTICS))], histograms=np.ones((2, 180)))
    priors = Priors({0: prior, 1: prior, FULL: prior})
    write_priors(project.workspace.priors_file, priors)
    recipe = write_recipe(project, composition=Composition())
    with pytest.raises(StaleArtefactError, match="tuned with other hue priors than those in"):
        read_recipe_priors(project, recipe)
    made_from = {**recipe.made_from, "priors": priors.digest()}
    recipe = write_recipe(project, composition=Composition(), made_from=made_from)
    assert set(read_recipe_priors(project, recipe).of_folds) == {0, 1, FULL}


def test_photographs_are_predicted_in_batches_and_each_hole_is_filled_once(
    make_project, monkeypatch
):
    sizes, filled = [], []
    honest = FixedPredictor.predict
    monkeypatch.setattr(
        FixedPredictor,
        "predict",
        lambda self, shown, views: sizes.append(len(shown.grays)) or honest(self, shown, views),
    )
    project = make_project("inference", batch_size=2)
    recipe = write_recipe(project)
    assert len(predict_test(project, recipe, {}, advance=filled.append)) == 3
    assert sizes == [2, 2, 2, 1, 1, 1], "untrained members predict once for both folds"
    assert sum(filled) == 6


@pytest.fixture
def make_project(make_workspace):
    def make(section, **values):
        workspace, config = make_workspace(n_test=3, **UNTRAINED)
        return Project.open(workspace, config.replace(section, **values))

    return make


def test_another_zip_is_mixed_in_and_marked_as_not_scored(project, tmp_path):
    recipe = write_recipe(project)
    alone = {answer.image_id: answer for answer in send(project).answers}
    rng = np.random.default_rng(0)
    names = project.competition.test_names
    others = {name: rng.integers(0, 256, (48, 48, 3), dtype=np.uint8) for name in names}
    path = tmp_path / "theirs.zip"
    build_zip(path, others.items())
    made = submit(
        project, recipe, name="m", force=False, mix=Mix(path, 0.25), advance=lambda _: None
    )
    for answer in made.answers:
        own, other = alone[answer.image_id], others[f"{answer.image_id}.png"]
        known = own.damaged == own.gray
        mean = 0.75 * own.picture + 0.25 * other
        assert np.array_equal(luma(answer.picture)[known], own.gray[known])
        assert np.abs(luma(answer.picture)[~known] - mean[~known] @ (0.299, 0.587, 0.114)).max() < 2
        inside = ~known
        assert np.abs(answer.picture[inside] - mean[inside]).mean() < 4
    facts = json.loads(made.zip_file.with_suffix(".json").read_text())["facts"]
    assert facts["expected"] is None
    assert facts["mixed"]["weight"] == 0.25
    assert "nothing is known of how they score" in facts["note"]
    require_current_submission(project, recipe, made.zip_file)
    other = write_recipe(project, folds=(0,))
    with pytest.raises(StaleArtefactError, match="--force --mix .*theirs.zip --mix-weight 0.25"):
        require_current_submission(project, other, made.zip_file)
    build_zip(path, list(others.items())[:1])
    with pytest.raises(SubmissionError, match="would be refused: .* missing.*ask for a zip"):
        submit(project, recipe, name="m", force=True, mix=Mix(path, 0.5), advance=lambda _: None)
